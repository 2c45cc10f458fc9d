import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, language, speech } from "./lib.ts"

const env = {
  CLICKSEND_USERNAME: v.pipe(v.string(), v.description("API user name of the account")),
  CLICKSEND_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  CLICKSEND_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-us"),
    v.description("language of messages that name none, such as de-de"),
  ),
}

const languages =
  `en-us en-gb en-au en-in en-gb-wls es-es es-us fr-fr fr-ca de-de pt-br pt-pt cy-gb da-dk is-is it-it nb-no
  nl-nl pl-pl ro-ro ru-ru sv-se tr-tr`.split(/\s+/)

const Accepted = v.object({
  response_code: v.literal("SUCCESS"),
  data: v.object({
    messages: v.strictTuple([v.object({ message_id: v.pipe(v.string(), v.nonEmpty()), status: v.literal("SUCCESS") })]),
  }),
})
const failure = v.pipe(v.string(), v.notValue("SUCCESS"))
const RefusedMessage = v.object({ data: v.object({ messages: v.tuple([v.object({ status: failure })]) }) })
const Refused = v.object({ response_code: failure, response_msg: v.nullish(v.string()) })

/** Closed to new customers. No number to call from can be set. A 200 that says SUCCESS may hold a refused call. */
export default {
  docs: "https://developers.clicksend.com/docs/messaging/voice-messaging/",
  region: "Global",
  evidence: "vendor",
  channel: "voice",
  url: "https://rest.clicksend.com/v3",
  env,
  request(message, env, { url, nonce }) {
    const call = {
      source: "sdk",
      to: message.recipient,
      body: speech(message, { again: ". " }),
      lang: language(message.locale, languages, env.CLICKSEND_VOICE_LANGUAGE),
      voice: "female",
      custom_string: nonce(),
      require_input: 0,
      machine_detection: 0,
    }
    return new Request(`${url}/voice/send`, {
      method: "POST",
      headers: {
        authorization: basic(env.CLICKSEND_USERNAME, env.CLICKSEND_API_KEY),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ messages: [call] }),
    })
  },
  faults: {
    recipient: [
      "INVALID_RECIPIENT", // "The destination mobile number is invalid."
    ],
    account: [
      "MISSING_CREDENTIALS",
      "INVALID_CREDENTIALS",
      "ACCOUNT_NOT_ACTIVATED",
      "INSUFFICIENT_CREDIT",
      "COUNTRY_NOT_ENABLED",
    ],
    message: ["EMPTY_MESSAGE"],
    provider: ["TOO_MANY_REQUESTS"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.data.messages[0].message_id }
    if (v.is(RefusedMessage, json)) return { code: json.data.messages[0].status }
    return v.is(Refused, json) ? { code: json.response_code, reason: json.response_msg ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
