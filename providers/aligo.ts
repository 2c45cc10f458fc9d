import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  ALIGO_API_KEY: v.pipe(v.string(), v.description("API key, from the API settings of the site")),
  ALIGO_USER_ID: v.pipe(v.string(), v.description("user id of the account")),
  ALIGO_TEST_MODE: v.optional(
    v.pipe(v.picklist(["Y", "N"]), v.description("Y while you try it out: accepted, but not sent; else unset")),
  ),
}

const Accepted = v.object({
  result_code: v.picklist([1, "1"]),
  msg_id: v.union([v.pipe(v.number(), v.safeInteger()), v.pipe(v.string(), v.regex(/^\d{1,40}$/))]),
  success_cnt: v.picklist([1, "1"]),
})
const Refused = v.object({ result_code: v.union([v.number(), v.string()]), message: v.string() })

/** All answers are 200s, and a success may have sent nothing. Senders and the IPs of callers must be registered. */
export default {
  docs: "https://smartsms.aligo.in/admin/api/spec.html",
  region: "Korea",
  evidence: "vendor",
  countries: ["KR"],
  needsSender: true,
  url: "https://apis.aligo.in",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const national = (number: string) => number.replace(/^\+82/, "0").replace("+", "")
    const form = new URLSearchParams({
      key: env.ALIGO_API_KEY,
      user_id: env.ALIGO_USER_ID,
      sender: national(sender),
      receiver: national(recipient),
      msg: body,
      // Its limit is 90 bytes of EUC-KR.
      msg_type: body.replace(/[^ -~]/g, "--").length > 90 ? "LMS" : "SMS",
    })
    if (env.ALIGO_TEST_MODE) form.set("testmode_yn", env.ALIGO_TEST_MODE)
    return new Request(`${url}/send/`, { method: "POST", body: form })
  },
  faults: { account: [-101] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.msg_id) }
    return v.is(Refused, json) ? { code: json.result_code, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
