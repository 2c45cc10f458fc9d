import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  MSG91_AUTH_KEY: v.pipe(v.string(), v.description("Authkey of the account")),
  MSG91_TEMPLATE_ID: v.pipe(v.string(), v.description("template id of MSG91's panel, not the DLT one")),
  MSG91_VARIABLE: v.pipe(
    v.optional(v.string(), "body"),
    v.notValue("mobiles"),
    v.description("name of the template's variable that takes the text"),
  ),
}

const Accepted = v.object({ type: v.literal("success"), message: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ type: v.literal("error"), message: v.string(), code: v.nullish(v.string()) })
const Unauthorized = v.object({ hasError: v.literal(true), errors: v.string(), apiError: v.string() })

/**
 * It sends templates only: the text fills one variable, and a sender that is a number is no header.
 * `message` is the id, or the error where `type` is "error".
 */
export default {
  docs: "https://docs.msg91.com/reference/send-sms",
  region: "India",
  evidence: "clients",
  url: "https://control.msg91.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/api/v5/flow`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", authkey: env.MSG91_AUTH_KEY },
      body: JSON.stringify({
        template_id: env.MSG91_TEMPLATE_ID,
        short_url: "0",
        ...(/[A-Za-z]/.test(sender) && { sender }),
        recipients: [{ mobiles: recipient.slice(1), [env.MSG91_VARIABLE]: body }],
      }),
    })
  },
  // 201: the Authkey is missing or wrong; 418: the address is not in the account's list.
  faults: { account: ["201", "418"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.message }
    if (v.is(Unauthorized, json)) return { code: json.apiError, reason: json.errors }
    if (!v.is(Refused, json)) return { code: status }
    const fault = json.message.startsWith("Template ID") ? "message" : undefined
    return { code: json.code ?? status, reason: json.message, fault }
  },
} satisfies Provider<typeof env>
