import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  BEEM_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  BEEM_SECRET_KEY: v.pipe(v.string(), v.description("secret key that belongs to it")),
}

const Accepted = v.object({
  successful: v.literal(true),
  request_id: v.number(),
  code: v.literal(100),
  valid: v.pipe(v.number(), v.minValue(1)),
})
const InvalidNumber = v.object({
  code: v.literal(100),
  valid: v.literal(0),
  invalid: v.pipe(v.number(), v.minValue(1)),
})
const Reason = v.object({ code: v.number(), message: v.string() })
const Nested = v.object({ data: Reason })

/** "Submitted successfully" counts invalid numbers too, perhaps foreign ones. Senders but INFO need approval. */
export default {
  docs: "https://docs.beem.africa/",
  region: "Tanzania, Kenya",
  evidence: "vendor",
  url: "https://apisms.beem.africa",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/v1/send`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: basic(env.BEEM_API_KEY, env.BEEM_SECRET_KEY),
      },
      body: JSON.stringify({
        source_addr: sender.replace("+", "") || "INFO",
        schedule_time: "",
        encoding: 0,
        message: body,
        recipients: [{ recipient_id: 1, dest_addr: recipient.slice(1) }],
      }),
    })
  },
  faults: { account: ["invalid", 101, 102, 105, 106, 107, 108] },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: /"request_id":\s*(\d+)/.exec(text)?.[1] ?? "" }
    if (status === 200 && v.is(InvalidNumber, json)) return { code: "invalid" }
    const refused = v.is(Nested, json) ? json.data : v.is(Reason, json) ? json : undefined
    return refused ? { code: refused.code, reason: refused.message } : { code: status }
  },
} satisfies Provider<typeof env>
