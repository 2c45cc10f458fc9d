import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  MESSAGEBIRD_API_KEY: v.pipe(v.string(), v.description("live access key of the account")),
}

const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  recipients: v.object({
    items: v.strictTuple([v.object({ status: v.picklist(["scheduled", "sent", "buffered", "delivered"]) })]),
  }),
  errors: v.nullish(v.pipe(v.array(v.unknown()), v.empty())),
})
const Refused = v.object({
  errors: v.tuple([v.object({ code: v.number(), description: v.string(), parameter: v.nullish(v.string()) })]),
})

/** The API before Bird's; new accounts take bird.ts. Codes 9 and 10 are a wrong field, whose name stands beside them. */
export default {
  docs: "https://developers.messagebird.com/api/sms-messaging/",
  region: "Global",
  evidence: "vendor",
  url: "https://rest.messagebird.com",
  env,
  request({ recipient, sender, body }, env, { url, isGsm7 }) {
    return new Request(`${url}/messages`, {
      method: "POST",
      headers: {
        authorization: `AccessKey ${env.MESSAGEBIRD_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        originator: sender.replace("+", ""),
        recipients: [recipient.slice(1)],
        body,
        ...(!isGsm7(body) && { datacoding: "unicode" }),
      }),
    })
  },
  faults: { account: [2, 25] },
  receipt({ status, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const [{ code, description: reason, parameter }] = json.errors
    if (parameter === "recipient" || parameter === "recipients") return { code, reason, fault: "recipient" }
    if (parameter === "originator") return { code, reason, fault: "account" }
    return { code, reason, fault: parameter === "body" ? "message" : undefined }
  },
} satisfies Provider<typeof env>
