import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  TURBOSMS_TOKEN: v.pipe(v.string(), v.description("token of the HTTP API, from the account's API settings")),
}

const Accepted = v.object({
  response_code: v.picklist([0, 800, 801, 802, 803]),
  response_result: v.tuple([v.object({ response_code: v.literal(0), message_id: v.pipe(v.string(), v.nonEmpty()) })]),
})
const Refused = v.object({ response_code: v.pipe(v.number(), v.gtValue(1)), response_status: v.string() })
const RefusedRecipient = v.object({ response_result: v.tuple([Refused]) })

/** Every answer is a 200, and an OK around it says nothing: the recipient's own code does. */
export default {
  docs: "https://turbosms.ua/en/api.html",
  region: "Ukraine",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.turbosms.ua",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/message/send.json`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${env.TURBOSMS_TOKEN}` },
      body: JSON.stringify({
        recipients: [recipient.slice(1)],
        sms: { sender: sender.replace("+", ""), text: body },
      }),
    })
  },
  faults: {
    // 305: it knows neither country nor operator; 404: a stop list.
    account: [103, 105, 106, 200, 203, 301, 302, 305, 400, 401, 404, 406, 415],
    message: [201, 304, 411, 412, 413],
    provider: [999],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.response_result[0].message_id }
    const refused = v.is(RefusedRecipient, json) ? json.response_result[0] : v.is(Refused, json) ? json : undefined
    return refused ? { code: refused.response_code, reason: refused.response_status } : { code: status }
  },
} satisfies Provider<typeof env>
