import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"
import { optionalText, unread } from "../lib.ts"

const env = {
  AUTHGEAR_SECRET: v.pipe(
    v.string(),
    v.minLength(16),
    v.description("the project's webhook signature key, as the portal shows it"),
  ),
}

const Call = v.object({
  to: v.string(),
  body: v.string(),
  template_name: unread,
  language_tag: unread,
  template_variables: v.fallback(v.object({ code: optionalText }), {}),
})

/** Its words. "timeout" asks people to try again later. */
const codes: Partial<Record<Outcome["code"], string>> = {
  invalid_message: "invalid_phone_number",
  invalid_recipient: "invalid_phone_number",
  rate_limited: "rate_limited",
  destination_not_allowed: "delivery_rejected",
  suspected_fraud: "delivery_rejected",
  unsupported_channel: "unsupported_request",
  internal_error: "unknown_error",
}

export default {
  docs: "https://github.com/authgear/authgear-server/blob/main/docs/specs/sms_gateway.md",
  env,
  isInternational: true,
  // A timeout of 10 s is entered there.
  deadline: 9_000,
  proof: ({ headers, text }, env) => ({
    key: Buffer.from(env.AUTHGEAR_SECRET),
    signed: text,
    given: [headers.get("x-authgear-body-signature") ?? []].flat(),
  }),
  read(fields) {
    const { to, body, template_name, language_tag, template_variables } = v.parse(Call, fields)
    // The code of this one is the token of its link.
    const isLink = template_name === "forgot_password_sms.txt"
    return { recipient: to, body, code: isLink ? undefined : template_variables.code, locale: language_tag }
  },
  answer({ code, sentence, detail, isPerhapsSent }) {
    // The status counts for nothing where the body is JSON; JSON without a known code is a failure.
    if (code === "accepted" || isPerhapsSent) return Response.json({ code: "ok" })
    const word = detail ? "unsupported_request" : (codes[code] ?? "timeout")
    // People may see the description; the info is for its log alone.
    return Response.json({ code: word, description: sentence, info: detail && { detail } })
  },
  setup: (
    url,
  ) => `1. In the portal (the plan must be Enterprise): Advanced, Custom SMS Gateway: enable it. SMS Gateway Provider: Webhook.
   URL: ${url}. Timeout: 10 seconds.
2. Advanced, Hooks: copy the webhook signature key into AUTHGEAR_SECRET here.
Self-hosted: in authgear.yaml, messaging.sms_gateway: {provider: custom, use_config_from: authgear.secrets.yaml};
in authgear.secrets.yaml, {key: sms.custom, data: {url: "${url}", timeout: 10}}. AUTHGEAR_SECRET is there, too, under
the key webhook: its k, decoded from base64url.`,
} satisfies Platform<typeof env>
