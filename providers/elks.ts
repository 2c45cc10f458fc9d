import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  ELKS_API_USERNAME: v.pipe(v.string(), v.description("API user name of the account")),
  ELKS_API_PASSWORD: v.pipe(v.string(), v.description("API password of the account")),
}

const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(["created", "sent", "delivered"]),
})
const Failed = v.object({ status: v.literal("failed") })
const refusal = /API access requires Basic HTTP authentication|Not enough credits|Missing key \w+|Invalid to number/

/** Refusals are plain text with no code, and 403 is anything from no credit to a bad number. */
export default {
  docs: "https://46elks.com/docs/send-sms",
  region: "Europe",
  evidence: "vendor",
  url: "https://api.46elks.com/a1",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/sms`, {
      method: "POST",
      headers: {
        authorization: `Basic ${btoa(`${env.ELKS_API_USERNAME}:${env.ELKS_API_PASSWORD}`)}`,
        accept: "application/json",
      },
      body: new URLSearchParams({ ...(sender && { from: sender }), to: recipient, message: body }),
    })
  },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.id }
    if (v.is(Failed, json)) return { code: json.status }
    const reason = refusal.exec(text)?.[0]
    return { code: status, reason, fault: reason === "Invalid to number" ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
