import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { answerHook, makeToken, secretToken } from "../lib.ts"

const env = {
  NHOST_TOKEN: secretToken("which AUTH_SMS_GENERIC_HEADERS sends as Bearer"),
}

/** AUTH_SMS_GENERIC_BODY_TEMPLATE gives these names. */
const Call = v.object({ recipient: v.string(), body: v.string() })

export default {
  docs: "https://github.com/nhost/nhost/blob/main/services/auth/go/notifications/sms/generic.go",
  env,
  // AUTH_SMS_GENERIC_TIMEOUT is 10 s, by default as well.
  deadline: 9_000,
  read: (fields) => v.parse(Call, fields),
  // The code is stored only after a success: where the message may have gone out, a failure would make it worthless.
  answer: (outcome) => answerHook(outcome),
  setup: (url) => `1. Make a token with ${makeToken} and set it here as NHOST_TOKEN.
2. Nhost Auth of May 2026 or newer: set these variables of the Auth service, and start it again. (Nhost Cloud has no place
   for them but [[global.environment]] in nhost.toml; that was not tried.)
AUTH_SMS_PASSWORDLESS_ENABLED=true
AUTH_SMS_PROVIDER=generic
AUTH_SMS_GENERIC_URL=${url}
AUTH_SMS_GENERIC_CONTENT_TYPE=application/json
AUTH_SMS_GENERIC_BODY_TEMPLATE={"recipient": "\${to}", "body": "\${body}"}
AUTH_SMS_GENERIC_HEADERS={"Authorization": "Bearer <NHOST_TOKEN>"}
AUTH_SMS_GENERIC_TIMEOUT=10s
3. The template knows these two names alone, and escapes both for JSON. The text is Nhost's own.
4. Numbers come as your app sends them: where they have no +, set DEFAULT_COUNTRY here.
5. After a refusal the app gets the error cannot-send-sms. What this gateway answers stands in the log of Nhost Auth.`,
} satisfies Platform<typeof env>
