import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSRU_API_ID: v.pipe(v.string(), v.description("api_id of the account")),
}

const Sent = v.object({
  status: v.literal("OK"),
  status_code: v.literal(100),
  sms_id: v.pipe(v.string(), v.nonEmpty()),
})
const Accepted = v.object({ status: v.literal("OK"), status_code: v.literal(100), sms: v.record(v.string(), Sent) })
const Refused = v.object({ status: v.literal("ERROR"), status_code: v.number(), status_text: v.nullish(v.string()) })
const RefusedMessage = v.object({ sms: v.record(v.string(), v.unknown()) })

/** Always a 200. The outer status judges the call; that of the message stands below, under the recipient's digits. */
export default {
  docs: "https://sms.ru/api/send",
  region: "Russia",
  evidence: "vendor",
  url: "https://sms.ru",
  env,
  request({ recipient, sender, body }, env, { url, ttl }) {
    const form = new URLSearchParams({ api_id: env.SMSRU_API_ID, to: recipient.slice(1), msg: body, json: "1" })
    if (sender) form.set("from", sender.replace("+", ""))
    // 1 to 1,440 minutes.
    if (ttl) form.set("ttl", String(Math.min(Math.ceil(ttl / 60), 1_440)))
    return new Request(`${url}/sms/send`, { method: "POST", body: form })
  },
  faults: {
    // 209 and 215 are stop lists, the account's own and one of SMS.RU's.
    account: [200, 201, 202, 204, 206, 207, 209, 214, 215, 221, 300, 301, 302, 503, 504, 550],
    message: [203, 205, 212, 216, 217],
    provider: [220, 500],
  },
  receipt({ status, json }) {
    const [id, ...others] = v.is(Accepted, json) ? Object.values(json.sms).map(({ sms_id }) => sms_id) : []
    if (status === 200 && id && others.length === 0) return { id }
    const messages = v.is(RefusedMessage, json) ? Object.values(json.sms) : []
    const refused = [json, ...messages].find((answer) => v.is(Refused, answer))
    if (!refused) return { code: status }
    return { code: refused.status_code, reason: refused.status_text ?? undefined }
  },
} satisfies Provider<typeof env>
