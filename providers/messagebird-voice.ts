import * as v from "valibot"
import type { Provider } from "../main.ts"
import { language, speech } from "./lib.ts"

const env = {
  MESSAGEBIRD_API_KEY: v.pipe(
    v.string(),
    v.regex(/^(?!bk_)/),
    v.description("live access key of the account; a key bk_… is one of bird-platform"),
  ),
  MESSAGEBIRD_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-us"),
    v.description("language of messages that name none, such as de-de"),
  ),
}

const languages =
  `en-us en-gb en-au en-in en-gb-wls es-es es-mx es-us fr-fr fr-ca de-de pt-br pt-pt zh-cn zh-hk cy-gb da-dk
  el-gr id-id is-is it-it ja-jp ko-kr ms-my nb-no nl-nl pl-pl ro-ro ru-ru sv-se ta-in th-th tr-tr vi-vn`.split(/\s+/)

const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  recipients: v.object({
    items: v.strictTuple([v.object({ status: v.picklist(["scheduled", "calling", "answered"]) })]),
  }),
  errors: v.nullish(v.pipe(v.array(v.unknown()), v.empty())),
})
const Refused = v.object({
  errors: v.tuple([v.object({ code: v.number(), description: v.string(), parameter: v.nullish(v.string()) })]),
})

/** The API before Bird's, for accounts that still have it. Codes 9 and 10 are a wrong field, named beside them. */
export default {
  docs: "https://developers.messagebird.com/api/voice-messaging/",
  region: "Global",
  evidence: "vendor",
  channel: "voice",
  url: "https://rest.messagebird.com",
  env,
  request(message, env, { url }) {
    const originator = /^\+?(\d+)$/.exec(message.sender)?.[1]
    return new Request(`${url}/voicemessages`, {
      method: "POST",
      headers: {
        authorization: `AccessKey ${env.MESSAGEBIRD_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        recipients: [message.recipient.slice(1)],
        originator,
        body: speech(message, { again: ". " }),
        language: language(message.locale, languages, env.MESSAGEBIRD_VOICE_LANGUAGE),
        voice: "female",
        ifMachine: "continue",
      }),
    })
  },
  faults: { account: [2, 25] },
  receipt({ status, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const [{ code, description: reason, parameter }] = json.errors
    const isNumber = parameter === "recipient" || parameter === "recipients"
    // "no (correct) recipients found", and "recipients is invalid".
    // A trial account is told the same of every number but its own: "during your test period you can only …".
    const isTrial = /test period/i.test(reason)
    if (isNumber && !isTrial && (code === 9 || code === 10)) return { code, reason, fault: "recipient" }
    if (isNumber || parameter === "originator") return { code, reason, fault: "account" }
    return { code, reason, fault: parameter === "body" ? "message" : undefined }
  },
} satisfies Provider<typeof env>
