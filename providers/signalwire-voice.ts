import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, language, speech } from "./lib.ts"

const isSpace = v.regex(/^(https:\/\/)?[\w-]+(\.signalwire\.com)?\/?$/)
const withoutHost = v.transform((space: string) => space.replace(/^https:\/\/|\.signalwire\.com|\/$/g, ""))
const env = {
  SIGNALWIRE_SPACE: v.pipe(v.string(), isSpace, withoutHost, v.description("the space, such as acme.signalwire.com")),
  SIGNALWIRE_PROJECT_ID: v.pipe(v.string(), v.uuid(), v.description("project ID, from the API page of the space")),
  SIGNALWIRE_API_TOKEN: v.pipe(v.string(), v.description("API token with the scope Voice, PT…")),
  SIGNALWIRE_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-US"),
    v.description("language of messages that name none, such as de-DE"),
  ),
}

const voices: Record<string, string> = Object.fromEntries(
  `en-US Joanna, en-GB Amy, en-AU Nicole, en-IN Raveena, en-GB-WLS Geraint, es-ES Lucia, es-MX Mia, es-US Lupe, fr-FR Lea,
  fr-CA Chantal, de-DE Vicki, pt-BR Camila, pt-PT Ines, zh-CN Zhiyu, ar Zeina, cy-GB Gwyneth, da-DK Naja, is-IS Dora,
  it-IT Bianca, ja-JP Mizuki, ko-KR Seoyeon, nb-NO Liv, nl-NL Lotte, pl-PL Ewa, ro-RO Carmen, ru-RU Tatyana, sv-SE Astrid,
  tr-TR Filiz`
    .split(/,\s+/)
    .map((pair) => pair.split(" ")),
)

const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  status: v.nullish(v.picklist(["queued", "initiated", "created", "ringing", "answered"])),
})
const Refused = v.object({
  errors: v.tuple([v.object({ code: v.string(), message: v.nullish(v.string()), attribute: v.nullish(v.string()) })]),
})

/** A voice of Amazon Polly speaks one language, so that the two go together. What is said stands in one line. */
export default {
  docs: "https://signalwire.com/docs/apis/rest/calls",
  region: "Global",
  evidence: "vendor",
  channel: "voice",
  needsSender: true,
  url: (env) => `https://${env.SIGNALWIRE_SPACE}.signalwire.com`,
  env,
  request(message, env, { url }) {
    const languages = Object.keys(voices)
    const say_language = language(
      message.locale,
      languages,
      language(env.SIGNALWIRE_VOICE_LANGUAGE, languages, "en-US"),
    )
    const body = message.body.replace(/\s+/g, " ")
    const lines = speech({ ...message, body }, { again: "\n" }).split("\n")
    const urls = lines.flatMap((line) => ["silence:1", `say:${line}`])
    const play = { urls, say_language, say_voice: `Polly.${voices[say_language]}` }
    return new Request(`${url}/api/calling/calls`, {
      method: "POST",
      headers: {
        authorization: basic(env.SIGNALWIRE_PROJECT_ID, env.SIGNALWIRE_API_TOKEN),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        command: "dial",
        params: {
          from: message.sender,
          to: message.recipient,
          swml: { version: "1.0.0", sections: { main: [{ play }, "hangup"] } },
        },
      }),
    })
  },
  faults: {
    recipient: [
      "invalid_destination_number", // "The destination phone number is invalid."
      "invalid_pstn_destination", // "The PSTN destination is either missing or not in E164 format."
    ],
    account: [
      "account_limit_exceeded",
      "destination_number_not_supported",
      "insufficient_balance",
      "integration_test_verified_caller_required",
      "invalid_from_number",
      // Its location may be the cause as well.
      "invalid_to_number",
      "not_allowed_on_subscription_plan",
      "not_purchased_or_verified",
      "number_not_supported",
      "number_not_verified",
      "sending_restricted_to_verified",
      "unsupported_region",
    ],
    provider: ["rate_limit_exceeded"],
  },
  receipt({ status, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const [{ code, message, attribute }] = json.errors
    // "The number must be in E.164 format."
    const isRecipient = attribute === "to" && ["invalid_number_format", "not_e164"].includes(code)
    return { code, reason: message ?? undefined, fault: isRecipient ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
