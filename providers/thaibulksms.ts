import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  THAIBULKSMS_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  THAIBULKSMS_API_SECRET: v.pipe(v.string(), v.description("API secret of the account")),
  THAIBULKSMS_FORCE: v.pipe(
    v.optional(v.picklist(["corporate", "standard"]), "corporate"),
    v.description("kind of credit to spend: corporate, for codes, or standard, for marketing"),
  ),
}

const Accepted = v.object({
  phone_number_list: v.strictTuple([v.object({ message_id: v.pipe(v.string(), v.nonEmpty()) })]),
  bad_phone_number_list: v.optional(v.pipe(v.array(v.unknown()), v.empty())),
})
const Refused = v.object({
  error: v.object({ code: v.union([v.number(), v.string()]), name: v.string(), description: v.nullish(v.string()) }),
})
const RefusedNumber = v.object({ bad_phone_number_list: v.tuple([v.object({ message: v.string() })]) })

/** A number may be refused inside of a success. Codes of errors are not published; their names tell more. */
export default {
  docs: "https://developer.thaibulksms.com",
  region: "Thailand",
  evidence: "vendor",
  countries: ["TH"],
  url: "https://api-v2.thaibulksms.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/sms`, {
      method: "POST",
      headers: {
        authorization: basic(env.THAIBULKSMS_API_KEY, env.THAIBULKSMS_API_SECRET),
        accept: "application/json",
      },
      body: new URLSearchParams({
        msisdn: recipient.replace("+66", "0"),
        message: body,
        ...(sender && { sender: sender.replace("+", "") }),
        force: env.THAIBULKSMS_FORCE,
      }),
    })
  },
  receipt({ status, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.phone_number_list[0].message_id }
    if (v.is(RefusedNumber, json)) {
      const [{ message }] = json.bad_phone_number_list
      return { code: status, reason: message, fault: message === "Phone number is invalid." ? "recipient" : "account" }
    }
    if (!v.is(Refused, json)) return { code: status }
    const { code, name, description } = json.error
    const isAccount = /SENDER|CREDIT|AUTH|PERMISSION/i.test(name)
    return { code, reason: description ?? name, fault: isAccount ? "account" : undefined }
  },
} satisfies Provider<typeof env>
