import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  PLIVO_AUTH_ID: v.pipe(v.string(), v.description("Auth ID of the account, from the console's overview")),
  PLIVO_AUTH_TOKEN: v.pipe(v.string(), v.description("Auth Token of the account")),
  PLIVO_POWERPACK_UUID: v.optional(v.pipe(v.string(), v.description("Powerpack that then picks the sender"))),
  PLIVO_DLT_ENTITY_ID: v.optional(v.pipe(v.string(), v.description("DLT entity ID, for numbers of India"))),
  PLIVO_DLT_TEMPLATE_ID: v.optional(v.pipe(v.string(), v.description("DLT template ID that belongs to it"))),
}

const Accepted = v.object({
  message_uuid: v.strictTuple([v.pipe(v.string(), v.nonEmpty())]),
  invalid_number: v.optional(v.pipe(v.array(v.string()), v.empty())),
})
const InvalidNumber = v.object({ invalid_number: v.pipe(v.array(v.string()), v.nonEmpty()) })
const Refused = v.object({ error: v.string() })

const Delivery = v.object({
  MessageUUID: v.pipe(v.string(), v.nonEmpty()),
  Status: v.string(),
  ErrorCode: v.optional(v.string()),
})
const states = new Map(
  Object.entries({
    queued: "pending",
    sent: "pending",
    delivered: "delivered",
    read: "delivered",
    undelivered: "failed",
    failed: "failed",
    rejected: "failed",
  } as const),
)

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/** A 202 whose message_uuid is empty sends nothing: the number stands in invalid_number then. Errors have no codes. */
export default {
  docs: "https://www.plivo.com/docs/messaging/api/message/send-a-message",
  region: "Global",
  evidence: "vendor",
  url: "https://api.plivo.com",
  env,
  needsSender: ({ PLIVO_POWERPACK_UUID }) => !PLIVO_POWERPACK_UUID,
  pool: "PLIVO_POWERPACK_UUID",
  senderId: uuid,
  request({ recipient, sender, body }, env, { url, reportUrl, ttl }) {
    const powerpack_uuid = uuid.test(sender) ? sender : sender ? undefined : env.PLIVO_POWERPACK_UUID
    const source = powerpack_uuid ? { powerpack_uuid } : { src: sender || undefined }
    const dlt = recipient.startsWith("+91") && {
      dlt_entity_id: env.PLIVO_DLT_ENTITY_ID,
      dlt_template_id: env.PLIVO_DLT_TEMPLATE_ID,
    }
    // From 5 to 10,799 seconds.
    const message_expiry = ttl && Math.min(Math.max(ttl, 5), 10_799)
    return new Request(`${url}/v1/Account/${env.PLIVO_AUTH_ID}/Message/`, {
      method: "POST",
      headers: {
        authorization: basic(env.PLIVO_AUTH_ID, env.PLIVO_AUTH_TOKEN),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ ...source, dst: recipient, text: body, url: reportUrl, message_expiry, ...dlt }),
    })
  },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.message_uuid[0] }
    if (v.is(InvalidNumber, json)) return { code: "invalid_number", fault: "recipient" }
    const reason = v.is(Refused, json) ? json.error : undefined
    // "'…' is not a valid phone number." The same words about "src" are about the sender.
    const isNumber =
      /(not a valid|invalid) phone number/i.test(reason ?? "") && !/\b(src|source|sender)\b/i.test(reason ?? "")
    return { code: status, reason, fault: isNumber ? "recipient" : undefined }
  },
  report: {
    // Only the address is signed, without its query, and a nonce.
    proof: ({ url, headers }, env) => ({
      key: Buffer.from(env.PLIVO_AUTH_TOKEN),
      signed: url.replace(/\?.*/, "") + headers.get("x-plivo-signature-v2-nonce"),
      given: [headers.get("x-plivo-signature-v2") ?? ""],
    }),
    read({ text }) {
      const { MessageUUID: id, Status, ErrorCode } = v.parse(Delivery, Object.fromEntries(new URLSearchParams(text)))
      const state = states.get(Status)
      const code = ErrorCode === "000" ? undefined : ErrorCode
      // "Invalid Destination Number"
      return state ? [{ id, state, code, fault: code === "50" ? "recipient" : undefined }] : []
    },
  },
} satisfies Provider<typeof env>
