import * as v from "valibot"
import type { Outcome, Platform } from "../../main.ts"
import { makeToken, optionalText, secretToken } from "../lib.ts"

const env = {
  AUTHENTIK_TOKEN: secretToken("which the stage sends as Bearer or as Basic's password"),
}

const Call = v.object({ From: v.string(), To: v.string(), Body: v.string(), Message: optionalText })

const statuses: Partial<Record<Outcome["code"], number>> = {
  invalid_recipient: 400,
  destination_not_allowed: 403,
  delivery_rejected: 503,
  delivery_timeout: 503,
}

export default {
  docs: "https://docs.goauthentik.io/add-secure-apps/flows-stages/stages/authenticator_sms",
  env,
  isShown: true,
  // Its http_timeout is a setting; the person waits.
  deadline: 5_000,
  read(fields) {
    const { From: sender, To: recipient, Body: code, Message: body } = v.parse(Call, fields)
    // In 2022 it sent no text.
    return { recipient, body, sender, code }
  },
  answer({ code, status, sentence, isPerhapsSent }) {
    // The code is kept before the call and works when it comes late; an error would end the person's flow.
    if (code === "accepted" || isPerhapsSent) return new Response(null)
    // The person who logs in reads the whole body.
    const headers = { "content-type": "text/plain; charset=utf-8" }
    return new Response(sentence, { status: statuses[code] ?? status, headers })
  },
  setup: (url) => `1. Make a token with ${makeToken} and set it here as AUTHENTIK_TOKEN.
2. Flows and Stages, Stages, Create, SMS Authenticator Setup Stage. Provider: Generic SMS Provider.
3. From number: your sender. External API URL: ${url}
4. Authentication Type: Bearer; its secret is the token. Mapping: none.
5. Bind the stage to a setup flow, and add SMS to the Authenticator Validation stage.
6. Numbers come as people type them: set DEFAULT_COUNTRY here.`,
} satisfies Platform<typeof env>
