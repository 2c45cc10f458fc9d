import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  SMSGATE_USERNAME: v.pipe(v.string(), v.description("user name that the app shows")),
  SMSGATE_PASSWORD: v.pipe(v.string(), v.description("password that the app shows")),
  SMSGATE_DEVICE_ID: v.optional(
    v.pipe(v.string(), v.description("ID of the phone to send by, where there are several")),
  ),
  SMSGATE_SIM_NUMBER: v.optional(v.pipe(v.picklist(["1", "2", "3"]), v.description("slot of its SIM: 1, 2 or 3"))),
  SMSGATE_PRIORITY: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^-?\d{1,3}$/),
      v.transform(Number),
      v.minValue(-128),
      v.maxValue(127),
      v.description("-128 to 127; 100 and more passes the limits and delays that the app is set to; else unset"),
    ),
  ),
  SMSGATE_SKIP_PHONE_VALIDATION: v.pipe(
    v.optional(v.picklist(["true", "false"]), "false"),
    v.description("true where its server refuses numbers that are good, else false"),
  ),
}

const state = v.picklist(["Pending", "Processed", "Sent", "Delivered"])
const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  state,
  recipients: v.strictTuple([v.object({ state, error: v.nullish(v.null()) })]),
})
const Failed = v.object({
  recipients: v.tuple([v.object({ state: v.literal("Failed"), error: v.nullish(v.string()) })]),
})
const Refused = v.object({ message: v.string(), code: v.nullish(v.number()) })

/** A phone of one's own sends, by the sender of its SIM. SMS_GATE_URL names a private server, or the phone itself. */
export default {
  docs: "https://docs.sms-gate.app/features/sending-messages/",
  region: "Global",
  evidence: "vendor",
  url: "https://api.sms-gate.app/3rdparty/v1",
  env,
  request({ recipient, body }, env, { url, ttl }) {
    const device = env.SMSGATE_DEVICE_ID && { deviceId: env.SMSGATE_DEVICE_ID }
    const sim = env.SMSGATE_SIM_NUMBER && { simNumber: Number(env.SMSGATE_SIM_NUMBER) }
    const options = {
      ...device,
      ...sim,
      priority: env.SMSGATE_PRIORITY,
      // 5 seconds at least.
      ttl: ttl && Math.max(ttl, 5),
    }
    const query = env.SMSGATE_SKIP_PHONE_VALIDATION === "true" ? "?skipPhoneValidation=true" : ""
    return new Request(`${url}/messages${query}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: basic(env.SMSGATE_USERNAME, env.SMSGATE_PASSWORD),
      },
      body: JSON.stringify({ textMessage: { text: body }, phoneNumbers: [recipient], ...options }),
    })
  },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.id }
    if (status === 202 && v.is(Failed, json)) return { code: "Failed", reason: json.recipients[0].error ?? undefined }
    // Its own check of the number refuses good ones as well: "failed to use phone" blames nobody.
    return v.is(Refused, json) ? { code: json.code || status, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
