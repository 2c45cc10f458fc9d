import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  INFOBIP_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  INFOBIP_DLT_ENTITY_ID: v.optional(v.pipe(v.string(), v.description("principal entity ID, for numbers of India"))),
  INFOBIP_DLT_TEMPLATE_ID: v.optional(v.pipe(v.string(), v.description("content template ID that belongs to it"))),
}

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
const sure = [
  1, // "Unknown Subscriber"
  5, // "Unidentified Subscriber"
  603, // STOP: opted out of this sender
]

/** A 200 may hold a rejected message: groups 2, 4 and 5 of its status. Each account has a host of its own. */
export default {
  docs: "https://www.infobip.com/docs/api/channels/sms/outbound-sms/send-sms-messages",
  region: "Global",
  evidence: "vendor",
  env,
  request({ recipient, sender, body }, env, { url, reportUrl, isFeedback, ttl }) {
    const from = sender && { sender: sender.replace("+", "") }
    const webhooks = reportUrl && { delivery: { url: reportUrl }, contentType: "application/json" }
    const isIndian = env.INFOBIP_DLT_ENTITY_ID && recipient.startsWith("+91")
    const options = {
      // At most 48 hours; seconds and more are units.
      ...(ttl && { validityPeriod: { amount: Math.min(ttl, 172_800), timeUnit: "SECONDS" } }),
      ...(isIndian && {
        regional: {
          indiaDlt: { contentTemplateId: env.INFOBIP_DLT_TEMPLATE_ID, principalEntityId: env.INFOBIP_DLT_ENTITY_ID },
        },
      }),
    }
    const message = {
      ...from,
      destinations: [{ to: recipient.slice(1) }],
      content: { text: body },
      ...((ttl || isIndian) && { options }),
      webhooks,
    }
    return new Request(`${url}/sms/3/messages`, {
      method: "POST",
      headers: {
        authorization: `App ${env.INFOBIP_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        messages: [message],
        options: isFeedback ? { conversionTracking: { useConversionTracking: true } } : undefined,
      }),
    })
  },
  faults: {
    fraud: [87],
    recipient: [
      52, // "the number prefix is incorrect as it does not match a valid number prefix by any mobile operator"
    ],
    // 8 is a table of prefixes that is "regularly updated"; 10 and 14 are lists of the operator's or of the account's own,
    // and 20 is a limit for one number.
    account: [6, 8, 10, 11, 12, 13, 14, 17, 18, 19, 20],
    message: [24, 25],
    provider: [21, "E429", "TOO_MANY_REQUESTS"],
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
  /** POST /ct/1/log/end/{messageId} of the vendor's own clients. It takes no word of a code that was not entered. */
  verified(id, isVerified, env, { url }) {
    if (!isVerified) return undefined
    const headers = { authorization: `App ${env.INFOBIP_API_KEY}`, accept: "application/json" }
    return new Request(`${url}/ct/1/log/end/${encodeURIComponent(id)}`, { method: "POST", headers })
  },
  report: {
    read({ text }) {
      return v.parse(Deliveries, JSON.parse(text)).results.flatMap(({ messageId: id, status, error }) => {
        const state = uncertain.includes(status.id) ? "pending" : states.get(status.groupName)
        const cause = error?.id ? error : status
        // 608 and SIGNALS_BLOCKED: an anti-fraud mechanism.
        const isFraud = status.id === 87 || error?.id === 608
        const isNumber = error && sure.includes(error.id)
        const code = state === "delivered" || state === "pending" ? undefined : cause.name
        const fault = isFraud ? ("fraud" as const) : isNumber ? ("recipient" as const) : undefined
        return state ? [{ id, state, code, fault }] : []
      })
    },
  },
} satisfies Provider<typeof env>
