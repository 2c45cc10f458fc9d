import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, isGsm7 } from "./lib.ts"

const env = {
  EXOTEL_API_KEY: v.pipe(v.string(), v.description("API key, from the API settings of the dashboard")),
  EXOTEL_API_TOKEN: v.pipe(v.string(), v.description("API token that belongs to it")),
  EXOTEL_ACCOUNT_SID: v.pipe(v.string(), v.regex(/^[\w-]+$/), v.description("Account sid, from the same page")),
  EXOTEL_DLT_ENTITY_ID: v.optional(v.pipe(v.string(), v.description("DLT entity ID, needed for India"))),
  EXOTEL_DLT_TEMPLATE_ID: v.optional(v.pipe(v.string(), v.description("DLT template ID, needed for India"))),
  EXOTEL_PRIORITY: v.optional(v.pipe(v.picklist(["normal", "high"]), v.description("high for codes; else normal"))),
  EXOTEL_SMS_TYPE: v.optional(
    v.pipe(
      v.string(),
      v.description("transactional, transactional_opt_in or promotional, as the template is registered"),
    ),
  ),
}

const states = ["queued", "sending", "submitted", "sent", "delivered"]
const Accepted = v.object({
  SMSMessage: v.object({ Sid: v.pipe(v.string(), v.nonEmpty()), Status: v.picklist(states) }),
})
const Failed = v.object({ SMSMessage: v.object({ Status: v.pipe(v.string(), v.nonEmpty(), v.notValues(states)) }) })
const Refused = v.object({
  RestException: v.object({
    Status: v.union([v.number(), v.string()]),
    Message: v.nullish(v.string()),
    Code: v.nullish(v.string()),
  }),
})

/** Answers are XML without ".json". Accounts of the Mumbai cluster have another host, https://api.in.exotel.com. */
export default {
  docs: "https://developer.exotel.com/docs/sms-api/api-reference/send-sms",
  region: "India, South-East Asia",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.exotel.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const EncodingType = isGsm7(body) ? "plain" : "unicode"
    const form = new URLSearchParams({ From: sender, To: recipient, Body: body, EncodingType })
    if (env.EXOTEL_DLT_ENTITY_ID) form.set("DltEntityId", env.EXOTEL_DLT_ENTITY_ID)
    if (env.EXOTEL_DLT_TEMPLATE_ID) form.set("DltTemplateId", env.EXOTEL_DLT_TEMPLATE_ID)
    if (env.EXOTEL_SMS_TYPE) form.set("SmsType", env.EXOTEL_SMS_TYPE)
    if (env.EXOTEL_PRIORITY) form.set("Priority", env.EXOTEL_PRIORITY)
    return new Request(`${url}/v1/Accounts/${env.EXOTEL_ACCOUNT_SID}/Sms/send.json`, {
      method: "POST",
      headers: { authorization: basic(env.EXOTEL_API_KEY, env.EXOTEL_API_TOKEN) },
      body: form,
    })
  },
  // Its page forbids to read the Message of a 400, which may mean the number, the sender or the template.
  faults: { message: [400] },
  receipt({ status, json }) {
    if ((status === 200 || status === 202) && v.is(Accepted, json)) return { id: json.SMSMessage.Sid }
    if (v.is(Failed, json)) return { code: json.SMSMessage.Status }
    if (!v.is(Refused, json)) return { code: status }
    const { Code, Status, Message } = json.RestException
    return { code: Code ?? Status, reason: Message ?? undefined }
  },
} satisfies Provider<typeof env>
