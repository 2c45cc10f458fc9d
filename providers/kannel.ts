import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  KANNEL_URL: v.pipe(
    v.string(),
    v.url(),
    v.description("whole address of sendsms, such as http://127.0.0.1:13013/cgi-bin/sendsms"),
  ),
  KANNEL_USERNAME: v.pipe(
    v.string(),
    v.description("username of a sendsms-user group with concatenation = true and max-messages = 10"),
  ),
  KANNEL_PASSWORD: v.pipe(v.string(), v.description("password of that group")),
}

const refusal =
  /^(?:Sent\. )?(Denied receivers|Number\(s\) has\/have been denied|Authorization failed|Not routable|Temporal failure|Sending failed|[\w -]+, rejected)/

const Delivery = v.object({ id: v.pipe(v.string(), v.regex(/^[\da-f]{32}$/)), type: v.string() })
const states = new Map<string, "delivered" | "failed">([
  ["1", "delivered"],
  ["2", "failed"],
  ["16", "failed"],
])

/**
 * A group without `concatenation = true` and `max-messages` above 1 cuts a long text without a word, and the code with it.
 * Success is 202 and plain text, with no id; a group smsc without `smsc-id` gives no reports.
 */
export default {
  docs: "https://www.kannel.org/download/1.4.5/userguide-1.4.5/userguide.html",
  region: "Self-hosted",
  evidence: "vendor",
  env,
  request({ recipient, sender, body }, env, { url, nonce, reportUrl, ttl }) {
    // Headers in UTF-8 and the body hold all: a URL stands in logs.
    const headers = new Headers({ "content-type": "text/plain; charset=UTF-8" })
    const set = (name: string, text: string) => headers.set(`x-kannel-${name}`, Buffer.from(text).toString("latin1"))
    set("username", env.KANNEL_USERNAME)
    set("password", env.KANNEL_PASSWORD)
    if (sender) set("from", sender)
    set("to", recipient)
    set("coding", isGsm7(body) ? "0" : "2")
    // Whole minutes; no bounds are documented.
    if (ttl) set("validity", String(Math.ceil(ttl / 60)))
    if (reportUrl) {
      // 1, 2 and 16: delivered, not delivered, and refused by the SMSC.
      set("dlr-mask", "19")
      set("dlr-url", `${reportUrl}?id=${nonce()}&type=%d`)
    }
    return new Request(url, { method: "POST", headers, body })
  },
  faults: { provider: ["queued"] },
  receipt({ status, text }) {
    const reason = refusal.exec(text)?.[1]
    if (status === 202 && !text.includes("Denied") && /^(0: Accepted|Sent\.)/.test(text)) return { id: "" }
    // No SMSC is connected: the text is kept, and perhaps sent later.
    if (status === 202 && text.startsWith("3: Queued"))
      return { code: "queued", reason: "Queued for later delivery", isPerhapsSent: true }
    // A white list denies whole countries, so that this is not about the number for sure.
    if (reason && /denied|^Sender missing/i.test(reason)) return { code: status, reason, fault: "account" }
    return { code: status, reason, fault: reason?.startsWith("Charset or body") ? "message" : undefined }
  },
  report: {
    read({ url }) {
      const { id, type } = v.parse(Delivery, Object.fromEntries(new URL(url).searchParams))
      const state = states.get(type)
      return state ? [{ id, state, code: state === "failed" ? type : undefined }] : []
    },
  },
} satisfies Provider<typeof env>
