import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  JUSIBE_PUBLIC_KEY: v.pipe(v.string(), v.description("public key of the account")),
  JUSIBE_ACCESS_TOKEN: v.pipe(v.string(), v.description("access token beside it")),
}

const Accepted = v.object({ status: v.literal("Sent"), message_id: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.union([
  v.pipe(
    v.object({ error: v.string() }),
    v.transform(({ error }) => error),
  ),
  v.pipe(
    v.object({ message: v.string() }),
    v.transform(({ message }) => message),
  ),
])

/** Refusals have no code; most are a 400. */
export default {
  docs: "https://jusibe.com/docs",
  region: "Nigeria",
  evidence: "vendor",
  countries: ["NG"],
  needsSender: true,
  url: "https://jusibe.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({
      to: recipient.replace(/^\+234/, "0"),
      from: sender.replace("+", ""),
      message: body,
    })
    return new Request(`${url}/smsapi/send_sms`, {
      method: "POST",
      headers: { authorization: basic(env.JUSIBE_PUBLIC_KEY, env.JUSIBE_ACCESS_TOKEN), accept: "application/json" },
      body: form,
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.message_id }
    const refused = v.safeParse(Refused, json)
    return { code: status, reason: refused.success ? refused.output : undefined }
  },
} satisfies Provider<typeof env>
