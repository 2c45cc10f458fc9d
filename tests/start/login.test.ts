/** Whole logins: the connection that main.ts prints, a local Auth0 tenant, the running gateway and a local provider. */
import assert from "node:assert/strict"
import { after, test } from "node:test"
import { createLocalJWKSet, jwtVerify } from "jose"
import { connectionIn, readmeActions, type TenantOptions, tenant } from "../lib/auth0.ts"
import { provider, run, serving } from "../lib/process.ts"
import { httpEnv, secret } from "../lib/world.ts"

const slow = { timeout: 60_000 }
const managementToken = "a management token"
const otpGrant = "http://auth0.com/oauth/grant-type/passwordless/otp"
const [action = ""] = readmeActions()

interface Sent {
  to: string
  text: string
}

/** One gateway for all, and the body that `platforms auth0` prints. */
async function start() {
  const sent: Sent[] = []
  const sms = await provider((_, response, body) => {
    const message = JSON.parse(body)
    sent.push(message)
    // A number that ends so is refused by the provider.
    if (message.to.endsWith("502")) response.writeHead(500)
    response.end(message.to.endsWith("502") ? "{}" : '{"id":"m-1"}')
  })
  const env = { ...httpEnv, HTTP_URL: `${sms.url}/send`, GATEWAY_SECRET: secret, SMS_SENDER: "+15005550006" }
  const gateway = await serving(env)
  const command = run(["platforms", "auth0"], { ...env, GATEWAY_URL: gateway.url })
  assert.equal(await command.ended, 0, command.stderr())
  const stop = () => {
    gateway.kill("SIGKILL")
    sms.close()
  }
  return { url: gateway.url, connection: connectionIn(command.stdout()), sent, stop }
}
let running: ReturnType<typeof start> | undefined
const started = () => {
  running ??= start()
  return running
}
after(async () => (await running)?.stop())

/** A tenant with the connection, changed by `options`; `now` moves its clock. */
async function withTenant({ options = {}, ...rest }: Partial<TenantOptions> & { options?: object } = {}) {
  const { connection, url, sent } = await started()
  const time = { ahead: 0 }
  const log: string[] = []
  const app = tenant({
    managementToken,
    clock: () => Date.now() + time.ahead,
    log: (type, description) => log.push(`${type} ${description}`),
    secrets: { GATEWAY_URL: url, GATEWAY_SECRET: secret },
    ...rest,
  })
  const call = async (path: string, body?: object, headers: Record<string, string> = {}, method = "POST") => {
    const init = { method, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) }
    const response = await app.request(`http://tenant.example${path}`, body ? init : {})
    return { status: response.status, json: (await response.json()) as Record<string, string> }
  }
  const manage = async (path: string, body: object, method = "POST", token = managementToken) =>
    await call(`/api/v2/connections${path}`, body, { authorization: `Bearer ${token}` }, method)
  const created = await manage("", { ...connection, options: { ...connection.options, ...options } })
  assert.equal(created.status, 201, JSON.stringify(created.json))
  const begin = async (phone_number: string, rest: object = {}) =>
    await call("/passwordless/start", { client_id: "demo", connection: "sms", phone_number, send: "code", ...rest })
  const complete = async (username: string, otp: string, rest: object = {}) =>
    await call("/oauth/token", { grant_type: otpGrant, client_id: "demo", username, otp, realm: "sms", ...rest })
  /** The code of the newest text to a number; an Action's comes after the answer. */
  const received = async (phone: string, count = 1) => {
    for (let waited = 0; waited < 10_000; waited += 20) {
      const texts = sent.filter(({ to }) => to === phone)
      if (texts.length >= count) return /\d{4,}$/.exec(texts.at(-1)?.text ?? "")?.[0] ?? ""
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`${phone} received nothing: ${log.join(", ")}`)
  }
  const verify = async (token = "") => {
    const { json } = await call("/.well-known/jwks.json")
    const keys = createLocalJWKSet(json as unknown as Parameters<typeof createLocalJWKSet>[0])
    return await jwtVerify(token, keys, { issuer: "http://tenant.example/", audience: "demo", algorithms: ["RS256"] })
  }
  return { id: created.json.id, time, log, call, manage, begin, complete, received, verify }
}

const otherThan = (code: string) => code.replace(/^./, (digit) => String((Number(digit) + 1) % 10))

