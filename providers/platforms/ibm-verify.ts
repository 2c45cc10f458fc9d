import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"
import { makeToken, optionalText, secretToken, unread } from "../lib.ts"

const env = {
  IBM_VERIFY_TOKEN: secretToken("which the webhook sends as Bearer or as Basic's password"),
}

const Call = v.object({ destinationPhoneNumber: v.string(), content: v.string(), language: unread, otp: optionalText })

/** Its words know 202, 400 and 500. */
const ours: readonly Outcome["code"][] = ["rate_limited", "delivery_rejected", "delivery_timeout"]

export default {
  docs: "https://www.ibm.com/docs/en/security-verify?topic=configuration-customizing-email-sms-providers",
  env,
  isInternational: true,
  // It wants an answer at once, and names no time.
  deadline: 5_000,
  read(fields) {
    const { destinationPhoneNumber, content, language, otp } = v.parse(Call, fields)
    // E.164 by its pages, without the plus by its sample. The text is "6439-123456", of which 123456 is the code.
    return { recipient: destinationPhoneNumber, body: content, code: otp, locale: language }
  },
  answer({ code, sentence, detail, isPerhapsSent }) {
    const accepted = { status: "accepted", statusMessage: "Message accepted by provider" }
    if (code === "accepted" || isPerhapsSent) return Response.json(accepted, { status: 202 })
    const failed = { status: "failed", statusMessage: detail ?? sentence }
    return Response.json(failed, { status: ours.includes(code) ? 500 : 400 })
  },
  setup: (url) => `1. Make a token with ${makeToken} and set it here as IBM_VERIFY_TOKEN.
2. Global configuration, Communication, Senders, SMS: your own provider, by webhook. URL: ${url}
3. Its authentication: Header, named Authorization, with Bearer and the token. (Or Basic, with the token as the password.)`,
} satisfies Platform<typeof env>
