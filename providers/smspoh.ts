import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSPOH_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  SMSPOH_API_SECRET: v.pipe(v.string(), v.description("API secret beside it")),
}

const Accepted = v.object({
  messages: v.tuple([v.object({ messageId: v.pipe(v.string(), v.nonEmpty()) })]),
})
const Refused = v.object({ code: v.union([v.string(), v.number()]), message: v.string() })

export default {
  docs: "https://smspoh.com/v3/web/developers/restful-sms-api-specification",
  region: "Myanmar",
  evidence: "vendor",
  countries: ["MM"],
  needsSender: true,
  url: "https://v3.smspoh.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const token = Buffer.from(`${env.SMSPOH_API_KEY}:${env.SMSPOH_API_SECRET}`).toString("base64")
    return new Request(`${url}/api/rest/send`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ to: recipient, message: body, from: sender.replace("+", "") }),
    })
  },
  receipt({ status, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.messages[0].messageId }
    return v.is(Refused, json) ? { code: json.code, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
