import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  TEXTBEE_API_KEY: v.pipe(v.string(), v.description("API key, from the dashboard")),
  TEXTBEE_DEVICE_ID: v.pipe(v.string(), v.hexadecimal(), v.description("ID of the phone, 24 hexadecimal digits")),
}

const Id = v.pipe(v.string(), v.nonEmpty())
const Queued = v.object({ data: v.object({ success: v.literal(true), smsBatchId: Id }) })
const Pushed = v.object({
  data: v.object({
    responses: v.tuple([v.object({ success: v.literal(true), messageId: Id })]),
    successCount: v.literal(1),
  }),
})
const Refused = v.union([v.object({ error: v.string() }), v.object({ message: v.string() })])
const Limited = v.object({ hasReachedLimit: v.literal(true) })

/** A server with a queue and one without (the default of your own) accept in different words; no refusal has a code. */
export default {
  docs: "https://textbee.dev/docs",
  region: "Where your phone is",
  evidence: "vendor",
  url: "https://api.textbee.dev",
  env,
  request({ recipient, body }, env, { url }) {
    return new Request(`${url}/api/v1/gateway/devices/${env.TEXTBEE_DEVICE_ID}/send-sms`, {
      method: "POST",
      headers: { "x-api-key": env.TEXTBEE_API_KEY, "content-type": "application/json" },
      body: JSON.stringify({ recipients: [recipient], message: body }),
    })
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Queued, json)) return { id: json.data.smsBatchId }
    if (status === 201 && v.is(Pushed, json)) return { id: json.data.responses[0].messageId }
    if (!v.is(Refused, json)) return { code: status }
    const reason = "error" in json ? json.error : json.message
    // The first is what a banned account is told, under 500.
    const ofAccount =
      /^(Sorry, we cannot process your request|Please verify your email|Device does not exist or is not enabled$)/
    const isAccount = v.is(Limited, json) || ofAccount.test(reason)
    return { code: status, reason, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
