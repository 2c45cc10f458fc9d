import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  SPEEDSMS_VN_ACCESS_TOKEN: v.pipe(v.string(), v.description("API access token, from the profile of the account")),
  SPEEDSMS_VN_SMS_TYPE: v.pipe(
    v.optional(v.picklist(["2", "3", "4", "5"]), "2"),
    v.transform(Number),
    v.description("2 to send from random numbers, 3 your own brand name, 4 Verify or Notify, 5 your Android phone"),
  ),
}

const Accepted = v.object({
  status: v.literal("success"),
  data: v.object({
    tranId: v.pipe(v.number(), v.integer(), v.minValue(1)),
    invalidPhone: v.nullish(v.pipe(v.array(v.unknown()), v.empty())),
  }),
})
const InvalidPhone = v.object({ data: v.object({ invalidPhone: v.pipe(v.array(v.unknown()), v.minLength(1)) }) })
const Refused = v.object({ code: v.union([v.string(), v.number()]), message: v.nullish(v.string()) })

/** A success may name the number as invalid. A brand name may refuse what is written with Vietnamese marks (code 110). */
export default {
  docs: "https://speedsms.vn/sms-api-service/",
  region: "Vietnam",
  evidence: "clients",
  countries: ["VN"],
  url: "https://api.speedsms.vn",
  env,
  needsSender: ({ SPEEDSMS_VN_SMS_TYPE }) => SPEEDSMS_VN_SMS_TYPE === 3 || SPEEDSMS_VN_SMS_TYPE === 5,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/index.php/sms/send`, {
      method: "POST",
      headers: {
        authorization: basic(env.SPEEDSMS_VN_ACCESS_TOKEN, "x"),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        to: [recipient.slice(1)],
        content: body,
        sms_type: env.SPEEDSMS_VN_SMS_TYPE,
        sender: env.SPEEDSMS_VN_SMS_TYPE === 2 ? "" : sender.replace("+", ""),
      }),
    })
  },
  faults: {
    recipient: [
      "105", // "Phone number invalid"
      "invalidPhone", // "invalidPhone": the list of such numbers
    ],
    account: ["007", "008", "009", "300"],
    message: ["110", "113"],
    provider: ["500"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.data.tranId) }
    if (status === 200 && v.is(InvalidPhone, json)) return { code: "invalidPhone" }
    return v.is(Refused, json) ? { code: json.code || status, reason: json.message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
