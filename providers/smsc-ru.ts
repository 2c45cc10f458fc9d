import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSC_LOGIN: v.pipe(v.string(), v.description("login of the account")),
  SMSC_PASSWORD: v.pipe(v.string(), v.description("its password")),
}

const Accepted = v.object({
  id: v.pipe(v.number(), v.integer(), v.minValue(1)),
  cnt: v.pipe(v.number(), v.integer(), v.minValue(1)),
  error: v.nullish(v.null()),
  error_code: v.nullish(v.null()),
})
const Refused = v.object({ error: v.nullish(v.string()), error_code: v.number() })

/** Always a 200, and a refusal may hold an id: an acceptance is one with no error. fmt=3 asks for JSON. */
export default {
  docs: "https://smsc.ru/api/http/send/sms/sms_answer/",
  region: "Russia, Kazakhstan",
  evidence: "vendor",
  url: "https://smsc.ru",
  env,
  request({ recipient, sender, body }, env, { url, ttl }) {
    const form = new URLSearchParams({
      login: env.SMSC_LOGIN,
      psw: env.SMSC_PASSWORD,
      phones: recipient,
      mes: body,
      fmt: "3",
      charset: "utf-8",
    })
    if (sender) form.set("sender", sender.replace("+", ""))
    if (ttl) {
      // Hours and minutes, 00:01 to 24:00.
      const minutes = Math.min(Math.ceil(ttl / 60), 1_440)
      const parts = [Math.floor(minutes / 60), minutes % 60]
      form.set("valid", parts.map((part) => String(part).padStart(2, "0")).join(":"))
    }
    return new Request(`${url}/sys/send.php`, { method: "POST", body: form })
  },
  faults: {
    recipient: [
      7, // "invalid number": its format is wrong
    ],
    account: [2, 3, 4, 8],
    message: [6],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.id) }
    return v.is(Refused, json) ? { code: json.error_code, reason: json.error ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
