import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"

const env = {
  AUTHSIGNAL_SECRET: v.pipe(
    v.string(),
    v.minLength(16),
    v.description("the tenant's server API secret key, which signs its calls"),
  ),
}

const any = v.optional(v.unknown())
const Call = v.object({
  id: any,
  type: v.literal("sms.created"),
  data: v.object({ to: v.string(), code: v.string(), locale: any }),
})

const statuses: Partial<Record<Outcome["code"], number>> = {
  invalid_message: 422,
  destination_not_allowed: 403,
  delivery_rejected: 503,
  delivery_timeout: 503,
}

export default {
  docs: "https://docs.authsignal.com/advanced-usage/webhooks/sms-created",
  env,
  proof({ headers, text }, env) {
    const signature = headers.get("x-signature-v2") ?? ""
    const time = /(?:^|,)t=(\d+)(?:,|$)/.exec(signature)?.[1]
    return {
      key: Buffer.from(env.AUTHSIGNAL_SECRET),
      signed: `${time}.${text}`,
      given: [...signature.matchAll(/(?:^|,)v2=([\w+/-]+)(?=,|$)/g)].flatMap(([, one]) => one ?? []),
      time: Number(time) * 1_000,
    }
  },
  read(fields) {
    const { id, data } = v.parse(Call, fields)
    // Its idempotencyKey may stay the same when the person asks for another code, the event's id does not.
    return { recipient: data.to, code: data.code, locale: data.locale, key: id }
  },
  answer({ code, status, id, isPerhapsSent, retryAfter }) {
    // Exactly 200: anything else fails the person's challenge, while the message may arrive.
    if (code === "accepted" || isPerhapsSent) return Response.json({ id })
    const headers = retryAfter ? { "retry-after": `${retryAfter}` } : {}
    return Response.json({ code, id }, { status: statuses[code] ?? status, headers })
  },
  setup: (url) => `1. Portal: Authenticators, SMS OTP, provider: Webhook. Webhook URL: ${url}
2. Settings, API keys: copy the server API secret key into AUTHSIGNAL_SECRET here. It can also call Authsignal's API.
3. CODE_TEXT here is the text, {code} in it the code, and CODE_TEXT_FR the French one.`,
} satisfies Platform<typeof env>
