import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { hookStatuses, makeToken, secretToken, unread } from "../lib.ts"

const env = {
  LOGTO_TOKEN: secretToken("which the connector sends as Bearer"),
  LOGTO_VERIFIED_SECRET: v.optional(
    v.pipe(v.string(), v.minLength(16), v.description("signing key of the webhook that tells of sign-ins; else unset")),
  ),
}

const Call = v.object({ to: v.string(), payload: v.object({ code: v.string(), locale: unread }), ip: unread })
/** Events after which a code may have been entered. PostSignInAdaptiveMfaTriggered, of the same shape, comes before one is. */
const signIns = ["PostSignIn", "PostRegister", "PostResetPassword"]
const Event = v.object({ event: v.string() })
/** Who signed in without a phone has none, and who has one may not have used it. */
const SignIn = v.object({ user: v.object({ id: unread, primaryPhone: v.nullish(v.string()) }) })

export default {
  docs: "https://github.com/logto-io/logto/tree/master/packages/connectors/connector-http-sms",
  env,
  isInternational: true,
  isShown: true,
  // The connector waits for ever, the person's page 10 s, in which Logto has work of its own.
  deadline: 8_000,
  read(fields) {
    const { to, payload, ip } = v.parse(Call, fields)
    // The number is digits alone, although its README shows a plus.
    return { recipient: to, code: payload.code, locale: payload.locale, ip }
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
  verified: {
    proof: ({ headers, text }, { LOGTO_VERIFIED_SECRET = "" }) => ({
      key: Buffer.from(LOGTO_VERIFIED_SECRET),
      signed: text,
      given: [headers.get("logto-signature-sha-256") ?? ""],
    }),
    read(fields) {
      if (!signIns.includes(v.parse(Event, fields).event)) return undefined
      const { id, primaryPhone } = v.parse(SignIn, fields).user
      // The Console's test calls with this id and a number that is none: an error here would be shown there.
      if (!primaryPhone || id === "fake-id") return undefined
      // Digits alone.
      return { recipient: primaryPhone.replace(/^(?=\d)/, "+") }
    },
  },
  setup: (url) => `1. Make a token with ${makeToken} and set it here as LOGTO_TOKEN.
2. Console: Connectors, Email and SMS connectors, SMS, HTTP SMS.
3. Endpoint: ${url}
4. Authorization Header: Bearer and the token, with one blank between.
5. Send a test message to a number with its country (its code is 000000), then Save and Done.
6. Sign-in & account, Sign-up and sign-in: the identifier Phone number, with Verification code.
7. The person who logs in reads what is answered: Error occurred in connector: {"message":"Codes are not sent to this number."}
   Where the token is wrong, that is {"code":"authentication_failed"}.
8. CODE_TEXT here is the text, {code} in it the code, and CODE_TEXT_FR the French one.
9. Where Logto stands behind a proxy, set TRUST_PROXY_HEADER=1 there: else each person has the proxy's address here (LIMIT_IP).
   Codes that the account page asks for come with no address.

So that the gateway learns whose codes are entered: Console: Webhooks, Create Webhook.
1. Events: PostSignIn, PostRegister, PostResetPassword. Endpoint URL: ${url}/verified
2. Copy its signing key, and set it here as LOGTO_VERIFIED_SECRET.
3. Send test payload: a 404 says that this key is not set here, a 401 that it is another.
Only sign-ins within 15 minutes after a text to the person's number count. Codes of the account page are told by no event.`,
} satisfies Platform<typeof env>
