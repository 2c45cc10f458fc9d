import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { answerHook, makeToken, optionalText, secretToken, unread } from "../lib.ts"

const env = {
  FUSIONAUTH_TOKEN: secretToken("which the messenger sends as Bearer or as Basic's password"),
}

const Call = v.pipe(
  v.object({
    type: v.string(),
    phoneNumber: v.string(),
    textMessage: optionalText,
    message: optionalText,
    code: optionalText,
    locale: unread,
    userId: unread,
  }),
  v.forward(
    v.check(({ type, textMessage, code }) => type === "Voice" || (textMessage ?? code) != null, "is missing"),
    ["textMessage"],
  ),
  v.forward(
    v.check(({ type, message, code }) => type !== "Voice" || (message ?? code) != null, "is missing"),
    ["message"],
  ),
)

export default {
  docs: "https://fusionauth.io/docs/customize/email-and-messages/generic-messenger",
  env,
  // A read timeout of 15 s is entered there.
  deadline: 14_000,
  read(fields) {
    const { type, phoneNumber: recipient, textMessage, message, code, locale, userId: user } = v.parse(Call, fields)
    // Its own example holds both texts: `message` is the one for a call.
    if (type === "Voice") return { recipient, body: message, code, locale, user, channel: "voice" }
    return { recipient, body: textMessage, code, locale, user }
  },
  answer: (outcome) => answerHook(outcome),
  setup: (url) => `1. Make a token with ${makeToken} and set it here as FUSIONAUTH_TOKEN.
2. Settings, Messengers, Add Generic Messenger. URL: ${url}
3. Message types (since 1.65): SMS, and Voice where VOICE_PROVIDER is set here. Connect timeout: 2000. Read timeout: 15000.
4. Headers: Authorization, with Bearer and the token. (Or Security: Basic, with the token as the password.)
5. Test generic configuration, then save.
6. Tenants, Multi-factor, SMS: choose this messenger and a message template, best one of a single line.
7. Where people log in by phone: the tenant's phone configuration has a messenger of its own, with templates for passwordless
   logins and for verifications. Choose this one there, too.
8. Numbers may come without their country: set DEFAULT_COUNTRY here.`,
} satisfies Platform<typeof env>
