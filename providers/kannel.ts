import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  KANNEL_USERNAME: v.pipe(v.string(), v.description("username of a sendsms-user group of smsbox")),
  KANNEL_PASSWORD: v.pipe(v.string(), v.description("password of that group")),
}

const refusal =
  /^(?:Sent\. )?(Denied receivers|Number\(s\) has\/have been denied|Authorization failed|Not routable|Temporal failure|Sending failed|[\w -]+, rejected)/

/** Success is 202 and plain text, with no id. KANNEL_URL is that of sendsms: http://127.0.0.1:13013/cgi-bin/sendsms. */
export default {
  docs: "https://www.kannel.org/download/1.4.5/userguide-1.4.5/userguide.html",
  region: "Self-hosted",
  evidence: "vendor",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const query = new URLSearchParams({ username: env.KANNEL_USERNAME, password: env.KANNEL_PASSWORD })
    if (sender) query.set("from", sender)
    query.set("to", recipient)
    query.set("text", body)
    query.set("charset", "UTF-8")
    query.set("coding", isGsm7(body) ? "0" : "2")
    return new Request(`${url}?${query}`)
  },
  receipt({ status, text }) {
    const reason = refusal.exec(text)?.[1]
    if (status === 202 && !text.includes("Denied") && /^(0: Accepted|3: Queued|Sent\.)/.test(text)) return { id: "" }
    // A white list denies whole countries, so that this is not about the number for sure.
    if (reason && /denied|^Sender missing/i.test(reason)) return { code: status, reason, fault: "account" }
    return { code: status, reason, fault: reason?.startsWith("Charset or body") ? "message" : undefined }
  },
} satisfies Provider<typeof env>
