import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, readToken } from "./lib.ts"

const env = {
  SINCH_PROJECT_ID: v.optional(v.pipe(v.string(), v.description("project ID, where an access key signs in"))),
  SINCH_KEY_ID: v.optional(v.pipe(v.string(), v.description("ID of an access key of that project"))),
  SINCH_KEY_SECRET: v.optional(v.pipe(v.string(), v.description("secret of that access key"))),
  SINCH_SERVICE_PLAN_ID: v.optional(
    v.pipe(
      v.string(),
      v.description("service plan ID, from the dashboard's SMS API page, where there is no access key"),
    ),
  ),
  SINCH_API_TOKEN: v.optional(v.pipe(v.string(), v.description("API token of that service plan"))),
  SINCH_SMS_REGION: v.pipe(
    v.optional(v.picklist(["us", "eu", "au", "br", "ca"]), "us"),
    v.description("region of the service plan: us, eu, au, br or ca; of an access key: us or eu"),
  ),
  SINCH_WEBHOOK_SECRET: v.optional(
    v.pipe(v.string(), v.description("secret of signed callbacks, where Sinch has switched them on; else unset")),
  ),
}

const Accepted = v.object({ id: v.pipe(v.string(), v.nonEmpty()), canceled: v.nullish(v.literal(false)) })
const Refused = v.object({ code: v.string(), text: v.nullish(v.string()) })

const Delivery = v.object({
  batch_id: Accepted.entries.id,
  status: v.string(),
  code: v.union([v.string(), v.number()]),
})
const states = new Map(
  Object.entries({
    Queued: "pending",
    Dispatched: "pending",
    Delivered: "delivered",
    Aborted: "failed",
    Cancelled: "failed",
    Rejected: "failed",
    Deleted: "failed",
    Failed: "failed",
    Expired: "expired",
  } as const),
)

/** A service plan and an access key have hosts of their own, in the region where they were made. Errors may have no text. */
export default {
  docs: "https://developers.sinch.com/docs/sms/api-reference/sms/batches/sendsms",
  region: "Global",
  evidence: "vendor",
  alternatives: [
    ["SINCH_SERVICE_PLAN_ID", "SINCH_API_TOKEN"],
    ["SINCH_PROJECT_ID", "SINCH_KEY_ID", "SINCH_KEY_SECRET"],
  ],
  check({ SINCH_PROJECT_ID, SINCH_KEY_ID, SINCH_KEY_SECRET }) {
    const set = [SINCH_PROJECT_ID, SINCH_KEY_ID, SINCH_KEY_SECRET].filter(Boolean)
    const text = "SINCH_PROJECT_ID, SINCH_KEY_ID and SINCH_KEY_SECRET go together: set all three, or none"
    return set.length % 3 > 0 ? { text, setting: "SINCH_KEY_ID" } : undefined
  },
  url: (env) => `https://${env.SINCH_KEY_ID ? "zt." : ""}${env.SINCH_SMS_REGION}.sms.api.sinch.com`,
  env,
  async request({ recipient, sender, body }, env, { url, reportUrl, ttl, clock, session, fetch }) {
    const { SINCH_KEY_ID: key, SINCH_KEY_SECRET: secret } = env
    const isKey = key && secret
    const account = isKey ? env.SINCH_PROJECT_ID : env.SINCH_SERVICE_PLAN_ID
    if (!account || !(isKey || env.SINCH_API_TOKEN))
      return { code: "credentials", reason: "neither service plan nor access key is set", fault: "account" }
    const login = async () => {
      const answer = await fetch("https://auth.sinch.com/oauth2/token", {
        method: "POST",
        headers: { authorization: basic(key ?? "", secret ?? ""), accept: "application/json" },
        body: new URLSearchParams({ grant_type: "client_credentials" }),
      })
      return await readToken(answer, clock())
    }
    const token = isKey ? await session(login) : env.SINCH_API_TOKEN
    if (typeof token === "object") return token
    const from = sender && { from: sender.replace("+", "") }
    // 3 days at most.
    const expire_at = ttl && new Date(clock() + Math.min(ttl, 259_200) * 1_000).toISOString()
    return new Request(`${url}/xms/v1/${account}/batches`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        ...from,
        to: [recipient.slice(1)],
        body,
        ...(expire_at && { expire_at }),
        ...(reportUrl && { delivery_report: "per_recipient", callback_url: reportUrl }),
      }),
    })
  },
  faults: { account: ["blocked_account"] },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const { code, text } = json
    // "The format of a field value is invalid. For example if a MSISDN is not correctly formatted."
    const isNumber =
      code === "syntax_invalid_parameter_format" && /^'?to\b/.test(text ?? "") && /\bMSISDN\b/i.test(text ?? "")
    return { code, reason: text ?? undefined, fault: isNumber ? "recipient" : undefined }
  },
  report: {
    proof({ text, headers }, env) {
      if (!env.SINCH_WEBHOOK_SECRET) return "unsigned"
      const [signature = "", nonce, time] = ["", "-nonce", "-timestamp"].map(
        (part) => headers.get(`x-sinch-webhook-signature${part}`) ?? "",
      )
      return { key: Buffer.from(env.SINCH_WEBHOOK_SECRET), signed: `${text}.${nonce}.${time}`, given: [signature] }
    },
    read({ text }) {
      const json: unknown = JSON.parse(text)
      if (v.parse(v.object({ type: v.string() }), json).type !== "recipient_delivery_report_sms") return []
      const { batch_id: id, status, code: number } = v.parse(Delivery, json)
      const code = String(number)
      // 406: it expired before the operator had it.
      const state = code === "406" ? "expired" : states.get(status)
      if (state === "delivered" || state === "pending") return [{ id, state }]
      return state ? [{ id, state, code, fault: code === "300" ? "recipient" : undefined }] : []
    },
  },
} satisfies Provider<typeof env>
