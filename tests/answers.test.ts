import assert from "node:assert/strict"
import { test } from "node:test"
import { problems } from "../main.ts"
import { message, problem, sign, standing, start } from "./lib/world.ts"

test("a message that was accepted is answered with 200, the provider and its receipt", async () => {
  const { post } = await start()
  const response = await post()
  assert.equal(response.status, 200)
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/)
  const { id, attempts, ...rest } = await problem(response)
  assert.match(String(id), /^[\da-f-]{36}$/)
  assert.deepEqual(rest, { provider: "http", receipt: "m-1" })
  assert.ok(Array.isArray(attempts) && attempts.length === 1)
  const { ms, ...attempt } = attempts[0]
  assert.deepEqual(attempt, { provider: "http", outcome: "accepted" })
  assert.ok(Number.isInteger(ms) && ms >= 0)
})

test("the id of an answer is the request's in the log", async () => {
  const { post, events } = await start()
  const { id } = await problem(await post())
  assert.deepEqual(new Set(events().map(({ request }) => request)), new Set([id]))
})

const authorization = async () => ({ authorization: `Bearer ${await sign()}` })
const post = async (body: string | ReadableStream) => ({ method: "POST", headers: await authorization(), body })
const refusals: [name: string, code: keyof typeof problems, path: string, init: () => Promise<RequestInit>][] = [
  ["an unknown path", "not_found", "/x", async () => ({})],
  ["an unknown path by POST", "not_found", "/sms", async () => await post(JSON.stringify(message))],
  ["a path with a trailing slash", "not_found", "/health/", async () => ({})],
  ["PUT", "method_not_allowed", "/", async () => ({ ...(await post("{}")), method: "PUT" })],
  ["DELETE", "method_not_allowed", "/", async () => ({ method: "DELETE" })],
  ["OPTIONS", "method_not_allowed", "/", async () => ({ method: "OPTIONS" })],
  ["a POST to health", "method_not_allowed", "/health", async () => ({ method: "POST" })],
  ["no token", "authentication_failed", "/", async () => ({ method: "POST", body: "{}" })],
  ["a body of 64 KiB and a byte", "message_too_large", "/", async () => await post("x".repeat(65_537))],
  [
    "a large body without a token",
    "authentication_failed",
    "/",
    async () => ({ method: "POST", body: "x".repeat(65_537) }),
  ],
  ["a body that is no JSON", "invalid_message", "/", async () => await post("x".repeat(65_536))],
  [
    "a coded body",
    "unsupported_encoding",
    "/",
    async () => ({ method: "POST", headers: { ...(await authorization()), "content-encoding": "gzip" }, body: "x" }),
  ],
  ["a path of a file that is not in use", "not_found", "/twilio", async () => ({})],
  ["a platform that is not in use", "not_found", "/auth0", async () => await post(JSON.stringify(message))],
  ["a page that is not in use", "not_found", "/log", async () => ({})],
]
for (const [name, code, path, init] of refusals) {
  test(`${name} is answered with ${problems[code][0]} ${code}`, async () => {
    const { call, calls, events } = await start()
    const response = await call(await init(), path)
    const { id, detail, ...rest } = await problem(response)
    const [status, title] = problems[code]
    assert.equal(response.status, status)
    assert.equal(response.headers.get("content-type"), "application/problem+json")
    assert.deepEqual(rest, { type: `urn:smstask:${code}`, title, status, code })
    assert.ok(typeof detail === "string" && detail.length > 0)
    assert.equal(events().find(({ event }) => event === "rejected")?.request, id)
    if (status === 405) assert.match(response.headers.get("allow") ?? "", /GET/)
    assert.equal(calls.length, 0)
  })
}

test("a body is measured in bytes, and one of 64 KiB is read", async () => {
  const { call } = await start()
  const padded = (size: number) => JSON.stringify({ ...message, padding: "" }).replace('""', `"${"x".repeat(size)}"`)
  const length = new TextEncoder().encode(padded(0)).length
  assert.equal((await call(await post(padded(65_536 - length)))).status, 200)
  assert.equal((await call(await post(padded(65_537 - length)))).status, 413)
  assert.equal((await call(await post("ü".repeat(32_769)))).status, 413)
})

test("a streamed body with no length is cut at 64 KiB as well", async () => {
  const { call } = await start()
  let pulls = 0
  const endless = () =>
    new ReadableStream({
      pull(controller) {
        pulls += 1
        controller.enqueue(new Uint8Array(1024))
      },
    })
  const init = { ...(await post(endless())), duplex: "half" as const }
  assert.equal((await call(init)).status, 413)
  assert.ok(pulls < 90, `${pulls} KiB were read`)
})

