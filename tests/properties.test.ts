import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { message, sign, start } from "./world.ts"

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "+12223334444",
    "+1 (0) 222",
    "\u0000",
    "\ud800",
    "__proto__",
    "$&",
    "{body}",
    "%00",
    "٣٤٥",
    "＋４９",
    "1e400",
  ),
  fc.constant(message.body),
)
const member = fc.oneof(hostile, fc.jsonValue({ maxDepth: 2 }), fc.constant(undefined))
const body = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.json({ maxDepth: 3 }),
  fc
    .record(
      {
        recipient: member,
        body: member,
        sender: member,
        code: member,
        locale: member,
        channel: member,
        to: member,
        text: member,
        from: member,
        req: member,
        notification: member,
        message_options: member,
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value)),
)
const runs = { numRuns: 400 }

test("whatever the body, the answer is 200, 400 or 422, and nothing crashes", async () => {
  const { call, lines } = await start()
  const headers = { authorization: `Bearer ${await sign()}` }
  await fc.assert(
    fc.asyncProperty(body, async (text) => {
      const response = await call({ method: "POST", headers, body: text })
      await response.text()
      assert.ok([200, 400, 422].includes(response.status), String(response.status))
    }),
    runs,
  )
  for (const line of lines) assert.equal(typeof JSON.parse(line).event, "string")
})

test("whatever the Authorization, the answer is 401 and no provider is asked", async () => {
  const { call, calls } = await start({ GATEWAY_TOKEN: "0123456789abcdef0123456789abcdef" })
  const part = fc.oneof(
    fc.base64String({ maxLength: 60 }),
    fc.json().map((text) => Buffer.from(text).toString("base64url")),
    fc.constant(""),
  )
  const value = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc
      .tuple(fc.constantFrom("Bearer ", "bearer  ", "Basic ", ""), fc.array(part, { maxLength: 5 }))
      .map(([scheme, parts]) => scheme + parts.join(".")),
  )
  const printable = value.map((text) => text.replace(/[^\x20-\x7e]/g, "?"))
  await fc.assert(
    fc.asyncProperty(printable, async (authorization) => {
      const response = await call({ method: "POST", headers: { authorization }, body: JSON.stringify(message) })
      assert.equal(response.status, 401)
    }),
    runs,
  )
  assert.equal(calls.length, 0)
})

test("whatever the claims, a token that is not for us is refused with 401", async () => {
  const { call } = await start()
  const claims = fc.record(
    { aud: fc.jsonValue(), sub: fc.jsonValue(), exp: fc.jsonValue(), nbf: fc.jsonValue(), iat: fc.jsonValue() },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(claims, async (given) => {
      const payload = Buffer.from(JSON.stringify(given)).toString("base64url")
      const [head, , signature] = (await sign()).split(".")
      const response = await call({
        method: "POST",
        headers: { authorization: `Bearer ${head}.${payload}.${signature}` },
        body: "{}",
      })
      assert.equal(response.status, 401)
    }),
    runs,
  )
})

test("whatever the headers, a good message is delivered", async () => {
  const { post } = await start({ GATEWAY_ALLOW_IPS: "127.0.0.1" })
  const text = fc.string({ maxLength: 40 }).map((value) => value.replace(/[^\x20-\x7e]/g, "?").trim())
  const headers = fc.record({
    "content-type": text,
    "x-forwarded-for": text,
    forwarded: text,
    accept: text,
    "user-agent": text,
  })
  await fc.assert(
    fc.asyncProperty(headers, async (given) => {
      assert.equal((await post(message, given)).status, 200)
    }),
    runs,
  )
})

test("whatever X-Forwarded-For behind a proxy, the answer is 200 or 403", async () => {
  const { post } = await start({ GATEWAY_ALLOW_IPS: "10.0.0.0/8,2001:db8::/32", GATEWAY_TRUST_PROXY: "1" })
  const address = fc.oneof(
    fc.ipV4Extended(),
    fc.ipV6(),
    fc.ipV4().map((ip) => `${ip}:80`),
    fc.ipV6().map((ip) => `[${ip}]:80`),
    fc.string(),
  )
  const list = fc.array(address, { maxLength: 4 }).map((all) => all.join(",").replace(/[^\x20-\x7e]/g, "?"))
  await fc.assert(
    fc.asyncProperty(list, async (forwarded) => {
      assert.ok([200, 403].includes((await post(message, { "x-forwarded-for": forwarded })).status))
    }),
    runs,
  )
})

test("whatever the provider answers, the caller gets 200, 422, 502 or 504", async () => {
  let answer = new Response()
  const { post } = await start(
    { SMS_PROVIDER: "twilio", TWILIO_ACCOUNT_SID: "AC1", TWILIO_AUTH_TOKEN: "x" },
    () => answer,
  )
  const status = fc.integer({ min: 200, max: 599 }).filter((code) => ![204, 205, 304].includes(code))
  await fc.assert(
    fc.asyncProperty(
      status,
      fc.oneof(fc.json(), fc.string(), fc.constant('{"code":21211,"message":"x"}')),
      async (status, text) => {
        answer = new Response(text, { status })
        const { status: told } = await post()
        assert.ok(told === 502 || (told === 422 && text.includes("21211")), String(told))
      },
    ),
    runs,
  )
})
