import * as v from "valibot"
import type { Provider } from "../main.ts"
import { noCode } from "./lib.ts"

const env = { TERMII_API_KEY: v.pipe(v.string(), v.description("API key, from the dashboard")) }

const Id = v.pipe(v.string(), v.regex(/^[\w-]+$/))
const Accepted = v.object({
  code: v.literal("ok"),
  message_id: v.union([Id, v.pipe(v.number(), v.minValue(1))]),
  message_id_str: v.optional(Id),
})
const Refused = v.object({
  code: v.optional(v.union([v.number(), v.pipe(v.string(), v.notValue("ok"))])),
  message: v.string(),
})

/** Says the code alone, 4 to 8 digits, in a sentence of its own. The dashboard shows each account its base URL. */
export default {
  docs: "https://developers.termii.com/voice-call",
  region: "Nigeria, Africa",
  evidence: "clients",
  channel: "voice",
  url: "https://v3.api.termii.com",
  env,
  request({ recipient, code }, env, { url }) {
    if (!code) return noCode
    return new Request(`${url}/api/sms/otp/call`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      // As a number it would lose its leading zeros.
      body: JSON.stringify({ api_key: env.TERMII_API_KEY, phone_number: recipient.slice(1), code }),
    })
  },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) {
      const [, digits = ""] = /"message_id"\s*:\s*(\d{1,40})\s*[,}]/.exec(text) ?? []
      return { id: json.message_id_str ?? (typeof json.message_id === "string" ? json.message_id : digits) }
    }
    if (!v.is(Refused, json)) return { code: status }
    const { code = status, message: reason } = json
    const isAccount = /^(Country Inactive|Insufficient balance)/i.test(reason)
    return { code, reason, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
