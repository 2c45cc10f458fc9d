import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SEMAPHORE_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
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
  request({ recipient, sender, body }, env, { url }) {
    // Its documentation: such texts "are silently ignored and will not be sent".
    if (body.startsWith("TEST")) return { code: "test", reason: "a text must not begin with TEST", fault: "message" }
    const form = new URLSearchParams({ apikey: env.SEMAPHORE_API_KEY, number: recipient.slice(1), message: body })
    if (/[^+\d]/.test(sender)) form.set("sendername", sender)
    return new Request(`${url}/api/v4/messages`, { method: "POST", body: form })
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
