import { AwsClient } from "aws4fetch"
import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  AWS_ACCESS_KEY_ID: v.pipe(v.string(), v.description("access key ID of an IAM user who may send text messages")),
  AWS_SECRET_ACCESS_KEY: v.pipe(v.string(), v.description("secret access key that belongs to it")),
  AWS_SESSION_TOKEN: v.optional(v.pipe(v.string(), v.description("session token, where the keys are temporary"))),
  AWS_REGION: v.pipe(v.string(), v.regex(/^[a-z0-9-]+$/), v.description("region with SMS, such as us-east-1")),
  AWS_SMS_ORIGINATION_IDENTITY: v.optional(
    v.pipe(v.string(), v.description("pool or ARN, which then picks the sender; else unset")),
  ),
  AWS_SMS_CONFIGURATION_SET: v.optional(v.pipe(v.string(), v.description("configuration set, for events and logs"))),
}

const Accepted = v.object({ MessageId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  __type: v.string(),
  Message: v.nullish(v.string()),
  message: v.nullish(v.string()),
  Reason: v.nullish(v.string()),
  Fields: v.nullish(v.array(v.object({ Name: v.string() }))),
})

/** Every fault of the caller is a 400, throttling too; IAM's own refusals write `message` in lower case. */
export default {
  docs: "https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/API_SendTextMessage.html",
  region: "Global",
  evidence: "vendor",
  url: ({ AWS_REGION }) => `https://sms-voice.${AWS_REGION}.amazonaws.com`,
  env,
  async request({ recipient, sender, body }, env, { url, clock }) {
    const aws = new AwsClient({
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      ...(env.AWS_SESSION_TOKEN && { sessionToken: env.AWS_SESSION_TOKEN }),
      service: "sms-voice",
      region: env.AWS_REGION,
    })
    return await aws.sign(`${url}/`, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "PinpointSMSVoiceV2.SendTextMessage",
      },
      body: JSON.stringify({
        DestinationPhoneNumber: recipient,
        OriginationIdentity: env.AWS_SMS_ORIGINATION_IDENTITY ?? (sender || undefined),
        MessageBody: body,
        MessageType: "TRANSACTIONAL",
        ConfigurationSetName: env.AWS_SMS_CONFIGURATION_SET,
      }),
      aws: { datetime: new Date(clock()).toISOString().replace(/[:-]|\.\d+/g, ""), allHeaders: true },
    })
  },
  faults: {
    recipient: ["DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE", "DESTINATION_PHONE_NUMBER_OPTED_OUT"],
    account: [
      "ACCOUNT_DISABLED",
      "DESTINATION_COUNTRY_BLOCKED",
      "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION",
      "DESTINATION_PHONE_NUMBER_NOT_VERIFIED",
      "INSUFFICIENT_ACCOUNT_REPUTATION",
      "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY",
      "MESSAGE_TYPE_MISMATCH",
      "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT",
      "NO_ORIGINATION_IDENTITIES_FOUND",
      "NUMBER_CAPABILITIES_MISMATCH",
      "PRICE_OVER_THRESHOLD",
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
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.MessageId }
    if (!v.is(Refused, json)) return { code: status }
    return {
      code: json.Reason ?? json.__type.replace(/^.*#/, ""),
      reason: json.Message ?? json.message ?? undefined,
      fault: json.Fields?.some(({ Name }) => Name === "DestinationPhoneNumber") ? "recipient" : undefined,
    }
  },
} satisfies Provider<typeof env>
