import assert from "node:assert/strict"
import { test } from "node:test"
import { problems } from "../main.ts"
import { message, problem, sign, start } from "./world.ts"

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
  ["a body of 16 KiB and a byte", "message_too_large", "/", async () => await post("x".repeat(16_385))],
  [
    "a large body without a token",
    "authentication_failed",
    "/",
    async () => ({ method: "POST", body: "x".repeat(16_385) }),
  ],
  ["a body that is no JSON", "invalid_message", "/", async () => await post("x".repeat(16_384))],
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

test("a body is measured in bytes, and one of 16 KiB is read", async () => {
  const { call } = await start()
  const padded = (size: number) => JSON.stringify({ ...message, padding: "" }).replace('""', `"${"x".repeat(size)}"`)
  const length = new TextEncoder().encode(padded(0)).length
  assert.equal((await call(await post(padded(16_384 - length)))).status, 200)
  assert.equal((await call(await post(padded(16_385 - length)))).status, 413)
  assert.equal((await call(await post("ü".repeat(8_193)))).status, 413)
})

test("a streamed body with no length is cut at 16 KiB as well", async () => {
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
  assert.ok(pulls < 40, `${pulls} KiB were read`)
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

test("a fault of our own is a 500 that tells nothing, and a line that says where", async () => {
  let ticks = 0
  const clock = () => {
    ticks += 1
    if (ticks === 4) throw new RangeError("canary")
    return Date.now()
  }
  const { post, lines, events } = await start({}, undefined, { clock })
  const response = await post()
  assert.equal(response.status, 500)
  const text = await response.text()
  assert.match(text, /"internal_error"/)
  assert.doesNotMatch(text + lines.join(), /canary/)
  const failure = events().find(({ event }) => event === "failure")
  assert.equal(failure?.reason, "RangeError")
  assert.match(String(failure?.place), /\.ts:\d+/)
})
