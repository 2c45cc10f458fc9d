import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  SIPGATE_TOKEN_ID: v.pipe(v.string(), v.description("ID of a personal access token with scope sessions:sms:write")),
  SIPGATE_TOKEN: v.pipe(v.string(), v.description("that token")),
  SIPGATE_SMS_ID: v.pipe(v.string(), v.description("web SMS extension, such as s0; its caller ID is the sender")),
}

/** Acceptance is an empty 204: no text, no id. No sender can be sent, the extension has one. */
export default {
  docs: "https://api.sipgate.com/v2/doc",
  region: "Germany",
  evidence: "vendor",
  url: "https://api.sipgate.com/v2",
  env,
  request({ recipient, body }, env, { url }) {
    return new Request(`${url}/sessions/sms`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        authorization: basic(env.SIPGATE_TOKEN_ID, env.SIPGATE_TOKEN),
      },
      body: JSON.stringify({ smsId: env.SIPGATE_SMS_ID, recipient, message: body }),
    })
  },
  receipt({ status, text }) {
    return status === 204 && text === "" ? { id: "" } : { code: status }
  },
} satisfies Provider<typeof env>
