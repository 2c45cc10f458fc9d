import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  SMSFACTOR_TOKEN: v.pipe(v.string(), v.description("API token of the account")),
  SMSFACTOR_PUSHTYPE: v.pipe(
    v.optional(v.picklist(["alert", "marketing"]), "alert"),
    v.description("alert or marketing"),
  ),
}

const Accepted = v.object({
  status: v.picklist([1, -8]),
  ticket: v.pipe(v.string(), v.nonEmpty()),
  sent: v.literal(1),
  invalid: v.literal(0),
})
const filters = ["invalid", "blacklisted", "npai", "not_allowed", "country_limit", "flood", "duplicated"] as const
const Filtered = v.object(v.entriesFromList(filters, v.optional(v.number())))
const Refused = v.object({
  status: v.pipe(v.number(), v.maxValue(-1)),
  message: v.string(),
  details: v.optional(v.string()),
})

/** Status 1 that sent 0 is a refusal, told by a counter; status -8 (a human looks at it first) is none: it is sent. */
export default {
  docs: "https://dev.smsfactor.com/en/api/sms/send/send-single",
  region: "France",
  evidence: "vendor",
  url: "https://api.smsfactor.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = sender && { sender: sender.replace("+", "") }
    const unicode = !isGsm7(body) && { unicode: 1 }
    const message = { text: body, pushtype: env.SMSFACTOR_PUSHTYPE, ...from, ...unicode }
    return new Request(`${url}/send`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.SMSFACTOR_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ sms: { message, recipients: { gsm: [{ value: recipient.slice(1) }] } } }),
    })
  },
  // It takes as invalid what it does not know, and npai it could not reach before: another provider may.
  faults: { account: [-1, -3, "invalid", "blacklisted", "npai", "not_allowed", "country_limit"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.ticket }
    const filter = v.is(Filtered, json) && filters.find((name) => json[name])
    if (filter) return { code: filter }
    return v.is(Refused, json) ? { code: json.status, reason: json.details ?? json.message } : { code: status }
  },
} satisfies Provider<typeof env>
