import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, readToken } from "./lib.ts"

const env = {
  RINGCENTRAL_CLIENT_ID: v.pipe(v.string(), v.description("client ID of an app with the permission SMS")),
  RINGCENTRAL_CLIENT_SECRET: v.pipe(v.string(), v.description("client secret of that app")),
  RINGCENTRAL_JWT: v.pipe(v.string(), v.description("JWT credential of the user whose number sends, eyJ…")),
}

const Accepted = v.object({
  id: v.pipe(v.number(), v.integer()),
  messageStatus: v.picklist(["Queued", "Sent", "Delivered"]),
})
const Failed = v.object({ messageStatus: v.string(), deliveryErrorCode: v.optional(v.string()) })
const Reason = v.object({ errorCode: v.string(), message: v.optional(v.string()) })
const RefusedInside = v.object({ errors: v.tuple([Reason]) })

/** The code that is documented stands in `errors`; the outer errorCode is but its class. The sender must be the user's. */
export default {
  docs: "https://developers.ringcentral.com/guide/messaging/sms/sending-sms",
  region: "North America, Europe",
  evidence: "vendor",
  needsSender: true,
  url: "https://platform.ringcentral.com",
  env,
  async request({ recipient, sender, body }, env, { url, clock, session, fetch }) {
    const token = await session(async () => {
      const answer = await fetch(`${url}/restapi/oauth/token`, {
        method: "POST",
        headers: {
          accept: "application/json",
          authorization: basic(env.RINGCENTRAL_CLIENT_ID, env.RINGCENTRAL_CLIENT_SECRET),
        },
        body: new URLSearchParams({
          grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
          assertion: env.RINGCENTRAL_JWT,
        }),
      })
      return await readToken(answer, clock())
    })
    if (typeof token !== "string") return token
    return new Request(`${url}/restapi/v1.0/account/~/extension/~/sms`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ from: { phoneNumber: sender }, to: [{ phoneNumber: recipient }], text: body }),
    })
  },
  faults: {
    recipient: [
      "SMS-RC-413", // "The destination subscriber opted out."
      "SMS-UP-413", // "The destination subscriber opted out."
      "SMS-CAR-413", // "The destination subscriber opted out."
    ],
    account: [
      "MSG-243",
      "MSG-245",
      "MSG-246",
      "MSG-304",
      "MSG-310",
      "MSG-331",
      "SMS-RC-403",
      "SMS-RC-410",
      "SMS-UP-414",
    ],
    provider: ["CMN-301"],
    message: ["MSG-338", "SMS-RC-430", "SMS-UP-430", "SMS-UP-432", "SMS-UP-433"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.id) }
    if (status === 200 && v.is(Failed, json)) return { code: json.deliveryErrorCode ?? json.messageStatus }
    const refused = v.is(RefusedInside, json) ? json.errors[0] : v.is(Reason, json) ? json : undefined
    return refused ? { code: refused.errorCode, reason: refused.message } : { code: status }
  },
} satisfies Provider<typeof env>
