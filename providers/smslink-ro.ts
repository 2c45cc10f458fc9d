import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSLINK_RO_CONNECTION_ID: v.pipe(v.string(), v.description("connection ID of an SMS Gateway connection")),
  SMSLINK_RO_PASSWORD: v.pipe(v.string(), v.description("password of that connection")),
  SMSLINK_RO_SENDER: v.optional(
    v.pipe(v.string(), v.description("alphanumeric sender that SMSLink approved; else its short number sends")),
  ),
}

/** Always a 200, a line of text: level; number; text; values. A MESSAGE whose number is not 1 is no acceptance either. */
export default {
  docs: "https://www.smslink.ro/sms-gateway-documentatie-sms-gateway.html",
  region: "Romania",
  evidence: "vendor",
  url: "https://secure.smslink.ro",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({
      connection_id: env.SMSLINK_RO_CONNECTION_ID,
      password: env.SMSLINK_RO_PASSWORD,
      to: recipient.startsWith("+40") ? `0${recipient.slice(3)}` : `00${recipient.slice(1)}`,
      message: body,
    })
    if (env.SMSLINK_RO_SENDER) form.set("sender", sender.replace("+", ""))
    return new Request(`${url}/sms/gateway/communicate/index.php`, { method: "POST", body: form })
  },
  receipt({ status, text }) {
    const [, id] = /^MESSAGE;1;[^;]{0,300};(\d{1,30})(?:[,;\s]|$)/.exec(text.trim()) ?? []
    if (status === 200 && id) return { id }
    const [, code, reason] = /^(?:ERROR|MESSAGE);(\d{1,9});([^;\r\n]{0,300})/.exec(text.trim()) ?? []
    return code ? { code, reason } : { code: status }
  },
} satisfies Provider<typeof env>
