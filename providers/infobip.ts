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

/** A 200 may hold a rejected message: groups 2, 4 and 5 of its status. Each account has a host of its own. */
export default {
  docs: "https://www.infobip.com/docs/api/channels/sms/outbound-sms/send-sms-messages",
  region: "Global",
  evidence: "vendor",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = sender && { sender: sender.replace("+", "") }
    const message = { ...from, destinations: [{ to: recipient.slice(1) }], content: { text: body } }
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
    recipient: [8, 10, 14, 51, 52],
    account: [6, 11, 12, 13, 17, 18, 19],
    message: [24, 25],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0].messageId }
    if (v.is(RefusedMessage, json)) {
      const { id, description } = json.messages[0].status
      return { code: id, reason: description }
    }
    return v.is(Refused, json) ? { code: json.errorCode, reason: json.description } : { code: status }
  },
} satisfies Provider<typeof env>
