import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, isoTime, noCode, sha256, textList } from "./lib.ts"

const env = {
  HUAWEI_CLOUD_APP_KEY: v.pipe(v.string(), v.description("APP_Key of the SMS application")),
  HUAWEI_CLOUD_APP_SECRET: v.pipe(v.string(), v.description("APP_Secret that belongs to it")),
  HUAWEI_CLOUD_CHANNEL: v.optional(
    v.pipe(v.string(), v.description("channel number of the signature, where it is longer than a sender may be")),
  ),
  HUAWEI_CLOUD_TEMPLATE_ID: v.pipe(v.string(), v.description("ID of an approved verification template")),
  HUAWEI_CLOUD_VARIABLES: v.pipe(
    v.optional(v.string(), '["{code}"]'),
    textList,
    v.description('the template\'s variables in their order, as a JSON array with {code}; else ["{code}"]'),
  ),
  HUAWEI_CLOUD_SIGNATURE: v.optional(
    v.pipe(v.string(), v.description("signature name, where the template is a universal one")),
  ),
}

const success = v.literal("000000")
const Accepted = v.object({
  code: success,
  result: v.strictTuple([v.object({ smsMsgId: v.pipe(v.string(), v.nonEmpty()), status: success })]),
})
const Refused = v.object({ code: v.string(), description: v.optional(v.string()) })
const RefusedNumber = v.object({
  result: v.strictTuple([v.object({ status: v.pipe(v.string(), v.notValue("000000")) })]),
})

/** A refusal may hold an id, and the number's own status counts. The console shows the host, for HUAWEI_CLOUD_URL. */
export default {
  docs: "https://support.huaweicloud.com/api-msgsms/sms_05_0001.html",
  region: "China, Asia, Africa, Latin America",
  evidence: "vendor",
  url: "https://api.rtc.huaweicloud.com:10443",
  env,
  needsSender: ({ HUAWEI_CLOUD_CHANNEL }) => !HUAWEI_CLOUD_CHANNEL,
  pool: "HUAWEI_CLOUD_CHANNEL",
  senderId: /^\d{3,20}$/,
  async request(message, env, { url, clock, nonce }) {
    const variables = fill(env.HUAWEI_CLOUD_VARIABLES, message)
    if (!variables) return noCode
    const form = new URLSearchParams({
      from: message.sender.replace("+", "") || (env.HUAWEI_CLOUD_CHANNEL ?? ""),
      to: message.recipient,
      templateId: env.HUAWEI_CLOUD_TEMPLATE_ID,
      templateParas: JSON.stringify(variables),
    })
    if (env.HUAWEI_CLOUD_SIGNATURE) form.set("signature", env.HUAWEI_CLOUD_SIGNATURE)
    const created = isoTime(clock())
    const once = nonce()
    const digest = (await sha256(once + created + env.HUAWEI_CLOUD_APP_SECRET)).toString("base64")
    const proof = `Nonce="${once}",Created="${created}"`
    return new Request(`${url}/sms/batchSendSms/v1`, {
      method: "POST",
      headers: {
        authorization: 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"',
        "x-wsse": `UsernameToken Username="${env.HUAWEI_CLOUD_APP_KEY}",PasswordDigest="${digest}",${proof}`,
      },
      body: form,
    })
  },
  faults: { message: ["E000503", "E200028", "E200029", "E200030", "E200032", "E200033", "E200051"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.result[0].smsMsgId }
    if (!v.is(Refused, json)) return { code: status }
    const code = v.is(RefusedNumber, json) ? json.result[0].status : json.code
    // Credentials; address, country or package; channel, or a number that the channel does not serve.
    const isAccount = /^E(0001\d\d|00062\d|20001[89]|20002[0-7])$/.test(code)
    return { code, reason: json.description, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
