import * as v from "valibot"
import type { Provider } from "../main.ts"
import { hmac, sha256 } from "./lib.ts"

const connection = /^endpoint=(https:\/\/[^;]+);accesskey=([\w+/]+=*);?$/i
const env = {
  COMMUNICATION_SERVICES_CONNECTION_STRING: v.pipe(
    v.string(),
    v.regex(connection),
    v.transform((text) => connection.exec(text) ?? []),
    v.description("connection string of the resource, endpoint=https://…;accesskey=…"),
  ),
}

const Accepted = v.object({
  value: v.strictTuple([
    v.object({
      messageId: v.pipe(v.string(), v.nonEmpty()),
      successful: v.literal(true),
      errorMessage: v.nullish(v.literal("")),
    }),
  ]),
})
const RefusedNumber = v.object({
  value: v.strictTuple([
    v.object({ httpStatusCode: v.number(), successful: v.literal(false), errorMessage: v.nullish(v.string()) }),
  ]),
})
const Refused = v.object({ error: v.object({ code: v.string(), message: v.string() }) })
const Invalid = v.object({ title: v.string(), status: v.number() })

const Events = v.array(v.object({ eventType: v.string(), data: v.unknown() }))
const Question = v.object({ validationCode: v.string() })
const Delivery = v.object({ messageId: v.pipe(v.string(), v.nonEmpty()), deliveryStatus: v.string() })
const states = new Map(Object.entries({ Delivered: "delivered", Failed: "failed" } as const))

/** A 202 may hold a refusal, with a status of its own inside. A 401 may only mean that this machine's clock is wrong. */
export default {
  docs: "https://learn.microsoft.com/en-us/rest/api/communication/dataplane/sms/send",
  region: "Global",
  evidence: "vendor",
  needsSender: true,
  url: ({ COMMUNICATION_SERVICES_CONNECTION_STRING: [, endpoint = ""] }) => endpoint,
  env,
  async request({ recipient, sender, body }, env, { url, clock, reportUrl }) {
    const [, , accessKey = ""] = env.COMMUNICATION_SERVICES_CONNECTION_STRING
    const { href, host, pathname, search } = new URL(`${url}/sms?api-version=2021-03-07`)
    const text = JSON.stringify({
      from: sender,
      smsRecipients: [{ to: recipient }],
      message: body,
      smsSendOptions: { enableDeliveryReport: Boolean(reportUrl) },
    })
    const date = new Date(clock()).toUTCString()
    const digest = (await sha256(text)).toString("base64")
    const signed = `POST\n${pathname}${search}\n${date};${host};${digest}`
    const signature = (await hmac("SHA-256", Buffer.from(accessKey, "base64"), signed)).toString("base64")
    return new Request(href, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        "x-ms-date": date,
        "x-ms-content-sha256": digest,
        authorization: `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`,
      },
      body: text,
    })
  },
  faults: { account: [401, 403], provider: [429, "TooManyRequests"] },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.value[0].messageId }
    if (v.is(RefusedNumber, json)) {
      const [{ httpStatusCode: code, errorMessage }] = json.value
      const isNumber = errorMessage === "Invalid To phone number format."
      return { code, reason: errorMessage ?? undefined, fault: isNumber ? "recipient" : undefined }
    }
    if (v.is(Invalid, json)) return { code: json.status, reason: json.title }
    return v.is(Refused, json) ? { code: json.error.code, reason: json.error.message } : { code: status }
  },
  /** Event Grid brings them, and first asks whether the address is ours. */
  report: {
    read({ text }) {
      const events = v.parse(Events, JSON.parse(text))
      const question = events.find(({ eventType }) => eventType === "Microsoft.EventGrid.SubscriptionValidationEvent")
      if (question) return Response.json({ validationResponse: v.parse(Question, question.data).validationCode })
      return events.flatMap(({ eventType, data }) => {
        if (eventType !== "Microsoft.Communication.SMSDeliveryReportReceived") return []
        const { messageId: id, deliveryStatus } = v.parse(Delivery, data)
        const state = states.get(deliveryStatus)
        return state ? [{ id, state }] : []
      })
    },
  },
} satisfies Provider<typeof env>
