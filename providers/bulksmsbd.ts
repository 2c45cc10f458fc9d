import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  BULKSMSBD_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
}

const Accepted = v.object({ response_code: v.literal(202) })
const Id = v.object({ message_id: v.union([v.pipe(v.number(), v.integer()), v.pipe(v.string(), v.nonEmpty())]) })
const Refused = v.object({
  response_code: v.pipe(v.number(), v.notValue(202)),
  error_message: v.nullish(v.string()),
})

/** Always a 200: the code of the answer judges. Some refusals are a bare number. */
export default {
  docs: "https://bulksmsbd.com/bulksms-api-bangladesh.php",
  region: "Bangladesh",
  evidence: "vendor",
  countries: ["BD"],
  needsSender: true,
  url: "https://bulksmsbd.net",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({
      api_key: env.BULKSMSBD_API_KEY,
      type: "text",
      number: recipient.slice(1),
      senderid: sender.replace("+", ""),
      message: body,
    })
    return new Request(`${url}/api/smsapi`, { method: "POST", headers: { accept: "application/json" }, body: form })
  },
  faults: {
    // 1001, an invalid number, may be one that it has no route to.
    account: [1001, 1002, 1006, 1007, 1011, 1013, 1014, 1015, 1016, 1017, 1018, 1019, 1020, 1021, 1031, 1032],
    message: [1012],
    provider: [1005],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: v.is(Id, json) ? String(json.message_id) : "" }
    if (!v.is(Refused, json)) return { code: typeof json === "number" ? json : status }
    return { code: json.response_code, reason: json.error_message || undefined }
  },
} satisfies Provider<typeof env>
