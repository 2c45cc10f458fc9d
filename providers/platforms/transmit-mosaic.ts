import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { answerHook, makeToken, optionalText, secretToken } from "../lib.ts"

const env = {
  TRANSMIT_MOSAIC_TOKEN: secretToken("which is the api_key of the custom gateway"),
}

const Call = v.object({ phone_number: v.string(), sender_id: optionalText, message: v.string() })

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
  answer: (outcome) => answerHook(outcome),
  setup: (
    url,
  ) => `1. Make a token with ${makeToken}, set it here as TRANSMIT_MOSAIC_TOKEN, and let the gateway run: Mosaic asks it.
2. curl -X PUT https://api.transmitsecurity.io/cis/v1/tenantsmsproviders -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d '{"provider": "CustomGateway", "custom_gateway": {"uri": "${url}", "api_key": "<the token>"}}'
It holds for all applications of the tenant.`,
} satisfies Platform<typeof env>
