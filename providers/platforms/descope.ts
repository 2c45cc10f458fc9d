import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"

const env = {
  DESCOPE_SECRET: v.optional(
    v.pipe(v.string(), v.minLength(16), v.description("the connector's HMAC secret, of at least 16 characters")),
  ),
  DESCOPE_TOKEN: v.optional(
    v.pipe(v.string(), v.description("a token of at least 32 characters, which the connector sends as Bearer")),
  ),
}

const any = v.optional(v.unknown())
const Call = v.object({ recipient: v.string(), body: v.string(), sender: any, token: any })

const statuses: Partial<Record<Outcome["code"], number>> = {
  invalid_message: 422,
  destination_not_allowed: 403,
  delivery_rejected: 503,
  delivery_timeout: 503,
}

export default {
  docs: "https://docs.descope.com/connectors/connector-configuration-guides/messaging/sms-gateway",
  env,
  proof({ headers, text }, env) {
    const authorization = headers.get("authorization") ?? ""
    const password = Buffer.from(authorization.replace(/^basic /i, ""), "base64")
      .toString()
      .replace(/^[^:]*:/, "")
    const token = /^basic /i.test(authorization) ? password : authorization.replace(/^bearer /i, "")
    if (!env.DESCOPE_SECRET) return { token }
    return {
      key: Buffer.from(env.DESCOPE_SECRET),
      // Its pages tell it in three ways, and each of them fixes the content.
      signed: [
        text,
        Buffer.from(text).toString("base64"),
        text.startsWith("{") ? JSON.stringify(JSON.parse(text)) : text,
      ],
      given: [headers.get("x-descope-webhook-s256") ?? []].flat(),
    }
  },
  read(fields) {
    const { recipient, body, sender, token } = v.parse(Call, fields)
    return { recipient, body, sender, code: token }
  },
  answer({ code, status, id, isPerhapsSent, retryAfter }) {
    if (code === "accepted" || isPerhapsSent) return Response.json({ id })
    const headers = retryAfter ? { "retry-after": `${retryAfter}` } : {}
    return Response.json({ code, id }, { status: statuses[code] ?? status, headers })
  },
  setup: (url) => `1. Make a token of at least 32 characters, and set it here as DESCOPE_TOKEN.
2. Connectors, Generic SMS Gateway. Post Message URL: ${url}
3. Authentication: Bearer Token, the token. Sender: yours, or empty where SMS_SENDER is set here.
4. HMAC Secret: as DESCOPE_SECRET here, or empty. Where both are set, both are asked for. Leave "trust any certificate" off.
5. Test. The log here says accepted.
6. Authentication Methods, One-time Password, SMS: choose this connector, and a template.`,
} satisfies Platform<typeof env>
