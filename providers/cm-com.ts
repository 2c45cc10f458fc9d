import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  CM_PRODUCT_TOKEN: v.pipe(v.string(), v.description("product token of the Business Messaging gateway")),
}

const Accepted = v.object({
  errorCode: v.literal(0),
  messages: v.strictTuple([
    v.object({
      status: v.literal("Accepted"),
      reference: v.pipe(v.string(), v.nonEmpty()),
      messageErrorCode: v.literal(0),
    }),
  ]),
})
const Message = v.object({ messageErrorCode: v.number(), messageDetails: v.nullish(v.string()) })
const Refused = v.object({
  errorCode: v.number(),
  details: v.nullish(v.string()),
  messages: v.nullish(v.array(Message)),
})

const text = v.pipe(v.union([v.string(), v.number()]), v.transform(String))
const Status = v.object({ code: text, errorCode: v.nullish(text) })
const Delivery = v.object({ reference: v.pipe(v.string(), v.nonEmpty()), status: Status })
const Deliveries = v.object({ messages: v.object({ msg: Delivery }) })
const states = new Map(
  Object.entries({ "0": "pending", "1": "failed", "2": "delivered", "3": "failed", "4": "delivered" } as const),
)

/** It gives no id: the reference that was sent comes back. Its codes 401 to 403 are not HTTP's. Numbers begin with 00. */
export default {
  docs: "https://developers.cm.com/messaging/docs/sms",
  region: "Netherlands, Europe",
  evidence: "vendor",
  needsSender: true,
  url: "https://gw.messaging.cm.com",
  env,
  request({ recipient, sender, body }, env, { url, ttl, nonce }) {
    const parts = body.length > 70 && { minimumNumberOfMessageParts: 1, maximumNumberOfMessageParts: 8 }
    const message = {
      allowedChannels: ["SMS"],
      from: sender.replace("+", ""),
      to: [{ number: `00${recipient.slice(1)}` }],
      body: { type: "auto", content: body },
      reference: nonce(),
      ...parts,
      // In whole minutes, 48 hours at most.
      validity: ttl && `${Math.min(Math.ceil(ttl / 60), 2_880)}m`,
    }
    return new Request(`${url}/v1.0/message`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-cm-producttoken": env.CM_PRODUCT_TOKEN },
      body: JSON.stringify({ messages: { msg: [message] } }),
    })
  },
  faults: {
    recipient: [
      302, // "To field invalid"
      303, // "MSISDN invalid"
    ],
    // It does not say what is on the black list of 402: the number, the sender or the text.
    account: [101, 102, 103, 301, 402],
    message: [304, 401, 403],
    provider: [500],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0].reference }
    if (v.is(Refused, json)) {
      const message = json.messages?.find(({ messageErrorCode }) => messageErrorCode !== 0)
      if (message) return { code: message.messageErrorCode, reason: message.messageDetails ?? undefined }
      if (json.errorCode !== 0) return { code: json.errorCode, reason: json.details ?? undefined }
    }
    return { code: status }
  },
  report: {
    read({ text }) {
      const { reference: id, status } = v.parse(Deliveries, JSON.parse(text)).messages.msg
      const state = states.get(status.code)
      return state ? [{ id, state, code: status.errorCode || undefined }] : []
    },
  },
} satisfies Provider<typeof env>
