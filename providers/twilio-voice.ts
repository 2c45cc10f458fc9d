import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, language, speech } from "./lib.ts"

const env = {
  TWILIO_ACCOUNT_SID: v.pipe(v.string(), v.startsWith("AC"), v.description("Account SID, which begins with AC")),
  TWILIO_AUTH_TOKEN: v.optional(
    v.pipe(v.string(), v.description("Auth Token of the account: calling without an API key needs it")),
  ),
  TWILIO_API_KEY: v.optional(
    v.pipe(v.string(), v.startsWith("SK"), v.description("API key to sign in with in place of the Auth Token, SK…")),
  ),
  TWILIO_API_SECRET: v.optional(v.pipe(v.string(), v.description("secret of that API key"))),
  TWILIO_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-US"),
    v.regex(/^[\w-]+$/),
    v.description("language of messages that name none, such as de-DE"),
  ),
}

const languages =
  `en-US en-GB en-AU en-CA en-IN en-IE en-NZ en-ZA en-GB-WLS es-ES es-MX es-US fr-FR fr-CA fr-BE de-DE de-AT
  pt-BR pt-PT zh-CN zh-HK zh-TW cmn-CN cmn-TW yue-HK ar-AE ar-XA arb nl-NL nl-BE af-ZA am-ET bg-BG bn-IN ca-ES cs-CZ cy-GB
  da-DK el-GR fi-FI fil-PH gu-IN he-IL hi-IN hu-HU id-ID is-IS it-IT ja-JP kn-IN ko-KR lv-LV ml-IN mr-IN ms-MY nb-NO pa-IN
  pl-PL ro-RO ru-RU sk-SK sr-RS sv-SE ta-IN te-IN th-TH tr-TR uk-UA vi-VN`.split(/\s+/)

const Accepted = v.object({
  sid: v.pipe(v.string(), v.startsWith("CA")),
  status: v.picklist(["queued", "initiated", "ringing", "in-progress"]),
})
const Refused = v.object({ code: v.number(), message: v.string() })

/** The caller is a number of the account or a verified one: no Messaging Service, short code or name. */
export default {
  docs: "https://www.twilio.com/docs/voice/api/call-resource",
  region: "Global",
  evidence: "vendor",
  channel: "voice",
  needsSender: true,
  alternatives: [["TWILIO_AUTH_TOKEN"], ["TWILIO_API_KEY", "TWILIO_API_SECRET"]],
  url: "https://api.twilio.com",
  env,
  request(message, env, { url }) {
    const [user, password] =
      env.TWILIO_API_KEY && env.TWILIO_API_SECRET
        ? [env.TWILIO_API_KEY, env.TWILIO_API_SECRET]
        : [env.TWILIO_ACCOUNT_SID, env.TWILIO_AUTH_TOKEN]
    if (!password) return { code: "credentials", reason: "neither Auth Token nor API key is set", fault: "account" }
    const say = `<Say language="${language(message.locale, languages, env.TWILIO_VOICE_LANGUAGE)}">`
    const text = speech(message, { again: `</Say><Pause length="1"/>${say}`, isXml: true })
    return new Request(`${url}/2010-04-01/Accounts/${env.TWILIO_ACCOUNT_SID}/Calls.json`, {
      method: "POST",
      headers: { authorization: basic(user, password), accept: "application/json" },
      body: new URLSearchParams({
        To: message.recipient,
        From: message.sender,
        Twiml: `<Response>${say}${text}</Say></Response>`,
      }),
    })
  },
  faults: {
    recipient: [
      21211, // "Invalid 'To' Phone Number"
      21217, // "Phone number does not appear to be valid"
    ],
    // 13224, 21214 and 21216 may be a route or a country that is not served.
    account: [10001, 10005, 13224, 13227, 20003, 20005, 21210, 21212, 21213, 21214, 21215, 21216, 21219],
    provider: [20429],
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.sid }
    return v.is(Refused, json) ? { code: json.code, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
