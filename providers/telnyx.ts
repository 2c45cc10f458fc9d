import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  TELNYX_API_KEY: v.pipe(v.string(), v.description("API key of version 2, KEY…")),
  TELNYX_MESSAGING_PROFILE_ID: v.optional(
    v.pipe(v.string(), v.description("messaging profile, for alphanumeric senders and number pools")),
  ),
  TELNYX_PUBLIC_KEY: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[\w+/]{43}=$/),
      v.description("public key of Mission Control, which proves delivery reports"),
    ),
  ),
}

const Accepted = v.object({
  data: v.object({
    id: v.pipe(v.string(), v.nonEmpty()),
    to: v.tuple([v.object({ status: v.picklist(["queued", "sending", "sent", "delivered"]) })]),
    errors: v.nullish(v.pipe(v.array(v.unknown()), v.empty())),
  }),
})
const Refused = v.object({
  errors: v.tuple([
    v.object({
      code: v.string(),
      title: v.string(),
      detail: v.nullish(v.string()),
      source: v.nullish(v.object({ pointer: v.nullish(v.string()) })),
    }),
  ]),
})
const RefusedMessage = v.object({ data: Refused })

const Event = v.object({ data: v.object({ event_type: v.string(), payload: v.unknown() }) })
const Delivery = v.object({
  id: Accepted.entries.data.entries.id,
  to: v.tuple([v.object({ status: v.string() })]),
  errors: v.nullish(v.array(v.object({ code: v.string() }))),
})
const states = new Map(
  Object.entries({
    queued: "pending",
    sending: "pending",
    sent: "pending",
    delivered: "delivered",
    delivery_failed: "failed",
    sending_failed: "failed",
    cancelled: "failed",
    expired: "expired",
  } as const),
)

/** A 200 may hold a message that failed at once, its error inside `data`. */
export default {
  docs: "https://developers.telnyx.com/api/messaging/send-message",
  region: "Global",
  evidence: "vendor",
  url: "https://api.telnyx.com",
  env,
  needsSender: ({ TELNYX_MESSAGING_PROFILE_ID }) => !TELNYX_MESSAGING_PROFILE_ID,
  request({ recipient, sender, body }, env, { url, reportUrl }) {
    const from = sender && { from: sender }
    const messaging_profile_id = env.TELNYX_MESSAGING_PROFILE_ID
    return new Request(`${url}/v2/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.TELNYX_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ ...from, messaging_profile_id, to: recipient, text: body, webhook_url: reportUrl }),
    })
  },
  faults: {
    recipient: [
      40300, // "Blocked due to STOP message"
      40310, // "Invalid 'to' address"
    ],
    // 40001 is a landline or has no route; 40012 has no credit or takes no short codes, or is not in use.
    account: [
      40001, 10009, 10010, 20002, 20006, 20012, 20013, 20014, 20015, 20016, 20017, 20100, 40010, 40012, 40013, 40100,
      40150, 40151, 40305, 40306, 40309, 40311, 40312, 40313, 40314, 40315, 40320, 40321, 40329,
    ],
    message: [40009, 40302, 40316, 40322, 40328],
    provider: [10007, 10011],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.data.id }
    const [error] = v.is(RefusedMessage, json) ? json.data.errors : v.is(Refused, json) ? json.errors : []
    if (!error) return { code: status }
    // "Invalid phone number" and "Phone number must be in +E.164 format", which may be said of the sender as well.
    const isRecipient = ["10002", "10016"].includes(error.code) && error.source?.pointer === "/to"
    return { code: error.code, reason: error.detail ?? error.title, fault: isRecipient ? "recipient" : undefined }
  },
  report: {
    proof({ text, headers }, env) {
      if (!env.TELNYX_PUBLIC_KEY) return "unsigned"
      const time = headers.get("telnyx-timestamp") ?? ""
      return {
        // What stands before the 32 bytes of an Ed25519 key in PEM (RFC 8410).
        publicKey: `-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA${env.TELNYX_PUBLIC_KEY}\n-----END PUBLIC KEY-----\n`,
        signed: `${time}|${text}`,
        given: [headers.get("telnyx-signature-ed25519") ?? ""],
        time: Number(time) * 1000,
      }
    },
    read({ text }) {
      const { event_type, payload } = v.parse(Event, JSON.parse(text)).data
      if (event_type !== "message.sent" && event_type !== "message.finalized") return []
      const { id, to, errors } = v.parse(Delivery, payload)
      const state = states.get(to[0].status)
      const code = errors?.[0]?.code
      // Opted out, or malformed.
      const fault = ["40300", "40310"].includes(code ?? "") ? "recipient" : undefined
      return state ? [{ id, state, code, fault }] : []
    },
  },
} satisfies Provider<typeof env>
