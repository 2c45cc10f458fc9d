import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  HTTPSMS_API_KEY: v.pipe(v.string(), v.description("API key, from the settings page of httpSMS")),
}

const Accepted = v.object({
  status: v.literal("success"),
  data: v.object({ id: v.pipe(v.string(), v.nonEmpty()) }),
})
const Refused = v.object({ status: v.literal("error"), message: v.string() })
const Invalid = v.object({ data: v.record(v.string(), v.tuple([v.string()])) })

/** The sender is your own Android phone. What is accepted waits for it: while it is offline nothing is sent. */
export default {
  docs: "https://docs.httpsms.com",
  region: "Anywhere",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.httpsms.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/v1/messages/send`, {
      method: "POST",
      headers: { "x-api-key": env.HTTPSMS_API_KEY, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ from: sender, to: recipient, content: body }),
    })
  },
  faults: { message: [400] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.data.id }
    if (!v.is(Refused, json)) return { code: status }
    if (status !== 422 || !v.is(Invalid, json)) return { code: status, reason: json.message }
    // A field that is not valid, with what is wrong with it: "The to field must be a valid E.164 phone number".
    const { to, from } = json.data
    const [reason = json.message] = to ?? from ?? Object.values(json.data)[0] ?? []
    return { code: status, reason, fault: to ? "recipient" : from ? "account" : "message" }
  },
} satisfies Provider<typeof env>
