import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  PLIVO_AUTH_ID: v.pipe(v.string(), v.description("Auth ID of the account, from the console's overview")),
  PLIVO_AUTH_TOKEN: v.pipe(v.string(), v.description("Auth Token of the account")),
  PLIVO_POWERPACK_UUID: v.optional(v.pipe(v.string(), v.description("Powerpack that then picks the sender"))),
}

const Accepted = v.object({
  message_uuid: v.strictTuple([v.pipe(v.string(), v.nonEmpty())]),
  invalid_number: v.optional(v.pipe(v.array(v.string()), v.empty())),
})
const InvalidNumber = v.object({ invalid_number: v.pipe(v.array(v.string()), v.nonEmpty()) })
const Refused = v.object({ error: v.string() })

/** A 202 whose message_uuid is empty sends nothing: the number stands in invalid_number then. Errors have no codes. */
export default {
  docs: "https://www.plivo.com/docs/messaging/api/message/send-a-message",
  region: "Global",
  evidence: "vendor",
  url: "https://api.plivo.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const source = env.PLIVO_POWERPACK_UUID ? { powerpack_uuid: env.PLIVO_POWERPACK_UUID } : { src: sender }
    return new Request(`${url}/v1/Account/${env.PLIVO_AUTH_ID}/Message/`, {
      method: "POST",
      headers: {
        authorization: `Basic ${btoa(`${env.PLIVO_AUTH_ID}:${env.PLIVO_AUTH_TOKEN}`)}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ ...source, dst: recipient, text: body }),
    })
  },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.message_uuid[0] }
    if (v.is(InvalidNumber, json)) return { code: "invalid_number", fault: "recipient" }
    const reason = v.is(Refused, json) ? json.error : undefined
    return { code: status, reason, fault: reason?.includes("not a valid phone number") ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
