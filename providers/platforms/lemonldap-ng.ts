import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { secretToken, unread } from "../lib.ts"

const env = {
  LEMONLDAP_NG_TOKEN: secretToken("which the portal sends as Basic's password, out of the address"),
}

/** `user` and `code` are the portal's own names, the others stand in rest2fInitArgs. */
const Call = v.object({ recipient: v.string(), code: v.string(), locale: unread, ip: unread })

/** The portal logs all but a 2xx with a true `result` as a failure, and shows the form for the code all the same. */
export default {
  docs: "https://lemonldap-ng.org/documentation/2.0/rest2f.html",
  env,
  read(fields) {
    // The number comes as the directory holds it.
    const { recipient, code, locale, ip } = v.parse(Call, fields)
    return { recipient, code, locale, ip }
  },
  answer: ({ code, isPerhapsSent }) => Response.json({ result: code === "accepted" || isPerhapsSent }),
  setup: (url) => `1. Make a token of at least 32 characters, and set it here as LEMONLDAP_NG_TOKEN.
2. Debian: install libstring-random-perl, by which the portal makes codes.
3. Manager: General Parameters, Second factors, REST second factor. Activation: On.
4. Code regex (rest2fCodeActivation): \\d{6}. Without it the portal makes no code, and nothing is sent.
5. Init URL (rest2fInitUrl): ${url.replace("://", "://llng:<LEMONLDAP_NG_TOKEN>@")}
   That is ${url} with any user name and the token in front.
6. Init arguments (rest2fInitArgs): recipient = mobile, or the session attribute that holds the number. Verify URL: empty.
   Also possible: locale = a macro that names the language.
7. Re-send interval (rest2fResendInterval): 30. The same code goes out again, so it must be longer than DUPLICATE_WINDOW.
8. Numbers come as the directory holds them: set DEFAULT_COUNTRY here. CODE_TEXT is the text, {code} in it the code.
The portal asks for the code whatever this gateway answers: what is refused here is seen in the logs alone.`,
} satisfies Platform<typeof env>
