import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textRecord } from "./lib.ts"

const env = {
  IPPANEL_API_KEY: v.pipe(v.string(), v.description("API key, from the panel's developer page")),
  IPPANEL_PATTERN_CODE: v.optional(
    v.pipe(v.string(), v.description("code of an approved pattern; else the text itself is sent")),
  ),
  IPPANEL_VARIABLES: v.pipe(
    v.optional(v.string(), '{"code": "{code}"}'),
    textRecord,
    v.description('the pattern\'s variables, as JSON with {code}; else {"code": "{code}"}'),
  ),
}

const Accepted = v.object({
  data: v.object({ message_outbox_ids: v.strictTuple([v.pipe(v.number(), v.integer(), v.minValue(1))]) }),
  meta: v.object({ status: v.literal(true) }),
})
const Refused = v.object({
  meta: v.object({
    status: v.literal(false),
    message: v.string(),
    message_code: v.string(),
    errors: v.nullish(v.unknown()),
  }),
})
const RefusedAccount = v.union([v.object({ code: v.unknown() }), v.object({ from_number: v.unknown() })])

/** Resellers (FarazSMS and others) have the same API at their own host. The sender is a line, such as +983000505. */
export default {
  docs: "https://ippanelcom.github.io/Edge-Document/docs/send/pattern",
  region: "Iran",
  evidence: "vendor",
  countries: ["IR"],
  needsSender: true,
  url: "https://edge.ippanel.com",
  env,
  request(message, env, { url }) {
    const params = fill(env.IPPANEL_VARIABLES, message)
    const [recipients, code] = [[message.recipient], env.IPPANEL_PATTERN_CODE]
    if (code && !params) return noCode
    const content = code
      ? { sending_type: "pattern", from_number: message.sender, code, recipients, params }
      : { sending_type: "webservice", from_number: message.sender, message: message.body, params: { recipients } }
    return new Request(`${url}/v1/api/send`, {
      method: "POST",
      headers: {
        authorization: env.IPPANEL_API_KEY,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify(content),
    })
  },
  faults: { account: ["400-1"], message: ["400-2"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) {
      const [id] = json.data.message_outbox_ids
      return { id: Number.isSafeInteger(id) ? String(id) : "" }
    }
    if (!v.is(Refused, json)) return { code: status }
    const { message_code, message, errors } = json.meta
    // The code of every invalid field: which one it is stands in `errors`.
    return { code: message_code, reason: message, fault: v.is(RefusedAccount, errors) ? "account" : undefined }
  },
} satisfies Provider<typeof env>
