import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SPRYNG_API_KEY: v.pipe(v.string(), v.description("REST API key, from Profile > Security")),
  SPRYNG_ROUTE: v.pipe(v.optional(v.string(), "business"), v.description("business, economy or the id of a route")),
}

const Accepted = v.object({ id: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ message: v.string() })
const Invalid = v.object({ errors: v.record(v.string(), v.array(v.string())) })

/** A refusal has no code of its own: the field of the request that it names says whose fault it is. */
export default {
  docs: "https://docs.spryngsms.com/",
  region: "Netherlands, Belgium",
  evidence: "clients",
  url: "https://rest.spryngsms.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const originator = sender && { originator: sender.replace("+", "") }
    return new Request(`${url}/v1/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.SPRYNG_API_KEY}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        encoding: "auto",
        body,
        route: env.SPRYNG_ROUTE,
        ...originator,
        recipients: [recipient.slice(1)],
      }),
    })
  },
  // A number that it calls invalid may be one that it does not serve.
  faults: { account: ["credits", "originator", "recipients", "recipients.0", "route"], message: ["body"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.id }
    const [[field, texts] = []] = v.is(Invalid, json) ? Object.entries(json.errors) : []
    if (status === 422 && field) return { code: field, reason: texts?.join(" ") }
    return { code: status, reason: v.is(Refused, json) ? json.message : undefined }
  },
} satisfies Provider<typeof env>
