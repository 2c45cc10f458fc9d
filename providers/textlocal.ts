import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  TEXTLOCAL_API_KEY: v.pipe(v.string(), v.description("API key, from the settings of the account")),
  TEXTLOCAL_REGION: v.pipe(
    v.optional(v.picklist(["in", "uk"]), "in"),
    v.description("where the account is: in (India) or uk (United Kingdom)"),
  ),
}

const Accepted = v.object({
  status: v.literal("success"),
  messages: v.strictTuple([v.object({ id: v.pipe(v.string(), v.nonEmpty()) })]),
})
const Refused = v.object({
  status: v.literal("failure"),
  errors: v.tuple([v.object({ code: v.union([v.number(), v.string()]), message: v.string() })]),
})

/** Always a 200. In India a text must match an approved template, and a promotional account sends from 9 to 21 h alone. */
export default {
  docs: "https://api.textlocal.in/docs",
  region: "India, United Kingdom",
  evidence: "clients",
  url: ({ TEXTLOCAL_REGION }) => (TEXTLOCAL_REGION === "uk" ? "https://api.txtlocal.com" : "https://api.textlocal.in"),
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({ apikey: env.TEXTLOCAL_API_KEY, numbers: recipient.slice(1) })
    if (sender) form.set("sender", sender.replace("+", ""))
    form.set("message", body)
    if (!isGsm7(body)) form.set("unicode", "true")
    return new Request(`${url}/send/`, { method: "POST", headers: { accept: "application/json" }, body: form })
  },
  // 32 and 51, a number that is not valid, may be one abroad.
  faults: { account: [2, 3, 7, 32, 43, 44, 51, 192], message: [5, 6] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0].id }
    if (!v.is(Refused, json)) return { code: status }
    const [{ code, message }] = json.errors
    return { code, reason: message, fault: /\btemplate\b/i.test(message) ? "message" : undefined }
  },
} satisfies Provider<typeof env>
