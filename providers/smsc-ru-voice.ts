import * as v from "valibot"
import type { Provider } from "../main.ts"
import { speech } from "./lib.ts"

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

/** Speaks Russian. It waits 20 s and tries three times, 10 s apart. Always a 200, and a refusal may hold an id. */
export default {
  docs: "https://smsc.ru/api/http/send/voice/",
  region: "Russia, Kazakhstan",
  evidence: "clients",
  channel: "voice",
  url: "https://smsc.ru",
  env,
  request(message, env, { url }) {
    const form = new URLSearchParams({
      login: env.SMSC_LOGIN,
      psw: env.SMSC_PASSWORD,
      phones: message.recipient,
      mes: speech(message, { again: ". " }),
      call: "1",
      voice: "w",
      param: "20,10,3",
      fmt: "3",
      charset: "utf-8",
    })
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
