import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  GATEWAYAPI_TOKEN: v.pipe(v.string(), v.description("API token, from API Keys")),
  GATEWAYAPI_ROUTE: v.pipe(
    v.optional(v.picklist(["rest", "mobile"]), "rest"),
    v.description("rest, or mobile for the Mobile Messaging API of new accounts, which sends no delivery reports here"),
  ),
  GATEWAYAPI_WEBHOOK_TOKEN: v.optional(
    v.pipe(v.string(), v.description("authentication token of the dashboard's webhook for delivery reports")),
  ),
}

const Accepted = v.object({ ids: v.tuple([v.pipe(v.number(), v.integer(), v.minValue(1))]) })
const AcceptedMobile = v.object({ msg_id: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ code: v.nullish(v.string()), message: v.string() })
const RefusedMobile = v.object({ description: v.string() })

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

/**
 * Accounts of the EU setup need GATEWAYAPI_URL=https://gatewayapi.eu, or https://messaging.gatewayapi.eu for mobile. Errors may
 * have no code: the status then is it.
 */
export default {
  docs: "https://gatewayapi.com/docs/apis/rest/",
  region: "Europe",
  evidence: "vendor",
  needsSender: ({ GATEWAYAPI_ROUTE }) => GATEWAYAPI_ROUTE === "mobile",
  url: ({ GATEWAYAPI_ROUTE }) => `https://${GATEWAYAPI_ROUTE === "mobile" ? "messaging." : ""}gatewayapi.com`,
  env,
  request({ recipient, sender, body }, env, { url, ttl, reportUrl }) {
    const isMobile = env.GATEWAYAPI_ROUTE === "mobile"
    // In seconds: at least 60 by the route rest, at most 432,000 (five days) by both.
    const seconds = ttl && Math.min(Math.max(ttl, isMobile ? 1 : 60), 432_000)
    const from = sender ? { sender: sender.replace("+", "") } : {}
    const msisdn = Number(recipient.slice(1))
    const mobile = { ...from, recipient: msisdn, message: body, expiration: seconds && `PT${seconds}S` }
    const rest = {
      ...from,
      message: body,
      validity_period: seconds,
      ...(!isGsm7(body) && { encoding: "UCS2" }),
      recipients: [{ msisdn }],
      // Only the webhook of the dashboard is known to be signed.
      ...(!env.GATEWAYAPI_WEBHOOK_TOKEN && { callback_url: reportUrl }),
    }
    return new Request(`${url}/${isMobile ? "mobile/single" : "rest/mtsms"}`, {
      method: "POST",
      headers: {
        authorization: `Token ${env.GATEWAYAPI_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify(isMobile ? mobile : rest),
    })
  },
  faults: {
    // 0x0214 and 0x0215 are numbers on its own block list.
    account: `0x0210 0x0211 0x0212 0x0213 0x0214 0x0215 0x0216 0x0217 0x021D 0x021E 0x021F 0x0229 0x022A`.split(" "),
    message: ["0x0312"],
  },
  receipt({ status, text, json }) {
    // Its ids may be longer than a number of JavaScript holds.
    if (status === 200 && v.is(Accepted, json)) return { id: /"ids":\s*\[\s*(\d+)/.exec(text)?.[1] ?? "" }
    if ((status === 202 || status === 200) && v.is(AcceptedMobile, json)) return { id: json.msg_id }
    if (v.is(Refused, json)) return { code: json.code || status, reason: json.message }
    return { code: status, reason: v.is(RefusedMobile, json) ? json.description : undefined }
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
