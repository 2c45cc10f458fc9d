import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  GATEWAYAPI_TOKEN: v.pipe(v.string(), v.description("API token, from API Keys")),
  GATEWAYAPI_WEBHOOK_TOKEN: v.optional(
    v.pipe(v.string(), v.description("authentication token of the dashboard's webhook for delivery reports")),
  ),
}

const Accepted = v.object({ ids: v.tuple([v.pipe(v.number(), v.integer(), v.minValue(1))]) })
const Refused = v.object({ code: v.nullish(v.string()), message: v.string() })

const Delivery = v.object({
  id: v.number(),
  status: v.string(),
  code: v.nullish(v.string()),
})
const states = new Map(
  Object.entries({
    UNKNOWN: "pending",
    SCHEDULED: "pending",
    BUFFERED: "pending",
    ENROUTE: "pending",
    DELIVERED: "delivered",
    ACCEPTED: "delivered",
    EXPIRED: "expired",
    DELETED: "failed",
    UNDELIVERABLE: "failed",
    REJECTED: "failed",
    SKIPPED: "failed",
  } as const),
)

/** Accounts of the EU setup need GATEWAYAPI_URL=https://gatewayapi.eu. Errors may have no code: the status then is it. */
export default {
  docs: "https://gatewayapi.com/docs/apis/rest/",
  region: "Europe",
  evidence: "vendor",
  url: "https://gatewayapi.com",
  env,
  request({ recipient, sender, body }, env, { url, reportUrl }) {
    return new Request(`${url}/rest/mtsms`, {
      method: "POST",
      headers: {
        authorization: `Token ${env.GATEWAYAPI_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        ...(sender && { sender: sender.replace("+", "") }),
        message: body,
        ...(!isGsm7(body) && { encoding: "UCS2" }),
        recipients: [{ msisdn: Number(recipient.slice(1)) }],
        // Only the webhook of the dashboard is known to be signed.
        ...(!env.GATEWAYAPI_WEBHOOK_TOKEN && { callback_url: reportUrl }),
      }),
    })
  },
  faults: {
    recipient: ["0x0215"],
    account: ["0x0210", "0x0211", "0x0212", "0x0213", "0x0216", "0x0217", "0x021D", "0x021E", "0x021F"],
  },
  receipt({ status, text, json }) {
    // Its ids may be longer than a number of JavaScript holds.
    if (status === 200 && v.is(Accepted, json)) return { id: /"ids":\s*\[\s*(\d+)/.exec(text)?.[1] ?? "" }
    return v.is(Refused, json) ? { code: json.code || status, reason: json.message } : { code: status }
  },
  report: {
    proof({ headers }, env) {
      if (!env.GATEWAYAPI_WEBHOOK_TOKEN) return "unsigned"
      const jwt = headers.get("x-gwapi-signature") ?? ""
      return { jwt, key: Buffer.from(env.GATEWAYAPI_WEBHOOK_TOKEN), claims: {} }
    },
    read({ text, headers }, env) {
      // The claims are the report; the body beside them is not signed.
      const [, claims = ""] = headers.get("x-gwapi-signature")?.split(".") ?? []
      const report = env.GATEWAYAPI_WEBHOOK_TOKEN ? Buffer.from(claims, "base64url").toString() : text
      const { status, code } = v.parse(Delivery, JSON.parse(report))
      const id = /"id":\s*(\d+)/.exec(report)?.[1]
      const state = states.get(status)
      return id && state ? [{ id, state, code: code ?? undefined }] : []
    },
  },
} satisfies Provider<typeof env>
