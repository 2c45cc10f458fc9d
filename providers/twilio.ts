import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  TWILIO_ACCOUNT_SID: v.pipe(v.string(), v.startsWith("AC"), v.description("Account SID, which begins with AC")),
  TWILIO_AUTH_TOKEN: v.pipe(v.string(), v.description("Auth Token of the account")),
  TWILIO_API_KEY: v.optional(
    v.pipe(v.string(), v.startsWith("SK"), v.description("API key to sign in with instead, SK…")),
  ),
  TWILIO_API_SECRET: v.optional(v.pipe(v.string(), v.description("secret of that API key"))),
  TWILIO_MESSAGING_SERVICE_SID: v.optional(
    v.pipe(v.string(), v.startsWith("MG"), v.description("Messaging Service, MG…, which then picks the sender")),
  ),
}

const Accepted = v.object({
  sid: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(["accepted", "scheduled", "queued", "sending", "sent", "delivered"]),
  error_code: v.nullish(v.null()),
})
const Refused = v.object({ code: v.number(), message: v.string() })

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

/** A 400 of code 21611 (the sender's queue is full) passes; every other 400 is final. */
export default {
  docs: "https://www.twilio.com/docs/messaging/api/message-resource",
  region: "Global",
  evidence: "vendor",
  url: "https://api.twilio.com",
  env,
  needsSender: ({ TWILIO_MESSAGING_SERVICE_SID }) => !TWILIO_MESSAGING_SERVICE_SID,
  request({ recipient, sender, body }, env, { url, reportUrl }) {
    const [user, password] =
      env.TWILIO_API_KEY && env.TWILIO_API_SECRET
        ? [env.TWILIO_API_KEY, env.TWILIO_API_SECRET]
        : [env.TWILIO_ACCOUNT_SID, env.TWILIO_AUTH_TOKEN]
    const form = new URLSearchParams({ To: recipient })
    if (env.TWILIO_MESSAGING_SERVICE_SID) form.set("MessagingServiceSid", env.TWILIO_MESSAGING_SERVICE_SID)
    else if (sender) form.set("From", sender)
    form.set("Body", body)
    if (reportUrl) form.set("StatusCallback", reportUrl)
    return new Request(`${url}/2010-04-01/Accounts/${env.TWILIO_ACCOUNT_SID}/Messages.json`, {
      method: "POST",
      headers: { authorization: basic(user, password), accept: "application/json" },
      body: form,
    })
  },
  faults: {
    recipient: [21211, 21217, 21265, 21610, 21614, 21635],
    account: [20003, 21212, 21214, 21267, 21408, 21603, 21606, 21608, 21612, 21659, 21660, 21703, 21704, 30002],
    message: [21602, 21605, 21617],
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.sid }
    return v.is(Refused, json) ? { code: json.code, reason: json.message } : { code: status }
  },
  report: {
    proof({ url, text, headers }, env) {
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
      const state = states.get(MessageStatus)
      // Opted out, no mobile, unknown. A landline (30006) may be a carrier without a route as well.
      const fault = ["21610", "21614", "30005"].includes(code ?? "") ? "recipient" : undefined
      return state ? [{ id, state, code, fault }] : []
    },
  },
} satisfies Provider<typeof env>
