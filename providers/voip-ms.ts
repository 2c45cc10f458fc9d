import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  VOIP_MS_USERNAME: v.pipe(v.string(), v.description("e-mail address that logs in to the account")),
  VOIP_MS_PASSWORD: v.pipe(v.string(), v.description("API password, which is set apart from the log-in's")),
}

const Accepted = v.object({
  status: v.literal("success"),
  sms: v.union([v.pipe(v.string(), v.digits()), v.pipe(v.number(), v.safeInteger(), v.minValue(1))]),
})
const Refused = v.object({ status: v.pipe(v.string(), v.notValue("success")), message: v.nullish(v.string()) })

/**
 * Always a 200. Numbers are national, of 10 digits, and a text has room for 160 bytes of UTF-8, not characters. Its clients
 * that keep the password out of the URL send multipart/form-data.
 */
export default {
  docs: "https://voip.ms/m/apidocs.php",
  region: "US, Canada",
  evidence: "clients",
  countries: ["US", "CA"],
  needsSender: true,
  url: "https://voip.ms",
  env,
  request({ recipient, sender, body }, env, { url, nonce }) {
    const fields = {
      api_username: env.VOIP_MS_USERNAME,
      api_password: env.VOIP_MS_PASSWORD,
      method: "sendSMS",
      did: sender.replace(/^\+?1?(?=\d{10}$)/, ""),
      dst: recipient.slice(2),
      message: body,
    }
    const boundary = nonce()
    const parts = Object.entries(fields).map(
      ([name, value]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    )
    return new Request(`${url}/api/v1/rest.php`, {
      method: "POST",
      headers: { accept: "application/json", "content-type": `multipart/form-data; boundary=${boundary}` },
      body: `${parts.join("")}--${boundary}--`,
    })
  },
  faults: {
    recipient: [
      "invalid_dst", // "invalid_dst": the destination number
    ],
    account: ["invalid_credentials", "invalid_did", "ip_not_authorized", "ip_not_enabled", "limit_reached"],
    message: ["message_empty", "missing_sms", "sms_toolong"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.sms) }
    return v.is(Refused, json) ? { code: json.status, reason: json.message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
