import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  ALTIRIA_API_KEY: v.pipe(v.string(), v.description("API key, from the settings of the account")),
  ALTIRIA_API_SECRET: v.pipe(v.string(), v.description("API secret that belongs to it")),
}

const Part = v.object({ status: v.literal("000") })
const Accepted = v.object({ status: v.literal("000"), details: v.pipe(v.array(Part), v.nonEmpty()) })
const Refused = v.object({ status: v.pipe(v.string(), v.notValues(["", "000"])) })
const RefusedParts = v.object({ status: v.literal("000"), details: v.array(v.object({ status: v.string() })) })
const Malformed = v.object({ error: v.string() })

/** Refusals are 200s, also inside a "000". It gives no id, and a long text comes back as several parts. */
export default {
  docs: "https://www.altiria.com/api-rest-envio-sms/",
  region: "Spain, Latin America",
  evidence: "vendor",
  url: "https://www.altiria.net:8443",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const [limit, encoding] = isGsm7(body) ? [160] : [70, "unicode"]
    // A text of several parts is refused unless it asks for them; characters of the extension count twice.
    const concat = body.replace(/[\^{}\\[~\]|€]/g, "--").length > limit || undefined
    return new Request(`${url}/apirest/ws/sendSms`, {
      method: "POST",
      headers: { "content-type": "application/json;charset=UTF-8", accept: "application/json" },
      body: JSON.stringify({
        credentials: { apikey: env.ALTIRIA_API_KEY, apisecret: env.ALTIRIA_API_SECRET },
        destination: [recipient.slice(1)],
        message: { msg: body, senderId: sender.replace("+", "") || undefined, concat, encoding },
      }),
    })
  },
  faults: {
    recipient: [
      "010", // "Error in the telephone number format"
    ],
    account: ["015", "018", "019", "020", "022"],
    message: ["013", "014", "016", "017"],
    provider: ["001"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: "" }
    if (v.is(Refused, json)) return { code: json.status }
    const part = v.is(RefusedParts, json) && json.details.find((part) => v.is(Refused, part))
    if (part) return { code: part.status }
    return { code: status, reason: v.is(Malformed, json) ? json.error : undefined }
  },
} satisfies Provider<typeof env>
