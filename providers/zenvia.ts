import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  ZENVIA_API_TOKEN: v.pipe(v.string(), v.description("API token of the account, of the kind that needs no signature")),
}

const Accepted = v.object({ id: v.pipe(v.string(), v.nonEmpty()), code: v.optional(v.never()) })
const Refused = v.object({
  code: v.string(),
  message: v.string(),
  details: v.optional(v.array(v.object({ path: v.optional(v.string()) }))),
})

/** `from` is the alias of an integration in Zenvia's console, not any text: ZENVIA_SENDER must hold it. */
export default {
  docs: "https://zenvia.github.io/zenvia-openapi-spec/v2/",
  region: "Brazil, Mexico",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.zenvia.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const [from, to] = [sender.replace("+", ""), recipient.slice(1)]
    return new Request(`${url}/v2/channels/sms/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-token": env.ZENVIA_API_TOKEN },
      body: JSON.stringify({ from, to, contents: [{ type: "text", text: body }] }),
    })
  },
  faults: { account: ["AUTHENTICATION_ERROR"], message: ["VALIDATION_ERROR"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const names = (field: string) => json.details?.some(({ path }) => path === field)
    // It serves some countries: a number of another is as invalid to it as a bad one.
    return { code: json.code, reason: json.message, fault: names("to") || names("from") ? "account" : undefined }
  },
} satisfies Provider<typeof env>
