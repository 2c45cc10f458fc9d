import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { hookStatuses, unread } from "../lib.ts"

const env = {
  NEON_AUTH_JWKS: v.pipe(
    v.string(),
    v.regex(/^https:\/\/[^\s,@]+$/),
    v.description("the https address of the branch's keys, …/.well-known/jwks.json"),
  ),
}

/** Without the preference it is a code for an e-mail address, which must not go to a telephone. */
const Call = v.object({
  event_id: unread,
  user: v.object({ phone_number: v.string() }),
  event_data: v.object({ otp_code: v.string(), delivery_preference: v.literal("sms"), ip_address: unread }),
})

/** The signature is detached, and covers the time and the body in base64. */
export default {
  docs: "https://neon.com/docs/auth/guides/plugins/phone-number",
  env,
  isInternational: true,
  // A try has 5 s, all three together 15 s.
  deadline: 4_000,
  proof({ headers, text }, { NEON_AUTH_JWKS }) {
    const time = headers.get("x-neon-timestamp") ?? ""
    return {
      jwks: NEON_AUTH_JWKS,
      signed: `${time}.${Buffer.from(text).toString("base64url")}`,
      given: [headers.get("x-neon-signature") ?? ""],
      time: /^\d{13}$/.test(time) ? Number(time) : Number.NaN,
    }
  },
  read(fields) {
    const { event_type } = v.parse(v.object({ event_type: v.string() }), fields)
    if (event_type !== "send.otp") return undefined
    const { event_id: key, user, event_data } = v.parse(Call, fields)
    return { recipient: user.phone_number, code: event_data.otp_code, ip: event_data.ip_address, key }
  },
  answer({ code, status, isPerhapsSent }) {
    if (code === "accepted" || isPerhapsSent) return new Response(null)
    // 429 would be repeated twice, at once.
    return new Response(null, { status: code === "rate_limited" ? 403 : (hookStatuses[code] ?? status) })
  },
  setup: (url) => `1. Neon Console: Auth, Plugins: switch Phone Authentication on.
2. Set NEON_AUTH_JWKS here: the JWKS address of the branch, that is its Auth URL with /.well-known/jwks.json behind it.
   Open it in a browser first: it shows {"keys": […]}.
3. PUT https://console.neon.tech/api/v2/projects/<project>/branches/<branch>/auth/webhooks with a Neon API key as Bearer:
   {"enabled": true, "webhook_url": "${url}", "enabled_events": ["send.otp"], "timeout_seconds": 5}
4. CODE_TEXT here is the text, {code} in it the code.
From then on Neon sends no code by e-mail either: those calls are refused here, and people see an error. Use it where people
log in by phone alone, or by links and passwords beside it. Neon signs nobody up by phone: each user must exist with a number.`,
} satisfies Platform<typeof env>
