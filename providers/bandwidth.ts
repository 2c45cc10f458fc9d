import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, isoTime, readToken } from "./lib.ts"

const env = {
  BANDWIDTH_ACCOUNT_ID: v.pipe(v.string(), v.description("account id, a number")),
  BANDWIDTH_CLIENT_ID: v.pipe(
    v.string(),
    v.description("client id of an API credential, from Account > API Credentials"),
  ),
  BANDWIDTH_CLIENT_SECRET: v.pipe(v.string(), v.description("client secret of that API credential")),
  BANDWIDTH_MESSAGING_APPLICATION_ID: v.pipe(
    v.string(),
    v.description("messaging application that the sender belongs to"),
  ),
}

const Accepted = v.object({ id: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  type: v.string(),
  description: v.string(),
  fieldErrors: v.nullish(v.array(v.object({ fieldName: v.string(), description: v.string() }))),
})

/** Tokens come from another host. Every bad field is a "request-validation"; which one it was stands in fieldErrors. */
export default {
  docs: "https://dev.bandwidth.com/docs/messaging/createMessage/",
  region: "US, Canada and international",
  evidence: "vendor",
  needsSender: true,
  url: "https://messaging.bandwidth.com/api/v2",
  env,
  async request({ recipient, sender, body }, env, { url, ttl, clock, session, fetch }) {
    const token = await session(async () => {
      const answer = await fetch("https://api.bandwidth.com/api/v1/oauth2/token", {
        method: "POST",
        headers: {
          authorization: basic(env.BANDWIDTH_CLIENT_ID, env.BANDWIDTH_CLIENT_SECRET),
          accept: "application/json",
        },
        body: new URLSearchParams({ grant_type: "client_credentials" }),
      })
      return await readToken(answer, clock())
    })
    if (typeof token !== "string") return token
    return new Request(`${url}/users/${env.BANDWIDTH_ACCOUNT_ID}/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json; charset=utf-8",
        accept: "application/json",
      },
      body: JSON.stringify({
        applicationId: env.BANDWIDTH_MESSAGING_APPLICATION_ID,
        to: [recipient],
        from: sender,
        text: body,
        // It must be in the future when it comes: a minute at least.
        expiration: ttl && isoTime(clock() + Math.max(ttl, 60) * 1_000),
      }),
    })
  },
  faults: { provider: ["max-message-queue-size-exceeded"] },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const [{ fieldName, description } = { fieldName: "", description: json.description }] = json.fieldErrors ?? []
    const isNumber = /^to\b/.test(fieldName) && /\bE\.?164\b/.test(description)
    const fault = isNumber ? "recipient" : /^(from|applicationId)$/.test(fieldName) ? "account" : undefined
    return { code: json.type, reason: description, fault: fieldName === "text" ? "message" : fault }
  },
} satisfies Provider<typeof env>
