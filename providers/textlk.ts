import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  TEXTLK_API_TOKEN: v.pipe(v.string(), v.description("API token, from Developers")),
  TEXTLK_DLT_TEMPLATE_ID: v.optional(
    v.pipe(v.string(), v.description("content template registered in India (DLT), for a vendor that sends there")),
  ),
}

const Accepted = v.object({ status: v.literal("success") })
const Sent = v.object({ data: v.object({ uid: v.pipe(v.string(), v.nonEmpty()) }) })
const Refused = v.object({ status: v.literal("error"), message: v.nullish(v.string()) })

/** A refusal may be a 200, and has no code. The same software serves other vendors: TEXTLK_URL is then their address. */
export default {
  docs: "https://text.lk/docs/send-sms",
  region: "Sri Lanka",
  evidence: "vendor",
  needsSender: true,
  url: "https://app.text.lk",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/api/v3/sms/send`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.TEXTLK_API_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        recipient: recipient.slice(1),
        sender_id: sender.replace("+", ""),
        type: "plain",
        message: body,
        dlt_template_id: env.TEXTLK_DLT_TEMPLATE_ID,
      }),
    })
  },
  receipt({ status, json }) {
    // The id is documented for reading a message alone: an answer may hold a report in words.
    if (status === 200 && v.is(Accepted, json)) return { id: v.is(Sent, json) ? json.data.uid : "" }
    if (!v.is(Refused, json)) return { code: status }
    const reason = json.message ?? undefined
    return { code: status, reason, fault: /sender|balance|unit/i.test(reason ?? "") ? "account" : undefined }
  },
} satisfies Provider<typeof env>
