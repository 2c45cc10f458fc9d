import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, isGsm7 } from "./lib.ts"

const env = {
  ESENDEX_USERNAME: v.pipe(v.string(), v.description("user name, an email address")),
  ESENDEX_API_PASSWORD: v.pipe(v.string(), v.description("API password of that user")),
  ESENDEX_ACCOUNT_REFERENCE: v.pipe(v.string(), v.description("reference of the account, EX…")),
}

const Accepted = v.object({
  batch: v.object({ messageheaders: v.strictTuple([v.object({ id: v.pipe(v.string(), v.nonEmpty()) })]) }),
  errors: v.nullish(v.pipe(v.array(v.unknown()), v.empty())),
})
const Refused = v.object({ errors: v.tuple([v.object({ code: v.string(), description: v.string() })]) })

/** Answers in XML unless JSON is asked for, and takes every text for GSM unless told its character set. */
export default {
  docs: "https://developers.esendex.com/api-reference#smsapis",
  region: "United Kingdom, France, Spain, Australia",
  evidence: "clients",
  url: "https://api.esendex.com",
  env,
  request({ recipient, sender, body }, env, { url, ttl }) {
    const message = {
      ...(sender && { from: sender.replace("+", "") }),
      to: recipient.slice(1),
      type: "SMS",
      body,
      // In whole hours, 1 to 72.
      validity: ttl && Math.min(Math.ceil(ttl / 3_600), 72),
      ...(!isGsm7(body) && { characterset: "Unicode" }),
    }
    return new Request(`${url}/v1.0/messagedispatcher`, {
      method: "POST",
      headers: {
        authorization: basic(env.ESENDEX_USERNAME, env.ESENDEX_API_PASSWORD),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ accountreference: env.ESENDEX_ACCOUNT_REFERENCE, messages: [message] }),
    })
  },
  faults: { account: ["accountreference_invalid", "insufficient_credits"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.batch.messageheaders[0].id }
    return v.is(Refused, json) ? { code: json.errors[0].code, reason: json.errors[0].description } : { code: status }
  },
} satisfies Provider<typeof env>
