import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  TELESIGN_CUSTOMER_ID: v.pipe(v.string(), v.description("customer ID of the account")),
  TELESIGN_API_KEY: v.pipe(v.string(), v.description("API key of the account, in base64 as it is shown")),
  TELESIGN_MESSAGE_TYPE: v.pipe(
    v.optional(v.picklist(["OTP", "ARN", "MKT"]), "OTP"),
    v.description("OTP for codes, ARN for alerts or MKT for marketing"),
  ),
  TELESIGN_URL: v.optional(
    v.pipe(
      v.string(),
      v.description(
        "https://rest-api.telesign.com for an account of the standard kind; else https://rest-ww.telesign.com",
      ),
    ),
  ),
}

const Accepted = v.object({
  reference_id: v.pipe(v.string(), v.nonEmpty()),
  status: v.object({ code: v.picklist([200, 203, 290, 291, 292, 295]) }),
})
const Refused = v.object({ status: v.object({ code: v.number(), description: v.nullish(v.string()) }) })

/** The code inside of the answer judges, not its HTTP status. Standard accounts have another host than full-service ones. */
export default {
  docs: "https://developer.telesign.com/enterprise/reference/sms",
  region: "Global",
  evidence: "vendor",
  url: "https://rest-ww.telesign.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({
      phone_number: recipient.slice(1),
      message: body,
      message_type: env.TELESIGN_MESSAGE_TYPE,
    })
    if (sender) form.set("sender_id", sender.replace("+", ""))
    return new Request(`${url}/v1/messaging`, {
      method: "POST",
      headers: { authorization: basic(env.TELESIGN_CUSTOMER_ID, env.TELESIGN_API_KEY), accept: "application/json" },
      body: form,
    })
  },
  faults: {
    recipient: [
      11000, // "Invalid value for parameter phone_number."
    ],
    // Blocked, not routed or no SMS may be the number's fault, but as well the carrier's, the country's or the account's.
    account: [220, 222, 229, 230, 11001, 11013, 11034, 11035, 30000],
    message: [12017],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.reference_id }
    return v.is(Refused, json)
      ? { code: json.status.code, reason: json.status.description ?? undefined }
      : { code: status }
  },
} satisfies Provider<typeof env>
