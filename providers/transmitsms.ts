import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  TRANSMITSMS_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  TRANSMITSMS_API_SECRET: v.pipe(v.string(), v.description("API secret of the account")),
}

const Accepted = v.object({
  message_id: v.number(),
  recipients: v.pipe(v.number(), v.minValue(1)),
  error: v.object({ code: v.literal("SUCCESS") }),
})
const Refused = v.object({
  error: v.object({ code: v.pipe(v.string(), v.notValue("SUCCESS")), description: v.optional(v.string()) }),
})

/** Every answer holds an error: its code is SUCCESS where there is none. Bad numbers are left out of `recipients`. */
export default {
  docs: "https://developers.kudosity.com/reference/status-codes",
  region: "Australia, New Zealand, United Kingdom, United States",
  evidence: "vendor",
  url: "https://api.transmitsms.com",
  env,
  request({ recipient, sender, body }, env, { url, ttl }) {
    const form = new URLSearchParams({ message: body, to: recipient.slice(1) })
    if (sender) form.set("from", sender.replace("+", ""))
    // Minutes: 0 stands for the most, and after 72 hours all is over.
    if (ttl) form.set("validity", String(Math.min(Math.ceil(ttl / 60), 4_320)))
    return new Request(`${url}/send-sms.json`, {
      method: "POST",
      headers: {
        accept: "application/json",
        authorization: basic(env.TRANSMITSMS_API_KEY, env.TRANSMITSMS_API_SECRET),
      },
      body: form,
    })
  },
  faults: {
    // RECIPIENTS_ERROR is also a number of a country that it does not serve.
    account: ["RECIPIENTS_ERROR", "AUTH_FAILED_NO_DATA", "AUTH_FAILED", "NO_ACCESS", "LEDGER_ERROR", "BAD_CALLER_ID"],
    message: ["FIELD_EMPTY", "FIELD_INVALID"],
    provider: ["OVER_LIMIT"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.message_id) }
    return v.is(Refused, json) ? { code: json.error.code, reason: json.error.description } : { code: status }
  },
} satisfies Provider<typeof env>
