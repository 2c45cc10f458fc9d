import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  VONAGE_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  VONAGE_API_SECRET: v.pipe(v.string(), v.description("API secret of the account")),
}

const Accepted = v.object({ message_uuid: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  type: v.string(),
  title: v.string(),
  detail: v.optional(v.string()),
  invalid_parameters: v.optional(v.array(v.object({ name: v.string() }))),
})

/** An error's code is the fragment of the URL in `type`, whose host has changed over the years. */
export default {
  docs: "https://developer.vonage.com/en/api/messages",
  region: "Global",
  evidence: "vendor",
  url: "https://api.nexmo.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const [from, to] = [sender.replace("+", ""), recipient.slice(1)]
    return new Request(`${url}/v1/messages`, {
      method: "POST",
      headers: {
        authorization: `Basic ${btoa(`${env.VONAGE_API_KEY}:${env.VONAGE_API_SECRET}`)}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ message_type: "text", channel: "sms", from, to, text: body }),
    })
  },
  faults: { recipient: [1050, 1170], account: [1040, 1060, 1070, 1080, 1120, 1140, 1160], message: [1090, 1150] },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.message_uuid }
    if (!v.is(Refused, json)) return { code: status }
    const code = /#([\w-]+)$/.exec(json.type)?.[1] ?? status
    const isNumber = json.invalid_parameters?.some(({ name }) => name === "to")
    return { code, reason: json.detail ?? json.title, fault: isNumber ? "recipient" : undefined }
  },
} satisfies Provider<typeof env>
