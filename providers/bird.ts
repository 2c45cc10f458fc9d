import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isoTime } from "./lib.ts"

const env = {
  BIRD_ACCESS_KEY: v.pipe(
    v.string(),
    v.regex(/^(?!bk_)/),
    v.description("access key that may send by the channel; a key bk_… belongs to bird-platform"),
  ),
  BIRD_WORKSPACE_ID: v.pipe(v.string(), v.description("id of the workspace")),
  BIRD_CHANNEL_ID: v.pipe(v.string(), v.description("id of the SMS channel, which holds the sender")),
}

const Accepted = v.object({ id: v.pipe(v.string(), v.nonEmpty()), status: v.literal("accepted") })
const Rejected = v.object({ status: v.string(), reason: v.nullish(v.string()) })
const Refused = v.object({ code: v.string(), message: v.string() })

/** No field names a sender: it belongs to the channel. */
export default {
  docs: "https://docs.bird.com/api/channels-api/supported-channels/programmable-sms/sending-sms-messages",
  region: "Global",
  evidence: "vendor",
  url: "https://api.bird.com",
  env,
  request({ recipient, body }, env, { url }) {
    return new Request(`${url}/workspaces/${env.BIRD_WORKSPACE_ID}/channels/${env.BIRD_CHANNEL_ID}/messages`, {
      method: "POST",
      headers: {
        authorization: `AccessKey ${env.BIRD_ACCESS_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        receiver: { contacts: [{ identifierKey: "phonenumber", identifierValue: recipient }] },
        body: { type: "text", text: { text: body } },
      }),
    })
  },
  /** https://docs.bird.com/api/channels-api/api-reference/conversions-sharing */
  verified(id, isVerified, env, { url, clock }) {
    const channel = `${url}/workspaces/${env.BIRD_WORKSPACE_ID}/channels/${env.BIRD_CHANNEL_ID}`
    return new Request(`${channel}/messages/${encodeURIComponent(id)}/conversions`, {
      method: "POST",
      headers: { authorization: `AccessKey ${env.BIRD_ACCESS_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({
        type: "otp",
        status: isVerified ? "converted" : "not_converted",
        timestamp: isoTime(clock()),
      }),
    })
  },
  faults: { provider: ["TooManyRequests"] },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.id }
    if (v.is(Rejected, json)) return { code: json.status, reason: json.reason ?? undefined }
    // A 404 is a workspace or a channel that the key does not see.
    const fault = status === 404 ? "account" : undefined
    return v.is(Refused, json) ? { code: json.code, reason: json.message, fault } : { code: status, fault }
  },
} satisfies Provider<typeof env>
