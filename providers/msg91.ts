import * as v from "valibot"
import type { Provider, Report } from "../main.ts"
import { fill, noCode } from "./lib.ts"

const env = {
  MSG91_AUTH_KEY: v.pipe(v.string(), v.description("Authkey of the account")),
  MSG91_TEMPLATE_ID: v.pipe(v.string(), v.description("template id of MSG91's panel, not the DLT one")),
  MSG91_VARIABLES: v.pipe(
    v.optional(v.string(), '{"otp": "{code}"}'),
    v.parseJson(),
    v.record(v.pipe(v.string(), v.notValue("mobiles")), v.string()),
    v.description('the template\'s variables as JSON, such as {"otp": "{code}"} or {"body": "{body}"}'),
  ),
}

const Accepted = v.object({ type: v.literal("success"), message: v.pipe(v.string(), v.nonEmpty()) })
const Code = v.nullish(v.union([v.string(), v.number()]))
const Refused = v.object({ type: v.literal("error"), message: v.string(), code: Code })
const Unauthorized = v.object({ hasError: v.literal(true), errors: v.string(), apiError: v.string() })

const id = v.pipe(v.string(), v.nonEmpty())
const status = v.union([v.string(), v.number()])
const Delivery = v.object({ requestId: id, status })
const Deliveries = v.array(v.object({ requestId: id, report: v.array(v.object({ status })) }))
const failed = ["2", "9", "16", "17", "25"]

/** It sends templates only, and a sender that is a number is no header. `message` is the id, or the error's text. */
export default {
  docs: "https://docs.msg91.com/reference/send-sms",
  region: "India",
  evidence: "clients",
  url: "https://control.msg91.com",
  env,
  request(message, env, { url }) {
    const { recipient, sender } = message
    const variables = fill(env.MSG91_VARIABLES, message)
    if (!variables) return noCode
    return new Request(`${url}/api/v5/flow`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", authkey: env.MSG91_AUTH_KEY },
      body: JSON.stringify({
        template_id: env.MSG91_TEMPLATE_ID,
        short_url: "0",
        ...(/[A-Za-z]/.test(sender) && { sender }),
        recipients: [{ mobiles: recipient.slice(1), ...variables }],
      }),
    })
  },
  // 201: the Authkey is missing or wrong; 418: the address is not in the account's list.
  faults: { account: ["201", "418"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.message }
    if (v.is(Unauthorized, json)) return { code: json.apiError, reason: json.errors }
    if (!v.is(Refused, json)) return { code: status }
    const fault = json.message.startsWith("Template ID") ? "message" : undefined
    return { code: json.code ?? status, reason: json.message, fault }
  },
  report: {
    read({ text, headers }) {
      const isJson = headers.get("content-type")?.includes("json")
      const json: unknown = JSON.parse(isJson ? text : (new URLSearchParams(text).get("data") ?? ""))
      const deliveries = isJson
        ? [v.parse(Delivery, json)]
        : v
            .parse(Deliveries, json)
            .flatMap(({ requestId, report }) => report.map(({ status }) => ({ requestId, status })))
      return deliveries.flatMap(({ requestId: id, status }): Report[] => {
        const code = String(status)
        if (code === "1") return [{ id, state: "delivered" }]
        return failed.includes(code) ? [{ id, state: "failed", code }] : []
      })
    },
  },
} satisfies Provider<typeof env>
