import { createHash, createHmac } from "node:crypto"
import * as v from "valibot"
import type { Provider, ReportCall } from "../main.ts"
import { basic, isGsm7, isoTime } from "./lib.ts"

const env = {
  VONAGE_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  VONAGE_API_SECRET: v.pipe(v.string(), v.description("API secret of the account")),
  VONAGE_SMS_SIGNATURE_SECRET: v.optional(
    v.pipe(v.string(), v.description("signature secret, where support has switched on signed receipts; else unset")),
  ),
  VONAGE_SMS_DLT_ENTITY_ID: v.optional(
    v.pipe(v.string(), v.description("ID of the registered entity, for India; else unset")),
  ),
  VONAGE_SMS_DLT_TEMPLATE_ID: v.optional(
    v.pipe(v.string(), v.description("ID of the registered template, for India; else unset")),
  ),
}

const AcceptedPart = v.object({
  status: v.literal("0"),
  "message-id": v.pipe(v.string(), v.nonEmpty()),
  "error-text": v.optional(v.pipe(v.string(), v.empty())),
})
const Accepted = v.object({ messages: v.tupleWithRest([AcceptedPart], AcceptedPart) })
const Part = v.object({ status: v.string(), "error-text": v.optional(v.string()) })
const Refused = v.object({ messages: v.array(Part) })

const Delivery = v.object({
  messageId: v.pipe(v.string(), v.nonEmpty()),
  status: v.string(),
  "err-code": v.optional(v.string()),
})
const states = new Map(
  Object.entries({
    accepted: "pending",
    buffered: "pending",
    delivered: "delivered",
    expired: "expired",
    failed: "failed",
    rejected: "failed",
  } as const),
)
/** Which hash the account has chosen, by the digits of its signature. */
const hashes = new Map([
  [32, "md5"],
  [40, "sha1"],
  [64, "sha256"],
  [128, "sha512"],
])
/** JSON, a form, or a query, as the account has chosen. */
function fieldsOf({ url, text, headers }: ReportCall): unknown {
  if (headers.get("content-type")?.includes("json")) return JSON.parse(text)
  return Object.fromEntries(text ? new URLSearchParams(text) : new URL(url).searchParams)
}

/** Nearly every refusal is a 200, and a long text is several messages, each with a status of its own. */
export default {
  docs: "https://developer.vonage.com/en/api/sms",
  region: "Global",
  evidence: "vendor",
  needsSender: true,
  url: "https://rest.nexmo.com",
  env,
  request({ recipient, sender, body }, env, { url, reportUrl, ttl }) {
    const form = new URLSearchParams({
      api_key: env.VONAGE_API_KEY,
      api_secret: env.VONAGE_API_SECRET,
      from: sender.replace("+", ""),
      to: recipient.slice(1),
      text: body,
    })
    // Without it the letters beyond GSM-7 are lost.
    if (!isGsm7(body)) form.set("type", "unicode")
    if (reportUrl) form.set("callback", reportUrl)
    // 20,000 to 604,800,000 milliseconds.
    if (ttl) form.set("ttl", String(Math.min(Math.max(ttl, 20), 604_800) * 1_000))
    const isIndia = recipient.startsWith("+91")
    if (isIndia && env.VONAGE_SMS_DLT_ENTITY_ID) form.set("entity-id", env.VONAGE_SMS_DLT_ENTITY_ID)
    if (isIndia && env.VONAGE_SMS_DLT_TEMPLATE_ID) form.set("content-id", env.VONAGE_SMS_DLT_TEMPLATE_ID)
    return new Request(`${url}/sms/json`, { method: "POST", headers: { accept: "application/json" }, body: form })
  },
  faults: {
    recipient: [
      33, // "Number De-activated"
    ],
    // 7, "Number Barred", is a list of Vonage's own.
    account: [2, 4, 6, 7, 8, 9, 11, 14, 15, 29, 32],
    message: [3, 12],
    provider: [1, 5, 10],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0]["message-id"] }
    const refused = v.is(Refused, json) ? json.messages.find((part) => part.status !== "0") : undefined
    return refused ? { code: refused.status, reason: refused["error-text"] } : { code: status }
  },
  /** https://developer.vonage.com/api/conversion, which their support must switch on: a 402 until then. */
  verified(id, isVerified, env, { url, clock }) {
    // In UTC: yyyy-MM-dd HH:mm:ss.
    const timestamp = isoTime(clock()).replace("T", " ").replace("Z", "")
    const query = new URLSearchParams({ "message-id": id, delivered: String(isVerified), timestamp })
    return new Request(`${url.replace("//rest.nexmo.com", "//api.nexmo.com")}/conversions/sms?${query}`, {
      method: "POST",
      headers: { authorization: basic(env.VONAGE_API_KEY, env.VONAGE_API_SECRET) },
    })
  },
  report: {
    proof(call, env) {
      const secret = env.VONAGE_SMS_SIGNATURE_SECRET
      if (!secret) return "unsigned"
      const { sig = "", ...signed } = v.parse(v.record(v.string(), v.string()), fieldsOf(call))
      const hash = hashes.get(sig.length)
      if (!hash) return undefined
      const pairs = Object.entries(signed).sort(([a], [b]) => (a < b ? -1 : 1))
      const line = pairs.map(([name, value]) => `&${name}=${value.replace(/[&=]/g, "_")}`).join("")
      const made = [createHmac(hash, secret).update(line), createHash(hash).update(line + secret)]
      // Its sample is upper case.
      return { token: sig.toLowerCase(), expected: made.map((one) => one.digest("hex")) }
    },
    read(call) {
      const { messageId: id, status, "err-code": error } = v.parse(Delivery, fieldsOf(call))
      const code = error === "0" ? undefined : error
      const state = states.get(status)
      // 9: opted out.
      return state ? [{ id, state, code, fault: code === "9" ? "recipient" : undefined }] : []
    },
  },
} satisfies Provider<typeof env>
