import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textRecord } from "./lib.ts"

const env = {
  GHASEDAK_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  GHASEDAK_TEMPLATE: v.pipe(v.string(), v.description("name of the approved OTP template")),
  GHASEDAK_VARIABLES: v.pipe(
    v.optional(v.string(), '{"code": "{code}"}'),
    textRecord,
    v.description("the template's variables as JSON; {code}, {body}, {locale}, {sender} and {recipient} are filled in"),
  ),
}

const Accepted = v.union([v.object({ isSuccess: v.literal(true) }), v.object({ IsSuccess: v.literal(true) })])
const Items = v.object({ data: v.object({ items: v.tuple([v.object({ messageId: v.string() })]) }) })
const code = v.union([v.number(), v.string()])
const Refused = v.object({ isSuccess: v.literal(false), statusCode: code, message: v.nullish(v.string()) })
const RefusedCapital = v.object({ IsSuccess: v.literal(false), StatusCode: code, Message: v.nullish(v.string()) })

/** Sends a template. A 200 may be a refusal with a status of its own; names begin small, in some answers with a capital. */
export default {
  docs: "https://ghasedak.me/docs",
  region: "Iran",
  evidence: "vendor",
  countries: ["IR"],
  url: "https://gateway.ghasedak.me",
  env,
  request(message, env, { url }) {
    const variables = fill(env.GHASEDAK_VARIABLES, message)
    if (!variables) return noCode
    return new Request(`${url}/rest/api/v1/WebService/SendOtpSMS`, {
      method: "POST",
      headers: { apikey: env.GHASEDAK_API_KEY, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        receptors: [{ mobile: message.recipient.replace(/^\+98/, "0"), clientReferenceId: "1" }],
        templateName: env.GHASEDAK_TEMPLATE,
        inputs: Object.entries(variables).map(([param, value]) => ({ param, value })),
        udh: false,
      }),
    })
  },
  faults: { account: [401, 402, 403], message: [400] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: v.is(Items, json) ? json.data.items[0].messageId : "" }
    if (v.is(Refused, json)) return { code: json.statusCode, reason: json.message ?? undefined }
    return v.is(RefusedCapital, json) ? { code: json.StatusCode, reason: json.Message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
