import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, readToken } from "./lib.ts"

const env = {
  ORANGE_SMS_CLIENT_ID: v.pipe(v.string(), v.description("client ID of the application")),
  ORANGE_SMS_CLIENT_SECRET: v.pipe(v.string(), v.description("client secret of the application")),
  ORANGE_SMS_SENDER_ADDRESS: v.pipe(
    v.string(),
    v.regex(/^\+\d+$/),
    v.description("country sender number given by Orange, such as +2250000"),
  ),
}

const isResource = v.regex(/\/requests\/[^/]+$/)
const Accepted = v.object({ outboundSMSMessageRequest: v.object({ resourceURL: v.pipe(v.string(), isResource) }) })
const Reason = v.object({ messageId: v.string(), text: v.string() })
const Refused = v.object({
  requestError: v.union([v.object({ serviceException: Reason }), v.object({ policyException: Reason })]),
})
const RefusedCall = v.object({ code: v.number(), message: v.string() })

/** Errors have two shapes, of the API's front and of the SMS service behind it. The id stands in resourceURL alone. */
export default {
  docs: "https://developer.orange.com/apis/sms/getting-started",
  region: "Africa",
  evidence: "clients",
  url: "https://api.orange.com",
  env,
  async request({ recipient, sender, body }, env, { url, clock, session, fetch }) {
    const token = await session(async () => {
      const answer = await fetch(`${url}/oauth/v3/token`, {
        method: "POST",
        headers: {
          accept: "application/json",
          authorization: basic(env.ORANGE_SMS_CLIENT_ID, env.ORANGE_SMS_CLIENT_SECRET),
        },
        body: new URLSearchParams({ grant_type: "client_credentials" }),
      })
      return await readToken(answer, clock())
    })
    if (typeof token !== "string") return token
    const address = `tel:${env.ORANGE_SMS_SENDER_ADDRESS}`
    return new Request(`${url}/smsmessaging/v1/outbound/${encodeURIComponent(address)}/requests`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({
        outboundSMSMessageRequest: {
          address: `tel:${recipient}`,
          senderAddress: address,
          outboundSMSTextMessage: { message: body },
          ...(/[A-Za-z]/.test(sender) && { senderName: sender }),
        },
      }),
    })
  },
  // SVC0004 is an address that it does not take: also the sender's, or a number of a country without a bundle.
  faults: { account: ["SVC0004"], message: ["SVC0280"] },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) {
      const { resourceURL } = json.outboundSMSMessageRequest
      return { id: resourceURL.slice(resourceURL.lastIndexOf("/") + 1) }
    }
    if (v.is(RefusedCall, json)) return { code: json.code, reason: json.message }
    if (!v.is(Refused, json)) return { code: status }
    const error =
      "serviceException" in json.requestError ? json.requestError.serviceException : json.requestError.policyException
    return { code: error.messageId, reason: error.text }
  },
} satisfies Provider<typeof env>
