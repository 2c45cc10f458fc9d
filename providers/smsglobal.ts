import * as v from "valibot"
import type { Provider } from "../main.ts"
import { hmac } from "./lib.ts"

const env = {
  SMSGLOBAL_API_KEY: v.pipe(v.string(), v.description("REST API key")),
  SMSGLOBAL_API_SECRET: v.pipe(v.string(), v.description("secret that belongs to it")),
}

const Sent = v.object({
  outgoing_id: v.union([v.pipe(v.number(), v.integer(), v.minValue(1)), v.pipe(v.string(), v.regex(/^\d+$/))]),
  status: v.picklist(["Processing", "sent", "delivered"]),
})
const Accepted = v.object({ messages: v.strictTuple([Sent]) })
const Texts = v.optional(v.object({ errors: v.tupleWithRest([v.string()], v.string()) }))
const Refused = v.object({ errors: v.object({ destination: Texts, origin: Texts, message: Texts }) })

/** Answers with the message alone or in a list; its `id` is too large for a JSON number, its `outgoing_id` is not. */
export default {
  docs: "https://www.smsglobal.com/rest-api/",
  region: "Global",
  evidence: "vendor",
  url: "https://api.smsglobal.com",
  env,
  async request({ recipient, sender, body }, env, { url, clock, nonce }) {
    const { href, hostname, pathname, protocol, port } = new URL(`${url}/v2/sms`)
    const ts = Math.floor(clock() / 1000)
    const once = nonce()
    const lines = [ts, once, "POST", pathname, hostname, port || (protocol === "https:" ? 443 : 80), "", ""]
    const mac = (await hmac("SHA-256", env.SMSGLOBAL_API_SECRET, lines.join("\n"))).toString("base64")
    return new Request(href, {
      method: "POST",
      headers: {
        authorization: `MAC id="${env.SMSGLOBAL_API_KEY}", ts="${ts}", nonce="${once}", mac="${mac}"`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        ...(sender && { origin: sender.replace("+", "") }),
        destination: recipient.slice(1),
        message: body,
      }),
    })
  },
  receipt({ status, json }) {
    if ([200, 201, 202].includes(status)) {
      if (v.is(Accepted, json)) return { id: String(json.messages[0].outgoing_id) }
      if (v.is(Sent, json)) return { id: String(json.outgoing_id) }
    }
    if (!v.is(Refused, json)) return { code: status }
    const { destination, origin, message } = json.errors
    // A number that it calls invalid may be one that it does not serve.
    if (destination) return { code: status, reason: destination.errors[0], fault: "account" }
    if (origin) return { code: status, reason: origin.errors[0], fault: "account" }
    return { code: status, reason: message?.errors[0], fault: message ? "message" : undefined }
  },
} satisfies Provider<typeof env>
