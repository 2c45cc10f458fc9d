import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  ESMS_VN_API_KEY: v.pipe(v.string(), v.description("ApiKey of the account")),
  ESMS_VN_SECRET_KEY: v.pipe(v.string(), v.description("SecretKey that belongs to it")),
  ESMS_VN_SMS_TYPE: v.pipe(
    v.optional(v.string(), "2"),
    v.description("SmsType: 2 for customer care from a brand name, 8 for a fixed number"),
  ),
  ESMS_VN_SANDBOX: v.pipe(
    v.optional(v.picklist(["0", "1"]), "0"),
    v.description("1 while you try it out: accepted, but not sent"),
  ),
}

const Accepted = v.object({ CodeResult: v.literal("100"), SMSID: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ CodeResult: v.pipe(v.string(), v.notValue("100")), ErrorMessage: v.nullish(v.string()) })

/** All answers are 200s. A text must fit a template that was registered for the brand name, or it is refused (146). */
export default {
  docs: "https://developers.esms.vn/en/esms-api/table-of-error-codes",
  region: "Vietnam",
  evidence: "vendor",
  countries: ["VN"],
  url: "https://rest.esms.vn",
  env,
  needsSender: ({ ESMS_VN_SMS_TYPE }) => ESMS_VN_SMS_TYPE === "2",
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/MainService.svc/json/SendMultipleMessage_V4_post_json/`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        ApiKey: env.ESMS_VN_API_KEY,
        SecretKey: env.ESMS_VN_SECRET_KEY,
        Phone: recipient.replace(/^\+84/, "0"),
        Content: body,
        Brandname: sender.replace("+", "") || undefined,
        SmsType: env.ESMS_VN_SMS_TYPE,
        IsUnicode: /[^ -~\r\n]/.test(body) ? "1" : "0",
        Sandbox: env.ESMS_VN_SANDBOX,
      }),
    })
  },
  faults: {
    recipient: [
      108, // "Phone number is not in correct format."
    ],
    account: [101, 102, 103, 104, 118, 140, 177],
    message: [146],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.SMSID }
    if (!v.is(Refused, json)) return { code: status }
    const reason = json.ErrorMessage ?? undefined
    // 99 is a number on its own block list; for years it was an unknown error.
    const isBlocked = json.CodeResult === "99" && /block/i.test(reason ?? "")
    return { code: json.CodeResult, reason, fault: isBlocked ? "account" : undefined }
  },
} satisfies Provider<typeof env>
