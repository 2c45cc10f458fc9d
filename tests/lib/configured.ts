/**
 * What the platforms without a file send, as their contracts have it: the values that each fills into the template of
 * `providers/platforms/configured.md`, and the message that must come of it. Data alone.
 */
import type { Message } from "../../main.ts"

interface Sample {
  title: string
  /** The version of the platform that sent this, with other numbers, codes and ids; left out where it is from documents. */
  seen?: string
  /** What the platform fills in. */
  given: Record<string, string>
  /** The body as it came, where that version was seen to send it. */
  sent?: string
  /** Variables of the gateway beside GATEWAY_TOKEN. */
  env?: Record<string, string>
  /** Undefined where the gateway must answer 400. */
  message: Partial<Message> | undefined
}

const headers = {
  "Accept-Language": ["en-US,en;q=0.9"],
  "User-Agent": ["Mozilla/5.0"],
  "True-Client-Ip": ["203.0.113.7"],
}
const request = {
  identity: { id: "0d3a…", traits: { phone: "+15550100123" } },
  request_url: "https://acme.example.com/login",
  request_url_domain: "acme.example.com",
  transient_payload: {},
  expires_in_minutes: 15,
}
/** One context of Kratos's Jsonnet. */
const kratosMessage = (
  template_type: string,
  data: object,
  body: string,
  code?: string,
  request_headers: Record<string, string[]> = headers,
) => ({
  ctx: {
    recipient: "+15550100123",
    subject: "",
    body,
    template_type,
    template_data: { to: "+15550100123", ...data },
    message_type: "sms",
    request_headers,
  },
  message: { recipient: "+15550100123", body, code, ip: request_headers["True-Client-Ip"]?.[0] ?? "" },
})

const expires = "It expires in 15 minutes."
/** What a server of one's own without a proxy fills in: no header names the end user's address. */
const ownHeaders = { Accept: ["application/json"], "Accept-Encoding": ["identity"], Connection: ["close"] }
const hour = "It expires in 60 minutes.\n\n"
const seenByKratos = (template_type: string, name: string, kind: string, code: string, between = hour) => ({
  seen: "26.2.0",
  ...kratosMessage(
    template_type,
    { identity: null, [name]: code, request_url: "http://127.0.0.1:4433/", request_url_domain: "127.0.0.1" },
    `Your ${kind} code is: ${code}\n\n${between}@127.0.0.1 #${code}\n`,
    code,
    ownHeaders,
  ),
})
export const kratos = [
  seenByKratos("registration_code_valid", "registration_code", "registration", "161146"),
  seenByKratos("login_code_valid", "login_code", "login", "945267"),
  seenByKratos("recovery_code_valid", "verification_code", "recovery", "928953", ""),
  seenByKratos(
    "verification_code_valid",
    "verification_code",
    "verification",
    "940889",
    `If this was not you, do nothing. ${hour}`,
  ),
  kratosMessage(
    "login_code_valid",
    { ...request, login_code: "123456" },
    `Your login code is: 123456\n\n${expires}\n\n@acme.example.com #123456\n`,
    "123456",
  ),
  kratosMessage(
    "registration_code_valid",
    { ...request, registration_code: "482913" },
    `Your registration code is: 482913\n\n${expires}\n\n@acme.example.com #482913\n`,
    "482913",
  ),
  kratosMessage(
    "verification_code_valid",
    { ...request, verification_code: "771204" },
    `Your verification code is: 771204\n\nIf this was not you, do nothing. ${expires}\n\n@acme.example.com #771204\n`,
    "771204",
    {},
  ),
  kratosMessage(
    "recovery_code_valid",
    { ...request, verification_code: "904417" },
    "Your recovery code is: 904417\n\n@acme.example.com #904417\n",
    "904417",
  ),
  kratosMessage(
    "verifiable_address_changed",
    { identity: {}, changed_at: "2026-01-28T21:43:40Z", transient_payload: {} },
    "An address on your account was changed. If this wasn't you, contact support.\n",
  ),
  kratosMessage(
    "authenticator_key_added",
    { identity: {}, added_at: "2026-01-28T21:43:40Z", transient_payload: {} },
    "A new sign-in method was added to your account. If this wasn't you, contact support.\n",
  ),
]

