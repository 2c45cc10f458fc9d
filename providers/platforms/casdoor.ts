import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { answerHook, makeToken, secretToken } from "../lib.ts"

const env = {
  CASDOOR_TOKEN: secretToken("which the provider's HTTP header sends as Bearer"),
}

/** The provider's mapping and its Parameter give these names: `body` where a Template code makes a text. */
const Call = v.pipe(
  v.object({
    recipient: v.string(),
    code: v.optional(v.pipe(v.string(), v.regex(/^\S*$/, "must be a code alone: a text is named body"))),
    body: v.optional(v.string()),
  }),
  v.forward(
    v.check(({ code, body }) => (code ?? body) !== undefined, "is missing, and so is body"),
    ["code"],
  ),
)

/** Codes go to numbers as +1…; what an application sends by /api/send-sms is checked by nobody. */
export default {
  docs: "https://github.com/casdoor/casdoor/blob/master/object/sms_custom_http.go",
  env,
  // Casdoor waits for ever, and so does the person's page.
  deadline: 10_000,
  read: (fields) => v.parse(Call, fields),
  // The code is stored only after a 200: where the message may have gone out, a failure would make it worthless.
  // The person reads the status alone.
  answer: (outcome) => answerHook(outcome),
  setup: (url) => `1. Make a token with ${makeToken} and set it here as CASDOOR_TOKEN.
2. Casdoor 2.90 or newer (October 2025): Providers, Add, the category SMS, the type Custom HTTP SMS.
3. Endpoint: ${url}
   Method: POST. Content type: application/json.
4. HTTP header: Authorization = Bearer and the token, with one blank between.
5. HTTP body mapping: phoneNumber = recipient, content = code. Parameter: code. Template code: empty.
   Up to 3.57 the mapping of content names the field, from 3.58 on the Parameter does.
6. CODE_TEXT here is the text, {code} in it the code. Or Casdoor makes it, from 3.58 on: Template code: Your code is %s
   Then enter body in the place of code, both times.
7. Send Testing SMS sends the code 123456. Pressed again within DUPLICATE_WINDOW it says that it was sent, and nothing goes out.
8. Applications, yours, Providers: add it. Until then Casdoor says that an SMS provider is missing.
9. People read the status of a refusal, such as 429 Too Many Requests. They may ask again at once: only a success makes them wait.`,
} satisfies Platform<typeof env>
