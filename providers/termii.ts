import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  TERMII_API_KEY: v.pipe(v.string(), v.description("API key, from the dashboard")),
  TERMII_CHANNEL: v.pipe(
    v.optional(v.picklist(["dnd", "generic"]), "dnd"),
    v.description("dnd for codes once Termii has enabled it, or generic"),
  ),
}

const Id = v.pipe(v.string(), v.regex(/^[\w-]+$/))
const Accepted = v.object({
  code: v.optional(v.literal("ok")),
  message_id: v.union([Id, v.pipe(v.number(), v.minValue(1))]),
  message_id_str: v.optional(Id),
})
const Refused = v.object({
  code: v.optional(v.union([v.number(), v.pipe(v.string(), v.notValue("ok"))])),
  message: v.string(),
})

/** The dashboard shows each account its base URL. Ids are too long for a number: message_id_str comes first. */
export default {
  docs: "https://developer.termii.com/messaging-api",
  region: "Nigeria, Africa",
  evidence: "vendor",
  url: "https://v3.api.termii.com",
  env,
  request({ recipient, sender, body }, env, { url, isGsm7 }) {
    const from = sender && { from: sender.replace("+", "") }
    return new Request(`${url}/api/sms/send`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        api_key: env.TERMII_API_KEY,
        to: recipient.slice(1),
        ...from,
        sms: body,
        type: isGsm7(body) ? "plain" : "unicode",
        channel: env.TERMII_CHANNEL,
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.message_id_str ?? String(json.message_id) }
    if (!v.is(Refused, json)) return { code: status }
    const { code = status, message: reason } = json
    const isAccount = /^(ApplicationSenderId not found|Country Inactive|Insufficient balance)/i.test(reason)
    return { code, reason, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