const seenByKeycloak = {
  seen: "26.7.3 with plugin 26.7.1-1",
  sent: "body=Your+SMS+code+is+570482+and+is+valid+for+5+minutes.&recipient=%2B15550100123&sender=Acme",
}
const keycloakText = "Your SMS code is 570482 and is valid for 5 minutes."
export const keycloak: Sample[] = [
  {
    ...seenByKeycloak,
    title: "an enrolment or a login",
    given: { text: keycloakText, to: "+15550100123", from: "Acme" },
    message: { recipient: "+15550100123", body: keycloakText, code: "570482", sender: "Acme" },
  },
  {
    ...seenByKeycloak,
    title: "a text of the realm's own",
    sent: "body=Your+%22Acme%22+code%0Ais+282419+%26+%C3%A0+bient%C3%B4t+100%25&recipient=%2B15550100123&sender=Acme",
    given: { text: 'Your "Acme" code\nis 282419 & à bientôt 100%', to: "+15550100123", from: "Acme" },
    message: {
      recipient: "+15550100123",
      body: 'Your "Acme" code\nis 282419 & à bientôt 100%',
      code: "282419",
      sender: "Acme",
    },
  },
  {
    ...seenByKeycloak,
    title: "a number as it was typed, with neither prefix nor format",
    sent: "body=Your+SMS+code+is+570482+and+is+valid+for+5+minutes.&recipient=0555010123&sender=Acme",
    given: { text: keycloakText, to: "0555010123", from: "Acme" },
    message: undefined,
  },
  {
    title: "without its plus",
    given: { text: keycloakText, to: "15550100123", from: "Acme" },
    env: { DEFAULT_COUNTRY: "US" },
    message: { recipient: "+15550100123", body: keycloakText, code: "570482", sender: "Acme" },
  },
  {
    title: "a number as it was typed, in a country",
    given: { text: keycloakText, to: "5550100123", from: "Acme" },
    env: { DEFAULT_COUNTRY: "US" },
    message: { recipient: "+15550100123", body: keycloakText, code: "570482", sender: "Acme" },
  },
]

const wso2Text = "Your one-time password for the Acme is 482913. This expires in 5 minutes."
const wso2Sample = (title: string, mobile: string, body: string, rest: Partial<Sample> = {}): Sample => ({
  title,
  given: { mobile, body },
  message: { recipient: mobile, body, code: "482913" },
  ...rest,
})
export const wso2: Sample[] = [
  wso2Sample("login", "+15550100123", wso2Text),
  wso2Sample("password reset", "+15550100123", "Your One-Time Password : 482913"),
  wso2Sample("another number", "+15550100124", "Your Mobile Number Verification Code : 482913"),
  wso2Sample("a quote in the text", "+15550100123", 'Your "Acme" code is 482913'),
  wso2Sample("a number as it was typed, and no country", "0771234567", wso2Text, { message: undefined }),
  wso2Sample("a number as it was typed, in a country", "0771234567", wso2Text, {
    env: { DEFAULT_COUNTRY: "LK" },
    message: { recipient: "+94771234567", body: wso2Text, code: "482913" },
  }),
]

