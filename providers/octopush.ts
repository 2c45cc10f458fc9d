import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  OCTOPUSH_API_LOGIN: v.pipe(v.string(), v.description("API login, an e-mail address")),
  OCTOPUSH_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  OCTOPUSH_TYPE: v.pipe(
    v.optional(v.picklist(["sms_premium", "sms_low_cost"]), "sms_premium"),
    v.description("sms_premium or sms_low_cost"),
  ),
}

const Accepted = v.object({
  sms_ticket: v.pipe(v.string(), v.nonEmpty()),
  number_of_contacts: v.pipe(v.number(), v.minValue(1)),
  code: v.nullish(v.literal(0)),
})
const Refused = v.object({ code: v.pipe(v.number(), v.notValue(0)), message: v.nullish(v.string()) })

/** Senders are 3 to 11 letters and digits. The purpose "alert" keeps the mention STOP out of the text. */
export default {
  docs: "https://dev.octopush.com/en/sms-gateway-api-documentation/send-sms/",
  region: "France",
  evidence: "vendor",
  url: "https://api.octopush.com/v1/public",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/sms-campaign/send`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "api-login": env.OCTOPUSH_API_LOGIN,
        "api-key": env.OCTOPUSH_API_KEY,
        "cache-control": "no-cache",
      },
      body: JSON.stringify({
        recipients: [{ phone_number: recipient }],
        text: body,
        type: env.OCTOPUSH_TYPE,
        purpose: "alert",
        ...(sender && { sender: sender.replace("+", "") }),
        with_replies: false,
      }),
    })
  },
  faults: {
    recipient: [
      117, // "Your recipient list contains no correct numbers."
    ],
    account: [101, 104, 105, 106, 108, 109, 113, 114],
    message: [102, 107, 119, 121, 122],
  },
  receipt({ status, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.sms_ticket }
    return v.is(Refused, json) ? { code: json.code, reason: json.message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
