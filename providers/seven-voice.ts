import * as v from "valibot"
import type { Provider } from "../main.ts"
import { speech } from "./lib.ts"

const env = { SEVEN_API_KEY: v.pipe(v.string(), v.description("API key of the account")) }

const Called = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  success: v.literal(true),
  error: v.nullish(v.null()),
})
const Accepted = v.object({ success: v.picklist(["100", 100]), messages: v.strictTuple([Called]) })
const Code = v.pipe(v.union([v.number(), v.pipe(v.string(), v.digits())]), v.notValues(["100", 100]))
const Refused = v.object({ success: Code })
const RefusedMessage = v.object({ messages: v.tuple([v.object({ error: Code, error_text: v.nullish(v.string()) })]) })

/** No language can be set. An acceptance may be three lines: 100, the id, the price; a refusal is a 200 too. */
export default {
  docs: "https://docs.seven.io/en/rest-api/endpoints/voice",
  region: "Europe",
  evidence: "vendor",
  channel: "voice",
  url: "https://gateway.seven.io",
  env,
  request(message, env, { url }) {
    const from = /^\+?(\d+)$/.exec(message.sender)?.[1]
    return new Request(`${url}/api/voice`, {
      method: "POST",
      headers: { "x-api-key": env.SEVEN_API_KEY, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ to: message.recipient.slice(1), text: speech(message, { again: ". " }), from }),
    })
  },
  faults: {
    recipient: [
      202, // "Recipient number is invalid"
    ],
    account: [201, 300, 306, 500, 900, 902, 903],
    message: [305, 401],
  },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0].id }
    const id = /^100\r?\n(\d{1,30})\b/.exec(text)?.[1]
    if (status === 200 && id) return { id }
    if (v.is(RefusedMessage, json)) {
      const [{ error, error_text }] = json.messages
      return { code: error, reason: error_text ?? undefined }
    }
    if (v.is(Refused, json)) return { code: json.success }
    return { code: v.is(Code, json) ? json : status }
  },
} satisfies Provider<typeof env>
