import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSBAO_USERNAME: v.pipe(v.string(), v.description("name of the account")),
  SMSBAO_API_KEY: v.pipe(v.string(), v.description("API key, or the MD5 of the account's password in hex")),
  SMSBAO_SIGNATURE: v.optional(
    v.pipe(v.string(), v.regex(/^【.+】$/), v.description("approved signature with its brackets, 【…】")),
  ),
}

const reasons = new Map([
  ["30", "wrong password"],
  ["40", "the account does not exist"],
  ["41", "no balance"],
  ["42", "the account has expired"],
  ["43", "the IP address is restricted"],
  ["50", "a sensitive word"],
  ["51", "the number is incorrect"],
])

/** Answers with a bare code: 0 is accepted, and has no id. Chinese numbers go without +86, all others by a path of their own. */
export default {
  docs: "https://www.smsbao.com/openapi/56.html",
  region: "China",
  evidence: "vendor",
  url: "https://api.smsbao.com",
  env,
  request({ recipient, body }, env, { url }) {
    const query = new URLSearchParams({
      u: env.SMSBAO_USERNAME,
      p: env.SMSBAO_API_KEY,
      m: recipient.replace(/^\+86/, ""),
      c: (body.startsWith("【") ? "" : (env.SMSBAO_SIGNATURE ?? "")) + body,
    })
    return new Request(`${url}/${recipient.startsWith("+86") ? "sms" : "wsms"}?${query}`)
  },
  faults: {
    // 51, a number that is incorrect, may be one that it has no route to.
    account: ["30", "40", "41", "42", "43", "51"],
    message: ["50"],
  },
  receipt({ status, text }) {
    const code = text.trim()
    if (status === 200 && code === "0") return { id: "" }
    return status === 200 && /^-?\d{1,4}$/.test(code) ? { code, reason: reasons.get(code) } : { code: status }
  },
} satisfies Provider<typeof env>
