/**
 * The Action for Auth0's custom phone provider, as it is pasted there and as README.md of the platforms has it.
 * @module
 */
export const phoneAction = `const { createHmac } = require("node:crypto")

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url")

// A JSON Web Token (HS256) that is good for five minutes.
function token({ GATEWAY_SECRET, GATEWAY_AUDIENCE, GATEWAY_SUBJECT }) {
  const iat = Math.floor(Date.now() / 1000)
  const claims = { aud: GATEWAY_AUDIENCE || "urn:smstask", sub: GATEWAY_SUBJECT || "urn:Auth0", iat, exp: iat + 300 }
  const unsigned = \`\${part({ alg: "HS256", typ: "JWT" })}.\${part(claims)}\`
  return \`\${unsigned}.\${createHmac("sha256", GATEWAY_SECRET).update(unsigned).digest("base64url")}\`
}

exports.onExecuteCustomPhoneProvider = async (event, api) => {
  const { notification, request, secrets } = event
  if (!secrets.GATEWAY_SECRET || !URL.canParse(secrets.GATEWAY_URL)) {
    return api.notification.drop("the Action needs the secrets GATEWAY_URL and GATEWAY_SECRET")
  }
  const message = {
    recipient: notification.recipient,
    body: notification.as_text,
    sender: notification.from,
    code: notification.code,
    locale: notification.locale,
    channel: notification.delivery_method === "voice" ? "voice" : "sms",
    message_type: notification.message_type,
    req: { ip: request?.ip, "user-agent": request?.user_agent },
  }
  try {
    const response = await fetch(secrets.GATEWAY_URL, {
      method: "POST",
      headers: { authorization: \`Bearer \${token(secrets)}\`, "content-type": "application/json" },
      body: JSON.stringify(message),
      redirect: "manual", // a POST that is redirected can arrive as a GET, which is answered 200 too
      signal: AbortSignal.timeout(18_000), // Auth0 ends the Action after 20 s
    })
    if (response.status === 200) return
    const { code = "", id = "" } = Object(await response.json().catch(() => null))
    const problem = /^[a-z_]{1,40}$/.test(code) ? \` \${code}\` : ""
    const place = /^[0-9a-f-]{36}$/.test(id) ? \`, request \${id} of its log\` : ""
    const reason = \`the gateway answered \${response.status}\${problem}\${place}\`
    // A message that was refused, 429 included, is refused again, or comes when its code is dead.
    if (response.status >= 500) api.notification.retry(reason)
    else api.notification.drop(reason)
  } catch (error) {
    api.notification.retry(\`the gateway did not answer: \${error.cause?.code ?? error.name}\`)
  }
}`
