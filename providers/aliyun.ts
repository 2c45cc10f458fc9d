import * as v from "valibot"
import type { Provider } from "../main.ts"
import { aliyunForm, fill, noCode, textRecord } from "./lib.ts"

const env = {
  ALIYUN_ACCESS_KEY_ID: v.pipe(v.string(), v.description("AccessKey ID of a RAM user who may send SMS")),
  ALIYUN_ACCESS_KEY_SECRET: v.pipe(v.string(), v.description("AccessKey secret that belongs to it")),
  ALIYUN_SMS_SIGN_NAME: v.pipe(v.string(), v.description("approved signature, without its brackets")),
  ALIYUN_SMS_TEMPLATE_CODE: v.pipe(
    v.string(),
    v.startsWith("SMS_"),
    v.description("approved verification template, SMS_…"),
  ),
  ALIYUN_VARIABLES: v.pipe(
    v.optional(v.string(), '{"code": "{code}"}'),
    textRecord,
    v.description("the template's variables as JSON; {code}, {body}, {locale}, {sender} and {recipient} are filled in"),
  ),
}

const Accepted = v.object({ Code: v.literal("OK"), BizId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ Code: v.string(), Message: v.string() })

/** Sends a template's variables; refusals are 200s. Without 00 a number of +1 would pass for a Chinese one. */
export default {
  docs: "https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms",
  region: "China",
  evidence: "vendor",
  url: "https://dysmsapi.aliyuncs.com",
  env,
  async request(message, env, { url, clock, nonce }) {
    const variables = fill(env.ALIYUN_VARIABLES, message)
    if (!variables) return noCode
    const { recipient } = message
    const fields = {
      Action: "SendSms",
      PhoneNumbers: recipient.startsWith("+86") ? recipient.slice(3) : `00${recipient.slice(1)}`,
      RegionId: "cn-hangzhou",
      SignName: env.ALIYUN_SMS_SIGN_NAME,
      TemplateCode: env.ALIYUN_SMS_TEMPLATE_CODE,
      TemplateParam: JSON.stringify(variables),
      Version: "2017-05-25",
    }
    const key = { id: env.ALIYUN_ACCESS_KEY_ID, secret: env.ALIYUN_ACCESS_KEY_SECRET }
    const form = await aliyunForm(fields, key, clock(), nonce())
    return new Request(`${url}/`, { method: "POST", body: form })
  },
  faults: {
    account: [
      "isp.RAM_PERMISSION_DENY",
      "isv.ACCOUNT_ABNORMAL",
      "isv.ACCOUNT_NOT_EXISTS",
      "isv.AMOUNT_NOT_ENOUGH",
      "isv.DAY_LIMIT_CONTROL",
      "isv.DENY_IP_RANGE",
      "isv.DOMESTIC_NUMBER_NOT_SUPPORTED",
      // Also a foreign number for an account or a template that sends to China alone.
      "isv.MOBILE_NUMBER_ILLEGAL",
      "isv.MONTH_LIMIT_CONTROL",
      "isv.OUT_OF_SERVICE",
      "isv.PRODUCT_UNSUBSCRIBE",
      "isv.PRODUCT_UN_SUBSCRIPT",
      "isv.SIGN_STATE_ILLEGAL",
      "isv.SMS_SIGNATURE_ILLEGAL",
      "isv.SMS_SIGNATURE_SCENE_ILLEGAL",
      "isv.SMS_SIGN_ILLEGAL",
      "InvalidAccessKeyId.NotFound",
      "InvalidTimeStamp.Expired",
      "SignatureDoesNotMatch",
    ],
    message: [
      "isv.BLACK_KEY_CONTROL_LIMIT",
      "isv.INVALID_JSON_PARAM",
      "isv.PARAM_LENGTH_LIMIT",
      "isv.PARAM_NOT_SUPPORT_URL",
      "isv.SMS_CONTENT_ILLEGAL",
      "isv.SMS_TEMPLATE_ILLEGAL",
      "isv.TEMPLATE_MISSING_PARAMETERS",
    ],
    provider: ["isp.SYSTEM_ERROR", "ServiceUnavailable", "Throttling", "Throttling.User"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.BizId }
    return v.is(Refused, json) && json.Code !== "OK" ? { code: json.Code, reason: json.Message } : { code: status }
  },
} satisfies Provider<typeof env>
