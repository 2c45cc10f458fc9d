import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7, lengthOf } from "./lib.ts"

const env = {
  CLICKATELL_USER: v.pipe(v.string(), v.description("user name of the Developers' Central account")),
  CLICKATELL_PASSWORD: v.pipe(v.string(), v.description("its password")),
  CLICKATELL_API_ID: v.pipe(v.string(), v.description("API ID of its HTTP connection")),
}

/** A 200 whose text begins with ERR is a refusal. By POST, so that the password stays out of URLs. */
export default {
  docs: "https://archive.clickatell.com/developers/api-docs/",
  region: "Global",
  evidence: "clients",
  url: "https://api.clickatell.com",
  env,
  request({ recipient, sender, body }, env, { url, ttl }) {
    const form = new URLSearchParams({
      user: env.CLICKATELL_USER,
      password: env.CLICKATELL_PASSWORD,
      api_id: env.CLICKATELL_API_ID,
      to: recipient.slice(1),
    })
    if (sender) form.set("from", sender.replace("+", ""))
    const isUnicode = !isGsm7(body)
    const length = lengthOf(body)
    const parts = Math.ceil(length / (isUnicode ? 67 : 153))
    if (length > (isUnicode ? 70 : 160)) form.set("concat", String(parts))
    if (isUnicode) form.set("unicode", "1")
    // In whole minutes; a day is its default.
    if (ttl) form.set("validity", String(Math.min(Math.ceil(ttl / 60), 1_440)))
    form.set("text", isUnicode ? Buffer.from(body, "utf16le").swap16().toString("hex") : body)
    return new Request(`${url}/http/sendmsg`, { method: "POST", headers: { accept: "text/plain" }, body: form })
  },
  faults: {
    recipient: [
      "105", // "Invalid destination address"
      "122", // "Destination mobile opted out"
    ],
    // 121 is a number on its own block list.
    account: ["001", "002", "003", "004", "007", "106", "108", "114", "121", "123", "128", "130", "301", "302"],
    message: ["101", "107", "113", "116"],
    provider: ["901"],
  },
  receipt({ status, text }) {
    const id = /^ID:\s*(\S+)/.exec(text.trim())?.[1]
    if (status === 200 && id) return { id }
    const [, code, reason] = /^ERR:\s*(\d+),?\s*(.*)/.exec(text.trim()) ?? []
    return code ? { code, reason } : { code: status, reason: /^[^<>{}]{1,200}$/.exec(text.trim())?.[0] }
  },
} satisfies Provider<typeof env>
