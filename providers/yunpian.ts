import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  YUNPIAN_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  YUNPIAN_SIGNATURE: v.optional(
    v.pipe(v.string(), v.regex(/^【.+】$/), v.description("approved signature with its brackets, 【…】")),
  ),
}

const Accepted = v.object({
  code: v.literal(0),
  sid: v.union([v.pipe(v.number(), v.integer(), v.minValue(1)), v.pipe(v.string(), v.regex(/^\d+$/))]),
})
const Refused = v.object({ code: v.pipe(v.number(), v.notValue(0)), msg: v.string(), detail: v.nullish(v.string()) })

/** Takes only texts that equal an approved template behind an approved signature; Chinese numbers go without +86. */
export default {
  docs: "https://www.yunpian.com/official/document/sms/zh_cn/domestic_single_send",
  region: "China",
  evidence: "clients",
  url: "https://sms.yunpian.com",
  env,
  request({ recipient, body }, env, { url }) {
    const signature = body.startsWith("【") ? "" : (env.YUNPIAN_SIGNATURE ?? "")
    return new Request(`${url}/v2/sms/single_send.json`, {
      method: "POST",
      headers: { accept: "application/json;charset=utf-8" },
      body: new URLSearchParams({
        apikey: env.YUNPIAN_API_KEY,
        mobile: recipient.replace(/^\+86/, ""),
        text: signature + body,
      }),
    })
  },
  faults: {
    recipient: [10, 11, 56],
    account: [3, 15, 16, 18, 20, 23, -1, -2, -3, -11, -57, -62],
    message: [4, 5, 7, 58, 60],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.sid) }
    if (!v.is(Refused, json)) return { code: status }
    const isNumber = json.code === 2 && json.detail?.startsWith("参数 mobile 格式不正确")
    return { code: json.code, reason: json.msg, fault: isNumber ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