const pingoneText = "482913 is your Acme passcode"
export const pingone: (Sample & { row: "SMS" | "Voice" })[] = [
  {
    row: "SMS",
    title: "MFA",
    given: { to: "+15550100123", message: pingoneText, from: "+15550100199", otp: "482913", locale: "en" },
    message: { recipient: "+15550100123", body: pingoneText, code: "482913", sender: "+15550100199", locale: "en" },
  },
  {
    row: "SMS",
    title: "pairing",
    given: { to: "+15550100123", message: "Use 482913 to pair this phone", from: "", otp: "482913", locale: "en" },
    message: { recipient: "+15550100123", body: "Use 482913 to pair this phone", code: "482913", locale: "en" },
  },
  {
    row: "SMS",
    title: "numbers without their plus",
    given: { to: "15550100123", message: pingoneText, from: "15550100199", otp: "482913", locale: "en" },
    env: { DEFAULT_COUNTRY: "US" },
    message: { recipient: "+15550100123", body: pingoneText, code: "482913", sender: "15550100199", locale: "en" },
  },
  {
    row: "Voice",
    title: "voice",
    given: { to: "+15550100123", message: "Your passcode is 482913", from: "", otp: "482913", locale: "en" },
    message: { recipient: "+15550100123", body: "Your passcode is 482913", code: "482913", channel: "voice" },
  },
]

export const privacyidea: Sample[] = [
  {
    title: "a challenge without the policy smstext",
    seen: "3.14",
    given: { phone: "+15550100123", otp: "685866" },
    message: { recipient: "+15550100123", body: "685866", code: "685866" },
  },
  {
    title: "a number as it was typed",
    seen: "3.14",
    given: { phone: "+1 555 010-0124", otp: "130248" },
    message: { recipient: "+15550100124", body: "130248", code: "130248" },
  },
  {
    title: "a challenge",
    given: { phone: "+15550100123", otp: "Your OTP is 123456" },
    message: { recipient: "+15550100123", body: "Your OTP is 123456", code: "123456" },
  },
  {
    title: "the bare code, and a number changed by REGEXP",
    given: { phone: "15550100123", otp: "123456" },
    env: { DEFAULT_COUNTRY: "US" },
    message: { recipient: "+15550100123", body: "123456", code: "123456" },
  },
]

const cas = { clientIpAddress: "203.0.113.7", serverIpAddress: "192.0.2.10", from: "Acme", to: "+15550100123" }
const reset = "Reset your password: https://cas.example.com/cas/login?pswdrst=abc"
/** Texts that break what is not escaped. */
const hard = 'Your "Acme" code\nis 482913 & à bientôt'
const codeSamples = (...texts: string[]): Sample[] =>
  texts.map((text) => ({
    title: text === hard ? "quotes, a line break and an accent" : "a code",
    given: { to: "+15550100123", text },
    message: { recipient: "+15550100123", body: text, code: "482913" },
  }))

export const linotp = codeSamples("Your otp is 482913", hard)
export const midpoint = codeSamples("Your code is 482913", hard)
export const frappe: Sample[] = [
  ...codeSamples("Your verification code is 482913", hard),
  {
    title: "a number as the contact holds it, without blanks and hyphens",
    given: { to: "5550100123", text: "Your verification code is 482913" },
    env: { DEFAULT_COUNTRY: "US" },
    message: { recipient: "+15550100123", body: "Your verification code is 482913", code: "482913" },
  },
]
export const salesforce: Sample[] = [
  {
    title: "a code",
    given: {
      userId: "005000000000001",
      phoneNumber: "+15550100123",
      oneTimePassword: "482913",
      defaultText: "Your code is 482913",
      networkId: "0DB000000000001",
      experienceId: "",
    },
    message: { recipient: "+15550100123", body: "Your code is 482913", code: "482913" },
  },
]
export const authentik: Sample[] = [
  {
    title: "a login",
    given: { phone: "+15550100123", token: "482913", locale: "fr" },
    env: { CODE_TEXT_FR: "Votre code est {code}" },
    message: { recipient: "+15550100123", body: "Votre code est 482913", code: "482913", locale: "fr" },
  },
]

export const apereoCas: Sample[] = [
  {
    title: "MFA",
    given: { ...cas, text: "Your code is 123456" },
    message: { recipient: "+15550100123", body: "Your code is 123456", code: "123456", sender: "Acme" },
  },
  {
    title: "a link",
    given: { ...cas, text: reset },
    message: { recipient: "+15550100123", body: reset, sender: "Acme" },
  },
]

