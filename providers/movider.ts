import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  MOVIDER_API_KEY: v.pipe(v.string(), v.description("API key of the application")),
  MOVIDER_API_SECRET: v.pipe(v.string(), v.description("API secret of the application")),
}

const none = v.nullish(v.pipe(v.array(v.unknown()), v.empty()))
const Accepted = v.object({
  phone_number_list: v.strictTuple([v.object({ message_id: v.pipe(v.string(), v.nonEmpty()) })]),
  bad_phone_number_list: none,
  error: v.nullish(v.null()),
})
const RefusedNumber = v.object({ bad_phone_number_list: v.tuple([v.object({ msg: v.string() })]) })
const Refused = v.object({
  error: v.object({ code: v.union([v.string(), v.number()]), description: v.optional(v.string()) }),
})

/** A number may be refused inside a 200, with a text and no code, in a list of its own. */
export default {
  docs: "https://docs.movider.co",
  region: "Global, Asia",
  evidence: "clients",
  url: "https://api.movider.co",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({
      api_key: env.MOVIDER_API_KEY,
      api_secret: env.MOVIDER_API_SECRET,
      to: recipient.slice(1),
    })
    if (sender) form.set("from", sender.replace("+", ""))
    form.set("text", body)
    return new Request(`${url}/v1/sms`, { method: "POST", headers: { accept: "application/json" }, body: form })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.phone_number_list[0].message_id }
    if (v.is(Refused, json)) return { code: json.error.code, reason: json.error.description }
    if (!v.is(RefusedNumber, json)) return { code: status }
    // Its text does not tell a number that is none from one without a route.
    return { code: "bad_phone_number_list", reason: json.bad_phone_number_list[0].msg, fault: "account" }
  },
} satisfies Provider<typeof env>
