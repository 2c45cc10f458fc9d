import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, language, speech } from "./lib.ts"

const env = {
  SINCH_VOICE_APPLICATION_KEY: v.pipe(v.string(), v.description("key of the voice application, from the dashboard")),
  SINCH_VOICE_APPLICATION_SECRET: v.pipe(v.string(), v.description("its secret, in base64 as the dashboard shows it")),
  SINCH_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-US"),
    v.description("language of messages that name none, such as de-DE"),
  ),
}

const languages =
  `en-US en-GB en-AU en-IN en-GB-WLS es-ES es-MX es-US fr-FR fr-CA de-DE pt-BR pt-PT zh-CN cy-GB da-DK hi-IN
  is-IS it-IT ja-JP ko-KR nb-NO nl-NL pl-PL ro-RO ru-RU sv-SE tr-TR`.split(/\s+/)

const Accepted = v.object({ callId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ errorCode: v.number(), message: v.nullish(v.string()) })

/** At most 600 characters unless Sinch allows more. Without a number to call from, the caller is withheld. */
export default {
  docs: "https://developers.sinch.com/docs/voice/api-reference/voice/tag/Callouts/",
  region: "Global",
  evidence: "vendor",
  channel: "voice",
  url: "https://calling.api.sinch.com",
  env,
  request(message, env, { url }) {
    const cli = /^\+?\d+$/.test(message.sender) ? message.sender : undefined
    const ttsCallout = {
      cli,
      destination: { type: "number", endpoint: message.recipient },
      domain: "pstn",
      // Mandarin is cmn.
      locale: language(message.locale, languages, env.SINCH_VOICE_LANGUAGE).replace("zh-", "cmn-"),
      text: speech(message, { again: ". " }),
    }
    return new Request(`${url}/calling/v1/callouts`, {
      method: "POST",
      headers: {
        authorization: basic(env.SINCH_VOICE_APPLICATION_KEY, env.SINCH_VOICE_APPLICATION_SECRET),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ method: "ttsCallout", ttsCallout }),
    })
  },
  // 40001 is any parameter, the number or another.
  faults: { account: [40102, 40200, 40300] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.callId }
    return v.is(Refused, json) ? { code: json.errorCode, reason: json.message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
