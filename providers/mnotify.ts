import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  MNOTIFY_KEY: v.pipe(v.string(), v.description("API key of version 2, from the BMS portal")),
}

const Accepted = v.object({
  status: v.literal("success"),
  summary: v.object({ _id: v.optional(v.string()), total_rejected: v.optional(v.picklist([0, "0"])) }),
})
const Refused = v.object({ code: v.union([v.string(), v.number()]), message: v.optional(v.string()) })

/** A success may count its one number as rejected. The sms_type otp is for codes alone. */
export default {
  docs: "https://developer.mnotify.com",
  region: "Ghana",
  evidence: "clients",
  countries: ["GH"],
  needsSender: true,
  url: "https://api.mnotify.com",
  env,
  request({ recipient, sender, body, code }, env, { url }) {
    return new Request(`${url}/api/sms/quick?${new URLSearchParams({ key: env.MNOTIFY_KEY })}`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        recipient: [recipient.replace("+233", "0")],
        sender: sender.replace("+", ""),
        message: body,
        is_schedule: false,
        schedule_date: "",
        sms_type: code ? "otp" : undefined,
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.summary._id ?? "" }
    return v.is(Refused, json) ? { code: json.code, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
