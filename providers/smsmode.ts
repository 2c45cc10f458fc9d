import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = { SMSMODE_API_KEY: v.pipe(v.string(), v.description("API key of a transactional channel")) }

const Accepted = v.object({ messageId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  errorCode: v.union([v.string(), v.number()]),
  message: v.optional(v.string()),
  detail: v.optional(v.string()),
})

/** The key belongs to one channel: that of a marketing channel adds a STOP notice to every code. */
export default {
  docs: "https://dev.smsmode.com/sms/v1/message",
  region: "France",
  evidence: "clients",
  url: "https://rest.smsmode.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = sender && { from: sender.replace("+", "") }
    return new Request(`${url}/sms/v1/messages`, {
      method: "POST",
      headers: {
        "x-api-key": env.SMSMODE_API_KEY,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ recipient: { to: recipient.slice(1) }, body: { text: body }, ...from }),
    })
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.messageId }
    if (!v.is(Refused, json)) return { code: status }
    return { code: json.errorCode, reason: [json.message, json.detail].filter(Boolean).join(": ") }
  },
} satisfies Provider<typeof env>
