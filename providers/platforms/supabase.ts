import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { hookStatuses, optionalText, readStandardWebhook, unread } from "../lib.ts"

const env = {
  SUPABASE_SECRET: v.pipe(
    v.string(),
    v.regex(/^v1,whsec_[\w+/=-]{24,}$/),
    v.description("the hook's secret, v1,whsec_…; several separated by commas or | while one is being changed"),
  ),
}

type Numbers = { sms: { phone?: string | null | undefined }; user: { phone?: unknown; new_phone?: unknown } }
/** Versions before 2.180.0 and the page's sample send no sms.phone. A change of the number would need user.new_phone. */
const recipientOf = ({ sms, user }: Numbers) => sms.phone || (user.new_phone ? undefined : user.phone)

const Call = v.pipe(
  v.object({
    sms: v.object({ phone: optionalText, otp: v.string() }),
    metadata: v.fallback(v.object({ uuid: unread, ip_address: unread }), {}),
    user: v.fallback(v.object({ id: unread, phone: unread, new_phone: unread, user_metadata: unread }), {}),
  }),
  v.forward(
    v.check(
      (call) => Boolean(recipientOf(call)),
      "is missing, which Supabase Auth 2.180.0 and later send; user.phone is taken only where user.new_phone is empty",
    ),
    ["sms", "phone"],
  ),
)

/** The MFA verification hook. A wrong code (`valid: false`) is a slip of the person's and tells nothing of a provider. */
const Attempt = v.object({ factor_type: v.string(), user_id: v.string(), valid: v.boolean() })

/** What calls POST /verified at a login by phone, for which there is no hook. pg_net calls later, so that no login waits. */
const trigger = (url: string) => `create extension if not exists pg_net;
create or replace function public.tell_verified() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform net.http_post(
    url := '${url}',
    headers := '{"authorization": "Bearer <GATEWAY_TOKEN>", "content-type": "application/json"}'::jsonb,
    body := jsonb_build_object('recipient', '+' || new.phone));
  return new;
exception when others then return new;
end $$;
create or replace trigger tell_verified after update of last_sign_in_at, phone_confirmed_at on auth.users for each row
  when (new.phone <> '' and new.last_sign_in_at is distinct from old.last_sign_in_at)
  execute function public.tell_verified();`

/** Signs as Standard Webhooks do. A refusal is a 200 with an error inside; its status must be a number, its text not empty. */
export default {
  docs: "https://supabase.com/docs/guides/auth/auth-hooks/send-sms-hook",
  env,
  isInternational: true,
  // The hook has 5 s in all.
  deadline: 4_000,
  proof: (call, { SUPABASE_SECRET }) => readStandardWebhook(call, SUPABASE_SECRET, "webhook"),
  read(fields) {
    const call = v.parse(Call, fields)
    const { sms, metadata, user } = call
    const { locale } = Object(user.user_metadata)
    // All tries of one message have the same uuid.
    const recipient = recipientOf(call)
    return { recipient, code: sms.otp, locale, ip: metadata.ip_address, key: metadata.uuid, user: user.id }
  },
  verified: {
    read(fields) {
      const { factor_type, user_id, valid } = v.parse(Attempt, fields)
      return valid && factor_type === "phone" ? { user: user_id } : undefined
    },
    answer: () => Response.json({ decision: "continue" }),
  },
  answer({ code, status, sentence, isPerhapsSent }) {
    // The code is stored only after a success: where the message may have gone out, a failure would make it worthless.
    if (code === "accepted" || isPerhapsSent) return Response.json({})
    // 429 and 503 with retry-after would be repeated at once: no such header, and no second try.
    return Response.json({ error: { http_code: hookStatuses[code] ?? status, message: sentence } })
  },
  setup: (url) => `1. In the dashboard: Authentication, Hooks, Add hook, Send SMS hook, of the type HTTPS.
2. URL: ${url}
3. Generate secret, and copy it, v1,whsec_…, into SUPABASE_SECRET here. Then create the hook.
4. Authentication, Sign In / Providers, Phone: enable it. The fields of its own provider may hold anything.
5. CODE_TEXT is the text, {code} in it the code. supabase.auth.signInWithOtp({ phone }) sends the first one.
Self-hosted, in place of 1 to 3: GOTRUE_HOOK_SEND_SMS_ENABLED=true, GOTRUE_HOOK_SEND_SMS_URI=${url} and
GOTRUE_HOOK_SEND_SMS_SECRETS=v1,whsec_… with the same secret as here. It calls https, or http at localhost alone.

So that the gateway learns whose codes are entered:
1. Logins by phone: run this in the SQL Editor, with the GATEWAY_TOKEN that is set here.
${trigger(url.replace(/supabase$/, "verified"))}
2. MFA by phone (plans Team and Enterprise): Authentication, Hooks, Add hook, MFA Verification Attempt, of the type HTTPS.
   URL: ${url}/verified
   Generate secret, and add it to SUPABASE_SECRET here behind a comma. The hook is answered with "continue" whatever happens.`,
} satisfies Platform<typeof env>
