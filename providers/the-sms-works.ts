import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  THESMSWORKS_JWT: v.pipe(v.string(), v.description("JSON Web Token as the dashboard shows it, the word JWT included")),
}

const Accepted = v.object({ messageid: v.pipe(v.string(), v.nonEmpty()), status: v.literal("SENT") })
const Refused = v.object({ message: v.string(), errorCode: v.nullish(v.number()) })

/** The token stands in Authorization as it is, with no Bearer before it. */
export default {
  docs: "https://thesmsworks.co.uk/developers",
  region: "United Kingdom",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.thesmsworks.co.uk",
  env,
  request({ recipient, sender, body }, env, { url, ttl }) {
    return new Request(`${url}/v1/message/send`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: env.THESMSWORKS_JWT },
      body: JSON.stringify({
        sender: sender.replace("+", ""),
        destination: recipient.slice(1),
        content: body,
        // 1 to 2,880 minutes.
        validity: ttl && Math.min(Math.ceil(ttl / 60), 2_880),
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.messageid }
    return v.is(Refused, json) ? { code: json.errorCode ?? status, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
