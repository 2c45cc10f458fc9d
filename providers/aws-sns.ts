import { AwsClient } from "aws4fetch"
import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basicTime } from "./lib.ts"

const env = {
  AWS_ACCESS_KEY_ID: v.pipe(v.string(), v.description("access key ID of an IAM user who may call sns:Publish")),
  AWS_SECRET_ACCESS_KEY: v.pipe(v.string(), v.description("secret access key that belongs to it")),
  AWS_SESSION_TOKEN: v.optional(v.pipe(v.string(), v.description("session token, where the keys are temporary"))),
  AWS_REGION: v.pipe(v.string(), v.regex(/^[a-z0-9-]+$/), v.description("region with SMS, such as us-east-1")),
  AWS_SNS_DLT_ENTITY_ID: v.optional(v.pipe(v.string(), v.description("DLT entity ID, needed for India"))),
  AWS_SNS_DLT_TEMPLATE_ID: v.optional(v.pipe(v.string(), v.description("DLT template ID, needed for India"))),
}

/** Accepted is not sent: past the monthly limit (1 USD at first) SNS drops it, and only CloudWatch tells. */
export default {
  docs: "https://docs.aws.amazon.com/sns/latest/api/API_Publish.html",
  region: "Global",
  evidence: "vendor",
  url: ({ AWS_REGION }) => `https://sns.${AWS_REGION}.amazonaws.com`,
  env,
  async request({ recipient, sender, body }, env, { url, clock }) {
    const form = new URLSearchParams({
      Action: "Publish",
      Version: "2010-03-31",
      Message: body,
      PhoneNumber: recipient,
    })
    const isIndian = recipient.startsWith("+91")
    const attributes = {
      "AWS.SNS.SMS.SMSType": "Transactional",
      [/^\+?\d+$/.test(sender) ? "AWS.MM.SMS.OriginationNumber" : "AWS.SNS.SMS.SenderID"]: sender,
      "AWS.MM.SMS.EntityId": isIndian && env.AWS_SNS_DLT_ENTITY_ID,
      "AWS.MM.SMS.TemplateId": isIndian && env.AWS_SNS_DLT_TEMPLATE_ID,
    }
    let entry = 0
    for (const [name, value] of Object.entries(attributes)) {
      if (!value) continue
      entry += 1
      form.set(`MessageAttributes.entry.${entry}.Name`, name)
      form.set(`MessageAttributes.entry.${entry}.Value.DataType`, "String")
      form.set(`MessageAttributes.entry.${entry}.Value.StringValue`, value)
    }
    const aws = new AwsClient({
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      ...(env.AWS_SESSION_TOKEN && { sessionToken: env.AWS_SESSION_TOKEN }),
      service: "sns",
      region: env.AWS_REGION,
    })
    return await aws.sign(`${url}/`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: form.toString(),
      aws: { datetime: basicTime(clock()), allHeaders: true },
    })
  },
  faults: {
    recipient: [
      "OptedOut", // "the specified phone number opted out of receiving SMS messages from your account"
    ],
    account: ["AuthorizationError", "IncompleteSignature", "InvalidClientTokenId", "RequestExpired"],
    provider: ["InternalError", "InternalFailure", "ServiceUnavailable", "Throttled", "Throttling"],
  },
  receipt({ status, text }) {
    const id = /<PublishResult>\s*<MessageId>([^<\s]+)<\/MessageId>/.exec(text)?.[1]
    if (status === 200 && id) return { id }
    const [, code, reason] = /<Code>([^<]+)<\/Code>\s*<Message>([^<]*)<\/Message>/.exec(text) ?? []
    if (!code) return { code: status }
    // "Not valid to publish to" is a malformed number, and every number in a region that sends no SMS.
    const isNumber = code === "InvalidParameter" && reason?.startsWith("Invalid parameter: PhoneNumber")
    return { code, reason, fault: isNumber ? "account" : undefined }
  },
} satisfies Provider<typeof env>
