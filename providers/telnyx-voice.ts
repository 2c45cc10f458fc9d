import * as v from "valibot"
import type { Provider } from "../main.ts"
import { language, speech } from "./lib.ts"

const env = {
  TELNYX_API_KEY: v.pipe(v.string(), v.description("API key of version 2, KEY…")),
  TELNYX_VOICE_APPLICATION_ID: v.pipe(v.string(), v.regex(/^\w+$/), v.description("ID of a TeXML application")),
  TELNYX_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-US"),
    v.regex(/^[\w-]+$/),
    v.description("language of messages that name none, such as de-DE"),
  ),
}

const languages =
  `en-US en-GB en-AU en-IN en-GB-WLS es-ES es-MX es-US fr-FR fr-CA de-DE pt-BR pt-PT zh-CN ar cy-GB da-DK
  hi-IN is-IS it-IT ja-JP ko-KR nb-NO nl-NL pl-PL ro-RO ru-RU sv-SE tr-TR`.split(/\s+/)

const Accepted = v.object({
  call_sid: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(["queued", "initiated", "ringing", "in-progress"]),
})
const Refused = v.object({
  errors: v.tuple([
    v.object({
      code: v.union([v.string(), v.number()]),
      title: v.string(),
      detail: v.nullish(v.string()),
      source: v.nullish(v.object({ pointer: v.nullish(v.string()) })),
    }),
  ]),
})

/** Only the voice "alice" speaks every language. The application's own URL is not asked. */
export default {
  docs: "https://developers.telnyx.com/docs/voice/programmable-voice/texml-setup",
  region: "Global",
  evidence: "vendor",
  channel: "voice",
  needsSender: true,
  url: "https://api.telnyx.com",
  env,
  request(message, env, { url }) {
    // Mandarin is cmn and Arabic arb.
    const tag = language(message.locale, languages, env.TELNYX_VOICE_LANGUAGE).replace("zh-", "cmn-")
    const say = `<Say voice="alice" language="${tag.replace(/^ar$/, "arb")}">`
    const text = speech(message, { again: `</Say><Pause length="1"/>${say}`, isXml: true })
    return new Request(`${url}/v2/texml/calls/${env.TELNYX_VOICE_APPLICATION_ID}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.TELNYX_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        From: message.sender,
        To: message.recipient,
        Texml: `<Response>${say}${text}</Say></Response>`,
      }),
    })
  },
  faults: {
    account: [10009, 10010, 20002, 20006, 20012, 20013, 20014, 20015, 20016, 20017, 20100],
    provider: [10007, 10011],
  },
  receipt({ status, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.call_sid }
    if (!v.is(Refused, json)) return { code: status }
    const [{ code, title, detail, source }] = json.errors
    // "Invalid phone number" and "Phone number must be in +E.164 format", which may be said of the caller as well.
    const isRecipient = ["10002", "10016"].includes(String(code)) && source?.pointer === "/To"
    return { code, reason: detail ?? title, fault: isRecipient ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
