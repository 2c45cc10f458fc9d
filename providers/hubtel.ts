import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  HUBTEL_CLIENT_ID: v.pipe(v.string(), v.description("client ID of the SMS API keys")),
  HUBTEL_CLIENT_SECRET: v.pipe(v.string(), v.description("client secret of the SMS API keys")),
}

const id = v.pipe(v.string(), v.nonEmpty())
const Accepted = v.object({ messageId: id, status: v.literal(0) })
const AcceptedOnce = v.object({ MessageId: id, Status: v.literal(0) })
const Refused = v.object({ status: v.number(), statusDescription: v.nullish(v.string()) })
const RefusedOnce = v.object({ Status: v.number(), StatusDescription: v.nullish(v.string()) })

/** A 200 or 201 is acceptance only with the status 0 in it; older accounts get the same names in PascalCase. */
export default {
  docs: "https://businessdocs-developers.hubtel.com/docs/simple-messaging",
  region: "Ghana",
  evidence: "vendor",
  needsSender: true,
  url: "https://sms.hubtel.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/v1/messages/send`, {
      method: "POST",
      headers: {
        authorization: basic(env.HUBTEL_CLIENT_ID, env.HUBTEL_CLIENT_SECRET),
        "content-type": "application/json",
      },
      body: JSON.stringify({ From: sender.replace("+", ""), To: recipient.slice(1), Content: body }),
    })
  },
  faults: {
    recipient: [
      1, // "Invalid destination address"
    ],
    account: [2, 4, 12],
    message: [3, 6],
  },
  receipt({ status, json }) {
    if ((status === 200 || status === 201) && v.is(Accepted, json)) return { id: json.messageId }
    if ((status === 200 || status === 201) && v.is(AcceptedOnce, json)) return { id: json.MessageId }
    if (v.is(RefusedOnce, json) && json.Status !== 0)
      return { code: json.Status, reason: json.StatusDescription ?? undefined }
    if (!v.is(Refused, json) || json.status === 0) return { code: status }
    return { code: json.status, reason: json.statusDescription ?? undefined }
  },
} satisfies Provider<typeof env>
