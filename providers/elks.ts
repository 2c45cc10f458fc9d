import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "./lib.ts"

const env = {
  ELKS_API_USERNAME: v.pipe(v.string(), v.description("API user name of the account")),
  ELKS_API_PASSWORD: v.pipe(v.string(), v.description("API password of the account")),
}

const Accepted = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(["created", "sent", "delivered"]),
})
const Failed = v.object({ status: v.literal("failed") })

const Delivery = v.object({ id: Accepted.entries.id, status: v.string() })
const states = new Map(
  Object.entries({ created: "pending", sent: "pending", delivered: "delivered", failed: "failed" } as const),
)

/** Refusals are plain text with no code, and 403 is anything from no credit to a bad number. */
export default {
  docs: "https://46elks.com/docs/send-sms",
  region: "Europe",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.46elks.com/a1",
  env,
  request({ recipient, sender, body }, env, { url, reportUrl }) {
    const form = new URLSearchParams({ from: sender, to: recipient, message: body })
    if (reportUrl) form.set("whendelivered", reportUrl)
    return new Request(`${url}/sms`, {
      method: "POST",
      headers: {
        authorization: basic(env.ELKS_API_USERNAME, env.ELKS_API_PASSWORD),
        accept: "application/json",
      },
      body: form,
    })
  },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.id }
    if (v.is(Failed, json)) return { code: json.status }
    const reason = /^[^<>{}]{1,200}$/.exec(text.trim())?.[0]
    return { code: status, reason }
  },
  report: {
    read({ text }) {
      const { id, status } = v.parse(Delivery, Object.fromEntries(new URLSearchParams(text)))
      const state = states.get(status)
      return state ? [{ id, state }] : []
    },
  },
} satisfies Provider<typeof env>
