/** The Actions of the README, run as Auth0 runs them, against a running gateway. */
import assert from "node:assert/strict"
import { after, test } from "node:test"
import { jwtVerify } from "jose"
import { execute, load, phoneEvent, readmeActions } from "../lib/auth0.ts"
import { provider, serving } from "../lib/process.ts"
import { httpEnv, secret } from "../lib/world.ts"

const slow = { timeout: 60_000 }
const token = "the-token-of-the-Action-32-characters"
const [source = "", olderSource = "", ...others] = readmeActions()

/** One gateway for all: +1 is allowed, two messages a number; the text decides what its provider does. */
async function start() {
  const sent: { to: string; from: string; text: string }[] = []
  const sms = await provider((_, response, body) => {
    const message = JSON.parse(body)
    sent.push(message)
    if (message.text.includes("slow")) return
    if (message.text.includes("broken")) response.writeHead(500)
    response.end(message.text.includes("broken") ? "{}" : '{"id":"m-1"}')
  })
  const guard = {
    ALLOW_DESTINATIONS: "US",
    DEFAULT_COUNTRY: "US",
    PLATFORMS: "auth0",
    AUTH0_TOKEN: token,
    LIMIT_RECIPIENT: "2/10m",
    GATEWAY_SECRET: secret,
  }
  const gateway = await serving({ ...httpEnv, ...guard, HTTP_URL: `${sms.url}/send` })
  const stop = () => {
    gateway.kill("SIGKILL")
    sms.close()
  }
  return { url: gateway.url, sent, stop }
}
let running: ReturnType<typeof start> | undefined
const started = () => {
  running ??= start()
  return running
}
after(async () => (await running)?.stop())

/** Runs the Action; its timeouts come after `patience` where one is given. */
async function run(notification: object, secrets: Record<string, string> = {}, patience?: number) {
  const { url, sent } = await started()
  const asked: number[] = []
  const timeout = (milliseconds: number) => {
    asked.push(milliseconds)
    return AbortSignal.timeout(patience ?? milliseconds)
  }
  const told = await execute(
    load(source, { AbortSignal: { timeout } }),
    phoneEvent(
      { recipient: "+12223334444", as_text: "Your code is 326162", code: "326162", ...notification },
      { GATEWAY_URL: url, GATEWAY_SECRET: secret, ...secrets },
    ),
  )
  return { told, sent, asked }
}

test("the README holds the two Actions, each under 60 lines", () => {
  assert.equal(others.length, 0)
  for (const text of [source, olderSource]) assert.ok(text.trimEnd().split("\n").length < 60)
  assert.deepEqual(Object.keys(load(source)), ["onExecuteCustomPhoneProvider"])
  assert.deepEqual(Object.keys(load(olderSource)), ["onExecuteSendPhoneMessage"])
})

test("the Action delivers a message, whatever the number's spelling", slow, async () => {
  const { told, sent, asked } = await run({
    recipient: "+1-808-555-5555",
    as_text: "Grüße von A & B: 326162",
    from: "+1-808-555-2222",
  })
  assert.equal(told, undefined)
  assert.deepEqual(sent.at(-1), { to: "+18085555555", from: "+18085552222", text: "Grüße von A & B: 326162" })
  assert.deepEqual(asked, [18_000])
})

