import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  BW_ACCOUNT_ID: v.pipe(v.string(), v.description("account id, a number")),
  BW_USERNAME: v.pipe(v.string(), v.description("API user of the account")),
  BW_PASSWORD: v.pipe(v.string(), v.description("password of that user")),
  BW_MESSAGING_APPLICATION_ID: v.pipe(v.string(), v.description("messaging application that the sender belongs to")),
}

const Accepted = v.object({ id: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  type: v.string(),
  description: v.string(),
  fieldErrors: v.nullish(v.array(v.object({ fieldName: v.string(), description: v.string() }))),
})

/** Every bad field is a "request-validation"; which one it was stands in fieldErrors. */
export default {
  docs: "https://dev.bandwidth.com/docs/messaging/createMessage/",
  region: "US, Canada and international",
  evidence: "vendor",
  url: "https://messaging.bandwidth.com/api/v2",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/users/${env.BW_ACCOUNT_ID}/messages`, {
      method: "POST",
      headers: {
        authorization: `Basic ${btoa(`${env.BW_USERNAME}:${env.BW_PASSWORD}`)}`,
        "content-type": "application/json; charset=utf-8",
        accept: "application/json",
      },
      body: JSON.stringify({
        applicationId: env.BW_MESSAGING_APPLICATION_ID,
        to: [recipient],
        from: sender,
        text: body,
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const [{ fieldName, description } = { fieldName: "", description: json.description }] = json.fieldErrors ?? []
    const fault = /^to\b/.test(fieldName) ? "recipient" : fieldName === "from" ? "account" : undefined
    return { code: json.type, reason: description, fault }
  },
} satisfies Provider<typeof env>
