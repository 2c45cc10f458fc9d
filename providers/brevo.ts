import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  BREVO_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
}

const Accepted = v.object({ messageId: v.number() })
const Refused = v.object({ code: v.string(), message: v.string() })

/** Without unicodeEnabled letters beyond GSM-7 are replaced. A bad number has no code of its own, only a text. */
export default {
  docs: "https://developers.brevo.com/reference/send-transac-sms",
  region: "Global",
  evidence: "vendor",
  url: "https://api.brevo.com/v3",
  env,
  request({ recipient, sender, body }, env, { url, isGsm7 }) {
    return new Request(`${url}/transactionalSMS/sms`, {
      method: "POST",
      headers: {
        "api-key": env.BREVO_API_KEY,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        sender: sender.replace("+", ""),
        recipient: recipient.slice(1),
        content: body,
        type: "transactional",
        ...(!isGsm7(body) && { unicodeEnabled: true }),
      }),
    })
  },
  faults: { account: ["not_enough_credits", "reseller_permission_denied", "account_under_validation"] },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: String(json.messageId) }
    if (!v.is(Refused, json)) return { code: status }
    const isNumber = json.code === "invalid_parameter" && /telephone number/i.test(json.message)
    return { code: json.code, reason: json.message, fault: isNumber ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
