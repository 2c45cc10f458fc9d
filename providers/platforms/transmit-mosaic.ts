import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"

const env = {
  TRANSMIT_MOSAIC_TOKEN: v.pipe(
    v.string(),
    v.description("a token of at least 32 characters, which is the api_key of the custom gateway"),
  ),
}

const Call = v.object({ phone_number: v.string(), sender_id: v.optional(v.unknown()), message: v.string() })

const statuses: Partial<Record<Outcome["code"], number>> = {
  invalid_message: 422,
  destination_not_allowed: 403,
  delivery_rejected: 503,
  delivery_timeout: 503,
}

export default {
  docs: "https://developer.transmitsecurity.com/guides/user/use_custom_sms_provider",
  env,
  proof: ({ headers }) => ({ token: headers.get("x-api-key") ?? undefined }),
  // Mosaic takes the address only where its key comes back.
  greet({ headers }) {
    const [key] = /^[\w-]{1,200}$/.exec(headers.get("x-verification-key") ?? "") ?? []
    return key ? Response.json({ key }) : new Response(null, { status: 400 })
  },
  read(fields) {
    const { phone_number, sender_id, message } = v.parse(Call, fields)
    return { recipient: phone_number, body: message, sender: sender_id }
  },
  answer({ code, status, id, isPerhapsSent, retryAfter }) {
    if (code === "accepted" || isPerhapsSent) return Response.json({ id })
    const headers = retryAfter ? { "retry-after": `${retryAfter}` } : {}
    return Response.json({ code, id }, { status: statuses[code] ?? status, headers })
  },
  setup: (
    url,
  ) => `1. Make a token of at least 32 characters, set it here as TRANSMIT_MOSAIC_TOKEN, and let the gateway run: Mosaic asks it.
2. curl -X PUT https://api.transmitsecurity.io/cis/v1/tenantsmsproviders -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d '{"provider": "CustomGateway", "custom_gateway": {"uri": "${url}", "api_key": "<the token>"}}'
It holds for all applications of the tenant.`,
} satisfies Platform<typeof env>
