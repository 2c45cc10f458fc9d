import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textRecord } from "./lib.ts"

const env = {
  SUBMAIL_APP_ID: v.pipe(v.string(), v.description("id of the application for texts")),
  SUBMAIL_APP_KEY: v.pipe(v.string(), v.description("key of that application")),
  SUBMAIL_SIGNATURE: v.optional(
    v.pipe(v.string(), v.regex(/^【.+】$/), v.description("approved signature with its brackets, 【…】")),
  ),
  SUBMAIL_PROJECT: v.optional(
    v.pipe(v.string(), v.description("template (project) that is sent in place of the text; else unset")),
  ),
  SUBMAIL_VARIABLES: v.pipe(
    v.optional(v.string(), '{"code": "{code}"}'),
    textRecord,
    v.description('that template\'s variables as JSON, such as {"code": "{code}"}'),
  ),
}

const Accepted = v.object({ status: v.literal("success"), send_id: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  status: v.literal("error"),
  code: v.union([v.string(), v.number()]),
  msg: v.nullish(v.string()),
})

/** Numbers abroad need an application for international texts. The key goes along as it is, as its `sign_type` normal says. */
export default {
  docs: "https://www.mysubmail.com/documents/OOVyh",
  region: "China",
  evidence: "vendor",
  url: "https://api-v4.mysubmail.com",
  env,
  request(message, env, { url }) {
    const { recipient, body } = message
    const isHome = recipient.startsWith("+86")
    const form = new URLSearchParams({
      appid: env.SUBMAIL_APP_ID,
      signature: env.SUBMAIL_APP_KEY,
      to: isHome ? recipient.slice(3) : recipient,
    })
    if (env.SUBMAIL_PROJECT) {
      const variables = fill(env.SUBMAIL_VARIABLES, message)
      if (!variables) return noCode
      form.set("project", env.SUBMAIL_PROJECT)
      form.set("vars", JSON.stringify(variables))
    } else form.set("content", (body.startsWith("【") ? "" : (env.SUBMAIL_SIGNATURE ?? "")) + body)
    const method = env.SUBMAIL_PROJECT ? "xsend" : "send"
    return new Request(`${url}/${isHome ? "sms" : "internationalsms"}/${method}`, {
      method: "POST",
      headers: { accept: "application/json" },
      body: form,
    })
  },
  faults: {
    // 114 is the account's own list of blocked numbers, 115 a limit for each number.
    account: [101, 102, 103, 104, 105, 106, 108, 109, 111, 113, 114, 115, 116, 119],
    message: [117, 118, 120, 420],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.send_id }
    return v.is(Refused, json) ? { code: json.code, reason: json.msg ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
