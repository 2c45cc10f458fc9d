import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  TERMII_API_KEY: v.pipe(v.string(), v.description("API key, from the dashboard")),
  TERMII_CHANNEL: v.pipe(
    v.optional(v.picklist(["dnd", "generic"]), "dnd"),
    v.description("dnd for codes once Termii has enabled it, or generic"),
  ),
  TERMII_SECRET_KEY: v.optional(
    v.pipe(v.string(), v.description("secret key, from the dashboard, which proves delivery reports")),
  ),
}

const Id = v.pipe(v.string(), v.regex(/^[\w-]+$/))
const Accepted = v.object({
  code: v.optional(v.literal("ok")),
  message_id: v.union([Id, v.pipe(v.number(), v.minValue(1))]),
  message_id_str: v.optional(Id),
})
const Refused = v.object({
  code: v.optional(v.union([v.number(), v.pipe(v.string(), v.notValue("ok"))])),
  message: v.string(),
})

const Event = v.object({ type: v.string() })
const Delivery = v.object({ message_id: Id, status: v.string() })
const states = new Map(
  Object.entries({
    "message sent": "pending",
    delivered: "delivered",
    "message failed": "failed",
    rejected: "failed",
    "dnd active on phone number": "failed",
    expired: "expired",
  } as const),
)

/** The dashboard shows each account its base URL. Ids are too long for a number: message_id_str comes first. */
export default {
  docs: "https://developer.termii.com/messaging-api",
  region: "Nigeria, Africa",
  evidence: "vendor",
  url: "https://v3.api.termii.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = sender && { from: sender.replace("+", "") }
    return new Request(`${url}/api/sms/send`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        api_key: env.TERMII_API_KEY,
        to: recipient.slice(1),
        ...from,
        sms: body,
        type: isGsm7(body) ? "plain" : "unicode",
        channel: env.TERMII_CHANNEL,
      }),
    })
  },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) {
      const [, digits = ""] = /"message_id"\s*:\s*(\d{1,40})\s*[,}]/.exec(text) ?? []
      return { id: json.message_id_str ?? (typeof json.message_id === "string" ? json.message_id : digits) }
    }
    if (!v.is(Refused, json)) return { code: status }
    const { code = status, message: reason } = json
    const isAccount = /^(ApplicationSenderId not found|Country Inactive|Insufficient balance)/i.test(reason)
    return { code, reason, fault: isAccount ? "account" : undefined }
  },
  report: {
    // Its pages do not say whether it is in hex or in base64.
    proof: ({ text, headers }, env) =>
      env.TERMII_SECRET_KEY
        ? {
            key: Buffer.from(env.TERMII_SECRET_KEY),
            hash: "sha512",
            signed: text,
            given: [headers.get("x-termii-signature") ?? ""],
          }
        : "unsigned",
    read({ text }) {
      const json: unknown = JSON.parse(text)
      if (v.parse(Event, json).type !== "outbound") return []
      const { message_id: id, status } = v.parse(Delivery, json)
      const [code = ""] = status.split(" | ")
      const state = states.get(code.toLowerCase())
      if (state === "delivered" || state === "pending") return [{ id, state }]
      return state ? [{ id, state, code }] : []
    },
  },
} satisfies Provider<typeof env>
