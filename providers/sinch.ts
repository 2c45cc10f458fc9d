import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SINCH_SERVICE_PLAN_ID: v.pipe(v.string(), v.description("service plan ID, from the dashboard's SMS API page")),
  SINCH_API_TOKEN: v.pipe(v.string(), v.description("API token of that service plan")),
  SINCH_SMS_REGION: v.pipe(
    v.optional(v.picklist(["us", "eu", "au", "br", "ca"]), "us"),
    v.description("region of that service plan: us, eu, au, br or ca"),
  ),
}

const Accepted = v.object({ id: v.pipe(v.string(), v.nonEmpty()), canceled: v.nullish(v.literal(false)) })
const Refused = v.object({ code: v.string(), text: v.string() })

/** The host is that of the region in which the service plan was made. Errors may have no text at all. */
export default {
  docs: "https://developers.sinch.com/docs/sms/api-reference/sms/batches/sendsms",
  region: "Global",
  evidence: "vendor",
  url: (env) => `https://${env.SINCH_SMS_REGION}.sms.api.sinch.com`,
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = sender && { from: sender.replace("+", "") }
    return new Request(`${url}/xms/v1/${env.SINCH_SERVICE_PLAN_ID}/batches`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.SINCH_API_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ ...from, to: [recipient.slice(1)], body }),
    })
  },
  faults: { account: ["blocked_account"] },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const isNumber = json.code === "syntax_invalid_parameter_format" && /\bto\b.*\bMSISDN\b/i.test(json.text)
    return { code: json.code, reason: json.text, fault: isNumber ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
