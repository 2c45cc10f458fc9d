import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSBIURAS_UID: v.pipe(v.string(), v.description("uid of the account")),
  SMSBIURAS_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  SMSBIURAS_TEST: v.pipe(
    v.optional(v.picklist(["0", "1"]), "0"),
    v.description("1 to have nothing delivered nor charged, or 0"),
  ),
}

/** Always a 200 with one line of text. It knows no POST: key and message stand in the URL. */
export default {
  docs: "https://www.smsbiuras.lt/",
  region: "Lithuania",
  evidence: "clients",
  url: "https://savitarna.smsbiuras.lt",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const query = new URLSearchParams({ uid: env.SMSBIURAS_UID, apikey: env.SMSBIURAS_API_KEY, message: body })
    if (sender) query.set("from", sender.replace("+", ""))
    query.set("test", env.SMSBIURAS_TEST)
    query.set("to", `00${recipient.slice(1)}`)
    return new Request(`${url}/api?${query}`)
  },
  faults: { account: [7, 8, 9] },
  receipt({ status, text }) {
    const id = /^OK: (\d+)$/.exec(text.trim())?.[1]
    if (status === 200 && id) return { id }
    return { code: /^ERROR: (\d+)$/.exec(text.trim())?.[1] ?? status }
  },
} satisfies Provider<typeof env>
