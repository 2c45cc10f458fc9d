import * as v from "valibot"
import type { Provider } from "../main.ts"
import { language, speech } from "./lib.ts"

const env = {
  CM_PRODUCT_TOKEN: v.pipe(v.string(), v.description("product token, with access to the Voice API")),
  CM_COM_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-GB"),
    v.description("language of messages that name none, such as de-DE"),
  ),
}

const languages =
  `en-GB en-US en-AU en-IN es-ES es-MX es-US fr-FR fr-CA de-DE de-AT de-CH nl-NL nl-BE pt-BR pt-PT da-DK it-IT
  nb-NO pl-PL sv-SE`.split(/\s+/)

const Accepted = v.object({ "call-id": v.pipe(v.string(), v.uuid()), success: v.literal(true) })
const Refused = v.object({ success: v.literal(false), error: v.nullish(v.string()) })

/** At most 750 characters. Numbers have a "+" here, unlike those of CM's SMS. A refusal may be a 200. */
export default {
  docs: "https://developers.cm.com/voice/docs/the-apps",
  region: "Netherlands, Europe",
  evidence: "vendor",
  channel: "voice",
  needsSender: true,
  url: "https://api.cm.com/voiceapi/v2",
  env,
  request(message, env, { url, nonce }) {
    return new Request(`${url}/Notification`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-cm-producttoken": env.CM_PRODUCT_TOKEN },
      body: JSON.stringify({
        "instruction-id": nonce(),
        callee: message.recipient,
        caller: message.sender,
        prompt: speech(message, { again: ". " }),
        "prompt-type": "TTS",
        voice: {
          language: language(message.locale, languages, env.CM_COM_VOICE_LANGUAGE),
          gender: "Female",
          number: 1,
        },
      }),
    })
  },
  receipt({ status, json }) {
    if ([200, 201, 202].includes(status) && v.is(Accepted, json)) return { id: json["call-id"] }
    return { code: status, reason: v.is(Refused, json) ? (json.error ?? undefined) : undefined }
  },
} satisfies Provider<typeof env>
