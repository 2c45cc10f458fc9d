import { AwsClient } from "aws4fetch"
import * as v from "valibot"
import type { Fault, Provider } from "../main.ts"
import { basicTime, language, speech } from "./lib.ts"

const env = {
  AWS_ACCESS_KEY_ID: v.pipe(
    v.string(),
    v.description("access key ID of an IAM user who may call sms-voice:SendVoiceMessage"),
  ),
  AWS_SECRET_ACCESS_KEY: v.pipe(v.string(), v.description("secret access key that belongs to it")),
  AWS_SESSION_TOKEN: v.optional(v.pipe(v.string(), v.description("session token, where the keys are temporary"))),
  AWS_REGION: v.pipe(
    v.string(),
    v.regex(/^[a-z0-9-]+$/),
    v.description("region of the number that calls, such as us-east-1"),
  ),
  AWS_SMS_CONFIGURATION_SET: v.optional(v.pipe(v.string(), v.description("configuration set, for events and logs"))),
  AWS_END_USER_MESSAGING_VOICE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en-US"),
    v.description("language of messages that name none, such as de-DE"),
  ),
}

const voices: Record<string, string> = Object.fromEntries(
  `en-US JOANNA, en-GB AMY, en-AU NICOLE, en-IN RAVEENA, en-GB-WLS GERAINT, es-ES LUCIA, es-MX MIA, es-US LUPE, fr-FR LEA,
  fr-CA CHANTAL, de-DE VICKI, pt-BR CAMILA, pt-PT INES, zh-CN ZHIYU, ar ZEINA, cy-GB GWYNETH, da-DK NAJA, is-IS DORA,
  it-IT BIANCA, ja-JP MIZUKI, ko-KR SEOYEON, nb-NO LIV, nl-NL LOTTE, pl-PL EWA, ro-RO CARMEN, ru-RU TATYANA, sv-SE ASTRID,
  tr-TR FILIZ`
    .split(/,\s+/)
    .map((pair) => pair.split(" ")),
)

const Accepted = v.object({ MessageId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({
  __type: v.string(),
  Message: v.nullish(v.string()),
  message: v.nullish(v.string()),
  Reason: v.nullish(v.string()),
  Fields: v.nullish(v.array(v.object({ Name: v.string() }))),
})

/** DestinationPhoneNumber is no proof: texts to valid numbers were refused so. */
const fields = new Map<string, Fault>([
  ["DestinationPhoneNumber", "account"],
  ["OriginationIdentity", "account"],
  ["ConfigurationSetName", "account"],
  ["MessageBody", "message"],
])

/** The voice carries the language. Every fault of the caller is a 400, throttling too; IAM writes `message` small. */
export default {
  docs: "https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/API_SendVoiceMessage.html",
  region: "Global",
  evidence: "vendor",
  channel: "voice",
  needsSender: true,
  url: (env) => `https://sms-voice.${env.AWS_REGION}.amazonaws.com`,
  env,
  senderId: /^((pool|phone)-[\w-]{1,64}|arn:aws[\w:/+-]{1,200})$/,
  async request(message, env, { url, ttl = 300, clock }) {
    const aws = new AwsClient({
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      ...(env.AWS_SESSION_TOKEN && { sessionToken: env.AWS_SESSION_TOKEN }),
      service: "sms-voice",
      region: env.AWS_REGION,
    })
    const languages = Object.keys(voices)
    const usual = language(env.AWS_END_USER_MESSAGING_VOICE_LANGUAGE, languages, "en-US")
    return await aws.sign(`${url}/`, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "PinpointSMSVoiceV2.SendVoiceMessage",
      },
      body: JSON.stringify({
        DestinationPhoneNumber: message.recipient,
        OriginationIdentity: message.sender,
        MessageBody: `<speak>${speech(message, { again: '<break time="1s"/>', isXml: true })}</speak>`,
        MessageBodyTextType: "SSML",
        VoiceId: voices[language(message.locale, languages, usual)],
        ConfigurationSetName: env.AWS_SMS_CONFIGURATION_SET,
        // In seconds, 5 to 259,200: left out, it calls for three days.
        TimeToLive: Math.min(Math.max(ttl, 5), 259_200),
      }),
      aws: { datetime: basicTime(clock()), allHeaders: true },
    })
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
      "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE",
      "DESTINATION_PHONE_NUMBER_NOT_VERIFIED",
      "INSUFFICIENT_ACCOUNT_REPUTATION",
      "INTERNATIONAL_SENDING_NOT_SUPPORTED",
      "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY",
      "MONTHLY_SPEND_LIMIT_REACHED_FOR_VOICE",
      "NO_ORIGINATION_IDENTITIES_FOUND",
      "NUMBER_CAPABILITIES_MISMATCH",
      "PRICE_OVER_THRESHOLD",
      "RESOURCE_NOT_ACCESSIBLE",
      "RESOURCE_NOT_ACTIVE",
      "VOICE_CAPABILITY_NOT_AVAILABLE",
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
      code: json.Reason ?? json.__type.replace(/^[^#]*#/, ""),
      reason: json.Message ?? json.message ?? undefined,
      fault: json.Reason === "FIELD_VALIDATION_FAILED" ? fields.get(json.Fields?.[0]?.Name ?? "") : undefined,
    }
  },
} satisfies Provider<typeof env>
