import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  OVH_APPLICATION_KEY: v.pipe(v.string(), v.description("application key")),
  OVH_APPLICATION_SECRET: v.pipe(v.string(), v.description("application secret")),
  OVH_CONSUMER_KEY: v.pipe(v.string(), v.description("consumer key that may POST to /sms/*/jobs")),
  OVH_SMS_SERVICE_NAME: v.pipe(v.string(), v.startsWith("sms-"), v.description("name of the SMS account, sms-…")),
}

const Id = v.union([v.pipe(v.number(), v.integer(), v.minValue(1)), v.pipe(v.string(), v.regex(/^\d+$/))])
const Accepted = v.object({ ids: v.tupleWithRest([Id], Id), invalidReceivers: v.strictTuple([]) })
const InvalidReceiver = v.object({ invalidReceivers: v.pipe(v.array(v.string()), v.nonEmpty()) })
const Text = v.nullish(v.string())
const Refused = v.object({ errorCode: Text, class: Text, message: v.string() })

/** A 200 with no ids sends nothing. The signature covers the time: theirs is asked and the distance to it kept. */
export default {
  docs: "https://help.ovhcloud.com/csm/en-gb-sms-sending-via-api",
  region: "France, Europe",
  evidence: "vendor",
  url: "https://eu.api.ovh.com/1.0",
  env,
  async request({ recipient, sender, body }, env, { url, clock, session, fetch, ttl }) {
    const now = () => Math.floor(clock() / 1000)
    const distance = await session(async () => {
      const answer = await fetch(`${url}/auth/time`)
      const [time] = /^\d{10}$/.exec((await answer.text()).trim()) ?? []
      return { token: `${time ? Number(time) - now() : 0} seconds`, expires: clock() + 3_600_000 }
    })
    if (typeof distance !== "string") return distance
    const target = `${url}/sms/${env.OVH_SMS_SERVICE_NAME}/jobs`
    const text = JSON.stringify({
      charset: "UTF-8",
      coding: isGsm7(body) ? "7bit" : "8bit",
      message: body,
      noStopClause: true,
      priority: "high",
      receivers: [recipient],
      ...(sender && { sender }),
      senderForResponse: !sender,
      // Whole minutes, at most the two days that are the vendor's default.
      validityPeriod: ttl ? Math.min(Math.ceil(ttl / 60), 2_880) : 2_880,
    })
    const timestamp = String(now() + Number.parseInt(distance, 10))
    const signed = [env.OVH_APPLICATION_SECRET, env.OVH_CONSUMER_KEY, "POST", target, text, timestamp].join("+")
    const signature = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(signed))
    return new Request(target, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-ovh-application": env.OVH_APPLICATION_KEY,
        "x-ovh-consumer": env.OVH_CONSUMER_KEY,
        "x-ovh-timestamp": timestamp,
        "x-ovh-signature": `$1$${Buffer.from(signature).toString("hex")}`,
      },
      body: text,
    })
  },
  faults: {
    account: [
      "INVALID_CREDENTIAL",
      "INVALID_KEY",
      "INVALID_SIGNATURE",
      "NOT_CREDENTIAL",
      "NOT_GRANTED_CALL",
      "QUERY_TIME_OUT",
    ],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.ids[0]) }
    if (v.is(InvalidReceiver, json)) return { code: "invalidReceivers", fault: "recipient" }
    if (!v.is(Refused, json)) return { code: status }
    // 404 is an SMS account or a sender that is not there.
    const isAccount = status === 404 || /\bsender\b/i.test(json.message)
    const code = json.errorCode ?? json.class ?? status
    return { code, reason: json.message, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
