import * as v from "valibot"
import type { Provider, Values } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  TWILIO_ACCOUNT_SID: v.pipe(v.string(), v.startsWith("AC"), v.description("Account SID, which begins with AC")),
  TWILIO_AUTH_TOKEN: v.optional(
    v.pipe(
      v.string(),
      v.description("Auth Token of the account: delivery reports need it, and sending without an API key"),
    ),
  ),
  TWILIO_API_KEY: v.optional(
    v.pipe(v.string(), v.startsWith("SK"), v.description("API key to sign in with in place of the Auth Token, SK…")),
  ),
  TWILIO_API_SECRET: v.optional(v.pipe(v.string(), v.description("secret of that API key"))),
  TWILIO_MESSAGING_SERVICE_SID: v.optional(
    v.pipe(v.string(), v.startsWith("MG"), v.description("Messaging Service, MG…, which then picks the sender")),
  ),
}

/** User and password of Basic: the API key's where one is set. */
function credentialsOf(values: Values<typeof env>): [user: string, password: string | undefined] {
  if (values.TWILIO_API_KEY && values.TWILIO_API_SECRET) return [values.TWILIO_API_KEY, values.TWILIO_API_SECRET]
  return [values.TWILIO_ACCOUNT_SID, values.TWILIO_AUTH_TOKEN]
}

/** A Messaging Service may stand where a sender does. */
const isService = /^MG[0-9a-fA-F]{32}$/

const Accepted = v.object({
  sid: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(["accepted", "scheduled", "queued", "sending", "sent", "delivered"]),
  error_code: v.nullish(v.null()),
})
const Refused = v.object({ code: v.number(), message: v.string() })
const Failed = v.object({ error_code: v.number(), error_message: v.nullish(v.string()) })

const Delivery = v.object({
  MessageSid: Accepted.entries.sid,
  MessageStatus: v.string(),
  ErrorCode: v.optional(v.string()),
})
const states = new Map(
  Object.entries({
    accepted: "pending",
    scheduled: "pending",
    queued: "pending",
    sending: "pending",
    sent: "pending",
    delivered: "delivered",
    read: "delivered",
    undelivered: "failed",
    failed: "failed",
    canceled: "failed",
  } as const),
)

/** A sender beside a Messaging Service must be in its pool. A 201 may hold a message that failed at once. */
export default {
  docs: "https://www.twilio.com/docs/messaging/api/message-resource",
  region: "Global",
  evidence: "vendor",
  url: "https://api.twilio.com",
  env,
  needsSender: ({ TWILIO_MESSAGING_SERVICE_SID }) => !TWILIO_MESSAGING_SERVICE_SID,
  alternatives: [["TWILIO_AUTH_TOKEN"], ["TWILIO_API_KEY", "TWILIO_API_SECRET"]],
  pool: "TWILIO_MESSAGING_SERVICE_SID",
  senderId: isService,
  request({ recipient, sender, body }, env, { url, reportUrl, isFeedback, ttl }) {
    const [user, password] = credentialsOf(env)
    if (!password) return { code: "credentials", reason: "neither Auth Token nor API key is set", fault: "account" }
    const service = isService.test(sender) ? sender : env.TWILIO_MESSAGING_SERVICE_SID
    const form = new URLSearchParams({ To: recipient })
    if (service) form.set("MessagingServiceSid", service)
    if (sender && sender !== service) form.set("From", sender)
    form.set("Body", body)
    if (reportUrl) form.set("StatusCallback", reportUrl)
    if (isFeedback) form.set("ProvideFeedback", "true")
    // 1 to 36,000 seconds.
    if (ttl) form.set("ValidityPeriod", String(Math.min(ttl, 36_000)))
    return new Request(`${url}/2010-04-01/Accounts/${env.TWILIO_ACCOUNT_SID}/Messages.json`, {
      method: "POST",
      headers: { authorization: basic(user, password), accept: "application/json" },
      body: form,
    })
  },
  faults: {
    recipient: [
      21211, // "Invalid 'To' Phone Number"
      21217, // "Phone number does not appear to be valid"
      21265, // "'To' number cannot be a Short Code"
      21610, // "Attempt to send to unsubscribed recipient"
      21614, // "'To' number is not a valid mobile number"
      21635, // "'To' number cannot be a landline"
    ],
    account: [
      20003, 21212, 21214, 21267, 21408, 21603, 21606, 21608, 21612, 21657, 21659, 21660, 21703, 21704, 30002, 63038,
    ],
    message: [21602, 21605, 21617],
    provider: [20429],
    fraud: [30450],
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.sid }
    if (status === 201 && v.is(Failed, json)) return { code: json.error_code, reason: json.error_message ?? undefined }
    return v.is(Refused, json) ? { code: json.code, reason: json.message } : { code: status }
  },
  /** https://www.twilio.com/docs/messaging/api/message-feedback-resource */
  verified(sid, isVerified, env, { url }) {
    const [user, password = ""] = credentialsOf(env)
    return new Request(
      `${url}/2010-04-01/Accounts/${env.TWILIO_ACCOUNT_SID}/Messages/${encodeURIComponent(sid)}/Feedback.json`,
      {
        method: "POST",
        headers: { authorization: basic(user, password), accept: "application/json" },
        body: new URLSearchParams({ Outcome: isVerified ? "confirmed" : "unconfirmed" }),
      },
    )
  },
  report: {
    proof({ url, text, headers }, env) {
      if (!env.TWILIO_AUTH_TOKEN) return undefined
      const form = new URLSearchParams(text)
      form.sort()
      return {
        key: Buffer.from(env.TWILIO_AUTH_TOKEN),
        hash: "sha1",
        signed: url + [...form].flat().join(""),
        given: [headers.get("x-twilio-signature") ?? ""],
      }
    },
    read({ text }) {
      const form = Object.fromEntries(new URLSearchParams(text))
      const { MessageSid: id, MessageStatus, ErrorCode: code } = v.parse(Delivery, form)
      // "The specified validity period on this message has elapsed."
      const state = code === "30036" ? "expired" : states.get(MessageStatus)
      // Opted out, no mobile, unknown. A landline (30006) may be a carrier without a route as well.
      const isRecipient = ["21610", "21614", "30005"].includes(code ?? "")
      const fault = isRecipient ? "recipient" : code === "30450" ? "fraud" : undefined
      return state ? [{ id, state, code, fault }] : []
    },
  },
} satisfies Provider<typeof env>
