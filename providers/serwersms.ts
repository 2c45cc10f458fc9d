import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  SERWERSMS_API_TOKEN: v.pipe(v.string(), v.description("API token of the account")),
}

const Id = v.pipe(v.string(), v.nonEmpty())
const Accepted = v.object({
  success: v.literal(true),
  items: v.tuple([v.object({ id: Id, status: v.literal("queued") })]),
})
const Failure = v.object({ error_code: v.union([v.number(), Id]), error_message: v.nullish(v.string()) })
const Unsent = v.object({ items: v.tuple([Failure]) })
const Refused = v.object({ error: v.object({ code: v.union([v.number(), Id]), message: v.nullish(v.string()) }) })

/** A message with no sender goes from a number that changes (ECO). An acceptance may hold a message that is unsent. */
export default {
  docs: "https://dev.serwersms.pl/en/https-api-v2/general-communications",
  region: "Poland",
  evidence: "vendor",
  url: "https://api2.serwersms.pl",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/messages/send_sms.json`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.SERWERSMS_API_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        phone: recipient,
        text: body,
        sender: sender.replace("+", "") || null,
        details: true,
        ...(!isGsm7(body) && { utf: true }),
      }),
    })
  },
  faults: {
    // 2001, an invalid number, may be one that it has no route to.
    account: [
      ...[1001, 1002, 1003, 1005, 1007, 1008, 2001, 3000, 3001, 3002, 3003, 3004, 3005, 3006, 3007],
      // A wrong number, limits, blocks, senders, and numbers abroad.
      ...[2200, 2201, 2202, 2205, 2206, 2207, 2208],
    ],
    message: [2203],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.items[0].id }
    if (v.is(Refused, json)) return { code: json.error.code, reason: json.error.message ?? undefined }
    if (!v.is(Unsent, json)) return { code: status }
    const { error_code: code, error_message } = json.items[0]
    return { code, reason: error_message ?? undefined }
  },
} satisfies Provider<typeof env>
