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

/** It gives no id: the reference that was sent comes back. Its codes 401 to 403 are not HTTP's. Numbers begin with 00. */
export default {
  docs: "https://developers.cm.com/messaging/docs/sms",
  region: "Netherlands, Europe",
  evidence: "vendor",
  url: "https://gw.messaging.cm.com",
  env,
  request({ recipient, sender, body }, env, { url, nonce }) {
    const parts = body.length > 70 && { minimumNumberOfMessageParts: 1, maximumNumberOfMessageParts: 8 }
    const message = {
      allowedChannels: ["SMS"],
      from: sender.replace("+", ""),
      to: [{ number: `00${recipient.slice(1)}` }],
      body: { type: "auto", content: body },
      reference: nonce(),
      ...parts,
    }
    return new Request(`${url}/v1.0/message`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-cm-producttoken": env.CM_PRODUCT_TOKEN },
      body: JSON.stringify({ messages: { msg: [message] } }),
    })
  },
  faults: { recipient: [302, 303, 402], account: [101, 102, 103, 301], message: [304, 401, 403] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0].reference }
    if (v.is(Refused, json)) {
      const message = json.messages?.find(({ messageErrorCode }) => messageErrorCode !== 0)
      if (message) return { code: message.messageErrorCode, reason: message.messageDetails ?? undefined }
      if (json.errorCode !== 0) return { code: json.errorCode, reason: json.details ?? undefined }
    }
    return { code: status, fault: [401, 402, 403].includes(status) ? "account" : "provider" }
  },
} satisfies Provider<typeof env>
