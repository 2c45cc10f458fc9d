import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  KAVENEGAR_API_KEY: v.pipe(v.string(), v.regex(/^\w+$/), v.description("API key of the account, letters and digits")),
}

const entries = (states: number[]) =>
  v.strictTuple([v.object({ messageid: v.number(), status: v.picklist(states), statustext: v.nullish(v.string()) })])
const Accepted = v.object({ return: v.object({ status: v.literal(200) }), entries: entries([1, 2, 4, 5, 10]) })
const Stopped = v.object({ entries: entries([6, 11, 13, 14, 100]) })
const Refused = v.object({ return: v.object({ status: v.number(), message: v.nullish(v.string()) }) })

/** The key stands in the path. Its statuses are not HTTP's (402 is a failed operation, 409 an overload). No "+". */
export default {
  docs: "https://kavenegar.com/rest.html",
  region: "Iran",
  evidence: "vendor",
  url: "https://api.kavenegar.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const receptor = recipient.startsWith("+98") ? `0${recipient.slice(3)}` : `00${recipient.slice(1)}`
    const form = new URLSearchParams({ receptor, message: body })
    if (sender) form.set("sender", sender.replace("+", ""))
    return new Request(`${url}/v1/${env.KAVENEGAR_API_KEY}/sms/send.json`, { method: "POST", body: form })
  },
  faults: {
    recipient: [14, 100, 411],
    account: [401, 403, 407, 412, 416, 418, 501],
    message: [413, 422],
    provider: [402, 409],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.entries[0].messageid) }
    if (v.is(Stopped, json)) {
      const [{ status: code, statustext }] = json.entries
      return { code, reason: statustext ?? undefined }
    }
    if (!v.is(Refused, json)) return { code: status }
    return { code: json.return.status, reason: json.return.message ?? undefined }
  },
} satisfies Provider<typeof env>
