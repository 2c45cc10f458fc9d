import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  EGOSMS_USERNAME: v.pipe(v.string(), v.description("name of the account")),
  EGOSMS_PASSWORD: v.pipe(v.string(), v.description("password, or API password, of the account")),
}

const Accepted = v.object({ Status: v.literal("OK"), MsgFollowUpUniqueCode: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ Status: v.literal("Failed"), Message: v.nullish(v.string()) })

/** Always a 200, and refusals have no code. */
export default {
  docs: "https://developers.pahappa.com/sending-sms-json/",
  region: "Uganda",
  evidence: "vendor",
  countries: ["UG"],
  needsSender: true,
  url: "https://www.egosms.co",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/api/v1/json/`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        method: "SendSms",
        userdata: { username: env.EGOSMS_USERNAME, password: env.EGOSMS_PASSWORD },
        // The highest priority is 0.
        msgdata: [{ number: recipient.slice(1), message: body, senderid: sender.replace("+", ""), priority: "0" }],
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.MsgFollowUpUniqueCode }
    if (!v.is(Refused, json)) return { code: status }
    const reason = json.Message ?? undefined
    // "Wrong Username or Password." and what tells of money.
    const isAccount = /username|password|balance|credit|money/i.test(reason ?? "")
    return { code: "Failed", reason, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
