import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSAPI_ACCESS_TOKEN: v.pipe(v.string(), v.description("API token (OAuth) of the account")),
  SMSAPI_FAST: v.pipe(
    v.optional(v.picklist(["0", "1"]), "1"),
    v.description("1 for priority, which costs more, or 0 for none"),
  ),
}

const Sent = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(["QUEUE", "ACCEPTED", "SENT", "DELIVERED"]),
  error: v.nullish(v.null()),
})
const Accepted = v.object({ count: v.literal(1), list: v.strictTuple([Sent]), error: v.nullish(v.null()) })
const Refused = v.object({ error: v.union([v.number(), v.string()]), message: v.nullish(v.string()) })
const RefusedNumber = v.object({
  error: v.picklist([13, "13"]),
  invalid_numbers: v.pipe(v.array(v.object({ message: v.literal("Invalid phone number") })), v.nonEmpty()),
})

/** A refusal is a 200 too, with `error`. For accounts of smsapi.pl, .bg or .se set SMSAPI_URL to https://api.smsapi.pl … */
export default {
  docs: "https://www.smsapi.com/docs",
  region: "Europe",
  evidence: "vendor",
  url: "https://api.smsapi.com",
  env,
  request({ recipient, sender, body }, env, { url, ttl, clock }) {
    const form = new URLSearchParams({ to: recipient.slice(1) })
    if (sender) form.set("from", sender.replace("+", ""))
    form.set("message", body)
    form.set("format", "json")
    form.set("encoding", "utf-8")
    if (env.SMSAPI_FAST === "1") form.set("fast", "1")
    // A Unix time that is 1 to 12 hours away.
    if (ttl) {
      const seconds = Math.min(Math.max(ttl, 3_600), 43_200)
      form.set("expiration_date", String(Math.floor(clock() / 1_000) + seconds))
    }
    return new Request(`${url}/sms.do`, {
      method: "POST",
      headers: { authorization: `Bearer ${env.SMSAPI_ACCESS_TOKEN}`, accept: "application/json" },
      body: form,
    })
  },
  faults: {
    // 13, "No correct phone numbers", may be one that is not allowed.
    account: [13, 14, 101, 102, 103, 105, 110, 1000, 1001],
    message: [11, 12],
    provider: [201, 666, 999, "too_many_requests"],
  },
  receipt({ status, text, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.list[0].id }
    if (v.is(Refused, json)) {
      const isNumber = v.is(RefusedNumber, json)
      return { code: json.error, reason: json.message ?? undefined, fault: isNumber ? "recipient" : undefined }
    }
    // Its older form, which some refusals keep.
    return { code: /^ERROR: ?(\d{1,6})\b/.exec(text)?.[1] ?? status }
  },
} satisfies Provider<typeof env>
