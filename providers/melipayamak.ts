import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textList } from "./lib.ts"

const env = {
  MELIPAYAMAK_USERNAME: v.pipe(v.string(), v.description("user name of the panel")),
  MELIPAYAMAK_PASSWORD: v.pipe(v.string(), v.description("its password, or the API key of the panel")),
  MELIPAYAMAK_BODY_ID: v.pipe(v.string(), v.digits(), v.description("number of an approved text, bodyId")),
  MELIPAYAMAK_VARIABLES: v.pipe(
    v.optional(v.string(), '["{code}"]'),
    textList,
    v.description('the text\'s variables in their order, as a JSON array with {code}; else ["{code}"]'),
  ),
}

const Accepted = v.object({ Value: v.pipe(v.string(), v.regex(/^\d{15,}$/)), RetStatus: v.literal(1) })
const Refused = v.object({
  Value: v.nullish(v.pipe(v.string(), v.maxLength(4))),
  RetStatus: v.number(),
  StrRetStatus: v.nullish(v.string()),
})

/** Sends an approved text over the vendor's own line. Always a 200: an id has 15 digits or more, a refusal fewer. */
export default {
  docs: "https://www.melipayamak.com/api/sendbybasenumber2/",
  region: "Iran",
  evidence: "vendor",
  countries: ["IR"],
  url: "https://rest.payamak-panel.com",
  env,
  request(message, env, { url }) {
    const variables = fill(env.MELIPAYAMAK_VARIABLES, message)
    if (!variables) return noCode
    const form = new URLSearchParams({
      username: env.MELIPAYAMAK_USERNAME,
      password: env.MELIPAYAMAK_PASSWORD,
      text: variables.join(";"),
      to: message.recipient.replace("+98", "0"),
      bodyId: env.MELIPAYAMAK_BODY_ID,
    })
    return new Request(`${url}/api/SendSMS/BaseServiceNumber`, { method: "POST", body: form })
  },
  faults: {
    recipient: [
      "18", // receiver number invalid, as WP SMS has the vendor's list
    ],
    // 35 is a number on the operators' blacklist, but also any invalid data.
    account: ["-7", "-4", "-3", "-1", "0", "2", "10", "12", "19", "35"],
    message: ["-10", "-5", "7", "17"],
    provider: ["-6", "6"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.Value }
    if (!v.is(Refused, json)) return { code: status }
    return { code: json.Value || json.RetStatus, reason: json.StrRetStatus ?? undefined }
  },
} satisfies Provider<typeof env>