for (const [index, [name, options]] of (
  [
    ["the connection's gateway", {}],
    ["the README's Action", { action }],
  ] as const
).entries()) {
  test(`a login by ${name} ends with an id_token that verifies`, slow, async () => {
    const { begin, received, complete, verify, log } = await withTenant(options)
    const phone = `+1222333100${index}`
    const start = await begin(phone)
    assert.equal(start.status, 200, JSON.stringify(start.json))
    const { _id, ...rest } = start.json
    assert.deepEqual(rest, { phone_number: phone, request_language: null, phone_verified: false })
    const code = await received(phone)
    assert.match(code, /^\d{6}$/)
    const { status, json } = await complete(phone, code)
    assert.equal(status, 200, JSON.stringify(json))
    const { payload } = await verify(json.id_token)
    assert.equal(payload.sub, `sms|${_id}`)
    assert.equal(payload.phone_number, phone)
    // An Action is told of its message after the provider, and by no answer that is waited for.
    for (let waited = 0; waited < 10_000 && log.length === 0; waited += 20)
      await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(log, ["cs Code sent"])
    assert.equal((await complete(phone, code)).status, 403, "a code is used once")
  })
}

test("a login by the older /oauth/ro ends with an id_token that verifies", slow, async () => {
  const { begin, received, call, verify } = await withTenant()
  const phone = "+12223332000"
  await begin(phone)
  const asked = { client_id: "demo", connection: "sms", grant_type: "password", username: phone, scope: "openid" }
  const password = await received(phone)
  const wrong = await call("/oauth/ro", { ...asked, password: otherThan(password) })
  assert.equal(wrong.status, 401)
  assert.equal(wrong.json.error, "invalid_user_password")
  const { status, json } = await call("/oauth/ro", { ...asked, password })
  assert.equal(status, 200)
  assert.equal((await verify(json.id_token)).payload.phone_number, phone)
})

test("three wrong tries kill a code, and a new one is good again", slow, async () => {
  const { begin, received, complete } = await withTenant()
  const phone = "+12223333000"
  await begin(phone)
  const code = await received(phone)
  for (let tries = 0; tries < 3; tries += 1) {
    const { status, json } = await complete(phone, otherThan(code))
    assert.equal(status, 403)
    assert.equal(json.error, "invalid_grant")
  }
  assert.equal((await complete(phone, code)).status, 403)
  await begin(phone)
  assert.equal((await complete(phone, await received(phone, 2))).status, 200)
})

test("a code ends with its time_step", slow, async () => {
  const { begin, received, complete, time } = await withTenant({ options: { totp: { time_step: 60, length: 8 } } })
  const phone = "+12223334000"
  await begin(phone)
  const code = await received(phone)
  assert.match(code, /^\d{8}$/)
  time.ahead = 60_001
  const { status, json } = await complete(phone, code)
  assert.equal(status, 403)
  assert.match(json.error_description ?? "", /expired/)
})

test("a newer code puts an end to the one before", slow, async () => {
  const { begin, received, complete } = await withTenant({ options: { totp: { time_step: 60, length: 12 } } })
  const phone = "+12223335000"
  await begin(phone)
  const first = await received(phone)
  await begin(phone)
  const second = await received(phone, 2)
  assert.equal((await complete(phone, first)).status, 403)
  assert.equal((await complete(phone, second)).status, 200)
})

test("a gateway that refuses is told to the application", slow, async () => {
  const { begin } = await withTenant()
  assert.deepEqual(await begin("+12223336502"), {
    status: 400,
    json: {
      error: "sms_provider_error",
      error_description: "Unexpected response while calling the SMS gateway: 502",
    },
  })
})

const authentication = { method: "bearer", audience: "urn:smstask", subject: "urn:Auth0", secret: "another" }
test("a connection with another secret is told to the application, and mended by PATCH", slow, async () => {
  const wrong = { gateway_authentication: authentication }
  const { begin, manage, id, received, complete } = await withTenant({ options: wrong })
  const phone = "+12223337000"
  assert.deepEqual(await begin(phone), {
    status: 400,
    json: {
      error: "sms_provider_error",
      error_description: "Authentication failed while calling the SMS gateway: 401",
    },
  })
  const { connection } = await started()
  const { gateway_url, gateway_authentication } = connection.options
  // The whole options are replaced, so that the template and the sender are gone.
  assert.equal((await manage(`/${id}`, { options: { gateway_url, gateway_authentication } }, "PATCH")).status, 200)
  assert.equal((await begin(phone)).status, 200)
  const { sent } = await started()
  assert.match(sent.at(-1)?.text ?? "", /^\d{6}$/)
  assert.equal((await complete(phone, await received(phone))).status, 200)
})

