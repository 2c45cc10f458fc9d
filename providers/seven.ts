import { createHash } from "node:crypto"
import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SEVEN_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  SEVEN_SIGNING_KEY: v.optional(
    v.pipe(v.string(), v.description("signing key of the account's webhooks, which proves delivery reports")),
  ),
}

const Sent = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  success: v.literal(true),
  error: v.nullish(v.null()),
})
const Accepted = v.object({ success: v.picklist(["100", 100]), messages: v.strictTuple([Sent]) })
const Code = v.pipe(v.union([v.number(), v.pipe(v.string(), v.digits())]), v.notValues(["100", 100]))
const Refused = v.object({ success: Code })
const RefusedMessage = v.object({ messages: v.tuple([v.object({ error: Code, error_text: v.nullish(v.string()) })]) })

const Delivery = v.object({ msg_id: Sent.entries.id, status: v.string() })
const states = new Map(
  Object.entries({
    ACCEPTED: "pending",
    BUFFERED: "pending",
    TRANSMITTED: "pending",
    DELIVERED: "delivered",
    EXPIRED: "expired",
    NOTDELIVERED: "failed",
    REJECTED: "failed",
    FAILED: "failed",
  } as const),
)

/** A refusal is a 200 too: its whole text is a number then, or `success` is other than 100. */
export default {
  docs: "https://docs.seven.io/en/rest-api/endpoints/sms",
  region: "Europe",
  evidence: "vendor",
  url: "https://gateway.seven.io",
  env,
  request({ recipient, sender, body }, env, { url, ttl }) {
    const from = sender && { from: sender.replace("+", "") }
    return new Request(`${url}/api/sms`, {
      method: "POST",
      headers: { "x-api-key": env.SEVEN_API_KEY, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        to: recipient.slice(1),
        ...from,
        text: body,
        json: 1,
        // Whole minutes, 2,880 of them by default; bounds are not documented.
        ...(ttl && { ttl: Math.min(Math.ceil(ttl / 60), 2_880) }),
      }),
    })
  },
  faults: {
    recipient: [
      202, // "Recipient number is invalid"
    ],
    account: [201, 300, 306, 500, 900, 902, 903],
    message: [305, 401],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0].id }
    if (v.is(RefusedMessage, json)) {
      const [{ error, error_text }] = json.messages
      return { code: error, reason: error_text ?? undefined }
    }
    if (v.is(Refused, json)) return { code: json.success }
    if (v.is(Code, json)) return { code: json }
    return { code: status }
  },
  report: {
    proof({ method, url, text, headers }, env) {
      if (!env.SEVEN_SIGNING_KEY) return "unsigned"
      const [time = "", nonce, signature = ""] = ["x-timestamp", "x-nonce", "x-signature"].map(
        (name) => headers.get(name) ?? "",
      )
      const md5 = createHash("md5").update(text).digest("hex")
      return {
        key: Buffer.from(env.SEVEN_SIGNING_KEY),
        signed: [time, nonce, method, url, md5].join("\n"),
        given: [signature],
        time: Number(time) * 1000,
      }
    },
    read({ method, url, text }) {
      const json: unknown = method === "POST" ? JSON.parse(text) : undefined
      if (json && v.parse(v.object({ webhook_event: v.string() }), json).webhook_event !== "dlr") return []
      const data = json
        ? v.parse(v.object({ data: v.unknown() }), json).data
        : Object.fromEntries(new URL(url).searchParams)
      const { msg_id: id, status } = v.parse(Delivery, data)
      const state = states.get(status)
      return state ? [{ id, state }] : []
    },
  },
} satisfies Provider<typeof env>
