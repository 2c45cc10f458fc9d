import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { hookStatuses, makeToken, secretToken, unread } from "../lib.ts"

const env = {
  LOGTO_TOKEN: secretToken("which the connector sends as Bearer"),
}

const Call = v.object({ to: v.string(), payload: v.object({ code: v.string(), locale: unread }), ip: unread })

export default {
  docs: "https://github.com/logto-io/logto/tree/master/packages/connectors/connector-http-sms",
  env,
  // The connector waits for ever, the person's page 10 s.
  deadline: 9_000,
  read(fields) {
    const { to, payload, ip } = v.parse(Call, fields)
    // The number is digits alone, although its README shows a plus.
    return { recipient: to.replace(/^(?=\d)/, "+"), code: payload.code, locale: payload.locale, ip }
  },
  answer({ code, status, sentence, isPerhapsSent, retryAfter }) {
    // A failure throws the code away: where the message may have gone out, it would be worthless.
    if (code === "accepted" || isPerhapsSent) return new Response(null)
    // The person who logs in reads the whole body.
    const headers = {
      "content-type": "text/plain; charset=utf-8",
      ...(retryAfter && { "retry-after": `${retryAfter}` }),
    }
    return new Response(sentence, { status: hookStatuses[code] ?? status, headers })
  },
  setup: (url) => `1. Make a token with ${makeToken} and set it here as LOGTO_TOKEN.
2. Console: Connectors, Email and SMS connectors, SMS, HTTP SMS.
3. Endpoint: ${url}
4. Authorization Header: Bearer and the token, with one blank between.
5. Send a test message (its code is 000000), then Save and done.
6. CODE_TEXT here is the text, {code} in it the code, and CODE_TEXT_FR the French one.`,
} satisfies Platform<typeof env>
