import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, hmac, isoTime, noCode, textRecord } from "./lib.ts"

const env = {
  BAIDU_ACCESS_KEY_ID: v.pipe(v.string(), v.description("Access Key of an account that may send texts")),
  BAIDU_SECRET_ACCESS_KEY: v.pipe(v.string(), v.description("Secret Key beside it")),
  BAIDU_SIGNATURE_ID: v.pipe(v.string(), v.description("approved signature, sms-sign-…")),
  BAIDU_TEMPLATE_ID: v.pipe(v.string(), v.description("approved template, sms-tmpl-…")),
  BAIDU_VARIABLES: v.pipe(
    v.optional(v.string(), '{"code": "{code}"}'),
    textRecord,
    v.description('the template\'s variables as JSON, such as {"code": "{code}"}'),
  ),
}

const Accepted = v.object({
  code: v.literal("1000"),
  data: v.tuple([v.object({ code: v.literal("1000"), messageId: v.pipe(v.string(), v.nonEmpty()) })]),
})
const Refused = v.object({ code: v.string(), message: v.nullish(v.string()) })
const Each = v.object({ data: v.looseTuple([Refused]) })

/** Sends the code alone, by a template. Chinese numbers go without +86; others need a template for texts abroad. */
export default {
  docs: "https://cloud.baidu.com/doc/SMS/s/dkioav2od",
  region: "China",
  evidence: "vendor",
  url: "https://smsv3.bj.baidubce.com",
  env,
  async request(message, env, { url, clock }) {
    const contentVar = fill(env.BAIDU_VARIABLES, message)
    if (!contentVar) return noCode
    const { host, pathname } = new URL(`${url}/api/v3/sendSms`)
    const time = isoTime(clock())
    // What is signed: the method, the path, an empty query, and the two headers named below, each encoded by RFC 3986.
    const prefix = `bce-auth-v1/${env.BAIDU_ACCESS_KEY_ID}/${time}/1800`
    const key = (await hmac("SHA-256", env.BAIDU_SECRET_ACCESS_KEY, prefix)).toString("hex")
    const headers = `host:${encodeURIComponent(host)}\nx-bce-date:${encodeURIComponent(time)}`
    const signature = (await hmac("SHA-256", key, `POST\n${pathname}\n\n${headers}`)).toString("hex")
    return new Request(`${url}/api/v3/sendSms`, {
      method: "POST",
      headers: {
        authorization: `${prefix}/host;x-bce-date/${signature}`,
        "x-bce-date": time,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        mobile: message.recipient.replace(/^\+86/, ""),
        template: env.BAIDU_TEMPLATE_ID,
        signatureId: env.BAIDU_SIGNATURE_ID,
        contentVar,
      }),
    })
  },
  faults: { account: ["AccessDenied", "InvalidAccessKeyId", "OptInRequired", "SignatureDoesNotMatch"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.data[0].messageId }
    if (!v.is(Refused, json)) return { code: status }
    const isEach = v.is(Each, json) && json.data[0].code !== "1000"
    const { code, message } = isEach ? json.data[0] : json
    return code === "1000" ? { code: status } : { code, reason: message ?? undefined }
  },
} satisfies Provider<typeof env>
