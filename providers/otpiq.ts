import * as v from "valibot"
import type { Provider } from "../main.ts"
import { noCode } from "./lib.ts"

const env = {
  OTPIQ_API_KEY: v.pipe(v.string(), v.description("API key of the project, sk_live_… or sk_dev_…")),
  OTPIQ_CHANNEL: v.pipe(
    v.optional(v.string(), "auto"),
    v.regex(/^[a-z]+(-[a-z]+)*$/),
    v.description("what carries the code: auto, sms, whatsapp, telegram, whatsapp-sms, whatsapp-telegram-sms"),
  ),
}

const Accepted = v.object({ smsId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ error: v.nullish(v.string()), message: v.nullish(v.string()) })
const NoCredit = v.union([v.object({ requiredCredit: v.number() }), v.object({ spendingThreshold: v.number() })])

const Delivery = v.object({ smsId: Accepted.entries.smsId, status: v.string() })
const states = new Map(Object.entries({ sent: "pending", delivered: "delivered", failed: "failed" } as const))

/** Sends the code in a text of its own. Refusals have no code: a 400 is told by its members and words. */
export default {
  docs: "https://docs.otpiq.com/api-reference/messaging/post",
  region: "Iraq",
  evidence: "vendor",
  countries: ["IQ"],
  url: "https://api.otpiq.com",
  env,
  request({ recipient, sender, code }, env, { url, reportUrl }) {
    if (!code) return noCode
    return new Request(`${url}/api/sms`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.OTPIQ_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        phoneNumber: recipient.slice(1),
        smsType: "verification",
        verificationCode: code,
        provider: env.OTPIQ_CHANNEL,
        // Its sender ids are names.
        ...(/[A-Za-z]/.test(sender) && { senderId: sender }),
        ...(reportUrl && { deliveryReport: { webhookUrl: reportUrl, deliveryReportType: "final" } }),
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.smsId }
    if (!v.is(Refused, json)) return { code: status }
    const reason = json.error ?? json.message ?? undefined
    const isAccount = v.is(NoCredit, json) || /trial mode|sender ?id/i.test(reason ?? "")
    return { code: status, reason, fault: status === 400 && isAccount ? "account" : undefined }
  },
  report: {
    read({ text }) {
      const { smsId: id, status } = v.parse(Delivery, JSON.parse(text))
      const state = states.get(status)
      return state ? [{ id, state }] : []
    },
  },
} satisfies Provider<typeof env>