test("the Action sends what the gateway reads, under a fresh token of five minutes", slow, async () => {
  const calls: { authorization: string; type: string; body: string }[] = []
  const { url, close } = await provider((request, response, body) => {
    calls.push({
      authorization: request.headers.authorization ?? "",
      type: request.headers["content-type"] ?? "",
      body,
    })
    response.end()
  })
  const key = new TextEncoder().encode(secret)
  assert.equal((await run({ from: "Acme" }, { GATEWAY_URL: url })).told, undefined)
  const own = { GATEWAY_URL: url, GATEWAY_AUDIENCE: "urn:x", GATEWAY_SUBJECT: "urn:y" }
  const bare = { code: undefined, message_type: "blocked_account", delivery_method: "voice", locale: undefined }
  assert.equal((await run(bare, own)).told, undefined)
  const [first, second] = calls
  assert.equal(first?.type, "application/json")
  const common = { recipient: "+12223334444", body: "Your code is 326162" }
  const req = { ip: "192.0.2.1", "user-agent": "Mozilla/5.0" }
  const coded = { sender: "Acme", code: "326162", locale: "en-US", channel: "sms", message_type: "otp_verify", req }
  assert.deepEqual(JSON.parse(first?.body ?? ""), { ...common, ...coded })
  assert.deepEqual(JSON.parse(second?.body ?? ""), {
    ...common,
    channel: "voice",
    message_type: "blocked_account",
    req,
  })
  for (const [call, audience, subject] of [
    [first, "urn:smstask", "urn:Auth0"],
    [second, "urn:x", "urn:y"],
  ] as const) {
    const token = call?.authorization.replace("Bearer ", "") ?? ""
    const { payload, protectedHeader } = await jwtVerify(token, key, { audience, subject, algorithms: ["HS256"] })
    assert.deepEqual(protectedHeader, { alg: "HS256", typ: "JWT" })
    assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 300)
    assert.ok(Math.abs((payload.iat ?? 0) - Date.now() / 1000) < 30, "iat is not now")
  }
  close()
})

for (const [index, message_type] of ["blocked_account", "password_breach", "change_password"].entries()) {
  test(`the Action delivers ${message_type}, which carries no code`, slow, async () => {
    const notification = { recipient: `+1222333500${index}`, as_text: message_type, code: undefined }
    const { told, sent } = await run({ ...notification, message_type })
    assert.equal(told, undefined)
    assert.equal(sent.at(-1)?.text, message_type)
  })
}

const nowhere = { GATEWAY_URL: "http://127.0.0.1:9/" }
const outcomes: [name: string, call: "drop" | "retry", reason: RegExp, notification: object, secrets?: object][] = [
  ["a number that is not allowed", "drop", /answered 422 destination_not_allowed/, { recipient: "+4915112345678" }],
  ["a number that is none", "drop", /answered 400 invalid_message/, { recipient: "12" }],
  [
    "a provider that fails",
    "retry",
    /answered 502 delivery_rejected, request [\da-f-]{36}/,
    { as_text: "broken 326162" },
  ],
  ["a wrong secret", "drop", /answered 401 authentication_failed/, {}, { GATEWAY_SECRET: "another" }],
  ["another audience", "drop", /answered 401 authentication_failed/, {}, { GATEWAY_AUDIENCE: "urn:other" }],
  ["a voice message", "drop", /answered 422 unsupported_channel/, { delivery_method: "voice", as_voice: "3. 2. 6." }],
  ["nobody listening", "retry", /^the gateway did not answer: \w+$/, {}, nowhere],
  ["an address without a scheme", "drop", /needs the secrets GATEWAY_URL/, {}, { GATEWAY_URL: "sms.example.com" }],
  ["no secret", "drop", /needs the secrets/, {}, { GATEWAY_SECRET: "" }],
]
for (const [index, [name, call, reason, notification, secrets]] of outcomes.entries()) {
  test(`${name} makes the Action ${call} the message`, slow, async () => {
    const recipient = `+1233444000${index}`
    const before = (await started()).sent.length
    const { told, sent } = await run({ recipient, ...notification }, { ...secrets })
    assert.equal(told?.call, call)
    assert.match(told.reason, reason)
    assert.ok(told.reason.length <= 1024)
    assert.doesNotMatch(told.reason, /326162|233444/)
    assert.equal(sent.length - before, "as_text" in notification ? 1 : 0)
  })
}

test("a limit that is used up makes the Action drop the message", slow, async () => {
  const recipient = "+12156667777"
  for (const code of ["111111", "222222"])
    assert.equal((await run({ recipient, code, as_text: `Your code is ${code}` })).told, undefined)
  const { told, sent } = await run({ recipient, code: "333333", as_text: "Your code is 333333" })
  assert.equal(told?.call, "drop")
  assert.match(told.reason, /answered 429 rate_limited/)
  assert.equal(sent.at(-1)?.text, "Your code is 222222")
})

