import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { readTimedSignature, secretToken, unread } from "../lib.ts"

const env = {
  ZITADEL_SECRET: v.optional(
    v.pipe(
      v.string(),
      v.minLength(16),
      v.description("the signingKey that ZITADEL shows when the SMS provider is added"),
    ),
  ),
  ZITADEL_TOKEN: v.optional(secretToken("which stands in the endpoint's URL as Basic's password")),
}

const Call = v.object({
  contextInfo: v.object({ recipientPhoneNumber: v.string(), eventType: v.string() }),
  templateData: v.object({ text: v.string() }),
  args: v.object({ oTP: v.nullish(v.string(), ""), code: v.nullish(v.string(), ""), userID: unread }),
})

export default {
  docs: "https://zitadel.com/docs/guides/manage/customize/notification-providers",
  env,
  isInternational: true,
  // ZITADEL waits 5 s.
  deadline: 4_000,
  // Providers that were made before September 2025 do not sign: theirs is the token alone.
  proof: (call, { ZITADEL_SECRET = "" }) => readTimedSignature(call, "zitadel-signature", "v1", ZITADEL_SECRET),
  read(fields) {
    const { contextInfo, templateData, args } = v.parse(Call, fields)
    // args.verifiedPhone is the number before a change. A one-time password is in oTP, every other code in code.
    const { recipientPhoneNumber: recipient, eventType } = contextInfo
    const code = args.oTP || args.code
    // A repetition has a new signature and no id.
    return {
      recipient,
      body: templateData.text,
      code,
      key: code && `${eventType} ${recipient} ${code}`,
      user: args.userID,
    }
  },
  answer({ code, detail, isPerhapsSent }) {
    // Whatever is no success is repeated, and later messages wait behind it: only where nothing was sent, and it may help.
    const isWorthwhile = code === "delivery_rejected" || code === "delivery_timeout"
    if (detail) return new Response(detail, { headers: { "content-type": "text/plain; charset=utf-8" } })
    return new Response(null, { status: isWorthwhile && !isPerhapsSent ? 503 : 200 })
  },
  setup: (url) => `With the token of an IAM owner:
1. curl https://<your ZITADEL>/admin/v1/sms/http -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d '{"endpoint": "${url}", "description": "smstask"}'
2. The answer holds id and signingKey, which is shown this once: set it here as ZITADEL_SECRET.
3. curl -X POST https://<your ZITADEL>/admin/v1/sms/<id>/_activate -H "Authorization: Bearer $TOKEN"
ZITADEL signs since September 2025. A provider that was made before, or by an older version, calls unsigned and has no
signingKey. For such a one make a token of letters and digits, at least 32 of them (openssl rand -hex 32), set it here as
ZITADEL_TOKEN, leave ZITADEL_SECRET unset, and put the token into the endpoint: ${url.replace("://", "://zitadel:<token>@")}
Where both are set, the signature must hold, and the token as well.
ZITADEL may refuse private addresses (HTTPClient.DenyList).

So that the gateway learns whose codes are entered: an execution of Actions v2 on the event user.human.mfa.otp.sms.check.succeeded,
whose target is a function of yours, since the body is ZITADEL's own. It calls POST ${url.replace(/zitadel$/, "verified")} with the header
Authorization: Bearer <GATEWAY_TOKEN> and the body {"platform": "zitadel", "user": "<the user's ID>"}.`,
} satisfies Platform<typeof env>
