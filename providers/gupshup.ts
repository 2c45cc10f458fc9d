import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  GUPSHUP_USER_ID: v.pipe(v.string(), v.description("account number of Enterprise SMS")),
  GUPSHUP_PASSWORD: v.pipe(v.string(), v.description("its password")),
  GUPSHUP_PRINCIPAL_ENTITY_ID: v.optional(v.pipe(v.string(), v.description("DLT entity ID"))),
  GUPSHUP_DLT_TEMPLATE_ID: v.optional(v.pipe(v.string(), v.description("DLT template ID of the text"))),
}

/** Any number of ten digits is taken for an Indian one without its 91, so a foreign one like that is not sent. */
export default {
  docs: "https://docs.gupshup.io/docs/send-message-to-single-number",
  region: "India",
  evidence: "vendor",
  url: "https://enterprise.smsgupshup.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    if (/^\+\d{10}$/.test(recipient))
      return { code: "ambiguous_number", reason: "it would be taken for an Indian number", fault: "account" }
    const form = new URLSearchParams({
      method: "sendMessage",
      userid: env.GUPSHUP_USER_ID,
      password: env.GUPSHUP_PASSWORD,
      auth_scheme: "plain",
      v: "1.1",
      format: "text",
      msg_type: isGsm7(body) ? "text" : "unicode_text",
      send_to: recipient.slice(1),
      msg: body,
    })
    if (sender) form.set("mask", sender.replace("+", ""))
    if (env.GUPSHUP_PRINCIPAL_ENTITY_ID) form.set("principalEntityId", env.GUPSHUP_PRINCIPAL_ENTITY_ID)
    if (env.GUPSHUP_DLT_TEMPLATE_ID) form.set("dltTemplateId", env.GUPSHUP_DLT_TEMPLATE_ID)
    return new Request(`${url}/GatewayAPI/rest`, { method: "POST", body: form })
  },
  // 105 is said to be a number that is not valid; its documentation does not list it.
  faults: { account: [102, 103, 104, 105, 106, 108, 175] },
  receipt({ status, text }) {
    const id = /^success\s*\|\s*\d+\s*\|\s*([^\s|]+)$/.exec(text.trim())?.[1]
    if (status === 200 && id) return { id }
    const [, code, reason] = /^error\s*\|\s*(\d+)\s*\|\s*(\S.*)?/.exec(text.trim()) ?? []
    return code ? { code, reason } : { code: status }
  },
} satisfies Provider<typeof env>
