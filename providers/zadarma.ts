import { createHash } from "node:crypto"
import * as v from "valibot"
import type { Provider } from "../main.ts"
import { hmac } from "./lib.ts"

const env = {
  ZADARMA_KEY: v.pipe(v.string(), v.description("API key, from the settings of the account")),
  ZADARMA_SECRET: v.pipe(v.string(), v.description("API secret that belongs to it")),
}

const isNone = v.nullish(v.pipe(v.array(v.unknown()), v.empty()))
const Accepted = v.object({
  status: v.literal("success"),
  messages: v.union([v.pipe(v.number(), v.minValue(1)), v.pipe(v.string(), v.regex(/^[1-9]\d*$/))]),
  denied_numbers: isNone,
})
const Denied = v.object({ denied_numbers: v.tuple([v.object({ message: v.string() })]) })
const Refused = v.object({ status: v.literal("error"), message: v.string() })

/** Gives no id, and denies numbers inside of a success. What is signed is the hex text of a digest, in base64. */
export default {
  docs: "https://zadarma.com/en/support/api/#api_sms_send",
  region: "Global",
  evidence: "clients",
  url: "https://api.zadarma.com",
  env,
  async request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({
      ...(sender && { caller_id: sender.replace("+", "") }),
      format: "json",
      message: body,
      number: recipient.slice(1),
    })
    // In the encoding of PHP, which signs again what it read.
    const fields = form.toString().replaceAll("*", "%2A")
    const md5 = createHash("md5").update(fields).digest("hex")
    const hex = (await hmac("SHA-1", env.ZADARMA_SECRET, `/v1/sms/send/${fields}${md5}`)).toString("hex")
    return new Request(`${url}/v1/sms/send/`, {
      method: "POST",
      headers: {
        authorization: `${env.ZADARMA_KEY}:${Buffer.from(hex).toString("base64")}`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: fields,
    })
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: "" }
    // Why a number is denied is not told surely: its country or the sender may be the cause.
    if (v.is(Denied, json)) return { code: status, reason: json.denied_numbers[0].message, fault: "account" }
    if (!v.is(Refused, json)) return { code: status }
    const isAccount = /\b(authori[sz]ed|funds|balance|caller|sender)\b/i.test(json.message)
    return { code: status, reason: json.message, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
