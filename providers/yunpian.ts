import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textRecord } from "./lib.ts"

const env = {
  YUNPIAN_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  YUNPIAN_SIGNATURE: v.optional(
    v.pipe(v.string(), v.regex(/^【.+】$/), v.description("approved signature with its brackets, 【…】")),
  ),
  YUNPIAN_TEMPLATE_ID: v.optional(
    v.pipe(v.string(), v.digits(), v.description("template that is sent in place of the text; else unset")),
  ),
  YUNPIAN_VARIABLES: v.pipe(
    v.optional(v.string(), '{"#code#": "{code}"}'),
    textRecord,
    v.description('that template\'s variables as JSON, such as {"#code#": "{code}", "#company#": "Acme"}'),
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
  request(message, env, { url }) {
    const { recipient, body } = message
    const form = new URLSearchParams({ apikey: env.YUNPIAN_API_KEY, mobile: recipient.replace(/^\+86/, "") })
    if (env.YUNPIAN_TEMPLATE_ID) {
      const variables = fill(env.YUNPIAN_VARIABLES, message)
      if (!variables) return noCode
      form.set("tpl_id", env.YUNPIAN_TEMPLATE_ID)
      // A form inside the form: names and values are encoded twice.
      form.set("tpl_value", new URLSearchParams(variables).toString())
    } else form.set("text", (body.startsWith("【") ? "" : (env.YUNPIAN_SIGNATURE ?? "")) + body)
    const method = env.YUNPIAN_TEMPLATE_ID ? "tpl_single_send" : "single_send"
    return new Request(`${url}/v2/sms/${method}.json`, {
      method: "POST",
      headers: { accept: "application/json;charset=utf-8" },
      body: form,
    })
  },
  faults: {
    // 10 is a list of numbers that it protects; 56 and 2 are numbers of a form that it does not take.
    account: [3, 10, 15, 16, 18, 20, 23, -1, -2, -3, -11, -57, -62, 56],
    message: [4, 5, 7, 11, 58, 60],
    provider: [-5, -51],
  },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) {
      // 64 bits, of which a JSON number keeps 53.
      const [, digits = ""] = /"sid"\s*:\s*(\d{1,20})\s*[,}]/.exec(text) ?? []
      return { id: typeof json.sid === "string" ? json.sid : digits }
    }
    if (!v.is(Refused, json)) return { code: status }
    const isNumber = json.code === 2 && json.detail?.startsWith("参数 mobile 格式不正确")
    return { code: json.code, reason: json.msg, fault: isNumber ? "account" : undefined }
  },
} satisfies Provider<typeof env>
