import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  NETGSM_USERNAME: v.pipe(v.string(), v.description("subscriber number, such as 850…")),
  NETGSM_PASSWORD: v.pipe(v.string(), v.description("password of an API user")),
  NETGSM_APPNAME: v.optional(v.pipe(v.string(), v.description("application name for NetGSM's records"))),
}

const Accepted = v.object({ code: v.literal("00"), jobid: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ code: v.pipe(v.string(), v.notValue("00")), description: v.nullish(v.string()) })

/**
 * Refusals of all kinds are a 406, throttling too, and some a 200. Turkish numbers have ten digits and no prefix, so that
 * another country's number of ten digits would reach a stranger in Turkey: those begin with 00.
 */
export default {
  docs: "https://www.netgsm.com.tr/dokuman/",
  region: "Turkey",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.netgsm.com.tr",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/sms/rest/v2/send`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: basic(env.NETGSM_USERNAME, env.NETGSM_PASSWORD),
      },
      body: JSON.stringify({
        msgheader: sender.replace("+", ""),
        appname: env.NETGSM_APPNAME,
        encoding: "TR",
        messages: [{ msg: body, no: recipient.startsWith("+90") ? recipient.slice(3) : `00${recipient.slice(1)}` }],
      }),
    })
  },
  faults: { account: ["30", "40", "50", "51"], message: ["20"], provider: ["80", "100"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.jobid }
    return v.is(Refused, json) ? { code: json.code, reason: json.description ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
