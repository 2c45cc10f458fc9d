import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textList } from "./lib.ts"

const routes = v.picklist(["q", "dlt", "dlt_manual", "otp"])
const env = {
  FAST2SMS_API_KEY: v.pipe(v.string(), v.description("Authorization Key of the Dev API")),
  FAST2SMS_ROUTE: v.pipe(v.optional(routes, "q"), v.description("q, dlt, dlt_manual or otp")),
  FAST2SMS_MESSAGE_ID: v.optional(v.pipe(v.string(), v.description("Message ID of the DLT Manager, for dlt"))),
  FAST2SMS_VARIABLES: v.pipe(
    v.optional(v.string(), '["{code}"]'),
    textList,
    v.description(
      "values for dlt and otp, a JSON list; {code}, {body}, {locale}, {sender} and {recipient} are filled in",
    ),
  ),
  FAST2SMS_TEMPLATE_ID: v.optional(v.pipe(v.string(), v.description("DLT template ID, for dlt_manual"))),
  FAST2SMS_ENTITY_ID: v.optional(v.pipe(v.string(), v.description("DLT entity ID, for dlt_manual"))),
}

const Accepted = v.object({ return: v.literal(true), request_id: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ return: v.literal(false), status_code: v.number(), message: v.string() })

/** Numbers go without +91, and refusals may be 200s. */
export default {
  docs: "https://docs.fast2sms.com/reference/dlt-sms-single",
  region: "India",
  evidence: "vendor",
  countries: ["IN"],
  url: "https://www.fast2sms.com",
  env,
  check: ({ FAST2SMS_ROUTE, FAST2SMS_MESSAGE_ID }) =>
    FAST2SMS_ROUTE === "dlt" && !FAST2SMS_MESSAGE_ID
      ? { text: "FAST2SMS_ROUTE=dlt needs FAST2SMS_MESSAGE_ID", setting: "FAST2SMS_MESSAGE_ID" }
      : undefined,
  needsSender: ({ FAST2SMS_ROUTE }) => FAST2SMS_ROUTE === "dlt" || FAST2SMS_ROUTE === "dlt_manual",
  request(message, env, { url }) {
    const { recipient, sender, body } = message
    const route = env.FAST2SMS_ROUTE
    const variables_values = fill(env.FAST2SMS_VARIABLES, message)?.join("|")
    if ((route === "dlt" || route === "otp") && variables_values === undefined) return noCode
    const sender_id = sender.replace("+", "") || undefined
    const language = /[^ -~\r\n]/.test(body) ? { language: "unicode" } : {}
    const content = {
      q: { message: body, ...language, flash: 0 },
      dlt: { sender_id, message: env.FAST2SMS_MESSAGE_ID, variables_values },
      dlt_manual: {
        sender_id,
        message: body,
        template_id: env.FAST2SMS_TEMPLATE_ID,
        entity_id: env.FAST2SMS_ENTITY_ID,
      },
      otp: { variables_values },
    }[route]
    return new Request(`${url}/dev/bulkV2`, {
      method: "POST",
      headers: { authorization: env.FAST2SMS_API_KEY, "content-type": "application/json" },
      body: JSON.stringify({ route, ...content, numbers: recipient.slice(3) }),
    })
  },
  faults: {
    recipient: [
      411, // "Invalid Numbers"
    ],
    account: [401, 406, 409, 412, 413, 414, 415, 416, 424, 425, 996, 999],
    message: [407, 417, 426, 997],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.request_id }
    return v.is(Refused, json) ? { code: json.status_code, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
