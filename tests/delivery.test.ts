import assert from "node:assert/strict"
import { test } from "node:test"
import { gzipSync } from "node:zlib"
import { HTTPException } from "hono/http-exception"
import * as v from "valibot"
import type { Page, Provider } from "../main.ts"
import {
  accepted,
  blame,
  message,
  problem,
  providers,
  route,
  secret,
  standing,
  start,
  status,
  take,
} from "./lib/world.ts"

const networkError = (code: string, message = "fetch failed") =>
  new TypeError(message, { cause: Object.assign(new Error(code), { code }) })

test("who was not reached is told by host and port, but for a secret in them", async () => {
  const notReached = () => Promise.reject(networkError("ECONNREFUSED"))
  const reasonWith = async (env: Record<string, string>) => {
    const { post, line } = await start(env, notReached)
    await post()
    return line("unreachable").reason
  }
  assert.equal(await reasonWith({ HTTP_URL: "http://127.0.0.1:41029/send" }), "nothing listens at 127.0.0.1:41029")
  assert.equal(await reasonWith({ HTTP_URL: "https://a$&b$$c.example/send" }), "nothing listens at a$&b$$c.example")
  const env = { HTTP_URL: "https://acme-key-0.example/send", HTTP_HEADERS: '{"authorization":"Bearer acme-key-0"}' }
  assert.equal(await reasonWith(env), "nothing listens at •.example")
})

const failures: [name: string, error: Error, code: string][] = [
  ["a name that is not known", networkError("ENOTFOUND"), "dns"],
  ["a name server that does not answer", networkError("EAI_AGAIN"), "dns"],
  ["a port where nobody listens", networkError("ECONNREFUSED"), "refused"],
  [
    "a port where nobody listens (Bun)",
    Object.assign(new Error("Unable to connect."), { code: "ConnectionRefused" }),
    "refused",
  ],
  [
    "a port where nobody listens (Deno)",
    new TypeError(
      "error sending request for url (http://secret-host/): client error (Connect): tcp connect error: Connection refused (os error 111)",
    ),
    "refused",
  ],
  [
    "a name that is not known (Deno)",
    new TypeError("error sending request: client error (Connect): dns error: failed to lookup address information"),
    "dns",
  ],
  [
    "a host that Deno may not call",
    Object.assign(new Error('Requires net access to "a:443", run again with --allow-net'), { name: "NotCapable" }),
    "refused",
  ],
  ["a certificate of somebody else", networkError("ERR_TLS_CERT_ALTNAME_INVALID"), "tls"],
  ["a certificate that signs itself", networkError("DEPTH_ZERO_SELF_SIGNED_CERT"), "tls"],
  ["a connection that takes too long", networkError("UND_ERR_CONNECT_TIMEOUT"), "timeout"],
  ["a connection that breaks", networkError("ECONNRESET"), "reset"],
  ["a socket that closes", networkError("UND_ERR_SOCKET", "other side closed"), "reset"],
]
for (const [name, error, code] of failures) {
  test(`${name} is told as "${code}" and nothing more`, async () => {
    const { send, lines, line } = await route({ a: () => Promise.reject(error) })
    const { status, answer } = await send()
    assert.equal(status, 502)
    assert.equal(answer.code, "delivery_rejected")
    assert.match(String(answer.detail), new RegExp(`a unreachable ${code}`))
    assert.ok(Array.isArray(answer.attempts))
    for (const attempt of answer.attempts)
      assert.deepEqual(attempt, { provider: "a", outcome: "unreachable", code, ms: 0 })
    assert.equal(line("unreachable").code, code)
    assert.doesNotMatch(lines.join() + JSON.stringify(answer), /secret-host|fetch failed/)
    const isPerhapsSent = code === "reset"
    assert.equal(/may have been sent/.test(String(line("unreachable").reason)), isPerhapsSent)
    assert.equal(/^It may have been sent: /.test(String(answer.detail)), isPerhapsSent)
  })
}

for (const code of [301, 302, 303, 307, 308, 304]) {
  test(`a redirect of status ${code} is not followed`, async () => {
    const headers = { location: "https://evil.example/" }
    const { send, calls } = await route({ a: () => new Response(null, { status: code, headers }) })
    const { status, answer } = await send()
    assert.equal(status, 502)
    assert.match(String(answer.detail), new RegExp(`a refused ${code}`))
    assert.equal(calls.length, 1)
    assert.equal(calls[0]?.init.redirect, "manual")
  })
}

