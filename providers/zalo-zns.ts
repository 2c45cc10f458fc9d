import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textRecord } from "./lib.ts"

const env = {
  ZALO_ZNS_ACCESS_TOKEN: v.pipe(
    v.string(),
    v.description("access token of the Official Account; it ends after about a day, so renew it from outside"),
  ),
  ZALO_ZNS_TEMPLATE_ID: v.pipe(v.string(), v.regex(/^\d+$/), v.description("id of the approved template, a number")),
  ZALO_ZNS_VARIABLES: v.pipe(
    v.optional(v.string(), '{"otp": "{code}"}'),
    textRecord,
    v.description('the template\'s data as JSON, such as {"otp": "{code}"}'),
  ),
}

const Accepted = v.object({ error: v.literal(0) })
const Sent = v.object({ data: v.object({ msg_id: v.string() }) })
const Refused = v.object({ error: v.pipe(v.number(), v.notValue(0)), message: v.nullish(v.string()) })

/** Reaches Zalo's users alone, so an SMS provider should follow it. Always a 200; error 0 is what accepts. */
export default {
  docs: "https://zalo.cloud/zns/guidelines/handle-error-code",
  region: "Vietnam",
  evidence: "clients",
  countries: ["VN"],
  url: "https://business.openapi.zalo.me",
  env,
  request(message, env, { url, nonce }) {
    const variables = fill(env.ZALO_ZNS_VARIABLES, message)
    if (!variables) return noCode
    return new Request(`${url}/message/template`, {
      method: "POST",
      headers: {
        access_token: env.ZALO_ZNS_ACCESS_TOKEN,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        phone: message.recipient.slice(1),
        template_id: env.ZALO_ZNS_TEMPLATE_ID,
        template_data: variables,
        tracking_id: nonce(),
      }),
    })
  },
  faults: {
    recipient: [
      -108, // "Phone number invalid"
    ],
    // -118: who is not on Zalo can still get an SMS.
    account: [-101, -102, -103, -104, -105, -109, -115, -118, -124, -220, -1472],
    message: [-111, -112, -1121],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: v.is(Sent, json) ? json.data.msg_id : "" }
    if (!v.is(Refused, json)) return { code: status }
    return { code: json.error, reason: json.message ?? undefined }
  },
} satisfies Provider<typeof env>
