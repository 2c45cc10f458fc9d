import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  KWTSMS_USERNAME: v.pipe(v.string(), v.description("API user name, which is not the mobile number")),
  KWTSMS_PASSWORD: v.pipe(v.string(), v.description("API password")),
  KWTSMS_TEST: v.pipe(
    v.optional(v.picklist(["0", "1"]), "0"),
    v.description("1 to queue messages without sending; else 0"),
  ),
}

const Accepted = v.object({ result: v.literal("OK"), "msg-id": v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ result: v.literal("ERROR"), code: v.string(), description: v.optional(v.string()) })

/** Codes need a Transactional sender id, capitals as registered. A text with emoji is taken, charged and stuck. */
export default {
  docs: "https://www.kwtsms.com/api-documentation.html",
  region: "Kuwait, Gulf states",
  evidence: "vendor",
  needsSender: true,
  url: "https://www.kwtsms.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/API/send/`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        username: env.KWTSMS_USERNAME,
        password: env.KWTSMS_PASSWORD,
        sender: sender.replace("+", ""),
        mobile: recipient.slice(1),
        message: body.replace(/[\p{Extended_Pictographic}\p{RI}\p{Cf}\p{Variation_Selector}]/gu, ""),
        test: env.KWTSMS_TEST,
      }),
    })
  },
  // ERR026 is a country that is not switched on, and ERR028 this number again within 15 seconds.
  faults: {
    recipient: [
      "ERR006", // "No valid phone numbers"
      "ERR025", // "Invalid phone number"
    ],
    account: ["ERR001", "ERR003", "ERR005", "ERR008", "ERR010", "ERR011", "ERR024", "ERR026", "ERR028", "ERR033"],
    message: ["ERR012", "ERR027", "ERR031", "ERR032"],
    provider: ["ERR013"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json["msg-id"] }
    return v.is(Refused, json) ? { code: json.code, reason: json.description } : { code: status }
  },
} satisfies Provider<typeof env>
