import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  UNIFONIC_APP_SID: v.pipe(v.string(), v.description("AppSid of the application")),
}

const Accepted = v.object({
  success: v.union([v.literal(true), v.literal("true")]),
  errorCode: v.optional(v.literal("ER-00")),
  data: v.object({
    MessageID: v.union([v.number(), v.pipe(v.string(), v.digits())]),
    Status: v.optional(v.pipe(v.string(), v.notValues(["Failed", "Rejected"]))),
  }),
})
const Refused = v.object({ errorCode: v.string(), message: v.nullish(v.string()) })

/** `success` is a boolean or its text, and a 200 may be false. Its statuses are its own: 480, 482, 599 and others. */
export default {
  docs: "https://docs.unifonic.com/reference/http-status-codes",
  region: "Saudi Arabia, Middle East",
  evidence: "vendor",
  url: "https://el.cloud.unifonic.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({ AppSid: env.UNIFONIC_APP_SID, Body: body, Recipient: recipient.slice(1) })
    if (sender) form.set("SenderID", sender.replace("+", ""))
    return new Request(`${url}/rest/SMS/messages`, {
      method: "POST",
      headers: { accept: "application/json" },
      body: form,
    })
  },
  // ER-02 to ER-04 are the number where it tells why a text was not delivered, and a parameter or the sender elsewhere.
  faults: { account: ["ER-01", "ER-02", "ER-03", "ER-04", "ER-05", "ER-08"], message: ["ER-06", "ER-07"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.data.MessageID) }
    const isAccount = status === 440 || status === 480
    const fault = status === 482 ? "recipient" : isAccount ? "account" : status === 449 ? "message" : undefined
    if (!v.is(Refused, json) || json.errorCode === "ER-00") return { code: status, fault }
    // 410 is a wrong number where the answer is its own; others say by it that a page is gone.
    return { code: json.errorCode, reason: json.message ?? undefined, fault: status === 410 ? "recipient" : fault }
  },
} satisfies Provider<typeof env>
