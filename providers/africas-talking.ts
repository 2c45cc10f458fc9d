import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  AT_USERNAME: v.pipe(v.string(), v.description("user name of the app; sandbox chooses the sandbox")),
  AT_API_KEY: v.pipe(v.string(), v.description("API key of the app")),
}

const Accepted = v.object({
  SMSMessageData: v.object({
    Recipients: v.strictTuple([
      v.object({
        statusCode: v.picklist([100, 101, 102]),
        messageId: v.pipe(v.string(), v.nonEmpty(), v.notValue("None")),
      }),
    ]),
  }),
})
const Refused = v.object({
  SMSMessageData: v.object({
    Message: v.string(),
    Recipients: v.array(v.object({ statusCode: v.number(), status: v.string() })),
  }),
})

const Delivery = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  status: v.string(),
  failureReason: v.optional(v.string()),
})
const states = new Map(
  Object.entries({
    Sent: "pending",
    Submitted: "pending",
    Buffered: "pending",
    Success: "delivered",
    Rejected: "failed",
    Failed: "failed",
    Expired: "expired",
  } as const),
)

/** A 201 may hold a refusal, with codes that look like HTTP's: its 403 is a bad number. A bad sender empties Recipients. */
export default {
  docs: "https://developers.africastalking.com/docs/sms/sending/bulk",
  region: "Africa",
  evidence: "vendor",
  url: ({ AT_USERNAME }) => `https://api.${AT_USERNAME === "sandbox" ? "sandbox." : ""}africastalking.com`,
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({ username: env.AT_USERNAME, to: recipient, message: body })
    if (sender) form.set("from", sender)
    form.set("bulkSMSMode", "1")
    return new Request(`${url}/version1/messaging`, {
      method: "POST",
      headers: { apikey: env.AT_API_KEY, accept: "application/json" },
      body: form,
    })
  },
  faults: {
    recipient: [
      403, // "InvalidPhoneNumber"
    ],
    // 406, "UserInBlacklist", is its own block list: it was seen for every number of a live account.
    account: [401, 402, 404, 405, 406, 407, 409, "InvalidSenderId"],
    provider: [500],
  },
  receipt({ status, text, json }) {
    const isAnswer = status === 201 || status === 200
    if (isAnswer && v.is(Accepted, json)) return { id: json.SMSMessageData.Recipients[0].messageId }
    if (isAnswer && v.is(Refused, json)) {
      const [first] = json.SMSMessageData.Recipients
      return first ? { code: first.statusCode, reason: first.status } : { code: json.SMSMessageData.Message }
    }
    const reason = status === 401 ? /^[^<>{}]{1,200}$/.exec(text.trim())?.[0] : undefined
    return { code: status, reason }
  },
  report: {
    read({ text }) {
      const { id, status, failureReason: code } = v.parse(Delivery, Object.fromEntries(new URLSearchParams(text)))
      const state = states.get(status)
      return state ? [{ id, state, code }] : []
    },
  },
} satisfies Provider<typeof env>
