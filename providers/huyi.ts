import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textList } from "./lib.ts"

const env = {
  HUYI_API_ID: v.pipe(v.string(), v.description("APIID of the product for verification texts")),
  HUYI_API_KEY: v.pipe(v.string(), v.description("APIKEY beside it")),
  HUYI_TEMPLATE_ID: v.optional(
    v.pipe(v.string(), v.digits(), v.description("template that is sent in place of the text; else unset")),
  ),
  HUYI_VARIABLES: v.pipe(
    v.optional(v.string(), '["{code}"]'),
    textList,
    v.description('that template\'s variables in their order as JSON, such as ["{code}"]'),
  ),
}

const Accepted = v.object({ code: v.literal(2), smsid: v.pipe(v.string(), v.notValue("0"), v.nonEmpty()) })
const Refused = v.object({ code: v.pipe(v.number(), v.notValue(2)), msg: v.nullish(v.string()) })

/** Takes only texts that equal an approved template. Code 2 is accepted, and every answer is a 200. */
export default {
  docs: "https://www.ihuyi.com/api/sms.html",
  region: "China",
  evidence: "vendor",
  countries: ["CN"],
  url: "https://106.ihuyi.com",
  env,
  request(message, env, { url }) {
    const variables = fill(env.HUYI_VARIABLES, message)
    if (env.HUYI_TEMPLATE_ID && !variables) return noCode
    const form = new URLSearchParams({
      account: env.HUYI_API_ID,
      password: env.HUYI_API_KEY,
      mobile: message.recipient.replace(/^\+86/, ""),
      content: env.HUYI_TEMPLATE_ID ? (variables ?? []).join("|") : message.body,
      ...(env.HUYI_TEMPLATE_ID && { templateid: env.HUYI_TEMPLATE_ID }),
      format: "json",
    })
    return new Request(`${url}/webservice/sms.php?method=Submit`, {
      method: "POST",
      headers: { accept: "application/json" },
      body: form,
    })
  },
  faults: {
    // 406 may be a number that it has no route to, 4030 is its own block list, 408 and 4080 to 4085 limit each number.
    account: [400, 401, 402, 405, 406, 408, 4030, 4050, 4051, 4052, 4080, 4082, 4085, 40501, 40502],
    message: [407, 4070, 4071, 4072, 4073, 4074, 4075, 40722],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.smsid }
    return v.is(Refused, json) ? { code: json.code, reason: json.msg ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
