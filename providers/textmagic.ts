import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  TEXTMAGIC_USERNAME: v.pipe(v.string(), v.description("user name of the account")),
  TEXTMAGIC_API_KEY: v.pipe(v.string(), v.description("API key of that user")),
}

const Accepted = v.object({ id: v.pipe(v.number(), v.integer(), v.minValue(1)) })
const Refused = v.object({ code: v.number(), message: v.string() })
const Texts = v.array(v.string())
const Invalid = v.object({ errors: v.object({ common: Texts, fields: v.record(v.string(), Texts) }) })

/** A sender that is not registered is no error: the account's default sender takes its place. */
export default {
  docs: "https://docs.textmagic.com/#operation/sendMessage",
  region: "Global",
  evidence: "vendor",
  url: "https://rest.textmagic.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({ text: body, phones: recipient.slice(1) })
    if (sender) form.set("from", sender.replace("+", ""))
    return new Request(`${url}/api/v2/messages`, {
      method: "POST",
      headers: {
        "x-tm-username": env.TEXTMAGIC_USERNAME,
        "x-tm-key": env.TEXTMAGIC_API_KEY,
        accept: "application/json",
      },
      body: form,
    })
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: String(json.id) }
    if (!v.is(Refused, json)) return { code: status }
    if (!v.is(Invalid, json)) return { code: json.code, reason: json.message }
    const { common, fields } = json.errors
    const reason = [...common, ...Object.values(fields).flat()].join(" ") || json.message
    // A number that it calls not valid may be one of a country that it does not serve.
    const isAccount = fields.phones || fields.from
    return { code: json.code, reason, fault: isAccount ? "account" : fields.text ? "message" : undefined }
  },
} satisfies Provider<typeof env>
