import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  D7_NETWORKS_API_TOKEN: v.pipe(v.string(), v.description("API token, from API Tokens in the D7 app")),
}

const Accepted = v.object({ request_id: v.pipe(v.string(), v.nonEmpty()), status: v.literal("accepted") })
const Refused = v.object({ detail: v.object({ code: v.string(), message: v.string() }) })
const Invalid = v.object({
  detail: v.tuple([v.object({ loc: v.array(v.union([v.string(), v.number()])), msg: v.string(), type: v.string() })]),
})

/** A field that is not valid is told by its place, as in ["body", "messages", 0, "recipients"]. */
export default {
  docs: "https://d7networks.com/docs/Messages/Send_Message/",
  region: "Global",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.d7networks.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/messages/v1/send`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.D7_NETWORKS_API_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        messages: [{ channel: "sms", recipients: [recipient], content: body, msg_type: "text", data_coding: "auto" }],
        message_globals: { originator: sender.replace("+", "") },
      }),
    })
  },
  receipt({ status, json }) {
    if ((status === 200 || status === 201) && v.is(Accepted, json)) return { id: json.request_id }
    if (v.is(Refused, json)) return { code: json.detail.code, reason: json.detail.message }
    if (!v.is(Invalid, json)) return { code: status }
    const [{ loc, msg, type }] = json.detail
    // What is wrong with the number, it does not say.
    const isOurs = loc.includes("recipients") || loc.includes("originator")
    return { code: type, reason: msg, fault: isOurs ? "account" : "message" }
  },
} satisfies Provider<typeof env>
