import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  CHUANGLAN_ACCOUNT: v.pipe(v.string(), v.description("API account of the texts, N…")),
  CHUANGLAN_PASSWORD: v.pipe(v.string(), v.description("password of that API account")),
  CHUANGLAN_SIGNATURE: v.optional(
    v.pipe(v.string(), v.regex(/^【.+】$/), v.description("approved signature with its brackets, 【…】")),
  ),
}

const Accepted = v.object({ code: v.literal("0"), msgId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ code: v.pipe(v.string(), v.notValue("0")), errorMsg: v.nullish(v.string()) })

/** Takes only texts behind an approved signature. Every answer is a 200. */
export default {
  docs: "https://apifox.com/apidoc/docs-site/473703/api-7531301",
  region: "China",
  evidence: "vendor",
  countries: ["CN"],
  url: "https://smssh1.253.com",
  env,
  request({ recipient, body }, env, { url }) {
    return new Request(`${url}/msg/v1/send/json`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        account: env.CHUANGLAN_ACCOUNT,
        password: env.CHUANGLAN_PASSWORD,
        msg: (body.startsWith("【") ? "" : (env.CHUANGLAN_SIGNATURE ?? "")) + body,
        phone: recipient.replace(/^\+86/, ""),
      }),
    })
  },
  faults: {
    // 107, a wrong number, may be one that it has no route to; 134 and 135 limit each number.
    account: [101, 102, 107, 109, 110, 111, 112, 116, 117, 118, 119, 120, 133, 134, 135, 144, 145],
    message: [105, 106, 124, 125, 128, 129, 130, 132, 152, 153],
    provider: [103, 104],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.msgId }
    return v.is(Refused, json) ? { code: json.code, reason: json.errorMsg || undefined } : { code: status }
  },
} satisfies Provider<typeof env>
