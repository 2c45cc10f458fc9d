import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  BREVO_API_KEY: v.pipe(v.string(), v.description("API key of the account, from its settings under SMTP & API")),
}

const Accepted = v.object({ messageId: v.pipe(v.number(), v.integer(), v.minValue(1)) })
const Refused = v.object({ code: v.string(), message: v.string() })

/** Without unicodeEnabled letters beyond GSM-7 are replaced. A bad number or sender has no code of its own, only a text. */
export default {
  docs: "https://developers.brevo.com/docs/transactional-sms-endpoints",
  region: "Global",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.brevo.com/v3",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/transactionalSMS/send`, {
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
  faults: {
    account: [
      "account_under_validation",
      "not_enough_credits",
      "permission_denied",
      "reseller_permission_denied",
      "unauthorized",
    ],
    provider: ["too_many_requests"],
  },
  receipt({ status, json, text }) {
    // The id is a number that may have more digits than a JSON parser keeps.
    if ([201, 202].includes(status) && v.is(Accepted, json))
      return { id: /"messageId"\s{0,9}:\s{0,9}(\d{1,40})(?![\d.e])/i.exec(text)?.[1] ?? "" }
    if (!v.is(Refused, json)) return { code: status }
    const isSender = /\bsender/i.test(json.message)
    const isNumber = json.code === "invalid_parameter" && /\binvalid telephone number/i.test(json.message)
    return { code: json.code, reason: json.message, fault: isSender ? "account" : isNumber ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
