import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { answerHook, readTimedSignature, unread } from "../lib.ts"

const env = {
  AUTHSIGNAL_SECRET: v.pipe(
    v.string(),
    v.minLength(16),
    v.description("the tenant's server API secret key, which signs its calls"),
  ),
}

const Call = v.object({
  id: unread,
  type: v.literal("sms.created"),
  data: v.object({ to: v.string(), code: v.string(), locale: unread, userId: unread }),
})

export default {
  docs: "https://docs.authsignal.com/advanced-usage/webhooks/sms-created",
  env,
  isInternational: true,
  proof: (call, { AUTHSIGNAL_SECRET }) => readTimedSignature(call, "x-signature-v2", "v2", AUTHSIGNAL_SECRET),
  read(fields) {
    const { id, data } = v.parse(Call, fields)
    // Its idempotencyKey may stay the same when the person asks for another code, the event's id does not.
    return { recipient: data.to, code: data.code, locale: data.locale, key: id, user: data.userId }
  },
  // Exactly 200: anything else fails the person's challenge, while the message may arrive.
  answer: (outcome) => answerHook(outcome),
  setup: (url) => `1. Portal: Authenticators, SMS OTP, provider: Webhook. Webhook URL: ${url}
2. Settings, API keys: copy the server API secret key into AUTHSIGNAL_SECRET here. It can also call Authsignal's API.
3. CODE_TEXT here is the text, {code} in it the code, and CODE_TEXT_FR the French one.`,
} satisfies Platform<typeof env>
