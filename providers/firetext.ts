import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = { FIRETEXT_API_KEY: v.pipe(v.string(), v.description("API key, from Settings > API")) }

const Accepted = v.object({ code: v.literal(0), description: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ code: v.number(), description: v.string() })

/** Refuses under 200 too: only code 0 is acceptance. The id stands in a header. 2 may be a number abroad. */
export default {
  docs: "https://www.firetext.co.uk/docs",
  region: "United Kingdom",
  evidence: "clients",
  url: "https://www.firetext.co.uk",
  env,
  needsSender: true,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({ apiKey: env.FIRETEXT_API_KEY })
    if (sender) form.set("from", sender.replace("+", ""))
    form.set("to", recipient.slice(1))
    form.set("message", body)
    return new Request(`${url}/api/sendsms/json`, { method: "POST", body: form })
  },
  faults: { account: [1, 2, 3, 7, 9], message: [5] },
  receipt({ status, headers, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: headers.get("x-message") ?? "" }
    return v.is(Refused, json) && json.code !== 0 ? { code: json.code, reason: json.description } : { code: status }
  },
} satisfies Provider<typeof env>
