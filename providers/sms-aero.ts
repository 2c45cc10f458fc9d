import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  SMS_AERO_EMAIL: v.pipe(v.string(), v.description("e-mail address of the account")),
  SMS_AERO_API_KEY: v.pipe(v.string(), v.description("API key, from the settings of the account")),
  SMS_AERO_SENDER: v.optional(v.pipe(v.string(), v.description("signature that was approved for you; else SMS Aero"))),
}

const rejected = ["undelivered", "reject"]
const Sent = v.object({
  id: v.pipe(v.number(), v.integer()),
  extendStatus: v.pipe(v.string(), v.nonEmpty(), v.notValues(rejected)),
})
const NotSent = v.object({ extendStatus: v.picklist(rejected) })
const Accepted = v.object({
  success: v.literal(true),
  data: v.union([Sent, v.strictTuple([Sent])]),
  result: v.nullish(v.null()),
})
const Rejected = v.object({ success: v.literal(true), data: v.union([NotSent, v.tuple([NotSent])]) })
const Refused = v.object({
  result: v.nullish(v.string()),
  reason: v.nullish(v.string()),
  message: v.nullish(v.string()),
})

/** A refusal says `success: false` or `result`, or is a success whose message is rejected. `data` may be a list. */
export default {
  docs: "https://smsaero.ru/integration/documentation/api/",
  region: "Russia, Central Asia",
  evidence: "vendor",
  url: "https://gate.smsaero.ru",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/v2/sms/send`, {
      method: "POST",
      headers: {
        authorization: basic(env.SMS_AERO_EMAIL, env.SMS_AERO_API_KEY),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        number: recipient.slice(1),
        // The signature that all accounts share: one that is not approved is refused.
        sign: env.SMS_AERO_SENDER ? sender.replace("+", "") : "SMS Aero",
        text: body,
      }),
    })
  },
  faults: { account: ["no credits"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String([json.data].flat()[0]?.id) }
    if (status === 200 && v.is(Rejected, json)) return { code: [json.data].flat()[0]?.extendStatus ?? status }
    if (!v.is(Refused, json)) return { code: status }
    return { code: json.result ?? status, reason: json.reason ?? json.message ?? undefined }
  },
} satisfies Provider<typeof env>