/** Messages of the AWS Encryption SDK as Cognito sends them, with what KMS makes of the data key in each. */
export const cognito = {
  keyArn: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
  pool: "eu-west-1_EXAMPLE",
  messages: [
    {
      title: "committed+signed (0x0578)",
      code: [
        "AgV4YEB9F9oJFf/8WLz3Etp3xzWpnLy9GPwvtoN3aV4W758AfwACABVhd3MtY3J5cHRvLXB1YmxpYy1rZXkAREEwNGxCRzNQTkh0",
        "dW8zOFB5QkJ3ODBoNlBjL3hrT3RXMlA3YlJjM2drK0hMZ2pDS2Vna0FkM1Fwb1pZTWttZDlsQT09AAt1c2VycG9vbC1pZAARZXUt",
        "d2VzdC0xX0VYQU1QTEUAAQAHYXdzLWttcwBLYXJuOmF3czprbXM6ZXUtd2VzdC0xOjExMTEyMjIyMzMzMzprZXkvMTIzNGFiY2Qt",
        "MTJhYi0zNGNkLTU2ZWYtMTIzNDU2Nzg5MGFiADzOfOLpnQLFPSomJxiMFQQXH9uELjDwaQeTeEJgIBmiqbWBRNDkY4KJavyYYHqH",
        "KXT7yxwkQpkyVNqlfFgCAAAQAEogtZtDnkO/5xRc1Cr5DQVVvNigMJxAz2qT70K5MS+PEpWEYkyQK0I3XhCdqUDCfP////8AAAAB",
        "AAAAAAAAAAAAAAABAAAABv56Oncgm2VWigY7lrzdTEpEONfg0dcAaDBmAjEA/cEeNwfZ27JfMHkzKhov59wSui1Mlzfp8vt6d59p",
        "n3LZ6fio8TuDGG0LdCP42sqqAjEApwyzIHpvLND2Xkpqb7m2TGhMu2M/303CZLUftcH3+2thvILF1adAOQKFT3/Vbx2j",
      ].join(""),
      encrypted: "znzi6Z0CxT0qJicYjBUEFx/bhC4w8GkHk3hCYCAZoqm1gUTQ5GOCiWr8mGB6hyl0+8scJEKZMlTapXxY",
      key: "5efc3d198dc4cd1162e7fb152501133a41ebc6bf5fb5eaf6c2c5ab05cac621a5",
    },
    {
      title: "committed (0x0478)",
      code: [
        "AgR4XEhplpicQRIKXh/wz3nDAx8r98rvtn91mO0IPgtArmcAIgABAAt1c2VycG9vbC1pZAARZXUtd2VzdC0xX0VYQU1QTEUAAQAH",
        "YXdzLWttcwBLYXJuOmF3czprbXM6ZXUtd2VzdC0xOjExMTEyMjIyMzMzMzprZXkvMTIzNGFiY2QtMTJhYi0zNGNkLTU2ZWYtMTIz",
        "NDU2Nzg5MGFiADxFs9lGom+g7q8vsPdwz1vLlr2hNRz3b4Mq3NgK1vE+mXJ4g5JBUgjUvdjduJtrjpo+UssW+QpCEGCfQf8CAAAQ",
        "AKssoIxuNpUzf8lo+DjZgkz/7PU7bX0oHurk/Ho5MbNBs5hDHKltHsiQMu0AQMxD5v////8AAAABAAAAAAAAAAAAAAABAAAABnam",
        "3uquT7bsqyw4IgQB6KoZTrr+UzE=",
      ].join(""),
      encrypted: "RbPZRqJvoO6vL7D3cM9by5a9oTUc92+DKtzYCtbxPplyeIOSQVII1L3Y3biba46aPlLLFvkKQhBgn0H/",
      key: "191e3814468a44935e278dd4d9a177741dcb6d1d2382daf67564634cff3491d2",
    },
  ],
}
