import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  P1SMS_API_KEY: v.pipe(v.string(), v.description("API key, from the profile of the account")),
  P1SMS_SENDER: v.pipe(
    v.optional(v.string(), "VIRTA"),
    v.description("name that P1SMS registered for you; else VIRTA, which all accounts share"),
  ),
}

const failed = ["error", "agg_error", "rejected", "not_delivered", "low_balance", "low_partner_balance"]
const Message = v.object({
  id: v.union([v.pipe(v.number(), v.integer()), v.pipe(v.string(), v.regex(/^\d+$/))]),
  status: v.pipe(v.string(), v.nonEmpty(), v.notValues(failed)),
})
const Accepted = v.object({ status: v.literal("success"), data: v.strictTuple([Message]) })
const Reason = v.object({ status: v.string(), errorDescription: v.nullish(v.string()) })
const RefusedMessage = v.object({ data: v.strictTuple([Reason]) })
const Refused = v.object({
  message: v.nullish(v.string()),
  errorDescription: v.nullish(v.string()),
  data: v.nullish(v.object({ message: v.nullish(v.string()), error: v.nullish(v.string()) })),
})

/** Always a 200, and "success" holds refused messages too. The channel `digit`, for numbers, would hold a code back. */
export default {
  docs: "https://admin.p1sms.ru/panel/apiinfo",
  region: "Russia",
  evidence: "clients",
  url: "https://admin.p1sms.ru",
  env,
  // A name that is not registered is refused: the message's own is never sent.
  pool: "P1SMS_SENDER",
  request({ recipient, sender, body }, env, { url }) {
    const sms = {
      channel: "char",
      sender: (sender || env.P1SMS_SENDER).replace("+", ""),
      phone: recipient.slice(1),
      text: body,
    }
    return new Request(`${url}/apiSms/create`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ apiKey: env.P1SMS_API_KEY, sms: [sms] }),
    })
  },
  faults: { account: ["low_balance"], message: ["rejected"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.data[0].id) }
    if (v.is(RefusedMessage, json)) {
      const [message] = json.data
      return { code: message.status, reason: message.errorDescription ?? undefined }
    }
    if (!v.is(Refused, json)) return { code: status }
    return {
      code: status,
      reason: json.data?.message ?? json.data?.error ?? json.message ?? json.errorDescription ?? undefined,
    }
  },
} satisfies Provider<typeof env>
