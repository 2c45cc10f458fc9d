import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"

const env = {
  SUPABASE_SECRET: v.pipe(
    v.string(),
    v.regex(/^v1,whsec_[\w+/=-]{24,}$/),
    v.description("the hook's secret, v1,whsec_…; several separated by commas or | while one is being changed"),
  ),
}

const any = v.optional(v.unknown())
const Call = v.object({
  sms: v.object({ phone: v.string(), otp: v.string() }),
  metadata: v.fallback(v.object({ uuid: any, ip_address: any }), {}),
  user: any,
})

const statuses: Partial<Record<Outcome["code"], number>> = {
  invalid_message: 422,
  destination_not_allowed: 403,
  delivery_rejected: 503,
  delivery_timeout: 503,
}

/** Signs as Standard Webhooks do. A refusal is a 200 with an error inside; its status must be a number, its text not empty. */
export default {
  docs: "https://supabase.com/docs/guides/auth/auth-hooks/send-sms-hook",
  env,
  // The hook has 5 s in all.
  deadline: 4_000,
  proof({ headers, text }, env) {
    const [id, time] = [headers.get("webhook-id") ?? "", headers.get("webhook-timestamp") ?? ""]
    const signatures = headers.get("webhook-signature")?.split(/[\s,]+(?=v1,)|\s+/) ?? []
    return {
      key: Buffer.from(env.SUPABASE_SECRET.replace(/^v1,whsec_/, ""), "base64"),
      signed: `${id}.${time}.${text}`,
      given: id ? signatures.flatMap((one) => /^v1,([\w+/=-]+),?$/.exec(one)?.[1] ?? []) : [],
      time: /^\d+$/.test(time) ? Number(time) * 1_000 : Number.NaN,
    }
  },
  read(fields) {
    const { sms, metadata, user } = v.parse(Call, fields)
    // The number comes without its plus; all tries of one message have the same uuid.
    const recipient = `+${sms.phone.replace(/^\+/, "")}`
    const { locale } = Object(Object(user).user_metadata)
    return { recipient, code: sms.otp, locale, ip: metadata.ip_address, key: metadata.uuid }
  },
  answer({ code, status, sentence, isPerhapsSent }) {
    // The code is stored only after a success: where the message may have gone out, a failure would make it worthless.
    if (code === "accepted" || isPerhapsSent) return Response.json({})
    // 429 and 503 with retry-after would be repeated at once: no such header, and no second try.
    return Response.json({ error: { http_code: statuses[code] ?? status, message: sentence } })
  },
  setup: (url) => `1. In the dashboard: Authentication, Hooks, Add hook, Send SMS hook, of the type HTTPS.
2. URL: ${url}
3. Generate secret, and copy it, v1,whsec_…, into SUPABASE_SECRET here. Then create the hook.
4. Authentication, Sign In / Providers, Phone: enable it. The fields of its own provider may hold anything.
5. CODE_TEXT is the text, {code} in it the code. supabase.auth.signInWithOtp({ phone }) sends the first one.`,
} satisfies Platform<typeof env>
