import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  SMSEAGLE_ACCESS_TOKEN: v.pipe(v.string(), v.description("access token of a user with access to the API")),
}

const Accepted = v.tuple([
  v.object({ status: v.literal("queued"), id: v.pipe(v.number(), v.integer(), v.minValue(1)) }),
])
const Refused = v.object({ message: v.string() })
const Each = v.looseTuple([Refused])

/** A gateway of your own, with its own SIM: SMSEAGLE_URL is its address. The SIM is the sender. */
export default {
  docs: "https://www.smseagle.eu/docs/apiv2/",
  region: "Where your device is",
  evidence: "vendor",
  env,
  request({ recipient, body }, env, { url }) {
    return new Request(`${url}/api/v2/messages/sms`, {
      method: "POST",
      headers: {
        "access-token": env.SMSEAGLE_ACCESS_TOKEN,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ to: [recipient], text: body, ...(!isGsm7(body) && { encoding: "unicode" }) }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json[0].id) }
    if (v.is(Each, json)) return { code: status, reason: json[0].message }
    return v.is(Refused, json) ? { code: status, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
