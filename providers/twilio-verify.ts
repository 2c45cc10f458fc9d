import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, language, noCode } from "./lib.ts"

const env = {
  TWILIO_VERIFY_ACCOUNT_SID: v.pipe(
    v.string(),
    v.regex(/^(AC|SK)/),
    v.description("Account SID, which begins with AC, or the SID of an API key, SK…"),
  ),
  TWILIO_VERIFY_AUTH_TOKEN: v.pipe(v.string(), v.description("Auth Token of the account, or secret of the API key")),
  TWILIO_VERIFY_SERVICE_SID: v.pipe(
    v.string(),
    v.startsWith("VA"),
    v.description("Verify service with custom codes switched on, VA…"),
  ),
  TWILIO_VERIFY_TEMPLATE_SID: v.optional(
    v.pipe(v.string(), v.startsWith("HJ"), v.description("template of the text, HJ…; else the service's own")),
  ),
  TWILIO_VERIFY_CHANNEL: v.pipe(
    v.optional(v.picklist(["sms", "whatsapp", "auto"]), "sms"),
    v.description("how the code is sent: sms, whatsapp or auto"),
  ),
}

const locales = (
  "af ar ca cs da de el en en-GB es et fi fr he hi hr hu id it ja kn ko lt mr ms nb nl pl pt pt-BR ro ru sk sv te th " +
  "tl tr uk vi zh zh-CN zh-HK"
).split(" ")

const Accepted = v.object({ sid: v.pipe(v.string(), v.startsWith("VE")), status: v.literal("pending") })
const Refused = v.object({ code: v.number(), message: v.string() })

/** Sends the code alone, in a text of Twilio's. Support switches custom codes on, and wants to be told who was approved. */
export default {
  docs: "https://www.twilio.com/docs/verify/api/verification",
  region: "Global",
  evidence: "vendor",
  url: "https://verify.twilio.com",
  env,
  request({ recipient, code, locale }, env, { url }) {
    if (!code) return noCode
    const form = new URLSearchParams({ To: recipient, Channel: env.TWILIO_VERIFY_CHANNEL })
    const known = language(locale, locales, "")
    if (known) form.set("Locale", known)
    form.set("CustomCode", code)
    if (env.TWILIO_VERIFY_TEMPLATE_SID) form.set("TemplateSid", env.TWILIO_VERIFY_TEMPLATE_SID)
    return new Request(`${url}/v2/Services/${env.TWILIO_VERIFY_SERVICE_SID}/Verifications`, {
      method: "POST",
      headers: {
        authorization: basic(env.TWILIO_VERIFY_ACCOUNT_SID, env.TWILIO_VERIFY_AUTH_TOKEN),
        accept: "application/json",
      },
      body: form,
    })
  },
  faults: {
    recipient: [
      60205, // "SMS is not supported by landline phone number"
    ],
    // 60203 and 60212, too often to one number: another provider may still send.
    account: [20003, 20404, 60203, 60204, 60212, 60217, 60220, 60223],
    message: [60201],
    provider: [20429],
    // Fraud Guard blocks the prefix, or its permissions the country, "due to suspected fraudulent activity".
    fraud: [60410, 60605],
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.sid }
    if (!v.is(Refused, json)) return { code: status }
    const { code, message } = json
    // "Invalid parameter: To".
    const [, parameter] = (code === 60200 && /^Invalid parameter:? `?(To|CustomCode)\b/.exec(message)) || []
    const fault = parameter === "To" ? "recipient" : parameter ? "message" : undefined
    return { code, reason: message, fault }
  },
  /** Nothing tells that a code was not entered: it expires. */
  verified(sid, isVerified, env, { url }) {
    if (!isVerified) return undefined
    return new Request(`${url}/v2/Services/${env.TWILIO_VERIFY_SERVICE_SID}/Verifications/${encodeURIComponent(sid)}`, {
      method: "POST",
      headers: {
        authorization: basic(env.TWILIO_VERIFY_ACCOUNT_SID, env.TWILIO_VERIFY_AUTH_TOKEN),
        accept: "application/json",
      },
      body: new URLSearchParams({ Status: "approved" }),
    })
  },
} satisfies Provider<typeof env>
