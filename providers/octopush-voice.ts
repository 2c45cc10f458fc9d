import * as v from "valibot"
import type { Provider } from "../main.ts"
import { language, speech } from "./lib.ts"

const env = {
  OCTOPUSH_API_LOGIN: v.pipe(v.string(), v.description("API login, an e-mail address")),
  OCTOPUSH_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  OCTOPUSH_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-US"),
    v.description("language of messages that name none, such as fr-FR"),
  ),
}

const languages = "en-US en-GB fr-FR es-ES es-LA de-DE it-IT pt-BR el-GR pl-PL hu-HU sv-SE ru-RU".split(" ")

const Accepted = v.object({
  vocal_ticket: v.pipe(v.string(), v.nonEmpty()),
  number_of_contacts: v.pipe(v.number(), v.minValue(1)),
  code: v.nullish(v.literal(0)),
})
const Refused = v.object({ code: v.pipe(v.number(), v.notValue(0)), message: v.nullish(v.string()) })

/** Voice SMS must be switched on for the account. The sender is a name of 3 to 11 letters and digits. */
export default {
  docs: "https://octopush.com/en/sms-gateway-api-documentation/voice-sms-api/send-voice-sms/",
  region: "France",
  evidence: "vendor",
  channel: "voice",
  url: "https://api.octopush.com/v1/public",
  env,
  request(message, env, { url }) {
    const sender = message.sender.replace("+", "")
    return new Request(`${url}/voice-campaign/send`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "api-login": env.OCTOPUSH_API_LOGIN,
        "api-key": env.OCTOPUSH_API_KEY,
        "cache-control": "no-cache",
      },
      body: JSON.stringify({
        text: speech(message, { again: ". " }),
        recipients: [{ phone_number: message.recipient }],
        ...(sender && { sender }),
        purpose: "alert",
        voice_gender: "female",
        voice_language: language(message.locale, languages, env.OCTOPUSH_VOICE_LANGUAGE),
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
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.vocal_ticket }
    return v.is(Refused, json) ? { code: json.code, reason: json.message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
