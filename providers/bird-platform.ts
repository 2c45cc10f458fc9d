import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, readStandardWebhook, textRecord } from "./lib.ts"

const env = {
  BIRD_PLATFORM_API_KEY: v.pipe(
    v.string(),
    v.regex(/^bk_[a-z]{2}\d+_./),
    v.description("API key of the workspace, bk_us1_… or bk_eu1_…, which holds its region"),
  ),
  BIRD_PLATFORM_TEMPLATE: v.optional(
    v.pipe(v.string(), v.description("slug of a template that is sent in place of the text, with its own sender")),
  ),
  BIRD_PLATFORM_VARIABLES: v.pipe(
    v.optional(v.string(), '{"code": "{code}"}'),
    textRecord,
    v.description('that template\'s variables as JSON, such as {"code": "{code}"}'),
  ),
  BIRD_PLATFORM_WEBHOOK_SECRET: v.optional(
    v.pipe(v.string(), v.description("signing secret of the webhook endpoint for sms events, whsec_…")),
  ),
}

const Accepted = v.object({ id: v.pipe(v.string(), v.nonEmpty()), status: v.literal("accepted") })
const Refused = v.object({
  error: v.object({ code: v.string(), name: v.nullish(v.string()), message: v.nullish(v.string()) }),
})

const Event = v.object({ type: v.string(), data: v.unknown() })
const Delivery = v.object({
  sms_id: Accepted.entries.id,
  error: v.nullish(v.object({ code: v.string() })),
})
const states = new Map(
  Object.entries({
    "sms.accepted": "pending",
    "sms.sent": "pending",
    "sms.delivered": "delivered",
    "sms.undelivered": "failed",
    "sms.failed": "failed",
    "sms.rejected": "failed",
    "sms.expired": "expired",
  } as const),
)

/** The region stands in the key. A validity is refused as a feature to come. */
export default {
  docs: "https://bird.com/docs/api/reference/create-sms-message",
  region: "Global",
  evidence: "vendor",
  needsSender: (env) => !env.BIRD_PLATFORM_TEMPLATE,
  url: (env) => `https://${env.BIRD_PLATFORM_API_KEY.split("_")[1]}.platform.bird.com`,
  env,
  request(message, env, { url, key }) {
    const { recipient, sender, body } = message
    const parameters = fill(env.BIRD_PLATFORM_VARIABLES, message)
    if (env.BIRD_PLATFORM_TEMPLATE && !parameters) return noCode
    const content = env.BIRD_PLATFORM_TEMPLATE
      ? { template: { slug: env.BIRD_PLATFORM_TEMPLATE, parameters } }
      : { from: sender, text: body, category: "authentication" }
    return new Request(`${url}/v1/sms/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.BIRD_PLATFORM_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify({ to: recipient, ...content }),
    })
  },
  // SMSInvalidRecipient is also "a recipient that cannot be routed", which another provider may reach.
  faults: {
    account: ["SMSInvalidRecipient", "SMSNoEligibleSender", "SMSSenderNotConfigured", "SenderCategoryNotPermitted"],
  },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    // Its documents tell refusals by their names; a code is E and five digits.
    const { code, name, message } = json.error
    return { code: name ?? code, reason: message ?? undefined }
  },
  report: {
    proof(call, env) {
      if (!env.BIRD_PLATFORM_WEBHOOK_SECRET) return "unsigned"
      return readStandardWebhook(call, env.BIRD_PLATFORM_WEBHOOK_SECRET, "webhook")
    },
    read({ text }) {
      const { type, data } = v.parse(Event, JSON.parse(text))
      const state = states.get(type)
      if (!state) return []
      const { sms_id: id, error } = v.parse(Delivery, data)
      if (state === "delivered" || state === "pending") return [{ id, state }]
      // "The destination is a landline that does not accept SMS", and a recipient who opted out.
      const isRecipient = ["landline_unreachable", "recipient_opted_out"].includes(error?.code ?? "")
      return [{ id, state, code: error?.code, fault: isRecipient ? "recipient" : undefined }]
    },
  },
} satisfies Provider<typeof env>
