import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  BULKVS_USERNAME: v.pipe(v.string(), v.description("API user name, from API Credentials in the portal")),
  BULKVS_PASSWORD: v.pipe(v.string(), v.description("API password that belongs to it")),
}

const Accepted = v.object({
  RefId: v.pipe(v.string(), v.nonEmpty()),
  Results: v.strictTuple([v.object({ Status: v.literal("SUCCESS") })]),
})
const Refused = v.object({ Code: v.union([v.number(), v.string()]), Description: v.nullish(v.string()) })
const RefusedNumber = v.object({ Results: v.tuple([v.object({ Status: v.string() })]) })

/** Refusals are not documented: a Status other than SUCCESS, under 200, blames nobody. The sender's number is its own. */
export default {
  docs: "https://portal.bulkvs.com/api/v1.0/documentation",
  region: "North America",
  evidence: "thin",
  countries: ["US", "CA"],
  needsSender: true,
  url: "https://portal.bulkvs.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/api/v1.0/messageSend`, {
      method: "POST",
      headers: {
        authorization: basic(env.BULKVS_USERNAME, env.BULKVS_PASSWORD),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({ From: sender.replace("+", ""), To: [recipient.slice(1)], Message: body }),
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.RefId }
    if (v.is(Refused, json)) return { code: json.Code, reason: json.Description ?? undefined }
    const result = v.is(RefusedNumber, json) ? json.Results[0].Status : ""
    return { code: result === "SUCCESS" ? status : result || status }
  },
} satisfies Provider<typeof env>
