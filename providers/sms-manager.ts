import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  SMS_MANAGER_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
}

const Id = v.pipe(v.string(), v.nonEmpty())
const Accepted = v.object({ accepted: v.tuple([v.object({ message_id: Id })]) })
const Rejected = v.object({ rejected: v.pipe(v.array(v.unknown()), v.nonEmpty()) })
const Refused = v.object({ message: v.string() })

const Delivery = v.array(v.object({ message_id: Id, result: v.string() }))
const states = new Map(
  Object.entries({
    sending: "pending",
    sent: "pending",
    delivered: "delivered",
    seen: "delivered",
    undelivered: "failed",
    rejected: "failed",
    failed: "failed",
  } as const),
)

/** The queue is the one for messages that people wait for. A text may have 1,000 characters. */
export default {
  docs: "https://api-ref.smsmanager.com/openapi/en/json/jsonapi_v2/sending",
  region: "Czechia, Slovakia",
  evidence: "vendor",
  url: "https://api.smsmngr.com",
  env,
  request({ recipient, sender, body }, env, { url, ttl, reportUrl }) {
    const sms = {
      ...(sender && { sender: sender.replace("+", "") }),
      type: isGsm7(body) ? "sms" : "utf",
      // In whole minutes.
      ...(ttl && { ttl: Math.ceil(ttl / 60) }),
    }
    return new Request(`${url}/v2/message/priority`, {
      method: "POST",
      headers: {
        "x-api-key": env.SMS_MANAGER_API_KEY,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        body,
        to: [{ phone_number: recipient.slice(1) }],
        tag: "transactional",
        flow: [{ sms }],
        callback: reportUrl,
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.accepted[0].message_id }
    // Rejected is a number that it does not reach, or one that the credit does not suffice for.
    if (status === 200 && v.is(Rejected, json)) return { code: "rejected", fault: "account" }
    return v.is(Refused, json) ? { code: status, reason: json.message } : { code: status }
  },
  report: {
    read({ text }) {
      return v.parse(Delivery, JSON.parse(text)).flatMap(({ message_id: id, result }) => {
        const state = states.get(result)
        return state ? [{ id, state }] : []
      })
    },
  },
} satisfies Provider<typeof env>
