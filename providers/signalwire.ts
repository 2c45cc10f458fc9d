import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const isSpace = v.regex(/^(https:\/\/)?[\w-]+(\.signalwire\.com)?\/?$/)
const withoutHost = v.transform((space: string) => space.replace(/^https:\/\/|\.signalwire\.com|\/$/g, ""))
const isGroup = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const env = {
  SIGNALWIRE_SPACE: v.pipe(v.string(), isSpace, withoutHost, v.description("the space, such as acme.signalwire.com")),
  SIGNALWIRE_PROJECT_ID: v.pipe(v.string(), v.uuid(), v.description("project ID, from the API page of the space")),
  SIGNALWIRE_API_TOKEN: v.pipe(v.string(), v.description("API token with the scope Messaging, PT…")),
  SIGNALWIRE_MESSAGING_SERVICE_SID: v.optional(
    v.pipe(v.string(), v.description("number group, which then picks the sender")),
  ),
}

const Accepted = v.object({
  sid: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(["queued", "initiated", "sending", "sent", "delivered"]),
  error_code: v.nullish(v.null()),
})
const Refused = v.object({ code: v.number(), message: v.string() })
const Failed = v.object({ error_code: v.number(), error_message: v.nullish(v.string()) })

/** Twilio's shapes with codes of another meaning: 21606 is a number that is no mobile, 21610 may be our own number. */
export default {
  docs: "https://signalwire.com/docs/compatibility-api/rest/messages/create-message",
  region: "Global",
  evidence: "vendor",
  url: ({ SIGNALWIRE_SPACE }) => `https://${SIGNALWIRE_SPACE}.signalwire.com`,
  env,
  needsSender: ({ SIGNALWIRE_MESSAGING_SERVICE_SID }) => !SIGNALWIRE_MESSAGING_SERVICE_SID,
  pool: "SIGNALWIRE_MESSAGING_SERVICE_SID",
  senderId: isGroup,
  request({ recipient, sender, body }, env, { url, ttl }) {
    // Either a sender or a number group is taken.
    const group = isGroup.test(sender) ? sender : sender ? undefined : env.SIGNALWIRE_MESSAGING_SERVICE_SID
    const form = new URLSearchParams({ To: recipient })
    if (group) form.set("MessagingServiceSid", group)
    else if (sender) form.set("From", sender)
    form.set("Body", body)
    // 1 to 172,800 seconds.
    if (ttl) form.set("ValidityPeriod", String(Math.min(ttl, 172_800)))
    return new Request(`${url}/api/laml/2010-04-01/Accounts/${env.SIGNALWIRE_PROJECT_ID}/Messages`, {
      method: "POST",
      headers: {
        authorization: basic(env.SIGNALWIRE_PROJECT_ID, env.SIGNALWIRE_API_TOKEN),
        accept: "application/json",
      },
      body: form,
    })
  },
  faults: {
    recipient: [
      21211, // "The 'To' number provided has an invalid format"
      21217, // "The To phone number provided does not appear to be valid"
      21606, // "The 'To' number provided is not a mobile number"
      21614, // "The 'To' number is not a valid mobile number"
    ],
    account: [20003, 20010, 21210, 21212, 21219, 21601, 21603, 21610, 21701, 21703, 21705, 21717, 30002, 30006],
    message: [21602, 21617, 30007],
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.sid }
    if (v.is(Failed, json)) return { code: json.error_code, reason: json.error_message ?? undefined }
    return v.is(Refused, json) ? { code: json.code, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
