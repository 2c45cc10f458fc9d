import { AwsClient } from "aws4fetch"
import * as v from "valibot"
import type { Fault, Provider, Values } from "../main.ts"
import { basicTime } from "./lib.ts"

const env = {
  AWS_ACCESS_KEY_ID: v.pipe(v.string(), v.description("access key ID of an IAM user who may send text messages")),
  AWS_SECRET_ACCESS_KEY: v.pipe(v.string(), v.description("secret access key that belongs to it")),
  AWS_SESSION_TOKEN: v.optional(v.pipe(v.string(), v.description("session token, where the keys are temporary"))),
  AWS_REGION: v.pipe(v.string(), v.regex(/^[a-z0-9-]+$/), v.description("region with SMS, such as us-east-1")),
  AWS_SMS_ORIGINATION_IDENTITY: v.optional(
    v.pipe(v.string(), v.description("pool or ARN, which then picks the sender; else unset")),
  ),
  AWS_SMS_CONFIGURATION_SET: v.optional(v.pipe(v.string(), v.description("configuration set, for events and logs"))),
  AWS_SMS_MAX_PRICE: v.optional(
    v.pipe(v.string(), v.regex(/^\d{0,2}\.\d{1,5}$/), v.description("most that a text may cost, in US dollars: 0.25")),
  ),
  AWS_SMS_PROTECT_CONFIGURATION_ID: v.optional(
    v.pipe(v.string(), v.description("protect configuration, against pumping; else the account's default")),
  ),
  AWS_END_USER_MESSAGING_DLT_ENTITY_ID: v.optional(
    v.pipe(v.string(), v.description("DLT entity ID, needed for India")),
  ),
  AWS_END_USER_MESSAGING_DLT_TEMPLATE_ID: v.optional(
    v.pipe(v.string(), v.description("DLT template ID, needed for India")),
  ),
  AWS_SMS_REPORT_TOPIC: v.optional(
    v.pipe(v.string(), v.startsWith("arn:"), v.description("ARN of the SNS topic with the set's events; else unset")),
  ),
}

const Accepted = v.object({ MessageId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  __type: v.string(),
  Message: v.nullish(v.string()),
  message: v.nullish(v.string()),
  Reason: v.nullish(v.string()),
  Fields: v.nullish(v.array(v.object({ Name: v.string() }))),
})

/** DestinationPhoneNumber is no proof: valid numbers of Puerto Rico and Ontario were refused so. */
const fields = new Map<string, Fault>([
  ["DestinationPhoneNumber", "account"],
  ["OriginationIdentity", "account"],
  ["MessageBody", "message"],
  ["ConfigurationSetName", "account"],
  ["MaxPrice", "account"],
  ["TimeToLive", "account"],
  ["DestinationCountryParameters", "account"],
  ["ProtectConfigurationId", "account"],
])

/** A call of the API, signed with all its headers. */
async function sign(action: string, body: object, values: Values<typeof env>, url: string, now: number) {
  const aws = new AwsClient({
    accessKeyId: values.AWS_ACCESS_KEY_ID,
    secretAccessKey: values.AWS_SECRET_ACCESS_KEY,
    ...(values.AWS_SESSION_TOKEN && { sessionToken: values.AWS_SESSION_TOKEN }),
    service: "sms-voice",
    region: values.AWS_REGION,
  })
  return await aws.sign(`${url}/`, {
    method: "POST",
    headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": `PinpointSMSVoiceV2.${action}` },
    body: JSON.stringify(body),
    aws: { datetime: basicTime(now), allHeaders: true },
  })
}

