import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"
import { secretToken } from "../lib.ts"

const env = {
  CURITY_TOKEN: secretToken("which the HTTP client sends as Basic's password or as Bearer"),
}

const Call = v.object({ to: v.string(), message: v.string() })

/** No fault of the number: Curity logs the error, and shows the person a page of its own. */
const failures: readonly Outcome["code"][] = ["rate_limited", "internal_error", "delivery_rejected", "delivery_timeout"]

/**
 * A 400 with its one error word asks for another number: for a number or a text that is no good, and for a number to which
 * nothing is sent. All else but 200 is an Internal Server Error.
 */
export default {
  docs: "https://curity.io/docs/identity-server/facilities/sms-providers/sms-providers-rest",
  env,
  read(fields) {
    // The number comes as the data store keeps it.
    const { to: recipient, message: body } = v.parse(Call, fields)
    return { recipient, body }
  },
  answer({ code, isPerhapsSent }) {
    if (code === "accepted" || isPerhapsSent) return new Response(null)
    if (failures.includes(code)) return Response.json({ error: code }, { status: 500 })
    return Response.json({ error: "invalid-phonenumber" }, { status: 400 })
  },
  setup: (url) => `1. Make a token of at least 32 characters, and set it here as CURITY_TOKEN.
2. Facilities, HTTP Clients, New: scheme https, with HTTP authentication: Basic, any user name, the token as the password.
3. Facilities, SMS Providers, New, of the type REST, with that HTTP client. Its host, port and context make this address: ${url}
4. Choose the provider in the profile, and in each authenticator and action that sends SMS.
5. Numbers come as the data store keeps them: where they have no +, set DEFAULT_COUNTRY here.`,
} satisfies Platform<typeof env>
