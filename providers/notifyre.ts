import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  NOTIFYRE_API_TOKEN: v.pipe(v.string(), v.description("API token of the account")),
}

const Accepted = v.object({
  success: v.literal(true),
  payload: v.object({
    smsMessageID: v.pipe(v.string(), v.nonEmpty()),
    invalidToNumbers: v.nullish(v.pipe(v.array(v.unknown()), v.empty())),
  }),
})
/** The one number was not taken; nothing says why. */
const Unsent = v.object({
  success: v.literal(true),
  payload: v.object({ invalidToNumbers: v.tuple([v.object({ message: v.nullish(v.string()) })]) }),
})
const Refused = v.object({
  success: v.literal(false),
  statusCode: v.nullish(v.number()),
  message: v.nullish(v.string()),
})

/** A message with no sender goes from a number of the vendor. A refusal may be a 200 whose body holds the status. */
export default {
  docs: "https://docs.notifyre.com/",
  region: "Australia",
  evidence: "clients",
  url: "https://api.notifyre.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/20220711/sms/send`, {
      method: "POST",
      headers: {
        "x-api-token": env.NOTIFYRE_API_TOKEN,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        body,
        recipients: [{ type: "mobile_number", value: recipient }],
        from: sender,
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.payload.smsMessageID }
    if (status === 200 && v.is(Unsent, json)) {
      const [{ message }] = json.payload.invalidToNumbers
      return { code: "invalidToNumbers", reason: message ?? undefined, fault: "account" }
    }
    if (!v.is(Refused, json)) return { code: status }
    const code = json.statusCode ?? status
    const isAccount = [401, 402, 403].includes(code)
    return { code, reason: json.message ?? undefined, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
