import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  KANNEL_USERNAME: v.pipe(v.string(), v.description("username of a sendsms-user group of smsbox")),
  KANNEL_PASSWORD: v.pipe(v.string(), v.description("password of that group")),
}

const refusal =
  /^(?:Sent\. )?(Denied receivers|Number\(s\) has\/have been denied|Authorization failed|Not routable|Temporal failure|Sending failed|[\w -]+, rejected)/

/** Success is 202 and plain text, with no id. KANNEL_URL ends before /sendsms: http://127.0.0.1:13013/cgi-bin. */
export default {
  docs: "https://www.kannel.org/download/1.4.5/userguide-1.4.5/userguide.html",
  region: "Self-hosted",
  evidence: "vendor",
  env,
  request({ recipient, sender, body }, env, { url, isGsm7 }) {
    // By GET the same fields would put password and text into the URL. A sender keeps its "+": it marks the number type.
    return new Request(`${url}/sendsms`, {
      method: "POST",
      headers: {
        "content-type": "text/plain; charset=UTF-8",
        "x-kannel-username": env.KANNEL_USERNAME,
        "x-kannel-password": env.KANNEL_PASSWORD,
        ...(sender && { "x-kannel-from": sender }),
        "x-kannel-to": recipient,
        "x-kannel-coding": isGsm7(body) ? "0" : "2",
      },
      body,
    })
  },
  receipt({ status, text }) {
    const reason = refusal.exec(text)?.[1]
    if (status === 202 && !text.includes("Denied") && /^(0: Accepted|3: Queued|Sent\.)/.test(text)) return { id: "" }
    if (reason && /denied/i.test(reason)) return { code: status, reason, fault: "recipient" }
    if (reason?.startsWith("Sender missing")) return { code: status, reason, fault: "account" }
    return { code: status, reason, fault: reason?.startsWith("Charset or body") ? "message" : undefined }
  },
} satisfies Provider<typeof env>
