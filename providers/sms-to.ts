import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMS_TO_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
}

const Accepted = v.object({ success: v.literal(true), message_id: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ success: v.literal(false), message: v.nullish(v.string()) })

/** A message with no sender goes from the account's own one. Refusals have no code. */
export default {
  docs: "https://docs.sms.to/api/",
  region: "Global",
  evidence: "vendor",
  url: "https://api.sms.to",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/sms/send`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.SMS_TO_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        message: body,
        to: recipient,
        ...(sender && { sender_id: sender.replace("+", "") }),
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.message_id }
    if (!v.is(Refused, json)) return { code: status }
    const reason = json.message ?? undefined
    return { code: status, reason, fault: /balance|credit/i.test(reason ?? "") ? "account" : undefined }
  },
} satisfies Provider<typeof env>
