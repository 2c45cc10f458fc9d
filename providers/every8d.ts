import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  EVERY8D_USERNAME: v.pipe(v.string(), v.description("account, often a mobile number")),
  EVERY8D_PASSWORD: v.pipe(v.string(), v.description("password of the account")),
}

/**
 * Answers are texts under 200: credit, sent, cost, unsent and batch id, or a negative code and its reason. Numbers abroad
 * must be switched on in the site.
 */
export default {
  docs: "https://teamplus.tech/product/every8d-value/",
  region: "Taiwan",
  evidence: "vendor",
  url: "https://api.e8d.tw",
  env,
  request({ recipient, body }, env, { url, ttl }) {
    const form = new URLSearchParams({
      UID: env.EVERY8D_USERNAME,
      PWD: env.EVERY8D_PASSWORD,
      SB: "code",
      MSG: body,
      DEST: recipient.replace(/^\+886/, "0"),
    })
    // In whole minutes; a day is its default.
    if (ttl) form.set("RETRYTIME", String(Math.min(Math.ceil(ttl / 60), 1_440)))
    return new Request(`${url}/API21/HTTP/sendSMS.ashx`, { method: "POST", body: form })
  },
  faults: { account: ["-", -300] },
  receipt({ status, text }) {
    const [, sent, unsent, id] = /^\d[\d.]{0,20},(\d{1,9}),[\d.]{1,20},(\d{1,9}),([\w-]{1,64})\s{0,9}$/.exec(text) ?? []
    if (status === 200 && id && Number(sent) > 0 && Number(unsent) === 0) return { id }
    // What is unsent is what the credit did not pay for.
    if (Number(unsent) > 0) return { code: status, reason: "not sent, for want of credit", fault: "account" }
    const [, code = status, reason] = /^(-\d{0,9})[,\s]{0,9}(.{1,300})?/.exec(text) ?? []
    return { code, reason }
  },
} satisfies Provider<typeof env>
