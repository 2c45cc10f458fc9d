import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  ARKESEL_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
}

const Sent = v.object({ id: v.pipe(v.string(), v.nonEmpty()) })
const Accepted = v.object({ status: v.literal("success"), data: v.union([v.strictTuple([Sent]), Sent]) })
const Invalid = v.object({ "invalid numbers": v.pipe(v.array(v.unknown()), v.nonEmpty()) })
const InvalidNumber = v.object({ data: v.union([v.tuple([Invalid]), Invalid]) })
const Refused = v.object({ message: v.string() })

/** A "success" may hold nothing but "invalid numbers", foreign ones perhaps. Nigerian numbers need a use case. */
export default {
  docs: "https://developers.arkesel.com/",
  region: "Ghana, Nigeria",
  evidence: "clients",
  needsSender: true,
  url: "https://sms.arkesel.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const useCase = recipient.startsWith("+234") && { use_case: "transactional" }
    return new Request(`${url}/api/v2/sms/send`, {
      method: "POST",
      headers: { "content-type": "application/json", "api-key": env.ARKESEL_API_KEY },
      body: JSON.stringify({
        sender: sender.replace("+", ""),
        message: body,
        recipients: [recipient.slice(1)],
        ...useCase,
      }),
    })
  },
  receipt({ status, json }) {
    if ([200, 201, 202].includes(status) && v.is(Accepted, json)) {
      return { id: "id" in json.data ? json.data.id : json.data[0].id }
    }
    if (v.is(InvalidNumber, json)) return { code: "invalid numbers", fault: "account" }
    return { code: status, reason: v.is(Refused, json) ? json.message : undefined }
  },
} satisfies Provider<typeof env>
