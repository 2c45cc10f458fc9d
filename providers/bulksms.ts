import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic, isGsm7 } from "./lib.ts"

const env = {
  BULKSMS_TOKEN_ID: v.pipe(v.string(), v.description("id of an API token, or the account's user name")),
  BULKSMS_TOKEN_SECRET: v.pipe(v.string(), v.description("secret of that token, or the account's password")),
}

const Accepted = v.strictTuple([
  v.object({
    id: v.pipe(v.string(), v.nonEmpty()),
    status: v.object({ type: v.picklist(["ACCEPTED", "SCHEDULED", "SENT", "DELIVERED"]) }),
  }),
])
const Failed = v.tuple([v.object({ status: v.object({ id: v.string(), type: v.literal("FAILED") }) })])
const Refused = v.object({ type: v.string(), title: v.string(), detail: v.nullish(v.string()) })

const Event = v.object({ type: v.string() })
const Delivery = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  status: v.object({ type: v.string(), subtype: v.nullish(v.string()) }),
})
const states = new Map(
  Object.entries({
    ACCEPTED: "pending",
    SCHEDULED: "pending",
    SENT: "pending",
    DELIVERED: "delivered",
    FAILED: "failed",
  } as const),
)

/** Sent as TEXT, letters beyond GSM-7 become "?". Three parts are the limit unless another is asked for. */
export default {
  docs: "https://www.bulksms.com/developer/json/v1/",
  region: "Global",
  evidence: "vendor",
  url: "https://api.bulksms.com/v1",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const from = /^\d{1,6}$/.test(sender) ? { type: "SHORTCODE", address: sender } : sender
    return new Request(`${url}/messages`, {
      method: "POST",
      headers: {
        authorization: basic(env.BULKSMS_TOKEN_ID, env.BULKSMS_TOKEN_SECRET),
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        ...(from && { from }),
        to: recipient,
        body,
        encoding: isGsm7(body) ? "TEXT" : "UNICODE",
        ...(body.length > 200 && { longMessageMaxParts: 24 }),
      }),
    })
  },
  faults: { account: ["FAILED.BLOCKED", "FAILED.NOT_SENT"] },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json[0].id }
    if (status === 201 && v.is(Failed, json)) return { code: json[0].status.id }
    if (!v.is(Refused, json)) return { code: status }
    const { type, title, detail } = json
    const field = status === 400 && /\bproperty (to|from|body)\b/.exec(detail ?? "")?.[1]
    // What is wrong with the number, it does not say: it may be one that this account cannot send to.
    const fault = field === "body" ? "message" : field ? "account" : undefined
    return { code: type.replace(/^.*#/, ""), reason: detail ?? title, fault }
  },
  /** An empty list asks whether the address is there. */
  report: {
    read({ text }) {
      const json = v.parse(v.array(v.unknown()), JSON.parse(text))
      return json.flatMap((event) => {
        if (v.parse(Event, event).type !== "SENT") return []
        const { id, status } = v.parse(Delivery, event)
        const state = status.subtype === "EXPIRED" ? "expired" : states.get(status.type)
        return state ? [{ id, state, code: status.subtype ?? undefined }] : []
      })
    },
  },
} satisfies Provider<typeof env>
