import * as v from "valibot"
import type { Provider } from "../main.ts"
import { hmac, isoTime } from "./lib.ts"

const env = {
  SOLAPI_API_KEY: v.pipe(v.string(), v.description("API key of SOLAPI or CoolSMS, NCS…")),
  SOLAPI_API_SECRET: v.pipe(v.string(), v.description("API secret that belongs to it")),
}

const Id = v.pipe(v.string(), v.nonEmpty())
const Accepted = v.object({
  failedMessageList: v.pipe(v.array(v.unknown()), v.empty()),
  groupInfo: v.object({ groupId: Id, count: v.object({ registeredSuccess: v.pipe(v.number(), v.minValue(1)) }) }),
  messageList: v.optional(v.array(v.object({ messageId: Id }))),
})
const Reason = v.object({ statusCode: v.string(), statusMessage: v.nullish(v.string()) })
const RefusedMessage = v.object({ failedMessageList: v.tuple([Reason]) })
const Refused = v.object({ errorCode: v.string(), errorMessage: v.nullish(v.string()) })

/** A 200 with `failedMessageList` filled is a refusal. The sender is a number registered before, as Korean law wants. */
export default {
  docs: "https://developers.solapi.com/references/messages/sendManyDetail",
  region: "South Korea",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.solapi.com",
  env,
  async request({ recipient, sender, body }, env, { url, clock, nonce }) {
    // Calling codes have one to three digits, and no other code begins with one of one or two.
    const code = /^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/.exec(recipient)?.[1] ?? ""
    const national = recipient.slice(1 + code.length)
    const message = {
      to: code === "82" ? `0${national}` : national,
      from: sender.replace(/^\+82/, "0").replace("+", ""),
      text: body,
      ...(code !== "82" && { country: code }),
    }
    const date = isoTime(clock())
    const salt = nonce()
    const signature = await hmac("SHA-256", env.SOLAPI_API_SECRET, date + salt)
    const signed = `apiKey=${env.SOLAPI_API_KEY}, date=${date}, salt=${salt}`
    return new Request(`${url}/messages/v4/send-many/detail`, {
      method: "POST",
      headers: {
        authorization: `HMAC-SHA256 ${signed}, signature=${signature.toString("hex")}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ messages: [message], showMessageList: true }),
    })
  },
  faults: { account: ["SignatureDoesNotMatch"], provider: ["TooManyRequests"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json))
      return { id: json.messageList?.[0]?.messageId ?? json.groupInfo.groupId }
    if (v.is(RefusedMessage, json)) {
      const [message] = json.failedMessageList
      return { code: message.statusCode, reason: message.statusMessage ?? undefined }
    }
    return v.is(Refused, json) ? { code: json.errorCode, reason: json.errorMessage ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
