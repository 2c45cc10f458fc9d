import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"

const env = {
  CLERK_SECRET: v.pipe(
    v.string(),
    v.regex(/^whsec_[\w+/=-]{24,}$/),
    v.description("the endpoint's signing secret, whsec_…"),
  ),
}

const any = v.optional(v.unknown())
const Call = v.object({
  timestamp: v.fallback(v.number(), Number.POSITIVE_INFINITY),
  event_attributes: any,
  data: v.object({ id: any, to_phone_number: v.string(), message: v.string(), delivered_by_clerk: any, data: any }),
})

const statuses: Partial<Record<Outcome["code"], number>> = {
  invalid_message: 422,
  destination_not_allowed: 403,
  delivery_rejected: 503,
  delivery_timeout: 503,
}

/** Signs as Standard Webhooks do, by Svix. */
export default {
  docs: "https://clerk.com/docs/guides/customizing-clerk/email-sms-templates",
  env,
  // Svix waits 15 s.
  deadline: 14_000,
  proof({ headers, text }, env) {
    const [id, time] = [headers.get("svix-id") ?? "", headers.get("svix-timestamp") ?? ""]
    const signatures = headers.get("svix-signature")?.split(" ") ?? []
    return {
      key: Buffer.from(env.CLERK_SECRET.replace(/^whsec_/, ""), "base64"),
      signed: `${id}.${time}.${text}`,
      given: id ? signatures.flatMap((one) => /^v1,([\w+/=-]+)$/.exec(one)?.[1] ?? []) : [],
      time: /^\d+$/.test(time) ? Number(time) * 1_000 : Number.NaN,
    }
  },
  read(fields, now = Date.now()) {
    const { type } = v.parse(v.object({ type: v.string() }), fields)
    if (type !== "sms.created") return undefined
    const { timestamp, event_attributes, data } = v.parse(Call, fields)
    // What failed comes again for 27 h, with a code that lived ten minutes. The unit is nowhere told.
    const isStale = now - (timestamp < 1e11 ? timestamp * 1_000 : timestamp) > 600_000
    // Templates that Clerk delivers come, too, and the sender is its own.
    if (isStale || data.delivered_by_clerk === true) return undefined
    const { to_phone_number: recipient, message: body, id: key } = data
    const [code, ip] = [Object(data.data).otp_code, Object(Object(event_attributes).http_request).client_ip]
    return { recipient, body, code, ip, key }
  },
  answer({ code, status, isPerhapsSent }) {
    if (code === "accepted" || isPerhapsSent) return new Response(null)
    // Only a failure of the providers may be repeated, 5 s later. (Never "disable": it switches the endpoint off for good.)
    const isWorthwhile = code === "delivery_rejected" || code === "delivery_timeout"
    const headers = isWorthwhile ? {} : { "webhook-delivery": "abort-message" }
    return new Response(null, { status: statuses[code] ?? status, headers })
  },
  setup: (url) => `1. Dashboard: Customization, SMS. In each template switch "Delivered by Clerk" off.
2. Webhooks, Add endpoint: ${url}. Events: sms.created alone.
3. Copy its Signing Secret, whsec_…, into CLERK_SECRET here.
Clerk tells people "code sent" before it calls: what is refused here is seen in the log alone.`,
} satisfies Platform<typeof env>