test("a provider that does not answer is cut at the deadline, told as perhaps sent, and its call is aborted", async () => {
  const time = standing()
  const { send, line, calls } = await route({ a: time.silence }, { DEADLINE: "1s" }, {}, time)
  const { status, answer } = await send()
  assert.equal(status, 504)
  assert.equal(answer.code, "delivery_timeout")
  assert.match(String(answer.detail), /may have been sent/)
  assert.deepEqual(answer.attempts, [{ provider: "a", outcome: "timeout", code: "timeout", ms: 1_000 }])
  assert.equal(line("timeout").reason, "it may have been sent")
  assert.equal(calls[0]?.init.signal?.aborted, true)
})

test("a provider that begins to answer and stops is cut at the deadline as well", async () => {
  const time = standing()
  const pull = (controller: ReadableStreamDefaultController) => {
    controller.enqueue(new Uint8Array([123]))
    return time.silence().then(() => {})
  }
  const { send } = await route({ a: () => new Response(new ReadableStream({ pull })) }, { DEADLINE: "1s" }, {}, time)
  assert.equal((await send()).status, 504)
})

test("what a provider answers within the deadline counts, however late", async () => {
  const time = standing()
  const late = () => {
    time.pass(15_999)
    return take()
  }
  const { send } = await route({ a: late }, { ATTEMPT_TIMEOUT: "16s" }, {}, time)
  const { status, answer } = await send()
  assert.equal(status, 200)
  assert.deepEqual(answer.attempts, [{ provider: "a", outcome: "accepted", ms: 15_999 }])
})

test("an answer without end is read for 64 KiB and refused", async () => {
  let pulls = 0
  const endless = () =>
    new ReadableStream({
      pull(controller) {
        pulls += 1
        controller.enqueue(new Uint8Array(1024).fill(32))
      },
    })
  const { send, line } = await route({ a: () => new Response(endless()) })
  assert.equal((await send()).status, 502)
  assert.match(String(line("refused").reason), /64 KiB/)
  assert.ok(pulls < 100)
})

test("an answer that breaks off is a broken connection", async () => {
  const broken = () =>
    new ReadableStream({
      pull(controller) {
        controller.error(new Error("terminated"))
      },
    })
  const { send } = await route({ a: () => new Response(broken()) })
  const { status, answer } = await send()
  assert.equal(status, 502)
  assert.match(String(answer.detail), /unreachable reset/)
})

/** A provider's file that asks over HTTP, and gives what is wanted. */
const fileOf = (parts: Partial<Provider>): Provider => ({
  docs: "https://example.com/",
  url: "https://a.example",
  env: {},
  request: (_, __, { url }) => new Request(url, { method: "POST" }),
  receipt: ({ status }) => (status === 200 ? { id: "m-1" } : { code: status }),
  ...parts,
})

test("a provider that is asked again for one message is given the same key, and another one for the next", async () => {
  const keys: string[] = []
  const request: Provider["request"] = (_, __, { url, key }) => {
    keys.push(key)
    return new Request(url, { method: "POST" })
  }
  const answer = () => (keys.length === 1 ? Promise.reject(networkError("ECONNRESET")) : new Response("{}"))
  const { send } = await route({ a: answer }, {}, { a: fileOf({ request }) })
  const { answer: first } = await send()
  assert.deepEqual(keys, [first.id, first.id])
  await send()
  assert.equal(keys.length, 3)
  assert.notEqual(keys[2], keys[0])
})

test("a success that its file does not know has a reason", async () => {
  const { send, line } = await route(
    { a: () => new Response("<html>") },
    {},
    { a: fileOf({ receipt: ({ status }) => ({ code: status }) }) },
  )
  const { status, answer } = await send()
  assert.equal(status, 502)
  assert.match(String(answer.detail), /^It may have been sent: /)
  assert.equal(line("refused").reason, "its answer is no acceptance that the file knows")
})

test("answers that no file knows use up the limits, since each may be a text that is paid for", async () => {
  const { send } = await route({ a: () => new Response("<html>") }, { LIMIT_TOTAL: "2/10m" })
  const codes = [(await send()).status, (await send()).status, (await send()).status]
  assert.deepEqual(codes, [502, 502, 429])
})

test("an id that is cut inside of a character is kept, and its message is sent once", async () => {
  const receipt = () => ({ id: `${"S".repeat(199)}😀` })
  const { post, calls } = await start({ SMS_PROVIDER: "a" }, undefined, {
    load: async (path) => (path === "a" ? { default: fileOf({ receipt }) } : await import(`../providers/${path}.ts`)),
  })
  for (let count = 0; count < 3; count += 1) assert.equal((await problem(await post())).receipt, "S".repeat(199))
  assert.equal(calls.length, 1)
})

