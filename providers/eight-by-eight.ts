import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isoTime } from "./lib.ts"

const hosts = {
  asia: "https://sms.8x8.com",
  us: "https://sms.us.8x8.com",
  eu: "https://sms.8x8.uk",
  id: "https://sms.8x8.id",
}

const env = {
  EIGHT_BY_EIGHT_API_KEY: v.pipe(v.string(), v.description("API key, from 8x8 Connect")),
  EIGHT_BY_EIGHT_SUBACCOUNT: v.pipe(v.string(), v.regex(/^[\w.-]+$/), v.description("subaccount that sends")),
  EIGHT_BY_EIGHT_REGION: v.pipe(
    v.optional(v.string(), "asia"),
    v.picklist(["asia", "us", "eu", "id"]),
    v.description("where the account is: asia, us, eu or id (Indonesia)"),
  ),
}

const Id = v.pipe(v.string(), v.nonEmpty())
const Accepted = v.object({ umid: Id, status: v.object({ code: v.literal("QUEUED") }) })
const Rejected = v.object({ status: v.object({ code: v.string(), description: v.nullish(v.string()) }) })
const Refused = v.object({ code: v.number(), message: v.nullish(v.string()) })

const Delivery = v.object({
  eventType: v.string(),
  payload: v.object({
    umid: Id,
    status: v.object({ state: v.string(), errorCode: v.nullish(v.union([v.number(), v.string()])) }),
  }),
})
const states = new Map(
  Object.entries({
    queued: "pending",
    sent: "pending",
    delivered: "delivered",
    read: "delivered",
    rejected: "failed",
    undelivered: "failed",
    failed: "failed",
  } as const),
)

/** The vendor is 8x8. A message with no sender goes from the subaccount's own one. */
export default {
  docs: "https://developer.8x8.com/connect/reference/send-sms-api-reference",
  region: "Asia",
  evidence: "vendor",
  url: (env) => hosts[env.EIGHT_BY_EIGHT_REGION],
  env,
  request({ recipient, sender, body }, env, { url, ttl, clock, reportUrl }) {
    return new Request(`${url}/api/v1/subaccounts/${env.EIGHT_BY_EIGHT_SUBACCOUNT}/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.EIGHT_BY_EIGHT_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        ...(sender && { source: sender.replace("+", "") }),
        destination: recipient,
        text: body,
        encoding: "AUTO",
        ...(ttl && { expiry: isoTime(clock() + ttl * 1_000) }),
        dlrCallbackUrl: reportUrl,
      }),
    })
  },
  // 1002, an invalid number, may be one that it has no route to.
  faults: { account: [1001, 1002, 1200] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.umid }
    if (v.is(Rejected, json) && json.status.code !== "QUEUED")
      return { code: json.status.code, reason: json.status.description ?? undefined }
    return v.is(Refused, json) ? { code: json.code, reason: json.message ?? undefined } : { code: status }
  },
  report: {
    read({ text }) {
      const { eventType, payload } = v.parse(Delivery, JSON.parse(text))
      const state = eventType === "outbound_message_status_changed" ? states.get(payload.status.state) : undefined
      if (!state) return []
      // "SMS expired"
      const isExpired = String(payload.status.errorCode) === "36"
      const code = state === "failed" ? (payload.status.errorCode ?? undefined) : undefined
      return [{ id: payload.umid, state: state === "failed" && isExpired ? "expired" : state, code }]
    },
  },
} satisfies Provider<typeof env>
