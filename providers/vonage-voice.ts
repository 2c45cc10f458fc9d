import * as v from "valibot"
import type { Provider } from "../main.ts"
import { language, speech } from "./lib.ts"

const env = {
  VONAGE_VOICE_APPLICATION_ID: v.pipe(v.string(), v.description("ID of an application with the Voice capability")),
  VONAGE_VOICE_PRIVATE_KEY: v.pipe(
    v.string(),
    v.startsWith("-----BEGIN PRIVATE KEY-----"),
    v.transform((key) => key.replaceAll("\\n", "\n")),
    v.description("private.key of that application (PEM); its line breaks may be written as \\n"),
  ),
  VONAGE_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-US"),
    v.description("language of messages that name none, such as de-DE"),
  ),
}

const languages =
  `en-US en-GB en-AU en-IN en-ZA en-GB-WLS es-ES es-MX es-US fr-FR fr-CA de-DE pt-BR pt-PT zh-CN zh-TW ar
  ca-ES cs-CZ cy-GB da-DK el-GR eu-ES fi-FI fil-PH he-IL hi-IN hu-HU id-ID is-IS it-IT ja-JP ko-KR nb-NO nl-NL no-NO pl-PL
  ro-RO ru-RU sk-SK sv-SE th-TH tr-TR uk-UA vi-VN yue-CN`.split(/\s+/)

const Accepted = v.object({ uuid: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  type: v.union([v.string(), v.number()]),
  title: v.nullish(v.string()),
  error_title: v.nullish(v.string()),
  detail: v.nullish(v.string()),
})

/** Without a number to call from, Vonage picks one of the account's. The application needs an event URL. */
export default {
  docs: "https://developer.vonage.com/en/api/voice",
  region: "Global",
  evidence: "vendor",
  channel: "voice",
  url: "https://api.nexmo.com",
  env,
  async request(message, env, { url, clock, nonce }) {
    const [{ SignJWT }, { importPKCS8 }] = await Promise.all([import("jose/jwt/sign"), import("jose/key/import")])
    const iat = Math.floor(clock() / 1_000)
    const claims = { application_id: env.VONAGE_VOICE_APPLICATION_ID, iat, exp: iat + 900, jti: nonce() }
    const key = await importPKCS8(env.VONAGE_VOICE_PRIVATE_KEY, "RS256")
    const token = await new SignJWT(claims).setProtectedHeader({ alg: "RS256", typ: "JWT" }).sign(key)
    const number = /^\+?(\d+)$/.exec(message.sender)?.[1]
    const talk = {
      action: "talk",
      text: speech(message, { again: ". " }),
      // Mandarin is cmn.
      language: language(message.locale, languages, env.VONAGE_VOICE_LANGUAGE).replace("zh-", "cmn-"),
    }
    return new Request(`${url}/v1/calls`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        to: [{ type: "phone", number: message.recipient.slice(1) }],
        ...(number ? { from: { type: "phone", number } } : { random_from_number: true }),
        ncco: [talk],
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.uuid }
    if (!v.is(Refused, json)) return { code: status }
    const { type, title, error_title, detail } = json
    return { code: String(type).replace(/^[^#]*#/, ""), reason: detail ?? title ?? error_title ?? undefined }
  },
} satisfies Provider<typeof env>
