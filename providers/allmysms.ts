import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  ALLMYSMS_LOGIN: v.pipe(v.string(), v.description("login of the account")),
  ALLMYSMS_API_KEY: v.pipe(v.string(), v.description("API key, from API Key and Settings in the account")),
}

const Accepted = v.object({ smsId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ code: v.union([v.number(), v.string()]), description: v.nullish(v.string()) })

/** A 201 without smsId is a refusal. A sender is a name; without one a short code is taken, and so for a number. */
export default {
  docs: "https://doc.allmysms.com/api/en/",
  region: "France",
  evidence: "thin",
  url: "https://api.allmysms.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = /^\+?\d*$/.test(sender) ? undefined : sender
    return new Request(`${url}/sms/send/`, {
      method: "POST",
      headers: {
        authorization: basic(env.ALLMYSMS_LOGIN, env.ALLMYSMS_API_KEY),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ from, to: recipient.slice(1), text: body }),
    })
  },
  faults: { account: [102, 103, 104], message: [110, 111] },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.smsId }
    return v.is(Refused, json) ? { code: json.code, reason: json.description ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