test("a gateway that does not answer in time is told to the application", slow, async () => {
  const { url, close } = await provider(() => {})
  const { begin } = await withTenant({ gatewayTimeout: 200, options: { gateway_url: url } })
  const { status, json } = await begin("+12223338000")
  assert.equal(status, 400)
  assert.match(json.error_description ?? "", /^Timeout while calling the SMS gateway/)
  close()
})

test("an Action that asks for a retry runs again five times, and the application is not told", slow, async () => {
  let calls = 0
  const { url, close } = await provider((_, response) => {
    calls += 1
    response.writeHead(502).end()
  })
  const secrets = { GATEWAY_URL: url, GATEWAY_SECRET: secret }
  const { begin, log } = await withTenant({ action, secrets, retryAfter: 1 })
  assert.equal((await begin("+12223339000")).status, 200)
  while (log.length < 6) await new Promise((resolve) => setTimeout(resolve, 20))
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.equal(calls, 6)
  assert.deepEqual(new Set(log), new Set(["fn the gateway answered 502"]))
  close()
})

test("a message that the Action drops is not tried again", slow, async () => {
  const { begin, log } = await withTenant({
    action,
    secrets: { GATEWAY_URL: (await started()).url, GATEWAY_SECRET: "x" },
  })
  assert.equal((await begin("+12223339001")).status, 200)
  while (log.length < 1) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.match(log.join(), /^fn the gateway answered 401 authentication_failed, request [\da-f-]{36} of its log$/)
})

test("the tenant renders the macros of a template and forwards the request's address as asked", slow, async () => {
  const bodies: Record<string, unknown>[] = []
  const { url, close } = await provider((_, response, body) => {
    bodies.push(JSON.parse(body))
    response.end()
  })
  const own = { gateway_url: url, from: "Acme", totp: { time_step: 60, length: 4 } }
  const markdown = { ...own, template: "@@application.name@@: @@password@@ or @@code@@, @@other@@" }
  await (await withTenant({ options: { ...markdown, forward_req_info: false } })).begin("+12223340000")
  const liquid = { ...own, template: "{{ application.name }}: {{password}}", syntax: "liquid" }
  await (await withTenant({ options: { ...liquid, forward_req_info: true } })).begin("+12223340000")
  const [first, second] = bodies
  assert.deepEqual(Object.keys(first ?? {}), ["recipient", "body", "sender"])
  assert.match(String(first?.body), /^Demo: (\d{4}) or \1, @@other@@$/)
  assert.match(String(second?.body), /^Demo: \d{4}$/)
  assert.deepEqual(second?.req, { ip: "127.0.0.1", "user-agent": "" })
  close()
})

const refusals: [name: string, body: object, error: string, description: RegExp][] = [
  ["of an unknown client", { client_id: "x" }, "bad.client_id", /x/],
  ["without a connection", { connection: undefined }, "bad.connection", /^Missing required property: connection$/],
  ["by another connection", { connection: "email" }, "bad.connection", /^Connection does not exist$/],
  ["without a number", { phone_number: undefined }, "bad.phone_number", /^Missing required property: phone_number$/],
  ["with a space in the number", { phone_number: "+1 222" }, "bad.phone_number", /^String does not match pattern: \^/],
  ["with an unknown field", { colour: "red" }, "bad.request", /^the following properties are not allowed: colour$/],
]
for (const [name, body, error, description] of refusals) {
  test(`the tenant refuses a start ${name}`, slow, async () => {
    const { begin } = await withTenant()
    const { status, json } = await begin("+12223334444", body)
    assert.equal(status, 400)
    assert.deepEqual(Object.keys(json), ["error", "error_description"])
    assert.equal(json.error, error)
    assert.match(json.error_description ?? "", description)
  })
}

test(
  "the tenant refuses a connection without the token, a second of its name, and options beyond the limits",
  slow,
  async () => {
    const { manage } = await withTenant()
    const { connection } = await started()
    assert.equal((await manage("", connection, "POST", "another")).status, 401)
    assert.equal((await manage("", connection)).status, 409)
    assert.equal((await manage("/con_x", { options: {} }, "PATCH")).status, 404)
    for (const options of [{ gateway_url: "x".repeat(300) }, { totp: { time_step: 30 } }, { totp: { length: 3 } }]) {
      const { status, json } = await manage("", { name: "other", strategy: "sms", options })
      assert.equal(status, 400)
      assert.match(json.message ?? "", /^Payload validation error/)
    }
  },
)
