import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = { TAQNYAT_BEARER_TOKEN: v.pipe(v.string(), v.description("bearer token of an application")) }

const Accepted = v.object({
  statusCode: v.literal(201),
  messageId: v.pipe(v.number(), v.integer(), v.minValue(1)),
  accepted: v.pipe(v.string(), v.regex(/\d/)),
  rejected: v.pipe(v.string(), v.regex(/^\[\D*\]$/)),
})
const Rejected = v.object({ rejected: v.pipe(v.string(), v.regex(/\d/)) })
const Refused = v.object({ message: v.string(), reason: v.optional(v.string()) })

/** `accepted` and `rejected` are strings such as "[966501234567,]", no JSON; ids may be too long for a JSON number. */
export default {
  docs: "https://dev.taqnyat.sa/en/doc/sms/",
  region: "Saudi Arabia",
  evidence: "clients",
  url: "https://api.taqnyat.sa",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = sender && { sender: sender.replace("+", "") }
    return new Request(`${url}/v1/messages`, {
      method: "POST",
      headers: { authorization: `Bearer ${env.TAQNYAT_BEARER_TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ recipients: [recipient.slice(1)], body, ...from }),
    })
  },
  // It rejects numbers abroad and bad ones in the same way.
  faults: { account: ["102", "rejected"] },
  receipt({ status, text, json }) {
    const [, id = ""] = /"messageId"\s*:\s*(\d{1,40})\s*[,}]/.exec(text) ?? []
    if (status === 201 && v.is(Accepted, json)) return { id }
    if (status === 201 && v.is(Rejected, json)) return { code: "rejected" }
    if (!v.is(Refused, json)) return { code: status }
    // Where there is a reason, `message` is the code.
    return json.reason ? { code: json.message, reason: json.reason } : { code: status, reason: json.message }
  },
} satisfies Provider<typeof env>
