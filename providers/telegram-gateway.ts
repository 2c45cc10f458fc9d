import * as v from "valibot"
import type { Provider } from "../main.ts"
import { noCode } from "./lib.ts"

const env = {
  TELEGRAM_GATEWAY_TOKEN: v.pipe(v.string(), v.description("access token, from the account settings")),
  TELEGRAM_GATEWAY_SENDER_USERNAME: v.optional(
    v.pipe(v.string(), v.regex(/^\w{4,32}$/), v.description("user name of a verified channel of yours, without @")),
  ),
}

const Accepted = v.object({
  ok: v.literal(true),
  result: v.object({
    request_id: v.pipe(v.string(), v.nonEmpty()),
    delivery_status: v.nullish(v.object({ status: v.picklist(["sent", "delivered", "read"]) })),
  }),
})
const Refused = v.object({ ok: v.literal(false), error: v.string() })

/** Sends the code alone, 4 to 8 digits, and only to people on Telegram: for all others let a provider of SMS follow. */
export default {
  docs: "https://core.telegram.org/gateway/api",
  region: "Global",
  evidence: "vendor",
  url: "https://gatewayapi.telegram.org",
  env,
  request({ recipient, code }, env, { url, ttl }) {
    if (!code) return noCode
    return new Request(`${url}/sendVerificationMessage`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.TELEGRAM_GATEWAY_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        phone_number: recipient,
        code,
        sender_username: env.TELEGRAM_GATEWAY_SENDER_USERNAME,
        // 30 to 3,600 seconds.
        ttl: ttl && Math.min(Math.max(ttl, 30), 3_600),
      }),
    })
  },
  faults: {
    recipient: [
      "PHONE_NUMBER_INVALID", // "The phone number is invalid"
    ],
    // Who is not on Telegram can still get an SMS.
    account: [
      "PHONE_NUMBER_NOT_AVAILABLE",
      "PHONE_NUMBER_NOT_FOUND",
      "ACCESS_TOKEN_INVALID",
      "BALANCE_NOT_ENOUGH",
      "SENDER_NOT_VERIFIED",
      "SENDER_NOT_OWNED",
      "SENDER_USERNAME_INVALID",
    ],
    message: ["CODE_INVALID", "CODE_LENGTH_INVALID"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.result.request_id }
    return { code: v.is(Refused, json) ? json.error : status }
  },
} satisfies Provider<typeof env>
