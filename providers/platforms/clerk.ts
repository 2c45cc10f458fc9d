import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { hookStatuses, optionalText, readStandardWebhook, unread } from "../lib.ts"

const env = {
  CLERK_SECRET: v.pipe(
    v.string(),
    v.regex(/^whsec_[\w+/=-]{24,}$/),
    v.description("the endpoint's signing secret, whsec_…"),
  ),
}

const Call = v.object({
  timestamp: v.fallback(v.number(), Number.POSITIVE_INFINITY),
  event_attributes: unread,
  data: v.object({
    id: unread,
    to_phone_number: v.string(),
    message: v.string(),
    delivered_by_clerk: unread,
    data: v.nullish(v.object({ otp_code: optionalText }), {}),
  }),
})

/** Signs as Standard Webhooks do, by Svix. */
export default {
  docs: "https://clerk.com/docs/guides/customizing-clerk/email-sms-templates",
  env,
  isInternational: true,
  // Svix waits 15 s.
  deadline: 14_000,
  proof: (call, { CLERK_SECRET }) => readStandardWebhook(call, CLERK_SECRET, "svix"),
  read(fields, now = Date.now()) {
    const { type } = v.parse(v.object({ type: v.string() }), fields)
    if (type !== "sms.created") return undefined
    const { timestamp, event_attributes, data } = v.parse(Call, fields)
    // What failed comes again for 27 h, with a code that lived ten minutes. The unit is nowhere told.
    const isStale = now - (timestamp < 1e11 ? timestamp * 1_000 : timestamp) > 600_000
    // Templates that Clerk delivers come, too, and the sender is its own.
    if (isStale || data.delivered_by_clerk === true) return undefined
    const { to_phone_number: recipient, message: body, id: key } = data
    const ip = Object(Object(event_attributes).http_request).client_ip
    return { recipient, body, code: data.data?.otp_code, ip, key }
  },
  answer({ code, status, detail, isPerhapsSent }) {
    if (code === "accepted" || isPerhapsSent) return new Response(null)
    // Only a failure of the providers may be repeated, 5 s later. (Never "disable": it switches the endpoint off for good.)
    const isWorthwhile = code === "delivery_rejected" || code === "delivery_timeout"
    const headers = new Headers(isWorthwhile ? {} : { "webhook-delivery": "abort-message" })
    // Its page of attempts shows the body.
    if (detail) headers.set("content-type", "text/plain; charset=utf-8")
    return new Response(detail ?? null, { status: hookStatuses[code] ?? status, headers })
  },
  setup: (url) => `1. Dashboard: Customization, SMS. In each template switch "Delivered by Clerk" off.
2. Webhooks, Add endpoint: ${url}. Events: sms.created alone.
3. Copy its Signing Secret, whsec_…, into CLERK_SECRET here.
4. For tests: TEST_NUMBERS=+120155501 here holds Clerk's +12015550100 to +12015550199, whose code is always 424242. Numbers
   that end in 555-0100 to 555-0199 are Clerk's in every area code: name the beginnings of those that you use.
Clerk tells people "code sent" before it calls: what is refused here is seen in the log alone.`,
} satisfies Platform<typeof env>