test("a receipt with a number for its id is taken, and one with neither id nor code is told", async () => {
  const slip = (receipt: unknown) => fileOf({ receipt: () => receipt as { id: string } })
  const { send } = await route({ a: () => new Response("{}") }, {}, { a: slip({ id: 12345 }) })
  assert.equal((await send()).answer.receipt, "12345")
  for (const none of [{ ok: 1 }, true, undefined, null, { id: null }]) {
    const { send, line } = await route({ a: () => new Response("{}") }, {}, { a: slip(none) })
    assert.equal((await send()).status, 502)
    assert.match(String(line("refused").reason), /receipt gave neither an id nor a code/)
  }
})

const faults: [status: number, fault: string][] = [
  [400, "provider"],
  [401, "account"],
  [402, "account"],
  [403, "account"],
  [404, "provider"],
  [429, "provider"],
  [500, "provider"],
  [503, "provider"],
  [204, "provider"],
]
for (const [code, fault] of faults) {
  test(`an answer of ${code} is by default the fault of the ${fault}`, async () => {
    const { send, line } = await route({ a: status(code) })
    assert.equal((await send()).status, 502)
    assert.equal(line("refused").fault, fault)
  })
}

const told: [answer: object, status: number, fault: string][] = [
  [{ code: 7 }, 400, "recipient"],
  [{ code: "7" }, 200, "recipient"],
  [{ code: "poor" }, 400, "account"],
  [{ code: "poor" }, 401, "account"],
  [{ code: "long" }, 500, "message"],
  [{ code: "busy" }, 400, "provider"],
  [{ code: "poor", fault: "message" }, 400, "message"],
  [{ code: "new" }, 400, "provider"],
  [{ code: "new" }, 403, "account"],
  [{}, 429, "provider"],
]
for (const [refusal, code, fault] of told) {
  test(`a refusal ${JSON.stringify(refusal)} of status ${code} is the fault of the ${fault}`, async () => {
    const faults = { recipient: [7], account: ["poor"], message: ["long"], provider: ["busy", 429] }
    const answer = () => Response.json({ ...refusal, reason: "x" }, { status: code })
    const { send, line } = await route({ a: answer }, {}, { a: { faults } })
    assert.equal((await send()).status, fault === "recipient" ? 422 : 502)
    assert.equal(line("refused").fault, fault)
  })
}

test("a file that calls nobody, and one that throws, are an acceptance and a refusal", async () => {
  const files = {
    a: {
      request: () => {
        throw new Error("the number +12223334444 and 326162")
      },
    },
    b: { request: async () => ({ code: "no_template", reason: "none", fault: "message" }) as const },
    c: { request: () => ({ id: "c-1" }) },
  }
  const { post, events, calls } = await route({ a: () => take(), b: () => take(), c: () => take() }, {}, files)
  const answer = await problem(await post({ ...message, code: "326162" }))
  assert.equal(answer.receipt, "c-1")
  assert.equal(calls.length, 0)
  const refusals = events().filter(({ event }) => event === "refused")
  assert.deepEqual(
    refusals.map(({ code, fault }) => [code, fault]),
    [
      ["exception", "provider"],
      ["no_template", "message"],
    ],
  )
  assert.doesNotMatch(JSON.stringify(refusals) + JSON.stringify(answer), /2223334444|326162/)
})

for (const foreign of [{ toString: 1, valueOf: 1 }, { toString: null }, [{ toString: 1 }], {}, [], null, true, 7]) {
  test(`a code, a reason or an id that is ${JSON.stringify(foreign)} is a refusal like any other`, async () => {
    const answers = [
      { code: foreign, reason: foreign },
      { code: "c", reason: foreign },
      { code: foreign, reason: "x" },
      { id: foreign },
    ]
    for (const answer of answers) {
      const { send, calls, lines } = await route({
        a: () => Response.json(answer, { status: "id" in answer ? 200 : 400 }),
      })
      const { status, answer: told } = await send()
      assert.deepEqual([status, told.code, calls.length], [502, "delivery_rejected", 1])
      for (const line of lines) assert.notEqual(JSON.parse(line).event, "failure")
    }
  })
}

