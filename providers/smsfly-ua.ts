import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSFLY_UA_API_KEY: v.pipe(v.string(), v.description("API key of version 2, from the settings of the account")),
}

const going = v.picklist(["ACCEPTD", "NEW", "PENDING", "SENT", "DELIVERED"])
const Accepted = v.object({
  success: v.literal(1),
  data: v.object({
    messageID: v.pipe(v.string(), v.nonEmpty()),
    sms: v.nullish(v.object({ status: v.nullish(going) })),
  }),
})
const Failed = v.object({ success: v.literal(1), data: v.object({ sms: v.object({ status: v.string() }) }) })
const Refused = v.object({ error: v.object({ code: v.string(), description: v.nullish(v.string()) }) })

/** Always a 200: `success` is 1 or 0. Inside a success the message has a status of its own. The sender is a registered name. */
export default {
  docs: "https://sms-fly.ua/public/api.v2.00.pdf",
  region: "Ukraine",
  evidence: "clients",
  needsSender: true,
  url: "https://sms-fly.ua",
  env,
  request({ recipient, sender, body }, env, { url, ttl = 300 }) {
    return new Request(`${url}/api/v2/api.php`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        auth: { key: env.SMSFLY_UA_API_KEY },
        action: "SENDMESSAGE",
        data: {
          recipient: recipient.slice(1),
          channels: ["sms"],
          // 1 to 1,440 minutes.
          sms: { source: sender.replace("+", ""), ttl: Math.min(Math.ceil(ttl / 60), 1_440), text: body },
        },
      }),
    })
  },
  faults: { account: ["FORBIDDEN", "INSUFFICIENTFUNDS", "INVSOURCE", "INVROUTE"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.data.messageID }
    if (status === 200 && v.is(Failed, json)) return { code: json.data.sms.status }
    if (!v.is(Refused, json)) return { code: status }
    return { code: json.error.code, reason: json.error.description ?? undefined }
  },
} satisfies Provider<typeof env>
