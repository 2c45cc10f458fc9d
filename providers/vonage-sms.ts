import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  VONAGE_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  VONAGE_API_SECRET: v.pipe(v.string(), v.description("API secret of the account")),
}

const AcceptedPart = v.object({
  status: v.literal("0"),
  "message-id": v.pipe(v.string(), v.nonEmpty()),
  "error-text": v.optional(v.pipe(v.string(), v.empty())),
})
const Accepted = v.object({ messages: v.tupleWithRest([AcceptedPart], AcceptedPart) })
const Part = v.object({ status: v.string(), "error-text": v.optional(v.string()) })
const Refused = v.object({ messages: v.array(Part) })

/** Nearly every refusal is a 200, and a long text is several messages, each with a status of its own. */
export default {
  docs: "https://developer.vonage.com/en/api/sms",
  region: "Global",
  evidence: "vendor",
  url: "https://rest.nexmo.com",
  env,
  request({ recipient, sender, body }, env, { url, isGsm7 }) {
    const form = new URLSearchParams({
      api_key: env.VONAGE_API_KEY,
      api_secret: env.VONAGE_API_SECRET,
      from: sender.replace("+", ""),
      to: recipient.slice(1),
      text: body,
    })
    // Without it the letters beyond GSM-7 are lost.
    if (!isGsm7(body)) form.set("type", "unicode")
    return new Request(`${url}/sms/json`, { method: "POST", headers: { accept: "application/json" }, body: form })
  },
  faults: { recipient: [7, 33], account: [2, 4, 6, 8, 9, 11, 14, 15, 29, 32], message: [3, 12] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0]["message-id"] }
    const refused = v.is(Refused, json) ? json.messages.find((part) => part.status !== "0") : undefined
    return refused ? { code: refused.status, reason: refused["error-text"] } : { code: status }
  },
} satisfies Provider<typeof env>
