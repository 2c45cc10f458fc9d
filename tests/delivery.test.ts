import assert from "node:assert/strict"
import { test } from "node:test"
import { accepted, problem, start } from "./world.ts"

const networkError = (code: string, message = "fetch failed") =>
  new TypeError(message, { cause: Object.assign(new Error(code), { code }) })

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
  ["a certificate of somebody else", networkError("ERR_TLS_CERT_ALTNAME_INVALID"), "tls"],
  ["a certificate that signs itself", networkError("DEPTH_ZERO_SELF_SIGNED_CERT"), "tls"],
  ["a connection that takes too long", networkError("UND_ERR_CONNECT_TIMEOUT"), "timeout"],
  ["a connection that breaks", networkError("ECONNRESET"), "reset"],
  ["a socket that closes", networkError("UND_ERR_SOCKET", "other side closed"), "reset"],
]
for (const [name, error, code] of failures) {
  test(`${name} is told as "${code}" and nothing more`, async () => {
    const { post, lines, events } = await start({}, () => Promise.reject(error))
    const response = await post()
    assert.equal(response.status, 502)
    const { code: told, detail, attempts } = await problem(response)
    assert.equal(told, "delivery_rejected")
    assert.match(String(detail), new RegExp(`http unreachable ${code}`))
    assert.ok(Array.isArray(attempts))
    assert.deepEqual({ ...attempts[0], ms: 0 }, { provider: "http", outcome: "unreachable", code, ms: 0 })
    assert.equal(events().find(({ event }) => event === "unreachable")?.code, code)
    assert.doesNotMatch(lines.join() + JSON.stringify(detail), /secret-host|fetch failed/)
  })
}

test("a broken connection is told as perhaps sent", async () => {
  const { post, events } = await start({}, () => Promise.reject(networkError("ECONNRESET")))
  await post()
  assert.match(String(events().find(({ event }) => event === "unreachable")?.reason), /may have been sent/)
})

for (const status of [301, 302, 303, 307, 308, 304]) {
  test(`a redirect of status ${status} is not followed`, async () => {
    const { post, calls } = await start(
      {},
      () => new Response(null, { status, headers: { location: "https://evil.example/" } }),
    )
    const response = await post()
    assert.equal(response.status, 502)
    assert.match(String((await problem(response)).detail), new RegExp(`http refused ${status}`))
    assert.equal(calls.length, 1)
    assert.equal(calls[0]?.init.redirect, "manual")
  })
}

test("a provider that does not answer is cut at the deadline, told as perhaps sent, and its call is aborted", async () => {
  let signal: AbortSignal | null | undefined
  const { post, events } = await start({ DEADLINE: "1s" }, (_, init) => {
    signal = init.signal
    return new Promise(() => {})
  })
  const started = Date.now()
  const response = await post()
  assert.ok(Math.abs(Date.now() - started - 1000) < 500)
  assert.equal(response.status, 504)
  const { code, detail, attempts } = await problem(response)
  assert.equal(code, "delivery_timeout")
  assert.match(String(detail), /may have been sent/)
  assert.ok(Array.isArray(attempts) && attempts[0].outcome === "timeout")
  assert.equal(events().find(({ event }) => event === "timeout")?.reason, "it may have been sent")
  assert.equal(signal?.aborted, true)
})

test("a provider that begins to answer and stops is cut at the deadline as well", async () => {
  const { post } = await start(
    { DEADLINE: "1s" },
    () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([123])) })),
  )
  assert.equal((await post()).status, 504)
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
  const { post, events } = await start({}, () => new Response(endless()))
  assert.equal((await post()).status, 502)
  assert.match(String(events().find(({ event }) => event === "refused")?.reason), /64 KiB/)
  assert.ok(pulls < 100)
})

test("an answer that breaks off is a broken connection", async () => {
  const broken = () =>
    new ReadableStream({
      pull(controller) {
        controller.error(new Error("terminated"))
      },
    })
  const { post } = await start({}, () => new Response(broken()))
  const response = await post()
  assert.equal(response.status, 502)
  assert.match(String((await problem(response)).detail), /unreachable reset/)
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
for (const [status, fault] of faults) {
  test(`an answer of ${status} is by default the fault of the ${fault}`, async () => {
    const { post, events } = await start({}, () => new Response(null, { status }))
    assert.equal((await post()).status, 502)
    assert.equal(events().find(({ event }) => event === "refused")?.fault, fault)
  })
}

test("{code} is filled where there is one, and refused as the message's fault where there is none", async () => {
  const env = { HTTP_BODY: '{"code":"{code}"}' }
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
