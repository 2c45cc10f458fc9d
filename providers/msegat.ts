import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  MSEGAT_USERNAME: v.pipe(v.string(), v.description("user name of the account")),
  MSEGAT_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
}

const Code = v.union([v.string(), v.number()])
const Accepted = v.object({ code: v.picklist(["1", 1, "M0000"]), id: v.nullish(Code) })
const Refused = v.object({ code: Code, message: v.nullish(v.string()) })

/** Every answer is a 200, some a bare code. 1120 is a wrong number, or one abroad where that is switched off. */
export default {
  docs: "https://msegat.docs.apiary.io",
  region: "Saudi Arabia, Gulf states",
  evidence: "vendor",
  needsSender: true,
  url: "https://www.msegat.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/gw/sendsms.php`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        userName: env.MSEGAT_USERNAME,
        apiKey: env.MSEGAT_API_KEY,
        userSender: sender.replace("+", ""),
        numbers: recipient.slice(1),
        msg: body,
        msgEncoding: "UTF8",
      }),
    })
  },
  faults: {
    account: ["M0002", "M0023", "M0026", "M0029", "M0030", "M0036", "M0037", "1020", "1060", "1110", "1120"],
    message: ["M0001", "1010", "1050", "1061", "1064", "1140"],
  },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) {
      const { id } = json
      return { id: typeof id === "string" || Number.isSafeInteger(id) ? String(id) : "" }
    }
    if (v.is(Refused, json)) return { code: json.code, reason: json.message ?? undefined }
    const code = /^\s{0,9}"?([A-Z]?\d{4})"?\s{0,9}$/.exec(text)?.[1]
    return { code: code ?? status }
  },
} satisfies Provider<typeof env>
