import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  JASMIN_USERNAME: v.pipe(v.string(), v.description("user name of a Jasmin user")),
  JASMIN_PASSWORD: v.pipe(v.string(), v.description("its password")),
}

/** Puts ? for what is not GSM unless the text comes as UCS-2. 403 means log-in, balance or throttling: the text tells. */
export default {
  docs: "https://docs.jasminsms.com/en/latest/apis/http/index.html",
  region: "Your own SMPP gateway",
  evidence: "vendor",
  env,
  request({ recipient, sender, body }, env, { url, ttl }) {
    const form = new URLSearchParams({
      username: env.JASMIN_USERNAME,
      password: env.JASMIN_PASSWORD,
      to: recipient,
    })
    if (sender) form.set("from", sender)
    if (isGsm7(body)) form.set("content", body)
    else {
      form.set("coding", "8")
      form.set("hex-content", Buffer.from(body, "utf16le").swap16().toString("hex"))
    }
    // Whole minutes; no bounds are documented.
    if (ttl) form.set("validity-period", String(Math.ceil(ttl / 60)))
    return new Request(`${url}/send`, { method: "POST", body: form })
  },
  faults: { account: [412] },
  receipt({ status, text }) {
    const id = /^Success "([^"]+)"$/.exec(text.trim())?.[1]
    if (status === 200 && id) return { id }
    const reason = /^Error "(.+)"$/s.exec(text.trim())?.[1]
    if (reason === "User throughput exceeded") return { code: status, reason, fault: "provider" }
    const isForbidden = status === 400 && /^(Authorization|Value filter) failed for user /.test(reason ?? "")
    return { code: status, reason, fault: isForbidden ? "account" : undefined }
  },
} satisfies Provider<typeof env>
