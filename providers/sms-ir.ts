import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textRecord } from "./lib.ts"

const isNumber = v.regex(/^\d{1,15}$/)
const env = {
  SMS_IR_API_KEY: v.pipe(v.string(), v.description("API key, from the developers' part of the panel")),
  SMS_IR_TEMPLATE_ID: v.pipe(
    v.string(),
    isNumber,
    v.transform(Number),
    v.description("number of the approved template, from fast sending in the panel"),
  ),
  SMS_IR_VARIABLES: v.pipe(
    v.optional(v.string(), '{"Code": "{code}"}'),
    textRecord,
    v.description(
      "the template's variables as JSON, with {code}, {body}, {locale}, {sender} and {recipient} for what they hold",
    ),
  ),
}

const Accepted = v.object({
  status: v.literal(1),
  data: v.object({ messageId: v.pipe(v.number(), v.integer(), v.minValue(1)) }),
})
const Refused = v.object({ status: v.number(), message: v.nullish(v.string()) })

/** Sends a template's variables alone, each of up to 25 characters. Its `status` is 1 for an acceptance, not an HTTP one. */
export default {
  docs: "https://sms.ir/developer-web-service/rest-api/",
  region: "Iran",
  evidence: "vendor",
  countries: ["IR"],
  url: "https://api.sms.ir",
  env,
  request(message, env, { url }) {
    const variables = fill(env.SMS_IR_VARIABLES, message)
    if (!variables) return noCode
    return new Request(`${url}/v1/send/verify`, {
      method: "POST",
      headers: { "x-api-key": env.SMS_IR_API_KEY, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        mobile: message.recipient.replace("+98", "0"),
        templateId: env.SMS_IR_TEMPLATE_ID,
        parameters: Object.entries(variables).map(([name, value]) => ({ name, value })),
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.data.messageId) }
    return v.is(Refused, json) ? { code: json.status, reason: json.message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
