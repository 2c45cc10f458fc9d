import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, readToken } from "./lib.ts"

const env = {
  ROUTEE_APPLICATION_ID: v.pipe(v.string(), v.description("application ID, from the dashboard's applications")),
  ROUTEE_APPLICATION_SECRET: v.pipe(v.string(), v.description("secret of that application")),
}

const OAuthError = v.object({ error: v.string(), error_description: v.optional(v.string()) })
const Accepted = v.object({
  trackingId: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(["Queued", "Sent", "Delivered"]),
})
const Failed = v.object({ trackingId: v.string(), status: v.string() })
const Refused = v.object({ code: v.union([v.string(), v.number()]), developerMessage: v.nullish(v.string()) })

/** Tokens come from another host, for an hour. A 200 may hold a message that failed at once. */
export default {
  docs: "https://docs.routee.net/reference/send-single-sms",
  region: "Global",
  evidence: "vendor",
  needsSender: true,
  url: "https://connect.routee.net",
  env,
  async request({ recipient, sender, body }, env, { url, clock, session, fetch, ttl }) {
    const token = await session(async () => {
      const answer = await fetch(`${url.replace("//connect.", "//auth.")}/oauth/token`, {
        method: "POST",
        headers: { authorization: basic(env.ROUTEE_APPLICATION_ID, env.ROUTEE_APPLICATION_SECRET) },
        body: new URLSearchParams({ grant_type: "client_credentials" }),
      })
      return await readToken(answer, clock())
    })
    if (typeof token !== "string") return token
    return new Request(`${url}/sms`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json" },
      // Whole minutes; no bounds are documented.
      body: JSON.stringify({ body, to: recipient, from: sender.replace("+", ""), ttl: ttl && Math.ceil(ttl / 60) }),
    })
  },
  faults: { account: ["invalid_token"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.trackingId }
    if (status === 200 && v.is(Failed, json)) return { code: json.status }
    if (v.is(Refused, json)) return { code: json.code, reason: json.developerMessage ?? undefined }
    return v.is(OAuthError, json) ? { code: json.error, reason: json.error_description } : { code: status }
  },
} satisfies Provider<typeof env>
