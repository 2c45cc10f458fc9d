import * as v from "valibot"
import type { Provider, Values } from "../main.ts"
import { fill, hmac, noCode, sha256, textList } from "./lib.ts"

const env = {
  TENCENTCLOUD_SECRET_ID: v.pipe(v.string(), v.description("SecretId of a sub-account that may send SMS")),
  TENCENTCLOUD_SECRET_KEY: v.pipe(v.string(), v.description("SecretKey that belongs to it")),
  TENCENTCLOUD_SMS_SDK_APP_ID: v.pipe(v.string(), v.description("SdkAppId of the SMS application")),
  TENCENTCLOUD_SMS_SIGN_NAME: v.optional(v.pipe(v.string(), v.description("approved signature, needed for China"))),
  TENCENTCLOUD_SMS_TEMPLATE_ID: v.pipe(v.string(), v.description("approved template")),
  TENCENT_CLOUD_VARIABLES: v.pipe(
    v.optional(v.string(), '["{code}"]'),
    textList,
    v.description('the template\'s variables in their order, as JSON, such as ["{code}", "5"]'),
  ),
  TENCENTCLOUD_REGION: v.pipe(v.optional(v.string(), "ap-guangzhou"), v.description("region of the API")),
  TENCENT_CLOUD_SENDER: v.optional(v.pipe(v.string(), v.description("SenderId for numbers abroad; else unset"))),
}

const Accepted = v.object({
  Response: v.object({
    SendStatusSet: v.strictTuple([v.object({ SerialNo: v.pipe(v.string(), v.nonEmpty()), Code: v.literal("Ok") })]),
    Error: v.nullish(v.null()),
  }),
})
const Reason = v.object({ Code: v.pipe(v.string(), v.notValue("Ok")), Message: v.string() })
const Refused = v.object({ Response: v.object({ Error: Reason }) })
const RefusedNumber = v.object({ Response: v.object({ SendStatusSet: v.strictTuple([Reason]) }) })

/** A call of the API (TC3-HMAC-SHA256). `now` is in milliseconds since 1970. */
async function sign(action: string, body: string, values: Values<typeof env>, url: string, now: number) {
  const type = "application/json; charset=utf-8"
  const timestamp = String(Math.floor(now / 1000))
  const date = new Date(now).toISOString().slice(0, 10)
  const headers = `content-type:${type}\nhost:${new URL(url).host}\n`
  const digest = (await sha256(body)).toString("hex")
  const call = await sha256(`POST\n/\n\n${headers}\ncontent-type;host\n${digest}`)
  const signed = `TC3-HMAC-SHA256\n${timestamp}\n${date}/sms/tc3_request\n${call.toString("hex")}`
  let signature = Buffer.from(`TC3${values.TENCENTCLOUD_SECRET_KEY}`)
  for (const text of [date, "sms", "tc3_request", signed]) signature = await hmac("SHA-256", signature, text)
  const credential = `${values.TENCENTCLOUD_SECRET_ID}/${date}/sms/tc3_request`
  const hex = signature.toString("hex")
  return new Request(`${url}/`, {
    method: "POST",
    headers: {
      "content-type": type,
      "x-tc-action": action,
      "x-tc-version": "2021-01-11",
      "x-tc-region": values.TENCENTCLOUD_REGION,
      "x-tc-timestamp": timestamp,
      authorization: `TC3-HMAC-SHA256 Credential=${credential}, SignedHeaders=content-type;host, Signature=${hex}`,
    },
    body,
  })
}

/** Sends a template's variables alone. Every answer is a 200, and "Ok" is written just so. */
export default {
  docs: "https://cloud.tencent.com/document/api/382/55981",
  region: "China, Asia",
  evidence: "vendor",
  url: "https://sms.tencentcloudapi.com",
  env,
  async request(message, env, { url, clock }) {
    const { recipient, sender } = message
    const variables = fill(env.TENCENT_CLOUD_VARIABLES, message)
    if (!variables) return noCode
    const body = JSON.stringify({
      PhoneNumberSet: [recipient],
      SmsSdkAppId: env.TENCENTCLOUD_SMS_SDK_APP_ID,
      SignName: env.TENCENTCLOUD_SMS_SIGN_NAME,
      TemplateId: env.TENCENTCLOUD_SMS_TEMPLATE_ID,
      TemplateParamSet: variables,
      ...(env.TENCENT_CLOUD_SENDER && { SenderId: sender }),
    })
    return await sign("SendSms", body, env, url, clock())
  },
  /** https://cloud.tencent.com/document/api/382/79152, for whom Tencent allows it. It takes no word of a code that was not entered. */
  async verified(SerialNo, isVerified, env, { url, clock }) {
    if (!isVerified) return undefined
    const ConversionTime = Math.floor(clock() / 1000)
    const body = JSON.stringify({ SmsSdkAppId: env.TENCENTCLOUD_SMS_SDK_APP_ID, SerialNo, ConversionTime })
    return await sign("ReportConversion", body, env, url, clock())
  },
  faults: {
    recipient: [
      "InvalidParameterValue.IncorrectPhoneNumber", // "手机号格式错误": the form of the number is wrong
    ],
    account: [
      // Opted out, or on a list of the operator's.
      "FailedOperation.PhoneNumberInBlacklist",
      "FailedOperation.InsufficientBalanceInSmsPackage",
      "FailedOperation.SignatureIncorrectOrUnapproved",
      "InternalError.RequestTimeException",
      "InternalError.SigVerificationFail",
      "InvalidParameterValue.SdkAppIdNotExist",
      "LimitExceeded.AppDailyLimit",
      "LimitExceeded.DailyLimit",
    ],
    message: [
      "FailedOperation.ContainSensitiveWord",
      "FailedOperation.TemplateIncorrectOrUnapproved",
      "FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
      "FailedOperation.TemplateUnapprovedOrNotExist",
      "InvalidParameterValue.ContentLengthLimit",
      "InvalidParameterValue.TemplateParameterFormatError",
      "InvalidParameterValue.TemplateParameterLengthLimit",
      "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter",
    ],
    provider: ["InternalError", "InternalError.SendAndRecvFail", "InternalError.Timeout", "RequestLimitExceeded"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.Response.SendStatusSet[0].SerialNo }
    const refused = v.is(Refused, json)
      ? json.Response.Error
      : v.is(RefusedNumber, json)
        ? json.Response.SendStatusSet[0]
        : undefined
    if (!refused) return { code: status }
    // Unsupported is a region that the account may not send to, misspelt in one of the codes; SenderId one not its own.
    const isAccount = /^(AuthFailure|UnauthorizedOperation|UnsupportedOperation|UnsupportedRegion)\b|SenderId/.test(
      refused.Code,
    )
    return { code: refused.Code, reason: refused.Message, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
