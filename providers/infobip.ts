import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = { INFOBIP_API_KEY: v.pipe(v.string(), v.description("API key of the account")) }

const Accepted = v.object({
  messages: v.strictTuple([
    v.object({
      messageId: v.pipe(v.string(), v.nonEmpty()),
      status: v.object({ groupId: v.picklist([0, 1, 3]) }),
    }),
  ]),
})
const RefusedMessage = v.object({
  messages: v.tuple([v.object({ status: v.object({ id: v.number(), description: v.string() }) })]),
})
const Refused = v.object({ errorCode: v.string(), description: v.string() })
const RefusedOnce = v.object({
  requestError: v.object({ serviceException: v.object({ messageId: v.string(), text: v.string() }) }),
})

const Status = v.object({ groupName: v.string(), id: v.number(), name: v.string() })
const Deliveries = v.object({
  results: v.array(v.object({ messageId: v.pipe(v.string(), v.nonEmpty()), status: Status, error: v.nullish(Status) })),
})
const states = new Map(
  Object.entries({
    PENDING: "pending",
    UNDELIVERABLE: "failed",
    DELIVERED: "delivered",
    EXPIRED: "expired",
    REJECTED: "failed",
  } as const),
)
/** No group tells it: the operator has the text (2), or sent no receipt (29). */
const uncertain = [2, 29]

/** A 200 may hold a rejected message: groups 2, 4 and 5 of its status. Each account has a host of its own. */
export default {
  docs: "https://www.infobip.com/docs/api/channels/sms/outbound-sms/send-sms-messages",
  region: "Global",
  evidence: "vendor",
  env,
  request({ recipient, sender, body }, env, { url, reportUrl }) {
    const from = sender && { sender: sender.replace("+", "") }
    const webhooks = reportUrl && { delivery: { url: reportUrl }, contentType: "application/json" }
    const message = { ...from, destinations: [{ to: recipient.slice(1) }], content: { text: body }, webhooks }
    return new Request(`${url}/sms/3/messages`, {
      method: "POST",
      headers: {
        authorization: `App ${env.INFOBIP_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ messages: [message] }),
    })
  },
  faults: {
    recipient: [8, 52],
    // 10 and 14 are lists of the operator's or of the account's own, which another route may not know.
    account: [6, 10, 11, 12, 13, 14, 17, 18, 19, 87],
    message: [24, 25],
    provider: [21],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0].messageId }
    if (v.is(RefusedMessage, json)) {
      const { id, description } = json.messages[0].status
      return { code: id, reason: description }
    }
    if (v.is(RefusedOnce, json)) {
      const { messageId, text } = json.requestError.serviceException
      return { code: messageId, reason: text }
    }
    return v.is(Refused, json) ? { code: json.errorCode, reason: json.description } : { code: status }
  },
  report: {
    read({ text }) {
      return v.parse(Deliveries, JSON.parse(text)).results.flatMap(({ messageId: id, status, error }) => {
        const state = uncertain.includes(status.id) ? "pending" : states.get(status.groupName)
        const cause = error?.id ? error : status
        // Unknown, wrong, or opted out.
        const isNumber = error && [1, 5, 603].includes(error.id)
        const code = state === "delivered" || state === "pending" ? undefined : cause.name
        return state ? [{ id, state, code, fault: isNumber ? ("recipient" as const) : undefined }] : []
      })
    },
  },
} satisfies Provider<typeof env>
