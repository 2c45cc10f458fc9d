import * as v from "valibot"
import type { Provider } from "../main.ts"
import { noCode } from "./lib.ts"

const env = {
  TWO_FACTOR_API_KEY: v.pipe(v.string(), v.regex(/^[\w-]+$/), v.description("API key of the account")),
  TWO_FACTOR_TEMPLATE: v.optional(
    v.pipe(v.string(), v.description("name of the approved template; else the account's default")),
  ),
}

const Accepted = v.object({ Status: v.literal("Success"), Details: v.pipe(v.string(), v.regex(/^[\w-]+$/)) })
const Refused = v.object({ Status: v.literal("Error"), Details: v.string() })

/** Sends the code alone, in the URL. Details is an id on success, or else the reason. */
export default {
  docs: "https://documenter.getpostman.com/view/301893/TWDamFGh",
  region: "India",
  evidence: "clients",
  countries: ["IN"],
  url: "https://2factor.in",
  env,
  request({ recipient, code }, env, { url }) {
    if (!code) return noCode
    const template = env.TWO_FACTOR_TEMPLATE ? `/${encodeURIComponent(env.TWO_FACTOR_TEMPLATE)}` : ""
    const path = `${env.TWO_FACTOR_API_KEY}/SMS/${recipient.slice(1)}/${encodeURIComponent(code)}${template}`
    return new Request(`${url}/API/V1/${path}`, { headers: { accept: "application/json" } })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.Details }
    if (!v.is(Refused, json)) return { code: status }
    // "Invalid Phone Number - Length Mismatch(Expected >= 10)": every number of India has as many digits.
    const isAccount = /\b(phone number|api key|balance|credits?|template|account|ip)\b/i.test(json.Details)
    return { code: status, reason: json.Details, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