const sent: Record<string, unknown>[] = []
test("a file gets the message as it was checked: number, text, sender, code, locale, channel", async () => {
  sent.length = 0
  const keep = (message: object) => {
    sent.push({ ...message })
    return take()
  }
  const { send } = await route(
    { a: keep, b: keep },
    { SMS_PROVIDER: "a", VOICE_PROVIDER: "b" },
    { b: { channel: "voice" } },
  )
  await send("+44 (0) 20 7946 0958", { body: "Your code is 4711", sender: " Acme ", locale: "pt_BR" })
  await send("+12223334444", { body: "Hello", code: " 0077 ", sender: null, channel: "voice" })
  const [first, second] = sent
  assert.deepEqual(first, {
    recipient: "+442079460958",
    body: "Your code is 4711",
    sender: "Acme",
    code: "4711",
    locale: "pt-BR",
    channel: "sms",
  })
  assert.deepEqual(second, { recipient: "+12223334444", body: "Hello", sender: "", code: "0077", channel: "voice" })
})

// ───────────────────────────── Pages and webhooks of a file's own ─────────────────────────────

const thrown: [name: string, error: Error, status: number][] = [
  ["HTTPException(400)", new HTTPException(400, { message: "no such report" }), 400],
  ["HTTPException(401)", new HTTPException(401), 401],
  ["HTTPException(404)", new HTTPException(404), 404],
  ["an error", new RangeError("canary"), 500],
]
const routesThat = (error: Error): NonNullable<Provider["routes"]> => {
  return (app) => {
    app.get("/", (c) => c.text("mine"))
    app.post("/report", () => {
      throw error
    })
  }
}
for (const [name, error, expected] of thrown) {
  test(`a provider's route that throws ${name} is answered with ${expected}`, async () => {
    const env = { GATEWAY_ALLOW_IPS: "127.0.0.1" }
    const { call, send, lines } = await route({ a: () => take() }, env, { a: { routes: routesThat(error) } })
    const response = await call({ method: "POST", body: "{}" }, "/a/report")
    assert.equal(response.status, expected)
    const text = await response.text()
    assert.doesNotMatch(text + lines.join(), /canary|forbidden_address/)
    assert.equal(await (await call({}, "/a")).text(), "mine")
    assert.equal((await send()).status, 200)
  })

  test(`a page that throws ${name} is answered with ${expected}`, async () => {
    const page: Page = { env: {}, routes: routesThat(error) }
    const { load, answer, env } = providers({ a: () => take() })
    const withPage = async (path: string) => (path === "pages/mine" ? { default: page } : await load(path))
    const token = "0123456789abcdef0123456789abcdef"
    const all = { ...env, PAGES: "mine", MINE_TOKEN: token, GATEWAY_ALLOW_IPS: "127.0.0.1" }
    const { call } = await start(all, answer, { load: withPage })
    const headers = { authorization: `Bearer ${token}` }
    assert.equal((await call({ method: "POST", headers, body: "{}" }, "/mine/report")).status, expected)
    assert.equal(await (await call({ headers }, "/mine")).text(), "mine")
    assert.equal((await call({}, "/pages/mine")).status, 404)
  })
}

test("{code} is filled where there is one, and refused as the message's fault where there is none", async () => {
  const env = { HTTP_URL: "https://sms.example.com/?to={recipient}", HTTP_BODY: '{"code":"{code}"}' }
  const { post, calls, events } = await start(env)
  assert.equal((await post({ recipient: "+12223334444", body: "hello", code: "0077" })).status, 200)
  assert.equal(calls[0]?.text, '{"code":"0077"}')
  assert.equal((await post({ recipient: "+12223334444", body: "hello again" })).status, 502)
  assert.equal(calls.length, 1)
  assert.equal(events().find(({ event }) => event === "refused")?.fault, "message")
})

test("the console provider prints the message and needs no call", async () => {
  const { post, lines, calls } = await start({ SMS_PROVIDER: "console" }, accepted)
  const response = await post({ recipient: "+12223334444", body: "line one\nline \u001b[2Jtwo", sender: "Acme" })
  assert.equal(response.status, 200)
  assert.equal(calls.length, 0)
  const printed = lines.find((line) => !line.startsWith("{"))
  assert.equal(printed, "\n  To +12223334444 from Acme:\n  line one\n  line [2Jtwo\n")
})

test("a provider that suspects fraud ends the route with 422, and the next one is not asked", async () => {
  const { send, asked, line } = await route({ a: blame("fraud"), b: () => take() })
  const { status, answer } = await send()
  assert.equal(status, 422)
  assert.equal(answer.code, "suspected_fraud")
  assert.deepEqual(asked, ["a"])
  assert.equal(line("refused").fault, "fraud")
})

