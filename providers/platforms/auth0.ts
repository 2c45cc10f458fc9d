import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { optionalText, secretToken, unread } from "../lib.ts"
import { phoneAction } from "../parts/auth0-action.ts"

const env = {
  AUTH0_TOKEN: secretToken("which the Action sends as Bearer"),
}

const text = optionalText
const channelOf = (type: string | null | undefined) => (type === "voice" ? "voice" : "sms")
type Texts = { [name in "as_text" | "as_voice" | "delivery_method"]?: string | null | undefined }
const textOf = ({ as_text, as_voice, delivery_method }: Texts) =>
  channelOf(delivery_method) === "voice" ? (as_voice ?? as_text) : as_text

const request = v.nullish(v.object({ ip: unread }))
/** The whole event of custom-phone-provider. */
const Event = v.object({
  notification: v.pipe(
    v.object({
      recipient: v.string(),
      as_text: text,
      as_voice: text,
      from: text,
      code: text,
      locale: text,
      delivery_method: text,
    }),
    v.forward(
      v.check((call) => (textOf(call) ?? call.code) != null, "is missing"),
      ["as_text"],
    ),
  ),
  request,
})
/** The whole event of send-phone-message, the older trigger of MFA. */
const OlderEvent = v.object({
  message_options: v.pipe(
    v.object({ recipient: v.string(), text, code: text, message_type: text }),
    v.forward(
      v.check(({ text, code }) => (text ?? code) != null, "is missing"),
      ["text"],
    ),
  ),
  request,
})
/** Auth0's sample Actions: the shape of send-phone-message, and the shortest one. */
const Sample = v.object({
  recipient: text,
  to: text,
  text,
  body: text,
  from: text,
  sender: text,
  code: text,
  language: text,
  locale: text,
  message_type: text,
  channel: text,
  req: v.optional(v.object({ ip: text })),
})

/** The post-login Action that tells who has entered a code. It must neither fail nor slow a login. */
const postLogin = `exports.onExecutePostLogin = async ({ connection, user, transaction, secrets }) => {
  const isRefresh = transaction?.protocol === "oauth2-refresh-token"
  if (connection.strategy !== "sms" || isRefresh || !user.phone_number) return
  try {
    await fetch(new URL("/verified", secrets.GATEWAY_URL), {
      method: "POST",
      headers: { authorization: \`Bearer \${secrets.GATEWAY_TOKEN}\`, "content-type": "application/json" },
      body: JSON.stringify({ recipient: user.phone_number }),
      signal: AbortSignal.timeout(1_000),
    })
  } catch {}
}`

/** The whole events of both triggers, and the bodies of Auth0's own samples. Its connection calls `POST /` instead. */
export default {
  docs: "https://auth0.com/docs/customize/phone-messages/configure-phone-messaging-providers/configure-a-custom-phone-provider",
  env,
  deadline: 18_000,
  usual: ["GATEWAY_SECRET", "GATEWAY_URL"],
  read(fields) {
    if ("notification" in fields) {
      const { notification, request } = v.parse(Event, fields)
      const { recipient, from, code, locale, delivery_method } = notification
      const channel = channelOf(delivery_method)
      return { recipient, body: textOf(notification), sender: from, code, locale, channel, ip: request?.ip }
    }
    if ("message_options" in fields) {
      const { message_options, request } = v.parse(OlderEvent, fields)
      const { recipient, text, code, message_type } = message_options
      return { recipient, body: text, code, channel: channelOf(message_type), ip: request?.ip }
    }
    const { recipient, to, text, body, from, sender, code, language, locale, message_type, channel, req } = v.parse(
      Sample,
      fields,
    )
    return {
      recipient: recipient ?? to,
      body: text ?? body,
      sender: from ?? sender,
      code,
      locale: language ?? locale,
      channel: channelOf(message_type ?? channel),
      ip: req?.ip,
    }
  },
  setup(url, given) {
    const {
      GATEWAY_SECRET = "<GATEWAY_SECRET>",
      GATEWAY_SUBJECT = "urn:Auth0",
      GATEWAY_AUDIENCE = "urn:smstask",
    } = given
    const own = url.replace(/auth0$/, "")
    const options = {
      name: "sms",
      provider: "sms_gateway",
      gateway_url: own,
      gateway_authentication: {
        method: "bearer",
        subject: GATEWAY_SUBJECT === "any" ? "urn:Auth0" : GATEWAY_SUBJECT,
        audience: GATEWAY_AUDIENCE === "any" ? "urn:smstask" : GATEWAY_AUDIENCE,
        secret: GATEWAY_SECRET,
        secret_base64_encoded: given.GATEWAY_SECRET_BASE64 === "true",
      },
      forward_req_info: true,
      from: given.SMS_SENDER,
      syntax: "md_with_macros",
      template: "Your verification code is: @@password@@",
      totp: { time_step: 300, length: 6 },
      disable_signup: false,
      brute_force_protection: true,
    }
    const more = (["GATEWAY_AUDIENCE", "GATEWAY_SUBJECT"] as const).flatMap((name) =>
      given[name] && given[name] !== "any" ? `, and ${name}=${given[name]}` : [],
    )
    const isOther = given.GATEWAY_ISSUER || given.GATEWAY_SECRET_BASE64 === "true"
    const bad = isOther
      ? "\nIt signs with the secret as text, and names no iss: unset GATEWAY_SECRET_BASE64 and GATEWAY_ISSUER here."
      : ""
    const connection = JSON.stringify({ name: "sms", strategy: "sms", options }, null, 2)
    return `The usual way is a custom phone provider, whose Action calls POST /. It needs GATEWAY_SECRET here.
1. In the dashboard: Branding, Phone Provider, Custom. Paste this Action:

${phoneAction}

2. Add its secrets: GATEWAY_URL=${own} and GATEWAY_SECRET, the same as here${more.join("")}.${bad}
3. Send test message. The log here says accepted.

An Action of your own may send the whole event to POST /auth0. It needs PLATFORMS=auth0 and AUTH0_TOKEN here, ${v.getDescription(env.AUTH0_TOKEN)}.
1. URL: ${url}
2. Header: Authorization: Bearer <AUTH0_TOKEN>
3. Body: JSON.stringify({ ...event, secrets: undefined })

So that the gateway learns whose codes are entered: Actions, Library, Create Action, of the trigger Login / Post Login. Paste:
${postLogin}
Its secrets: GATEWAY_URL=${own} and GATEWAY_TOKEN, which must be set here, too. Then add it to Actions, Triggers, post-login. Only logins by
the passwordless sms connection count.

A passwordless connection with a gateway_url, in a tenant from before March 2025, calls POST /. It needs GATEWAY_SECRET here.
Create it with this body of POST /api/v2/connections; to change one, PATCH its options, all of them:
${connection}`
  },
} satisfies Platform<typeof env>
