import * as v from "valibot"
import type { Provider } from "../main.ts"
import { noCode } from "./lib.ts"

const env = {
  PRELUDE_API_TOKEN: v.pipe(v.string(), v.description("API token of an application that may bring codes of its own")),
  PRELUDE_TEMPLATE_ID: v.optional(v.pipe(v.string(), v.description("template of the text, template_…; else its own"))),
}

const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  // "challenged": suspicious, and sent by no text. "shadow_blocked": sent, though a rule would have blocked it.
  status: v.picklist(["success", "retry", "challenged", "shadow_blocked"]),
})
const Blocked = v.object({ status: v.literal("blocked"), reason: v.nullish(v.string()) })
const Refused = v.object({ code: v.string(), message: v.nullish(v.string()) })

/** Sends the code in a text of its own, by the way that it chooses. The vendor must allow codes of one's own. */
export default {
  docs: "https://docs.prelude.so/verify/v2/documentation/custom-codes",
  region: "Global",
  evidence: "vendor",
  url: "https://api.prelude.dev",
  env,
  request({ recipient, sender, code, locale }, env, { url }) {
    if (!code) return noCode
    // "Custom codes must be between 4 and 8 digits"
    if (!/^\d{4,8}$/.test(code)) return { code: "custom_code", reason: "takes 4 to 8 digits", fault: "message" }
    return new Request(`${url}/v2/verification`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.PRELUDE_API_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        target: { type: "phone_number", value: recipient },
        options: {
          custom_code: code,
          method: "message",
          ...(sender && { sender_id: sender.replace("+", "") }),
          ...(locale && { locale: locale.replace("_", "-") }),
          ...(env.PRELUDE_TEMPLATE_ID && { template_id: env.PRELUDE_TEMPLATE_ID }),
        },
      }),
    })
  },
  faults: {
    recipient: [
      "invalid_phone_line", // "The phone number is not a valid line number (e.g. landline)"
      "invalid_phone_number", // "The phone number is not a valid phone number (e.g. unallocated range)"
    ],
    fraud: ["suspicious"],
    account: [
      "channel_not_enabled_in_region",
      "custom_code_not_allowed",
      "expired_signature",
      "in_block_list",
      "insufficient_balance",
      "invalid_api_key",
      "invalid_bearer_token",
      "invalid_signature",
      "repeated_attempts",
      "suspended",
    ],
    message: ["invalid_custom_code"],
    provider: ["internal"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.id }
    if (v.is(Blocked, json)) return { code: json.reason ?? "blocked" }
    return v.is(Refused, json) ? { code: json.code, reason: json.message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
