import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, isGsm7 } from "./lib.ts"

const env = {
  LABSMOBILE_USERNAME: v.pipe(v.string(), v.description("user name of the account, an e-mail address")),
  LABSMOBILE_TOKEN: v.pipe(v.string(), v.description("API token, from the account's settings")),
  LABSMOBILE_TEST: v.pipe(
    v.optional(v.picklist(["0", "1"]), "0"),
    v.description("1 to try the API without sending; else 0"),
  ),
}

const Accepted = v.object({ subid: v.pipe(v.string(), v.nonEmpty()), code: v.literal("0") })
const Refused = v.object({ code: v.pipe(v.string(), v.notValue("0")), message: v.optional(v.string()) })

/** Refusals come under 200 too, and codes are text. More than GSM-7 needs ucs2, more than one part needs long. */
export default {
  docs: "https://apidocs.labsmobile.com",
  region: "Spain, Latin America",
  evidence: "vendor",
  url: "https://api.labsmobile.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const isPlain = isGsm7(body)
    const isLong = isPlain ? body.replace(/[\f^{}\\[~\]|€]/g, "$&$&").length > 160 : body.length > 70
    return new Request(`${url}/json/send`, {
      method: "POST",
      headers: {
        authorization: basic(env.LABSMOBILE_USERNAME, env.LABSMOBILE_TOKEN),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        message: body,
        tpoa: sender.replace("+", "") || undefined,
        recipient: [{ msisdn: recipient.slice(1) }],
        test: env.LABSMOBILE_TEST === "1" ? "1" : undefined,
        ucs2: isPlain ? undefined : "1",
        long: isLong ? "1" : undefined,
      }),
    })
  },
  // 23 says no more than "recipient".
  faults: { account: ["23", "401", "403"], message: ["20"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.subid }
    return v.is(Refused, json) ? { code: json.code, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
