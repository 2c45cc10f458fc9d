import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, isoTime } from "./lib.ts"

const env = {
  MESSAGEMEDIA_API_KEY: v.pipe(v.string(), v.description("API key for Basic authentication")),
  MESSAGEMEDIA_API_SECRET: v.pipe(v.string(), v.description("API secret that belongs to it")),
}

const Accepted = v.object({
  messages: v.strictTuple([v.object({ message_id: v.pipe(v.string(), v.nonEmpty()), status: v.literal("queued") })]),
})
const Refused = v.object({ message: v.string(), details: v.nullish(v.array(v.string())) })

/** Errors have no codes, and that of a 401 is no JSON. With no sender it takes the account's number or a shared one. */
export default {
  docs: "https://messagemedia.github.io/documentation/#tag/Messages/operation/SendMessages",
  region: "Australia, New Zealand",
  evidence: "vendor",
  url: "https://api.messagemedia.com",
  env,
  request({ recipient, sender, body }, env, { url, clock, ttl }) {
    const message = {
      content: body,
      destination_number: recipient,
      ...(sender && { source_number: sender }),
      ...(/[^+\d]/.test(sender) && { source_number_type: "ALPHANUMERIC" }),
      format: "SMS",
      // A moment; no bounds are documented.
      ...(ttl && { message_expiry_timestamp: isoTime(clock() + ttl * 1_000) }),
    }
    return new Request(`${url}/v1/messages`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        authorization: basic(env.MESSAGEMEDIA_API_KEY, env.MESSAGEMEDIA_API_SECRET),
      },
      body: JSON.stringify({ messages: [message] }),
    })
  },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.messages[0].message_id }
    return v.is(Refused, json) ? { code: status, reason: json.details?.[0] ?? json.message } : { code: status }
  },
} satisfies Provider<typeof env>