test("who proves nothing is refused at once, whatever the body is or becomes", async () => {
  const { call, events, calls } = await start()
  const silent = new ReadableStream({ pull: () => new Promise(() => {}) })
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("canary")) })
  const large = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(100_000)) })
  for (const body of [silent, broken, large, "no JSON", JSON.stringify(message)]) {
    const headers = { authorization: "Bearer x", "content-type": "application/json" }
    const response = await call({ method: "POST", headers, body, duplex: "half" })
    assert.equal(response.status, 401)
    assert.equal((await problem(response)).code, "authentication_failed")
  }
  assert.deepEqual(
    new Set(events().map(({ event, code }) => `${event} ${code}`)),
    new Set(["rejected authentication_failed"]),
  )
  assert.equal(calls.length, 0)
})

test("GET / says what this is, and HEAD answers alike", async () => {
  const { call } = await start()
  const response = await call({})
  assert.equal(response.status, 200)
  assert.match(await response.text(), /^smstask: [^\n]+\n$/)
  assert.equal((await call({ method: "HEAD" })).status, 200)
})

test("/health answers ok, 503 once the gateway is stopping, and is not logged", async () => {
  const stopping = new AbortController()
  const { call, lines } = await start({}, undefined, { stopping: stopping.signal })
  const healthy = await call({}, "/health")
  assert.equal(healthy.status, 200)
  assert.equal(await healthy.text(), "ok\n")
  stopping.abort()
  assert.equal((await call({}, "/health")).status, 503)
  assert.equal((await call({ method: "POST", body: "{}" })).status, 401)
  assert.equal(lines.filter((line) => line.includes("health")).length, 0)
})

test("a body that does not arrive, or breaks off, is a 400 that says so", async () => {
  const time = standing()
  // A static token is proven at once: nothing but the body is waited for.
  const GATEWAY_TOKEN = "0123456789abcdef0123456789abcdef"
  const { call, calls } = await start({ GATEWAY_TOKEN }, undefined, time.world)
  const post = async (body: unknown) => ({
    method: "POST",
    headers: { authorization: `Bearer ${GATEWAY_TOKEN}` },
    body,
  })
  const silent = new ReadableStream({ pull: () => time.silence().then(() => {}) })
  const late = await problem(await call({ ...(await post(silent)), duplex: "half" } as RequestInit))
  assert.deepEqual([late.status, late.detail], [400, "the body did not arrive within the deadline"])
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("canary")) })
  const off = await problem(await call({ ...(await post(broken)), duplex: "half" } as RequestInit))
  assert.deepEqual([off.status, off.detail], [400, "the body broke off"])
  assert.equal(calls.length, 0)
})

test("every refusal of the guard and of the providers is told with its status and title", async () => {
  const told: [
    code: keyof typeof problems,
    env: Record<string, string>,
    answer?: () => Response | Promise<Response>,
  ][] = [
    ["destination_not_allowed", { DENY_DESTINATIONS: "US" }],
    ["rate_limited", { LIMIT_TOTAL: "1/1h" }],
    ["unsupported_channel", {}],
    ["delivery_rejected", {}, () => new Response(null, { status: 500 })],
  ]
  for (const [code, env, answer] of told) {
    const { post } = await start(env, answer)
    if (code === "rate_limited") await post({ ...message, recipient: "+4915112345678" })
    const response = await post({ ...message, ...(code === "unsupported_channel" && { channel: "voice" }) })
    const { type, title, status, code: given } = await problem(response)
    assert.deepEqual([type, title, status, given], [`urn:smstask:${code}`, problems[code][1], problems[code][0], code])
    assert.equal(response.status, problems[code][0])
    assert.equal(response.headers.has("retry-after"), code === "rate_limited")
  }
})

test("what a caller calls its request stands in the log, and nothing else of its headers", async () => {
  const { post, line, lines } = await start()
  await post(message, {
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-request-id": "req-1:2.3",
    "x-canary": "canary",
  })
  assert.equal(line("received").trace, "0af7651916cd43dd8448eb211c80319c")
  assert.equal(line("received").caller_id, "req-1:2.3")
  assert.ok(!lines.join().includes("canary"))
  const wrong = await start()
  await wrong.post(message, { traceparent: "canary", "x-request-id": "canary canary" })
  assert.ok(!wrong.lines.join().includes("canary"))
})

test("a fault of our own is a 500 that tells nothing, and a line that says where", async () => {
  const time = standing()
  let isBroken = false
  const monotonic = () => {
    if (isBroken) throw new RangeError("canary")
    return 0
  }
  const { post, lines, line } = await start({}, undefined, { ...time.world, monotonic })
  isBroken = true
  const response = await post()
  assert.equal(response.status, 500)
  const text = await response.text()
  assert.match(text, /"internal_error"/)
  assert.doesNotMatch(text + lines.join(), /canary/)
  assert.equal(line("failure").reason, "RangeError")
  assert.match(String(line("failure").place), /\.ts:\d+/)
})
