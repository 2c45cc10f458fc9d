import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  MJ_API_TOKEN: v.pipe(v.string(), v.description("token of the SMS dashboard, not a key of the e-mail API")),
}

const Accepted = v.object({
  MessageId: v.pipe(v.string(), v.nonEmpty()),
  Status: v.object({ Code: v.picklist([1, 2, 3]) }),
  ErrorCode: v.nullish(v.literal("")),
})
const Refused = v.object({ ErrorCode: v.pipe(v.string(), v.nonEmpty()), ErrorMessage: v.nullish(v.string()) })
const Rejected = v.object({
  Status: v.object({ Code: v.pipe(v.number(), v.notValues([1, 2, 3])), Description: v.nullish(v.string()) }),
})

/** A 200 with a MessageId may be a rejection: Status.Code decides (0 is "unknown", from 4 on it is rejected). */
export default {
  docs: "https://dev.mailjet.com/sms/guides/",
  region: "Europe",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.mailjet.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/v4/sms-send`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.MJ_API_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ From: sender.replace("+", ""), To: recipient, Text: body }),
    })
  },
  faults: {
    recipient: [
      14, // "The phone number specified is invalid."
    ],
    // 9 is a do-not-disturb register, which stops some senders only, and 11 the vendor's own black list.
    account: ["sms-0001", "sms-0002", "sms-0003", "sms-0004", "mj-0015", "mj-0021", 9, 10, 11, 15, 16],
    message: ["mj-0006"],
    provider: [13],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.MessageId }
    if (v.is(Refused, json)) return { code: json.ErrorCode, reason: json.ErrorMessage ?? undefined }
    if (!v.is(Rejected, json)) return { code: status }
    return { code: json.Status.Code, reason: json.Status.Description ?? undefined }
  },
} satisfies Provider<typeof env>
