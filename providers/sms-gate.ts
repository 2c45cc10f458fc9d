import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSGATE_USERNAME: v.pipe(v.string(), v.description("user name that the app shows")),
  SMSGATE_PASSWORD: v.pipe(v.string(), v.description("password that the app shows")),
  SMSGATE_DEVICE_ID: v.optional(
    v.pipe(v.string(), v.description("ID of the phone to send by, where there are several")),
  ),
  SMSGATE_SIM_NUMBER: v.optional(v.pipe(v.picklist(["1", "2", "3"]), v.description("slot of its SIM: 1, 2 or 3"))),
}

const state = v.picklist(["Pending", "Processed", "Sent", "Delivered"])
const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  state,
  recipients: v.strictTuple([v.object({ state, error: v.nullish(v.null()) })]),
})
const Refused = v.object({ message: v.string() })

/** A phone of one's own sends, by the sender of its SIM. SMS_GATE_URL names a private server, or the phone itself. */
export default {
  docs: "https://docs.sms-gate.app/features/sending-messages/",
  region: "Global",
  evidence: "vendor",
  url: "https://api.sms-gate.app/3rdparty/v1",
  env,
  request({ recipient, body }, env, { url }) {
    const device = env.SMSGATE_DEVICE_ID && { deviceId: env.SMSGATE_DEVICE_ID }
    const sim = env.SMSGATE_SIM_NUMBER && { simNumber: Number(env.SMSGATE_SIM_NUMBER) }
    return new Request(`${url}/messages`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Basic ${btoa(`${env.SMSGATE_USERNAME}:${env.SMSGATE_PASSWORD}`)}`,
      },
      body: JSON.stringify({ textMessage: { text: body }, phoneNumbers: [recipient], ...device, ...sim }),
    })
  },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.id }
    const reason = v.is(Refused, json) ? json.message : undefined
    const isNumber = status === 400 && /(invalid|not mobile|can't parse) phone number/.test(reason ?? "")
    return { code: status, reason, fault: isNumber ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
