import * as v from "valibot"
import type { Provider } from "../main.ts"
import { language, speech } from "./lib.ts"

const env = {
  UNIFONIC_VOICE_APPS_ID: v.pipe(v.string(), v.description("AppsId of a voice application, not the AppSid of SMS")),
  UNIFONIC_VOICE_LANGUAGE: v.pipe(
    v.optional(v.picklist(["en", "ar"]), "en"),
    v.description("language of messages that name none: en or ar"),
  ),
}

const Accepted = v.object({ callId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ message: v.string(), errors: v.optional(v.unknown()) })

/** Speaks English and Arabic alone. The caller is a voice number of Unifonic's. It gives no codes. */
export default {
  docs: "https://docs.unifonic.com/docs/making-an-outbound-voice-call-to-send-a-simple-text-to-speech-message",
  region: "Saudi Arabia, Middle East",
  evidence: "vendor",
  channel: "voice",
  needsSender: true,
  url: "https://voice.unifonic.com",
  env,
  request(message, env, { url }) {
    const isArabic = language(message.locale, ["en", "ar"], env.UNIFONIC_VOICE_LANGUAGE) === "ar"
    return new Request(`${url}/v1/calls`, {
      method: "POST",
      headers: { appsid: env.UNIFONIC_VOICE_APPS_ID, "content-type": "application/json" },
      body: JSON.stringify({
        recipient: [message.recipient],
        type: "tts",
        callerId: message.sender,
        tts: {
          language: isArabic ? "arabic" : "english",
          voice: "female",
          text: speech(message, { again: ". " }),
        },
      }),
    })
  },
  receipt({ status, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.callId }
    if (!v.is(Refused, json)) return { code: status }
    return { code: status, reason: typeof json.errors === "string" ? json.errors : json.message }
  },
} satisfies Provider<typeof env>
