import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode } from "./lib.ts"

const token = v.pipe(v.string(), v.regex(/^token(2|3|10|20)?$/))
const env = {
  KAVENEGAR_API_KEY: v.pipe(v.string(), v.regex(/^\w+$/), v.description("API key of the account, letters and digits")),
  KAVENEGAR_TEMPLATE: v.optional(
    v.pipe(v.string(), v.description("template of the Lookup service; unset sends the text")),
  ),
  KAVENEGAR_VARIABLES: v.pipe(
    v.optional(v.string(), '{"token": "{code}"}'),
    v.parseJson(),
    v.record(token, v.string()),
    v.description(
      "the template's token, token2, token3, token10 and token20 as JSON; {code}, {body}, {locale}, {sender} and {recipient} are filled in",
    ),
  ),
}

const entry = <const S extends readonly number[]>(states: S) => {
  const Entry = v.object({
    messageid: v.pipe(v.number(), v.minValue(1)),
    status: v.picklist(states),
    statustext: v.nullish(v.string()),
  })
  return v.union([v.strictTuple([Entry]), Entry])
}
const Accepted = v.object({ return: v.object({ status: v.literal(200) }), entries: entry([1, 2, 4, 5, 10]) })
const Stopped = v.object({ entries: entry([6, 11, 13, 14]) })
const Refused = v.object({ return: v.object({ status: v.number(), message: v.nullish(v.string()) }) })

/** The key stands in the path. Its statuses are not HTTP's (402 is a failed operation, 409 an overload). No "+". */
export default {
  docs: "https://kavenegar.com/rest.html",
  region: "Iran",
  evidence: "vendor",
  url: "https://api.kavenegar.com",
  env,
  request(message, env, { url }) {
    const { recipient, sender, body } = message
    const receptor = recipient.startsWith("+98") ? `0${recipient.slice(3)}` : `00${recipient.slice(1)}`
    if (env.KAVENEGAR_TEMPLATE) {
      const tokens = fill(env.KAVENEGAR_VARIABLES, message)
      if (!tokens) return noCode
      const form = new URLSearchParams({ receptor, template: env.KAVENEGAR_TEMPLATE, ...tokens })
      return new Request(`${url}/v1/${env.KAVENEGAR_API_KEY}/verify/lookup.json`, { method: "POST", body: form })
    }
    const form = new URLSearchParams({ receptor, message: body })
    if (sender) form.set("sender", sender.replace("+", ""))
    return new Request(`${url}/v1/${env.KAVENEGAR_API_KEY}/sms/send.json`, { method: "POST", body: form })
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
      const { status: code, statustext } = "status" in json.entries ? json.entries : json.entries[0]
      return { code, reason: statustext ?? undefined }
    }
    if (!v.is(Refused, json)) return { code: status }
    const { status: code, message } = json.return
    return { code, reason: message ?? undefined, fault: code === 402 ? "provider" : undefined }
  },
} satisfies Provider<typeof env>