/** What SNS signs, in this order. */
const Notice = v.object({
  Message: v.string(),
  MessageId: v.string(),
  Subject: v.optional(v.string()),
  SubscribeURL: v.optional(v.string()),
  Timestamp: v.string(),
  Token: v.optional(v.string()),
  TopicArn: v.string(),
  // What is signed has no mark between its fields: a text of any length here could hold the fields of another topic.
  Type: v.picklist(["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]),
})
/** Only addresses of its own are fetched. */
const Signed = v.object({
  Signature: v.string(),
  SignatureVersion: v.picklist(["1", "2"]),
  SubscribeURL: v.optional(v.pipe(v.string(), v.regex(/^https:\/\/sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?\//))),
  SigningCertURL: v.pipe(
    v.string(),
    v.regex(/^https:\/\/sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?\/SimpleNotificationService-\w+\.pem$/),
  ),
})
const Delivery = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ eventType: v.string(), messageId: Accepted.entries.MessageId }),
)
/** In some countries the carrier's word (TEXT_SUCCESSFUL) stands for the handset's. */
const states = new Map(
  Object.entries({
    TEXT_QUEUED: "pending",
    TEXT_PENDING: "pending",
    TEXT_SENT: "pending",
    TEXT_DELIVERED: "delivered",
    TEXT_SUCCESSFUL: "delivered",
    TEXT_TTL_EXPIRED: "expired",
    TEXT_INVALID: "failed",
    TEXT_INVALID_MESSAGE: "failed",
    TEXT_UNREACHABLE: "failed",
    TEXT_CARRIER_UNREACHABLE: "failed",
    TEXT_BLOCKED: "failed",
    TEXT_CARRIER_BLOCKED: "failed",
    TEXT_SPAM: "failed",
    TEXT_PROTECT_BLOCKED: "failed",
  } as const),
)
const isQuestion = ({ Type }: { Type: string }) => Type === "SubscriptionConfirmation"
let certificate = { url: "", text: "" }

/** Every fault of the caller is a 400, throttling too; IAM's own refusals write `message` in lower case. */
export default {
  docs: "https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/API_SendTextMessage.html",
  region: "Global",
  evidence: "vendor",
  url: ({ AWS_REGION }) => `https://sms-voice.${AWS_REGION}.amazonaws.com`,
  env,
  pool: "AWS_SMS_ORIGINATION_IDENTITY",
  senderId: /^((pool|phone|rcs)-[\w-]{1,64}|arn:aws[\w:/+-]{1,200})$/,
  async request({ recipient, sender, body }, env, { url, ttl, isFeedback, clock }) {
    const india = {
      IN_ENTITY_ID: env.AWS_END_USER_MESSAGING_DLT_ENTITY_ID,
      IN_TEMPLATE_ID: env.AWS_END_USER_MESSAGING_DLT_TEMPLATE_ID,
    }
    const isRegistered = recipient.startsWith("+91") && (india.IN_ENTITY_ID || india.IN_TEMPLATE_ID)
    const message = {
      DestinationPhoneNumber: recipient,
      OriginationIdentity: sender || env.AWS_SMS_ORIGINATION_IDENTITY,
      MessageBody: body,
      MessageType: "TRANSACTIONAL",
      ConfigurationSetName: env.AWS_SMS_CONFIGURATION_SET,
      MaxPrice: env.AWS_SMS_MAX_PRICE,
      // In seconds, 5 to 259,200: three days.
      TimeToLive: ttl && Math.min(Math.max(ttl, 5), 259_200),
      DestinationCountryParameters: isRegistered ? india : undefined,
      ProtectConfigurationId: env.AWS_SMS_PROTECT_CONFIGURATION_ID,
      MessageFeedbackEnabled: isFeedback || undefined,
    }
    return await sign("SendTextMessage", message, env, url, clock())
  },
  /** https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/API_PutMessageFeedback.html; after an hour it is FAILED. */
  async verified(MessageId, isVerified, env, { url, clock }) {
    const feedback = { MessageFeedbackStatus: isVerified ? "RECEIVED" : "FAILED", MessageId }
    return await sign("PutMessageFeedback", feedback, env, url, clock())
  },
  faults: {
    recipient: [
      "DESTINATION_PHONE_NUMBER_OPTED_OUT", // "Destination phone number is opted out"
    ],
    account: [
      "ACCOUNT_DISABLED",
      "CHANNEL_NOT_ENABLED",
      "COUNTRY_NOT_ENABLED",
      "DESTINATION_COUNTRY_BLOCKED",
      "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION",
      // A rule that the account itself has set.
      "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE",
      "DESTINATION_PHONE_NUMBER_NOT_VERIFIED",
      "INSUFFICIENT_ACCOUNT_REPUTATION",
      "INTERNATIONAL_SENDING_NOT_SUPPORTED",
      "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY",
      "MESSAGE_TYPE_MISMATCH",
      "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT",
      "NO_ORIGINATION_IDENTITIES_FOUND",
      "NUMBER_CAPABILITIES_MISMATCH",
      "PRICE_OVER_THRESHOLD",
      "RESOURCE_NOT_ACCESSIBLE",
      "RESOURCE_NOT_ACTIVE",
      "SENDER_ID_NOT_REGISTERED",
      "SENDER_ID_NOT_SUPPORTED",
      "SENDER_ID_REQUIRES_REGISTRATION",
      "AccessDeniedException",
      "ExpiredTokenException",
      "InvalidSignatureException",
      "MissingAuthenticationTokenException",
      "ResourceNotFoundException",
      "UnrecognizedClientException",
    ],
    provider: ["InternalServerException", "ThrottlingException"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.MessageId }
    if (!v.is(Refused, json)) return { code: status }
    return {
      code: json.Reason ?? json.__type.replace(/^.*#/, ""),
      reason: json.Message ?? json.message ?? undefined,
      fault: json.Reason === "FIELD_VALIDATION_FAILED" ? fields.get(json.Fields?.[0]?.Name ?? "") : undefined,
    }
  },
  /** SNS brings the events of the configuration set. Its first call is a question, which is answered by a GET. */
  report: {
    async proof({ text }, env, { fetch }) {
      const json: unknown = JSON.parse(text)
      const notice = v.parse(Notice, json)
      const { success, output } = v.safeParse(Signed, json)
      if (!success || (env.AWS_SMS_REPORT_TOPIC && notice.TopicArn !== env.AWS_SMS_REPORT_TOPIC)) return undefined
      const { SigningCertURL: url, Signature, SignatureVersion } = output
      if (certificate.url !== url) certificate = { url, text: await (await fetch(url)).text() }
      const { Subject, SubscribeURL, Token, ...rest } = notice
      const signed = Object.entries(isQuestion(notice) ? { ...rest, SubscribeURL, Token } : { ...rest, Subject })
        .filter(([, value]) => value !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => `${name}\n${value}\n`)
      return {
        publicKey: certificate.text,
        hash: SignatureVersion === "2" ? "sha256" : "sha1",
        signed: signed.join(""),
        given: [Signature],
      }
    },
    async read({ text }, _, { fetch }) {
      const notice = v.parse(Notice, JSON.parse(text))
      // The proof holds for addresses of SNS alone.
      if (isQuestion(notice) && notice.SubscribeURL) await fetch(notice.SubscribeURL)
      const delivery = v.safeParse(Delivery, notice.Message)
      if (!delivery.success) return []
      const { eventType: code, messageId: id } = delivery.output
      const state = states.get(code)
      if (state === "delivered" || state === "pending") return [{ id, state }]
      return state ? [{ id, state, code, fault: code === "TEXT_INVALID" ? "recipient" : undefined }] : []
    },
  },
} satisfies Provider<typeof env>
