import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  MOBIZON_API_KEY: v.pipe(v.string(), v.description("API key, from the account's settings")),
}

const Id = v.union([v.pipe(v.string(), v.nonEmpty()), v.pipe(v.number(), v.safeInteger(), v.minValue(1))])
const Accepted = v.object({ code: v.picklist([0, 100]), data: v.object({ messageId: Id }) })
const Refused = v.object({ code: v.number(), message: v.optional(v.string()), data: v.nullish(v.unknown()) })
const RefusedText = v.object({ text: v.unknown() })
const RefusedAccount = v.union([v.object({ recipient: v.unknown() }), v.object({ from: v.unknown() })])

/**
 * Every answer is a 200; 100 is taken too, and done later. Each country's site is a host of its own, such as
 * https://api.mobizon.ua, for MOBIZON_URL.
 */
export default {
  docs: "https://mobizon.com.br/en/help/api-docs/message",
  region: "Kazakhstan, Ukraine, Kyrgyzstan, Uzbekistan, Brazil",
  evidence: "vendor",
  url: "https://api.mobizon.kz",
  env,
  request({ recipient, sender, body }, env, { url, ttl }) {
    const query = new URLSearchParams({ api: "v1", apiKey: env.MOBIZON_API_KEY, output: "json" })
    const form = new URLSearchParams({ recipient: recipient.slice(1), text: body })
    if (sender) form.set("from", sender.replace("+", ""))
    // In minutes, "from 60 to 1440": a shorter one would be refused.
    if (ttl) form.set("params[validity]", String(Math.min(Math.max(Math.ceil(ttl / 60), 60), 1_440)))
    return new Request(`${url}/service/message/sendsmsmessage?${query}`, { method: "POST", body: form })
  },
  // 8: a wrong key, 9: no access, 13: another country's site, 14: a blocked account, 30: too many requests.
  faults: { account: [8, 9, 13, 14], provider: [30] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.data.messageId) }
    if (!v.is(Refused, json)) return { code: status }
    // A refused number may be of a country that the account does not send to.
    const ours = v.is(RefusedText, json.data) ? "message" : undefined
    const fault = v.is(RefusedAccount, json.data) ? "account" : ours
    return { code: json.code, reason: json.message, fault }
  },
} satisfies Provider<typeof env>
