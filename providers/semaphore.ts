import * as v from "valibot"
import type { Provider } from "../main.ts"
import { noCode } from "./lib.ts"

const env = {
  SEMAPHORE_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  SEMAPHORE_ROUTE: v.optional(
    v.pipe(
      v.picklist(["otp", "priority"]),
      v.description("otp, for codes alone, or priority, which both pass its queue; else unset"),
    ),
  ),
}

const Message = v.object({ message_id: v.number(), status: v.picklist(["Queued", "Pending", "Sent"]) })
const Accepted = v.tupleWithRest([Message], Message)
const Failed = v.tuple([v.object({ status: v.picklist(["Failed", "Refunded"]) })])
const Invalid = v.record(v.string(), v.tuple([v.string()]))
const NoSender = v.tuple([v.object({ senderName: v.string() })])
const NoCredit = v.tuple([v.pipe(v.string(), v.startsWith("Your current balance"))])
const Refused = v.object({ message: v.string() })

/** A wrong field is told under 200 by an object with its name. Sender names that are numbers are never allowed. */
export default {
  docs: "https://api.semaphore.co/docs",
  region: "Philippines",
  evidence: "vendor",
  countries: ["PH"],
  url: "https://api.semaphore.co",
  env,
  request({ recipient, sender, body, code }, env, { url }) {
    // Its documentation: such texts "are silently ignored and will not be sent".
    if (body.startsWith("TEST")) return { code: "test", reason: "a text must not begin with TEST", fault: "message" }
    const isOtp = env.SEMAPHORE_ROUTE === "otp"
    if (isOtp && !code) return noCode
    // Its route for codes puts the code where {otp} stands, and makes one of its own where none is given.
    const message = isOtp && code ? body.replaceAll(code, "{otp}") : body
    const form = new URLSearchParams({ apikey: env.SEMAPHORE_API_KEY, number: recipient.slice(1), message })
    if (/[^+\d]/.test(sender)) form.set("sendername", sender)
    if (isOtp && code) form.set("code", code)
    return new Request(`${url}/api/v4/${env.SEMAPHORE_ROUTE ?? "messages"}`, { method: "POST", body: form })
  },
  faults: { account: ["apikey", "number", "sendername", "senderName"], message: ["message"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json[0].message_id) }
    if (v.is(Failed, json)) return { code: json[0].status }
    if (v.is(NoSender, json)) return { code: "senderName", reason: json[0].senderName }
    if (v.is(NoCredit, json)) return { code: status, reason: json[0], fault: "account" }
    const [field, [reason] = []] = (v.is(Invalid, json) && Object.entries(json)[0]) || []
    if (field) return { code: field, reason }
    return { code: status, reason: v.is(Refused, json) ? json.message : undefined }
  },
} satisfies Provider<typeof env>
