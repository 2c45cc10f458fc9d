import * as v from "valibot"
import type { Provider } from "../main.ts"
import { language, speech } from "./lib.ts"

const env = {
  INFOBIP_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  INFOBIP_URL: v.pipe(v.string(), v.url(), v.description("base URL of the account, https://….api.infobip.com")),
  INFOBIP_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en"),
    v.description("language of messages that name none, such as de or pt-br"),
  ),
}

const languages =
  `en en-au en-ca en-gb en-ie en-in en-ph en-gb-wls es es-419 es-ar es-co es-mx es-us fr fr-ca fr-ch de de-at
  de-ch pt-br pt-pt ar ar-ma bg bn bn-in ca cs da el et-ee fi fil-ph gu he hi hr hu id is it ja kk-kz kn ko lt lv ml mr-in ms
  nb-no no nl nl-be pa-in pl ro ru sk sl sr-rs sv sw-ke sw-tz ta te th tr uk ur-in ur-pk uz-uz vi wls yue-hk zh-cn zh-tw
  cmn-cn`.split(/\s+/)

const Accepted = v.object({
  messages: v.strictTuple([
    v.object({ status: v.object({ groupId: v.picklist([1, 3]) }), messageId: v.pipe(v.string(), v.nonEmpty()) }),
  ]),
})
const RefusedMessage = v.object({
  messages: v.tuple([v.object({ status: v.object({ id: v.number(), description: v.nullish(v.string()) }) })]),
})
const Refused = v.object({
  requestError: v.object({ serviceException: v.object({ messageId: v.string(), text: v.nullish(v.string()) }) }),
})

/** A 200 may hold a rejected message: groups 2, 4 and 5 of its status. Each account has a host of its own. */
export default {
  docs: "https://www.infobip.com/docs/voice-and-video/voice-messages",
  region: "Global",
  evidence: "vendor",
  channel: "voice",
  needsSender: true,
  url: ({ INFOBIP_URL }) => INFOBIP_URL,
  env,
  request(message, env, { url }) {
    return new Request(`${url}/tts/3/single`, {
      method: "POST",
      headers: {
        authorization: `App ${env.INFOBIP_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        text: speech(message, { again: ". " }),
        language: language(message.locale, languages, env.INFOBIP_VOICE_LANGUAGE),
        from: message.sender.replace("+", ""),
        to: message.recipient.slice(1),
      }),
    })
  },
  faults: {
    recipient: [
      52, // "the number prefix is incorrect as it does not match a valid number prefix by any mobile operator"
    ],
    // 8 is a table of prefixes that is "regularly updated", and 20 a limit for one number.
    account: [6, 8, 10, 11, 12, 13, 14, 17, 18, 19, 20],
    message: [25, 91],
    provider: [21],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0].messageId }
    if (v.is(RefusedMessage, json)) {
      const { id, description } = json.messages[0].status
      return { code: id, reason: description ?? undefined }
    }
    if (!v.is(Refused, json)) return { code: status }
    const { messageId, text } = json.requestError.serviceException
    return { code: messageId, reason: text ?? undefined }
  },
} satisfies Provider<typeof env>
