import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SMSBROADCAST_USERNAME: v.pipe(v.string(), v.description("user name of the account")),
  SMSBROADCAST_PASSWORD: v.pipe(v.string(), v.description("its password")),
}

/** Always a 200 with lines of text. Without maxsplit a text of more than one part is refused. */
export default {
  docs: "https://support.smsbroadcast.com.au/articles/72469-advanced-api-documentation",
  region: "Australia",
  evidence: "vendor",
  url: "https://api.smsbroadcast.com.au",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({
      username: env.SMSBROADCAST_USERNAME,
      password: env.SMSBROADCAST_PASSWORD,
      to: recipient.slice(1),
    })
    if (sender) form.set("from", sender.replace("+", ""))
    form.set("message", body)
    form.set("maxsplit", "5")
    return new Request(`${url}/api-adv.php`, { method: "POST", body: form })
  },
  receipt({ status, text }) {
    const id = /^OK: ?\d+: ?(\w+)$/.exec(text.trim())?.[1]
    if (status === 200 && id) return { id }
    const bad = /^BAD: ?[^:\n]*: ?(.*\S)/m.exec(text)?.[1]
    // It documents Australian numbers only, so that one from abroad may be invalid to it alone.
    if (bad) return { code: "BAD", reason: bad, fault: bad === "Invalid Number" ? "account" : undefined }
    const error = /^ERROR: ?(.*\S)/m.exec(text)?.[1]
    if (!error) return { code: status }
    return { code: "ERROR", reason: error, fault: error.startsWith("Username or password") ? "account" : undefined }
  },
} satisfies Provider<typeof env>
