import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, isGsm7 } from "./lib.ts"

const env = {
  NETGSM_USERNAME: v.pipe(v.string(), v.description("subscriber number, such as 850…")),
  NETGSM_PASSWORD: v.pipe(v.string(), v.description("password of an API user")),
  NETGSM_APPNAME: v.optional(v.pipe(v.string(), v.description("application name for NetGSM's records"))),
  NETGSM_ROUTE: v.optional(
    v.pipe(v.picklist(["otp"]), v.description("otp for the route of codes, which wants a package of its own")),
  ),
}

const id = v.pipe(v.string(), v.nonEmpty())
const Accepted = v.object({ code: v.literal("00"), jobid: id })
const AcceptedOtp = v.object({ code: v.literal("00"), jobId: id })
const Refused = v.object({ code: v.pipe(v.string(), v.notValue("00")), description: v.nullish(v.string()) })

/**
 * Refusals of all kinds are a 406, throttling too, and some a 200. Turkish numbers have ten digits and no prefix, so that
 * another country's number of ten digits would reach a stranger in Turkey: those begin with 00. The route of codes takes
 * neither those nor Turkish letters nor more than 155 characters: such texts go the usual way.
 */
export default {
  docs: "https://www.netgsm.com.tr/dokuman/",
  region: "Turkey",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.netgsm.com.tr",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const isTurkish = recipient.startsWith("+90")
    const message = { msg: body, no: isTurkish ? recipient.slice(3) : `00${recipient.slice(1)}` }
    const isOtp = env.NETGSM_ROUTE === "otp" && isTurkish && isGsm7(body) && body.length <= 155
    const head = { msgheader: sender.replace("+", ""), appname: env.NETGSM_APPNAME }
    return new Request(`${url}/sms/rest/v2/${isOtp ? "otp" : "send"}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: basic(env.NETGSM_USERNAME, env.NETGSM_PASSWORD),
      },
      body: JSON.stringify(isOtp ? { ...head, ...message } : { ...head, encoding: "TR", messages: [message] }),
    })
  },
  // 85 is a limit for one number; 50 to 52 of the route of codes say but "Check for Number".
  faults: {
    account: ["30", "40", "41", "50", "51", "52", "60", "70", "85"],
    message: ["20"],
    provider: ["80", "100", "101"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.jobid }
    if (status === 200 && v.is(AcceptedOtp, json)) return { id: json.jobId }
    return v.is(Refused, json) ? { code: json.code, reason: json.description ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
