import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = { SMSPUBLI_API_KEY: v.pipe(v.string(), v.description("API key, from the panel of SMSPubli or 360NRS")) }

const Sent = v.object({ status: v.literal("ok"), sms_id: v.pipe(v.string(), v.nonEmpty()) })
const Accepted = v.object({ status: v.literal("ok"), result: v.strictTuple([Sent]) })
const Refused = v.object({ error_id: v.string(), error_msg: v.nullish(v.string()) })
const RefusedMessage = v.object({ result: v.strictTuple([Refused]) })

/** "ok" is told twice, of the call and of the message: the outer one proves nothing. `concat` allows long texts. */
export default {
  docs: "https://panel.smspubli.com/api/3.0/docs",
  region: "Spain, Latin America",
  evidence: "clients",
  url: "https://api.gateway360.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = sender && { from: sender.replace("+", "") }
    return new Request(`${url}/api/3.0/sms/send`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        api_key: env.SMSPUBLI_API_KEY,
        concat: 1,
        ...(!isGsm7(body) && { encoding: "UCS2" }),
        messages: [{ ...from, to: recipient.slice(1), text: body }],
      }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.result[0].sms_id }
    const refused = v.is(RefusedMessage, json) ? json.result[0] : v.is(Refused, json) ? json : undefined
    return refused ? { code: refused.error_id, reason: refused.error_msg ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
