import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { answerHook, makeToken, optionalText, secretToken } from "../lib.ts"

const env = {
  DESCOPE_SECRET: v.optional(
    v.pipe(v.string(), v.minLength(16), v.description("the connector's HMAC secret, of at least 16 characters")),
  ),
  DESCOPE_TOKEN: v.optional(secretToken("which the connector sends as Bearer")),
}

const Call = v.object({ recipient: v.string(), body: v.string(), sender: optionalText, token: optionalText })

export default {
  docs: "https://docs.descope.com/connectors/connector-configuration-guides/messaging/sms-gateway",
  env,
  isInternational: true,
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
  answer: (outcome) => answerHook(outcome),
  setup: (url) => `1. Make a token with ${makeToken} and set it here as DESCOPE_TOKEN.
2. Connectors, Generic SMS Gateway. Post Message URL: ${url}
3. Authentication: Bearer Token, the token. Sender: yours, or empty where SMS_SENDER is set here.
4. HMAC Secret: as DESCOPE_SECRET here, or empty. Where both are set, both are asked for. Leave "trust any certificate" off.
5. Test. The log here says accepted.
6. Authentication Methods, One-time Password, SMS: choose this connector, and a template.`,
} satisfies Platform<typeof env>
