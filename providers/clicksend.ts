import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  CLICKSEND_USERNAME: v.pipe(v.string(), v.description("API user name of the account")),
  CLICKSEND_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
}

const Accepted = v.object({
  response_code: v.literal("SUCCESS"),
  data: v.object({
    messages: v.strictTuple([v.object({ message_id: v.pipe(v.string(), v.nonEmpty()), status: v.literal("SUCCESS") })]),
  }),
})
const failure = v.pipe(v.string(), v.notValue("SUCCESS"))
const RefusedMessage = v.object({ data: v.object({ messages: v.tuple([v.object({ status: failure })]) }) })
const Refused = v.object({ response_code: failure, response_msg: v.nullish(v.string()) })

const Delivery = v.object({ message_id: v.pipe(v.string(), v.nonEmpty()), status_code: v.string() })

/** A 200 that says SUCCESS, with a message_id, may be a refusal: the message's own status decides. */
export default {
  docs: "https://developers.clicksend.com/docs/#send-sms",
  region: "Global",
  evidence: "vendor",
  url: "https://rest.clicksend.com/v3",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const message = { source: "sdk", ...(sender && { from: sender }), to: recipient, body }
    return new Request(`${url}/sms/send`, {
      method: "POST",
      headers: {
        authorization: basic(env.CLICKSEND_USERNAME, env.CLICKSEND_API_KEY),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ messages: [message] }),
    })
  },
  faults: {
    recipient: [
      "INVALID_RECIPIENT", // "The destination mobile number is invalid."
    ],
    account: [
      "MISSING_CREDENTIALS",
      "INVALID_CREDENTIALS",
      "ACCOUNT_NOT_ACTIVATED",
      "INSUFFICIENT_CREDIT",
      "INVALID_SENDER_ID",
      "COUNTRY_NOT_ENABLED",
    ],
    message: ["EMPTY_MESSAGE"],
    provider: ["TOO_MANY_REQUESTS"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.data.messages[0].message_id }
    if (v.is(RefusedMessage, json)) return { code: json.data.messages[0].status }
    return v.is(Refused, json) ? { code: json.response_code, reason: json.response_msg ?? undefined } : { code: status }
  },
  report: {
    read({ text }) {
      const { message_id: id, status_code } = v.parse(Delivery, Object.fromEntries(new URLSearchParams(text)))
      // What its other codes mean is not documented.
      return status_code === "201" ? [{ id, state: "delivered" }] : []
    },
  },
} satisfies Provider<typeof env>
