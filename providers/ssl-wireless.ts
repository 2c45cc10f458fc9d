import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SSL_WIRELESS_API_TOKEN: v.pipe(v.string(), v.description("API token of the iSMS Plus account")),
}

const Accepted = v.object({
  status: v.literal("SUCCESS"),
  status_code: v.literal(200),
  smsinfo: v.strictTuple([
    v.object({ sms_status: v.optional(v.literal("SUCCESS")), reference_id: v.pipe(v.string(), v.nonEmpty()) }),
  ]),
})
const Refused = v.object({ status: v.literal("FAILED"), status_code: v.number(), error_message: v.nullish(v.string()) })
const RefusedMessage = v.object({
  smsinfo: v.tuple([
    v.object({ sms_status: v.pipe(v.string(), v.notValue("SUCCESS")), status_message: v.nullish(v.string()) }),
  ]),
})

/** Always a 200, whose outer status judges the call; a message may fail inside of a success. */
export default {
  docs: "https://smsplus.sslwireless.com",
  region: "Bangladesh",
  evidence: "clients",
  countries: ["BD"],
  needsSender: true,
  url: "https://smsplus.sslwireless.com",
  env,
  request({ recipient, sender, body }, env, { url, nonce }) {
    return new Request(`${url}/api/v3/send-sms`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        api_token: env.SSL_WIRELESS_API_TOKEN,
        sid: sender.replace("+", ""),
        msisdn: recipient.slice(1),
        sms: body,
        csms_id: nonce().slice(0, 20),
      }),
    })
  },
  faults: { account: [4001, 4003] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.smsinfo[0].reference_id }
    const [code, reason] = v.is(Refused, json)
      ? [json.status_code, json.error_message ?? undefined]
      : v.is(RefusedMessage, json)
        ? [json.smsinfo[0].sms_status, json.smsinfo[0].status_message ?? undefined]
        : [status]
    // What it says of a bad number is not documented.
    return { code, reason, fault: /^invalid (mobile|msisdn)/i.test(reason ?? "") ? "account" : undefined }
  },
} satisfies Provider<typeof env>