test("a gateway that is slow makes the Action retry the message", slow, async () => {
  const { told, asked } = await run({ recipient: "+12156668888", as_text: "slow 326162" }, {}, 500)
  assert.deepEqual(asked, [18_000])
  assert.deepEqual(told, { call: "retry", reason: "the gateway did not answer: TimeoutError" })
})

const strange: [name: string, status: number, body: string, told: unknown][] = [
  ["a page of a proxy", 503, "<h1>326162 +12223334444</h1>", "retry the gateway answered 503"],
  ["an error that repeats the message", 400, '{"code":"326162","id":"+12223334444"}', "drop the gateway answered 400"],
  ["an error that is null", 500, "null", "retry the gateway answered 500"],
  ["an empty success that is not 200", 204, "", "drop the gateway answered 204"],
  ["a redirect", 302, "", "drop the gateway answered 302"],
]
for (const [name, status, body, expected] of strange) {
  test(`the Action tells nothing but the status of ${name}`, slow, async () => {
    const { url, close } = await provider((_, response) => response.writeHead(status, { location: "/" }).end(body))
    const { told } = await run({}, { GATEWAY_URL: url })
    assert.equal(`${told?.call} ${told?.reason}`, expected)
    close()
  })
}

test("a connection that breaks makes the Action retry the message", slow, async () => {
  const { url, close } = await provider((request) => request.socket.destroy())
  const { told } = await run({}, { GATEWAY_URL: url })
  assert.equal(told?.call, "retry")
  assert.match(told.reason, /^the gateway did not answer: \w+$/)
  close()
})

const mfa = async (options: object, secrets: object = {}) => {
  const { url } = await started()
  const message_options = {
    action: "enrollment",
    code: "326162",
    message_type: "sms",
    text: "326162 it is",
    ...options,
  }
  const event = { ...phoneEvent({}, { GATEWAY_URL: url, GATEWAY_SECRET: secret, ...secrets }), message_options }
  return await load(olderSource).onExecuteSendPhoneMessage?.(event, { cache: {} })
}

test("the Action of the older trigger delivers a message", slow, async () => {
  await mfa({ recipient: "+12778880000" })
  const { sent } = await started()
  assert.deepEqual(sent.at(-1), { to: "+12778880000", from: "", text: "326162 it is" })
})

const failures: [name: string, told: RegExp, options: object, secrets?: object][] = [
  ["a number that is not allowed", /answered 422$/, { recipient: "+4915112345678" }],
  ["a voice message", /answered 422$/, { message_type: "voice" }],
  ["a provider that fails", /answered 502$/, { text: "broken 326162" }],
  ["a wrong secret", /answered 401$/, {}, { GATEWAY_SECRET: "another" }],
  ["nobody listening", /./, {}, nowhere],
]
for (const [index, [name, told, options, secrets]] of failures.entries()) {
  test(`${name} makes the Action of the older trigger throw`, slow, async () => {
    const failure = await mfa({ recipient: `+1277888111${index}`, ...options }, secrets).then(
      () => "nothing was thrown",
      (error) => String(error.message),
    )
    assert.match(failure, told)
    assert.doesNotMatch(failure, /326162|277888|nothing was thrown/)
  })
}

test("an Action may send the whole event as the body", slow, async () => {
  const { url, sent } = await started()
  const secrets = { GATEWAY_URL: url }
  const whole = phoneEvent({ recipient: "+12667778888", as_text: "Your code is 326162", from: "Acme" }, secrets)
  const signed = load(source, {
    fetch: async (address: string, init: RequestInit) =>
      await fetch(`${address}auth0`, {
        ...init,
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify({ ...whole, secrets: undefined }),
      }),
  })
  const event = phoneEvent({ recipient: "+12667778888" }, { ...secrets, GATEWAY_SECRET: secret })
  assert.equal(await execute(signed, event), undefined)
  assert.deepEqual(sent.at(-1), { to: "+12667778888", from: "Acme", text: "Your code is 326162" })
})
