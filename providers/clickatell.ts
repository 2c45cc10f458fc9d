import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  CLICKATELL_API_KEY: v.pipe(v.string(), v.description("API key of an SMS integration")),
  CLICKATELL_SENDER: v.optional(v.pipe(v.string(), v.description("the number of a two-way integration; else unset"))),
}

const Accepted = v.object({
  messages: v.strictTuple([
    v.object({ apiMessageId: v.pipe(v.string(), v.nonEmpty()), accepted: v.literal(true), error: v.nullish(v.null()) }),
  ]),
  error: v.nullish(v.null()),
})
const Reason = v.object({ code: v.number(), description: v.string() })
const Refused = v.object({ error: Reason })
const RefusedMessage = v.object({ messages: v.strictTuple([v.object({ error: Reason })]) })

/** The key stands bare in Authorization, and `from` is refused by one-way integrations, whatever the platform sends. */
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
  faults: { recipient: [26], account: [20, 28, 44, 45, 46, 110], message: [100] },
  receipt({ status, json }) {
    if ([200, 202, 207].includes(status) && v.is(Accepted, json)) return { id: json.messages[0].apiMessageId }
    const error = v.is(RefusedMessage, json) ? json.messages[0].error : v.is(Refused, json) ? json.error : undefined
    if (!error) return { code: status }
    const isNumber = error.code === 23 && /: to\b/.test(error.description)
    return { code: error.code, reason: error.description, fault: isNumber ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
