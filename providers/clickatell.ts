import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  CLICKATELL_API_KEY: v.pipe(v.string(), v.description("API key of an SMS integration")),
  CLICKATELL_SENDER: v.optional(v.pipe(v.string(), v.description("the number of a two-way integration; else unset"))),
}

const none = v.nullish(v.null())
const sent = { apiMessageId: v.pipe(v.string(), v.nonEmpty()), accepted: v.literal(true) }
const Accepted = v.object({
  messages: v.strictTuple([v.object({ ...sent, error: none, errorCode: none })]),
  error: none,
  errorCode: none,
})
const Reason = v.object({ code: v.number(), description: v.string() })
const Refused = v.object({ errorCode: v.nullish(v.number()), error: v.union([v.string(), Reason]) })
const RefusedMessage = v.object({ messages: v.strictTuple([Refused]) })

/** The key stands bare in Authorization. One-way integrations refuse `from`, and some errors are texts with an errorCode. */
export default {
  docs: "https://guides.clickatell.com/clickatell-chat-commerce-platform/developer/channels/whatsapp-and-sms-one-api/api-reference/messages/send-messages",
  region: "Global",
  evidence: "vendor",
  url: "https://platform.clickatell.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = env.CLICKATELL_SENDER && { from: sender.replace("+", "") }
    const message = { channel: "sms", to: recipient.slice(1), content: body, ...from }
    return new Request(`${url}/v1/message`, {
      method: "POST",
      headers: {
        authorization: env.CLICKATELL_API_KEY,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ messages: [message] }),
    })
  },
  faults: {
    recipient: [
      25, // "Invalid recipient address"
      26, // "Recipient opted out"
      105, // "Invalid destination address"
    ],
    account: [1, 2, 3, 7, 20, 27, 28, 38, 39, 44, 45, 46, 101, 106, 110, 111],
    message: [24, 30, 40, 100],
    provider: [18, 19, 43],
  },
  receipt({ status, json }) {
    if ([200, 202, 207].includes(status) && v.is(Accepted, json)) return { id: json.messages[0].apiMessageId }
    const refused = v.is(RefusedMessage, json) ? json.messages[0] : v.is(Refused, json) ? json : undefined
    if (!refused) return { code: status }
    const { error, errorCode } = refused
    if (typeof error === "string") return { code: errorCode ?? status, reason: error }
    // "Invalid or missing parameter: to" may be a number that is valid elsewhere.
    const isNumber = error.code === 23 && /: to\b/.test(error.description)
    return { code: error.code, reason: error.description, fault: isNumber ? "account" : undefined }
  },
} satisfies Provider<typeof env>
