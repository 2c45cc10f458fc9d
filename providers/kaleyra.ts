import * as v from "valibot"
import type { Provider } from "../main.ts"

const hosts = { in: "https://api.in.kaleyra.io", eu: "https://api.eu.kaleyra.io", sg: "https://api.kaleyra.io" }

const env = {
  KALEYRA_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  KALEYRA_SID: v.pipe(v.string(), v.regex(/^\w+$/), v.description("SID of the account, such as HXIN1234567890IN")),
  KALEYRA_REGION: v.pipe(
    v.optional(v.string(), "in"),
    v.picklist(["in", "eu", "sg"]),
    v.description("where the account is: in, eu or sg"),
  ),
  KALEYRA_DLT_TEMPLATE_ID: v.optional(v.pipe(v.string(), v.description("content template registered in India (DLT)"))),
}

const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  data: v.tuple([v.object({ message_id: v.pipe(v.string(), v.nonEmpty()) })]),
})
const Refused = v.object({ code: v.union([v.string(), v.number()]), message: v.nullish(v.string()) })
const Failed = v.object({ error: v.object({ message: v.string() }) })

export default {
  docs: "https://developers.kaleyra.io/docs/send-otp-sms",
  region: "India, Europe, Singapore",
  evidence: "thin",
  needsSender: true,
  url: (env) => hosts[env.KALEYRA_REGION],
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({
      to: recipient,
      type: "OTP",
      sender: sender.replace("+", ""),
      body,
      ...(env.KALEYRA_DLT_TEMPLATE_ID && { template_id: env.KALEYRA_DLT_TEMPLATE_ID }),
    })
    return new Request(`${url}/v1/${env.KALEYRA_SID}/messages`, {
      method: "POST",
      headers: { "api-key": env.KALEYRA_API_KEY, accept: "application/json" },
      body: form,
    })
  },
  receipt({ status, json }) {
    // An id may stand beside an error.
    if ([200, 202].includes(status) && v.is(Accepted, json) && !v.is(Failed, json))
      return { id: json.data[0].message_id }
    if (v.is(Failed, json)) return { code: status, reason: json.error.message }
    return v.is(Refused, json) ? { code: json.code, reason: json.message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