test("a refusal that may be sent all the same lets the next be asked, counts, and is told so", async () => {
  const queued: Partial<Provider> = { receipt: () => ({ code: "queued", fault: "provider", isPerhapsSent: true }) }
  const { send, asked } = await route({ a: () => take() }, { LIMIT_RECIPIENT: "1/10m" }, { a: queued })
  const { answer } = await send("+12015550123")
  assert.match(String(answer.detail), /^It may have been sent: a refused queued/)
  assert.equal((await send("+12015550123")).status, 429)
  assert.equal(asked.length, 1)
  const both = await route({ a: () => take(), b: () => take() }, {}, { a: queued })
  assert.equal((await both.send()).answer.provider, "b")
})

test("a vendor's word that its endpoint ends is warned of once a day", async () => {
  const sunset = { "content-type": "application/json", sunset: "Wed, 31 Mar 2027 23:59:59 GMT" }
  const { send, events, time } = await route({ a: () => new Response('{"id":"x"}', { headers: sunset }) })
  const warnings = () => events().filter(({ event }) => event === "warning")
  for (const _ of "123") assert.equal((await send()).status, 200)
  assert.equal(warnings().length, 1)
  assert.equal(warnings()[0]?.reason, "the vendor says that this endpoint ends on 2027-03-31")
  time.pass(86_400_000)
  await send()
  assert.equal(warnings().length, 2)
})

test("SMS_TTL reaches the provider's file in seconds, and no TTL is none", async () => {
  const seen: (number | undefined)[] = []
  const file: Partial<Provider> = {
    request(_message, _env, { ttl, url }) {
      seen.push(ttl)
      return new Request(url)
    },
  }
  for (const env of [{}, { SMS_TTL: "5m" }, { SMS_TTL: "1s" }] as Record<string, string>[])
    await (await route({ a: () => take() }, env, { a: file })).send()
  assert.deepEqual(seen, [undefined, 300, 1])
})

test("where a pool picks the sender, only one for the number's country or digits goes before it", async () => {
  const senders: string[] = []
  const env = { A_POOL: v.optional(v.pipe(v.string(), v.description("a pool"))) }
  const file: Partial<Provider> = {
    env,
    pool: "A_POOL",
    senderId: /^pool-\w+$/,
    request({ sender }, _env, { url }) {
      senders.push(sender)
      return new Request(url)
    },
  } as Partial<Provider>
  const from = { sender: "Given" }
  const cases: Record<string, string>[] = [
    {},
    { A_POOL: "p" },
    { A_POOL: "p", A_SENDER: "Own" },
    { A_POOL: "p", A_SENDER: "Own", A_SENDER_US: "Us" },
    { A_POOL: "p", SMS_SENDER: "All", SMS_SENDER_1222: "Near" },
    { A_SENDER: "pool-1" },
  ]
  for (const settings of cases) await (await route({ a: () => take() }, settings, { a: file })).send(undefined, from)
  assert.deepEqual(senders, ["Given", "", "", "Us", "Near", "pool-1"])
})

test("a provider that could not answer in time is not asked, and nothing counts against it", async () => {
  const time = standing()
  const { load, answer, asked, env } = providers({ a: () => take(), b: () => take() })
  const { call, events } = await start({ ...env, GATEWAY_TOKEN: secret.replaceAll(" ", "-") }, answer, {
    ...time.world,
    load,
  })
  for (let sent = 0; sent < 4; sent += 1) {
    const body = new ReadableStream({
      async pull(controller) {
        time.pass(15_950)
        controller.enqueue(Buffer.from(JSON.stringify({ ...message, body: `code ${sent}` })))
        controller.close()
      },
    })
    const headers = { authorization: `Bearer ${secret.replaceAll(" ", "-")}` }
    const init = { method: "POST", headers, body, duplex: "half" as const }
    const response = await call(init)
    assert.equal(response.status, 504)
    assert.equal((await problem(response)).detail, "no time was left to ask a provider")
  }
  assert.deepEqual(asked, [])
  assert.equal(events().filter(({ event }) => event === "resting").length, 0)
})

test("an answer whose coding is written in capitals is decompressed", async () => {
  const answer = () => new Response(gzipSync('{"id":"x-9"}'), { headers: { "content-encoding": "GZIP" } })
  const { send } = await route({ a: answer })
  assert.equal((await send()).answer.receipt, "x-9")
})

test("an answer with a good status that cannot be read may have been sent", async () => {
  for (const answer of [
    () => new Response("no gzip", { headers: { "content-encoding": "gzip" } }),
    () => new Response("x".repeat(70_000)),
  ]) {
    const { send } = await route({ a: answer })
    assert.match(String((await send()).answer.detail), /^It may have been sent: a refused 200$/)
  }
})
