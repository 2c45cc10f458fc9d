import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"
import { makeToken, optionalText, secretToken, unread } from "../lib.ts"

const env = {
  OKTA_TOKEN: secretToken("which the hook sends as Bearer"),
}

const Call = v.object({
  eventId: unread,
  data: v.object({
    context: unread,
    userProfile: unread,
    messageProfile: v.object({
      msgTemplate: optionalText,
      phoneNumber: v.string(),
      deliveryChannel: v.string(),
      otpCode: v.string(),
      locale: v.fallback(v.string(), ""),
    }),
  }),
})

const guarded: readonly Outcome["code"][] = ["rate_limited", "destination_not_allowed", "suspected_fraud"]

const command = (status: string, transactionId: string) =>
  Response.json({
    commands: [{ type: "com.okta.telephony.action", value: [{ status, provider: "GATEWAY", transactionId }] }],
  })

export default {
  docs: "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/InlineHook/#tag/InlineHook/operation/createTelephonyInlineHook",
  env,
  // Okta waits 3 s, and then sends by itself.
  deadline: 2_200,
  read(fields) {
    const { eventId, data } = v.parse(Call, fields)
    const { msgTemplate, phoneNumber, deliveryChannel, otpCode, locale } = data.messageProfile
    // Numbers come with and without their country, a call is "voice call" or "voice", and its text is missing or empty.
    const channel = deliveryChannel.toLowerCase() === "sms" ? "sms" : "voice"
    return {
      recipient: phoneNumber,
      body: channel === "sms" ? msgTemplate || undefined : undefined,
      code: otpCode,
      locale: locale.replace(/^[A-Z]+/, (language) => language.toLowerCase()),
      channel,
      ip: Object(Object(data.context).request).ipAddress,
      key: eventId,
      user: Object(data.userProfile).userId,
    }
  },
  answer({ code, id, sentence, isPerhapsSent }) {
    if (code === "accepted") return command("SUCCESSFUL", id)
    if (isPerhapsSent) return command("PENDING", id)
    // Any error makes Okta send by itself: what was refused on purpose must look as if it had been sent.
    if (guarded.includes(code)) return command("SUCCESSFUL", id)
    const isNumber = code === "invalid_recipient" || code === "invalid_message"
    const reason = isNumber ? "INVALID_PHONE_NUMBER" : "PROVIDER_UNAVAILABLE"
    const cause = { errorSummary: sentence, reason, location: "data.messageProfile.phoneNumber" }
    return Response.json({ error: { errorSummary: sentence, errorCauses: [cause] } })
  },
  setup: (url) => `1. Make a token with ${makeToken} and set it here as OKTA_TOKEN.
2. Admin Console: Workflow, Inline Hooks, Add Inline Hook, Telephony. An org has one, and it is active at once.
3. URL: ${url}
4. Authentication field: Authorization. Authentication secret: Bearer and the token, with one blank between.
5. Preview, Generate Request, View Response: it really sends a message, and must answer SUCCESSFUL.
6. Numbers may come without their country: set DEFAULT_COUNTRY here.
7. Where voice is on and VOICE_PROVIDER is not set here, Okta makes the calls itself.

So that the gateway learns whose codes are entered: an event hook cannot tell it, since its body is Okta's own. In Okta Workflows a
flow that begins with the card User MFA (user.authentication.auth_via_mfa, where the factor was SMS) calls
POST ${url.replace(/okta$/, "verified")} with the header Authorization: Bearer <GATEWAY_TOKEN> and the body {"platform": "okta", "user": "<ID of Okta User>"}.`,
} satisfies Platform<typeof env>
