import * as v from "valibot"
import type { Provider } from "../main.ts"
import { aliyunForm } from "./lib.ts"

const env = {
  ALIYUN_INTL_ACCESS_KEY_ID: v.pipe(v.string(), v.description("AccessKey ID of a RAM user who may send SMS")),
  ALIYUN_INTL_ACCESS_KEY_SECRET: v.pipe(v.string(), v.description("AccessKey secret that belongs to it")),
}

const Accepted = v.object({ ResponseCode: v.literal("OK"), MessageId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  ResponseCode: v.pipe(v.string(), v.notValue("OK")),
  ResponseDescription: v.nullish(v.string()),
})
const Failed = v.object({ Code: v.string(), Message: v.nullish(v.string()) })

/** Sends texts everywhere but to China, whose numbers are for aliyun.ts. Refusals are 200s. */
export default {
  docs: "https://www.alibabacloud.com/help/en/sms/developer-reference/api-dysmsapi-2018-05-01-sendmessagetoglobe",
  region: "Global, not China",
  evidence: "vendor",
  url: "https://dysmsapi.ap-southeast-1.aliyuncs.com",
  env,
  async request({ recipient, sender, body }, env, { url, ttl, clock, nonce }) {
    // "You cannot call the SendMessageToGlobe operation to send messages to the Chinese mainland."
    if (recipient.startsWith("+86")) return { code: "country", reason: "serves no number of CN", fault: "account" }
    const fields = {
      Action: "SendMessageToGlobe",
      ...(sender && { From: sender.replace("+", "") }),
      Message: body,
      RegionId: "ap-southeast-1",
      To: recipient.slice(1),
      Type: "OTP",
      // 1 to 14,400 seconds.
      ...(ttl && { ValidityPeriod: String(Math.min(ttl, 14_400)) }),
      Version: "2018-05-01",
    }
    const key = { id: env.ALIYUN_INTL_ACCESS_KEY_ID, secret: env.ALIYUN_INTL_ACCESS_KEY_SECRET }
    return new Request(`${url}/`, { method: "POST", body: await aliyunForm(fields, key, clock(), nonce()) })
  },
  /** https://www.alibabacloud.com/help/en/sms/developer-reference/api-dysmsapi-2018-05-01-smsconversion */
  async verified(MessageId, isVerified, env, { url, clock, nonce }) {
    const fields = {
      Action: "SmsConversion",
      Delivered: String(isVerified),
      MessageId,
      RegionId: "ap-southeast-1",
      Version: "2018-05-01",
    }
    const key = { id: env.ALIYUN_INTL_ACCESS_KEY_ID, secret: env.ALIYUN_INTL_ACCESS_KEY_SECRET }
    return new Request(`${url}/`, { method: "POST", body: await aliyunForm(fields, key, clock(), nonce()) })
  },
  faults: {
    recipient: [
      "MOBILE_NUMBER_ILLEGAL", // "The format of the specified mobile phone number is invalid."
    ],
    account: [
      "ACCOUNT_ILLEGAL",
      "ACCOUNT_NOT_EXISTS",
      "AMOUNT_NOT_ENOUGH",
      "FORBIDDEN_ACTION",
      "INVALID_SENDERID",
      "NOT_SUPPORTED_COUNTRY",
      "OUT_OF_SERVICE",
      "PRODUCT_NOT_SUBSCRIBED",
      "RAM_PERMISSION_DENY",
      "SMS_SECURITY_INTERCEPTED",
      "InvalidAccessKeyId.NotFound",
      "InvalidTimeStamp.Expired",
      "SignatureDoesNotMatch",
    ],
    message: ["BLACK_KEY_CONTROL_LIMIT", "PARAM_LENGTH_LIMIT", "SMS_CONTENT_ILLEGAL"],
    provider: ["ONLINE_BILLING_FAILED", "QPS_LIMIT_CONTROL", "SYSTEM_ERROR", "ServiceUnavailable", "Throttling.User"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.MessageId }
    if (v.is(Refused, json)) return { code: json.ResponseCode, reason: json.ResponseDescription ?? undefined }
    return v.is(Failed, json) ? { code: json.Code, reason: json.Message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
