import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basicTime, fill, hmac, noCode, sha256, textRecord } from "./lib.ts"

const env = {
  VOLCENGINE_ACCESS_KEY: v.pipe(v.string(), v.description("access key ID of a user who may send SMS, AKLT…")),
  VOLCENGINE_SECRET_KEY: v.pipe(v.string(), v.description("secret access key that belongs to it")),
  VOLCENGINE_SMS_ACCOUNT: v.pipe(v.string(), v.description("id of the message group that sends")),
  VOLCENGINE_SMS_SIGN: v.pipe(v.string(), v.description("approved signature, without its brackets")),
  VOLCENGINE_SMS_TEMPLATE_ID: v.pipe(v.string(), v.startsWith("ST_"), v.description("approved template, ST_…")),
  VOLCENGINE_VARIABLES: v.pipe(
    v.optional(v.string(), '{"code": "{code}"}'),
    textRecord,
    v.description('the template\'s variables as JSON, such as {"code": "{code}"}'),
  ),
  VOLCENGINE_REGION: v.pipe(
    v.optional(v.picklist(["cn-north-1", "ap-singapore-1"]), "cn-north-1"),
    v.description("cn-north-1 (Volcengine) or ap-singapore-1 (BytePlus)"),
  ),
}

const Accepted = v.object({
  ResponseMetadata: v.object({ Error: v.nullish(v.null()) }),
  Result: v.object({ MessageID: v.strictTuple([v.pipe(v.string(), v.nonEmpty())]) }),
})
const Refused = v.object({ ResponseMetadata: v.object({ Error: v.object({ Code: v.string(), Message: v.string() }) }) })

/** Sends a template's variables alone; refusals are 200s. A number of +1 would pass for a Chinese one, which has 11 digits. */
export default {
  docs: "https://www.volcengine.com/docs/6361/67380",
  region: "China, Asia",
  evidence: "vendor",
  url: ({ VOLCENGINE_REGION }) =>
    VOLCENGINE_REGION === "cn-north-1" ? "https://sms.volcengineapi.com" : "https://sms.byteplusapi.com",
  env,
  async request(message, env, { url, clock }) {
    const variables = fill(env.VOLCENGINE_VARIABLES, message)
    if (!variables) return noCode
    const region = env.VOLCENGINE_REGION
    const isChina = region === "cn-north-1"
    if (isChina && message.recipient.startsWith("+1"))
      return { code: "country", reason: "numbers of +1 would pass for Chinese ones", fault: "account" }
    const body = JSON.stringify({
      SmsAccount: env.VOLCENGINE_SMS_ACCOUNT,
      Sign: env.VOLCENGINE_SMS_SIGN,
      TemplateID: env.VOLCENGINE_SMS_TEMPLATE_ID,
      TemplateParam: JSON.stringify(variables),
      PhoneNumbers: isChina ? message.recipient.replace(/^\+(86)?/, "") : message.recipient.slice(1),
    })
    const query = "Action=SendSms&Version=2020-01-01"
    const type = "application/json; charset=utf-8"
    const digest = (await sha256(body)).toString("hex")
    const time = basicTime(clock())
    const scope = `${time.slice(0, 8)}/${region}/volcSMS/request`
    const names = "content-type;host;x-content-sha256;x-date"
    const headers = `content-type:${type}\nhost:${new URL(url).host}\nx-content-sha256:${digest}\nx-date:${time}\n`
    const call = await sha256(`POST\n/\n${query}\n${headers}\n${names}\n${digest}`)
    const signed = `HMAC-SHA256\n${time}\n${scope}\n${call.toString("hex")}`
    let signature = Buffer.from(env.VOLCENGINE_SECRET_KEY)
    for (const text of [...scope.split("/"), signed]) signature = await hmac("SHA-256", signature, text)
    const hex = signature.toString("hex")
    return new Request(`${url}/?${query}`, {
      method: "POST",
      headers: {
        "content-type": type,
        "x-date": time,
        "x-content-sha256": digest,
        authorization: `HMAC-SHA256 Credential=${env.VOLCENGINE_ACCESS_KEY}/${scope}, SignedHeaders=${names}, Signature=${hex}`,
      },
      body,
    })
  },
  // RE:0006, a number of the wrong form, is one abroad too.
  faults: {
    account: [
      "RE:0000",
      "RE:0001",
      "RE:0004",
      "RE:0006",
      "RE:0007",
      "RE:0010",
      "RE:0013",
      "AccessDenied",
      "InvalidAccessKey",
      "InvalidTimestamp",
      "SignatureDoesNotMatch",
    ],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.Result.MessageID[0] }
    if (!v.is(Refused, json)) return { code: status }
    const { Code, Message } = json.ResponseMetadata.Error
    return { code: Code, reason: Message }
  },
} satisfies Provider<typeof env>
