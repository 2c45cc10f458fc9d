import * as v from "valibot"
import type { Provider } from "../main.ts"
import { speech } from "./lib.ts"

const env = {
  KAVENEGAR_API_KEY: v.pipe(v.string(), v.regex(/^\w+$/), v.description("API key of the account, letters and digits")),
}

const entries = (states: number[]) =>
  v.strictTuple([v.object({ messageid: v.number(), status: v.picklist(states), statustext: v.nullish(v.string()) })])
const Accepted = v.object({ return: v.object({ status: v.literal(200) }), entries: entries([1, 2, 4, 5, 10]) })
const Stopped = v.object({ entries: entries([6, 11, 13, 14, 100]) })
const Refused = v.object({ return: v.object({ status: v.number(), message: v.nullish(v.string()) }) })

/** Speaks Persian. The key stands in the path. Its statuses are not HTTP's (402 is a failed operation). No "+". */
export default {
  docs: "https://kavenegar.com/rest.html",
  region: "Iran",
  evidence: "vendor",
  channel: "voice",
  url: "https://api.kavenegar.com",
  env,
  request(message, env, { url }) {
    const { recipient } = message
    const receptor = recipient.startsWith("+98") ? `0${recipient.slice(3)}` : `00${recipient.slice(1)}`
    return new Request(`${url}/v1/${env.KAVENEGAR_API_KEY}/call/maketts.json`, {
      method: "POST",
      body: new URLSearchParams({ receptor, message: speech(message, { again: ". " }) }),
    })
  },
  faults: {
    // 411 is a number abroad, too, and 14 a line that the recipient takes nothing from.
    account: [14, 401, 403, 407, 411, 412, 416, 418, 425, 426, 427, 501],
    message: [413, 422, 424, 431, 432],
    provider: [409],
  },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: /"messageid":\s*(\d+)/.exec(text)?.[1] ?? "" }
    if (v.is(Stopped, json)) {
      const [{ status: code, statustext }] = json.entries
      return { code, reason: statustext ?? undefined }
    }
    if (!v.is(Refused, json)) return { code: status }
    const { status: code, message } = json.return
    return { code, reason: message ?? undefined, fault: code === 402 ? "provider" : undefined }
  },
} satisfies Provider<typeof env>
