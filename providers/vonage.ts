import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, sha256 } from "./lib.ts"

const env = {
  VONAGE_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  VONAGE_API_SECRET: v.pipe(v.string(), v.description("API secret of the account")),
  VONAGE_SIGNATURE_SECRET: v.optional(
    v.pipe(v.string(), v.description("signature secret of the account, which proves delivery reports")),
  ),
  VONAGE_DLT_ENTITY_ID: v.optional(
    v.pipe(v.string(), v.description("ID of the registered entity, for India; else unset")),
  ),
  VONAGE_DLT_TEMPLATE_ID: v.optional(
    v.pipe(v.string(), v.description("ID of the registered template, for India; else unset")),
  ),
}

const Accepted = v.object({ message_uuid: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  type: v.string(),
  title: v.string(),
  detail: v.optional(v.string()),
  invalid_parameters: v.optional(v.array(v.object({ name: v.string() }))),
})

const Delivery = v.object({
  message_uuid: Accepted.entries.message_uuid,
  status: v.string(),
  error: v.nullish(v.object({ title: v.union([v.string(), v.number()]) })),
})
const states = new Map(
  Object.entries({
    submitted: "pending",
    delivered: "delivered",
    read: "delivered",
    rejected: "failed",
    undeliverable: "failed",
  } as const),
)

/** An error's code is the fragment of the URL in `type`, whose host has changed over the years. */
export default {
  docs: "https://developer.vonage.com/en/api/messages",
  region: "Global",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.nexmo.com",
  env,
  request({ recipient, sender, body }, env, { url, reportUrl, ttl }) {
    const { VONAGE_DLT_ENTITY_ID: entity_id, VONAGE_DLT_TEMPLATE_ID: content_id } = env
    const hasTemplate = recipient.startsWith("+91") && (entity_id || content_id)
    return new Request(`${url}/v1/messages`, {
      method: "POST",
      headers: {
        authorization: basic(env.VONAGE_API_KEY, env.VONAGE_API_SECRET),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        message_type: "text",
        channel: "sms",
        from: sender.replace("+", ""),
        to: recipient.slice(1),
        text: body,
        // 20 to 604,800 seconds, as in its SMS API.
        ttl: ttl && Math.min(Math.max(ttl, 20), 604_800),
        webhook_url: reportUrl,
        ...(hasTemplate && { sms: { entity_id, content_id } }),
      }),
    })
  },
  faults: {
    recipient: [
      1170, // "Invalid or Missing MSISDN Param"
    ],
    // 1050, "Number barred", and 1470 are lists, of Vonage's and of the account's own; 148x are the carriers' filters.
    account: [
      ...[1010, 1040, 1050, 1060, 1070, 1080, 1120, 1140, 1160],
      ...[1420, 1460, 1470, 1472, 1480, 1481, 1482, 1483, 1484],
    ],
    message: [1020, 1090, 1150],
    provider: [1000, 1030, "throttled"],
    fraud: [1473], // "AIT Protection"
  },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.message_uuid }
    if (!v.is(Refused, json)) return { code: status }
    const code = /#([\w-]+)$/.exec(json.type)?.[1] ?? status
    const isNumber = json.invalid_parameters?.some(({ name }) => name === "to")
    return { code, reason: json.detail ?? json.title, fault: isNumber ? "recipient" : undefined }
  },
  report: {
    async proof({ text, headers }, env) {
      if (!env.VONAGE_SIGNATURE_SECRET) return "unsigned"
      return {
        jwt: headers.get("authorization")?.replace(/^Bearer /i, "") ?? "",
        key: Buffer.from(env.VONAGE_SIGNATURE_SECRET),
        claims: { payload_hash: (await sha256(text)).toString("hex") },
      }
    },
    read({ text }) {
      const { message_uuid: id, status, error } = v.parse(Delivery, JSON.parse(text))
      const code = error ? String(error.title) : undefined
      // A rejection by this code is a text that outlived its validity.
      const state = code === "1360" ? "expired" : states.get(status)
      const isRecipient = ["1170", "1240"].includes(code ?? "")
      const fault = isRecipient ? "recipient" : code === "1473" ? "fraud" : undefined
      return state ? [{ id, state, code, fault }] : []
    },
  },
} satisfies Provider<typeof env>
