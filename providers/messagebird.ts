import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7, sha256 } from "./lib.ts"

const env = {
  MESSAGEBIRD_API_KEY: v.pipe(
    v.string(),
    v.regex(/^(?!bk_)/),
    v.description("live access key of the account; a key bk_… belongs to bird-platform"),
  ),
  MESSAGEBIRD_SIGNING_KEY: v.optional(
    v.pipe(v.string(), v.description("signing key of the dashboard, which proves delivery reports")),
  ),
}

const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  recipients: v.object({
    items: v.strictTuple([v.object({ status: v.picklist(["scheduled", "sent", "buffered", "delivered"]) })]),
  }),
  errors: v.nullish(v.pipe(v.array(v.unknown()), v.empty())),
})
const Refused = v.object({
  errors: v.tuple([v.object({ code: v.number(), description: v.string(), parameter: v.nullish(v.string()) })]),
})

const Delivery = v.object({
  id: Accepted.entries.id,
  status: v.string(),
  statusErrorCode: v.optional(v.string()),
})
const states = new Map(
  Object.entries({
    scheduled: "pending",
    sent: "pending",
    buffered: "pending",
    delivered: "delivered",
    expired: "expired",
    delivery_failed: "failed",
  } as const),
)

/** The API before Bird's; new accounts take bird.ts. Codes 9 and 10 are a wrong field, whose name stands beside them. */
export default {
  docs: "https://developers.messagebird.com/api/sms-messaging/",
  region: "Global",
  evidence: "vendor",
  needsSender: true,
  url: "https://rest.messagebird.com",
  env,
  request({ recipient, sender, body }, env, { url, nonce, reportUrl, ttl }) {
    return new Request(`${url}/messages`, {
      method: "POST",
      headers: {
        authorization: `AccessKey ${env.MESSAGEBIRD_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        originator: sender.replace("+", ""),
        recipients: [recipient.slice(1)],
        body,
        // Seconds: "should be greater than 30"; no most is documented.
        ...(ttl && { validity: Math.max(ttl, 31) }),
        ...(!isGsm7(body) && { datacoding: "unicode" }),
        // Without a reference no report comes.
        ...(reportUrl && { reportUrl, reference: nonce() }),
      }),
    })
  },
  faults: { account: [2, 25] },
  receipt({ status, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const [{ code, description: reason, parameter }] = json.errors
    const isNumber = parameter === "recipient" || parameter === "recipients"
    // "no (correct) recipients found", and "recipients is invalid".
    // A trial account is told the same of every number but its own: "during your test period you can only …".
    const isTrial = /test period/i.test(reason)
    if (isNumber && !isTrial && (code === 9 || code === 10)) return { code, reason, fault: "recipient" }
    if (isNumber || parameter === "originator") return { code, reason, fault: "account" }
    return { code, reason, fault: parameter === "body" ? "message" : undefined }
  },
  /** As Signal's registration service calls it: no page of the vendor's describes it. */
  verified(id, isVerified, env, { url }) {
    return new Request(`${url}/conversions`, {
      method: "POST",
      headers: {
        authorization: `AccessKey ${env.MESSAGEBIRD_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ service: "sms", id, success: isVerified }),
    })
  },
  report: {
    async proof({ url, headers }, env) {
      if (!env.MESSAGEBIRD_SIGNING_KEY) return "unsigned"
      return {
        jwt: headers.get("messagebird-signature-jwt") ?? "",
        key: Buffer.from(env.MESSAGEBIRD_SIGNING_KEY),
        claims: { url_hash: (await sha256(url)).toString("hex") },
      }
    },
    read({ url }) {
      const { id, status, statusErrorCode: code } = v.parse(Delivery, Object.fromEntries(new URL(url).searchParams))
      const state = states.get(status)
      // "opted out"
      return state ? [{ id, state, code, fault: code === "103" ? "recipient" : undefined }] : []
    },
  },
} satisfies Provider<typeof env>
