import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { findCode } from "../main.ts"
import { message, route, sign, start, take } from "./lib/world.ts"

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
        ip: member,
        req: member,
        to: member,
        text: member,
        from: member,
        notification: member,
        message_options: member,
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value)),
)
const runs = { numRuns: 400 }

const auth0 = { PLATFORMS: "auth0", AUTH0_TOKEN: "the-token-of-auth0-0123456789abcdef-0123" }
const types = ["application/json", "application/x-www-form-urlencoded", "text/plain"]
for (const path of ["/", "/auth0"]) {
  test(`whatever the body at POST ${path}, the answer is 200, 204, 400, 422 or 429, and nothing crashes`, async () => {
    const { call, lines } = await start({ ...auth0, LIMIT_IP: "100/1m", DEFAULT_COUNTRY: "US" })
    const authorization = `Bearer ${path === "/" ? await sign() : auth0.AUTH0_TOKEN}`
    await fc.assert(
      fc.asyncProperty(body, fc.constantFrom(...types), async (text, type) => {
        const headers = { authorization, "content-type": type }
        const response = await call({ method: "POST", headers, body: text }, path)
        await response.text()
        assert.ok([200, 204, 400, 422, 429].includes(response.status), String(response.status))
      }),
      runs,
    )
    for (const line of lines) assert.equal(typeof JSON.parse(line).event, "string")
  })
}

test("whatever the bytes, what goes out is text in Unicode, and nothing crashes", async () => {
  const { call, calls } = await start({ LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" })
  const headers = { authorization: `Bearer ${await sign()}` }
  const [before, after] = ['{"recipient":"+12223334444","body":"', '"}'].map((text) => Buffer.from(text))
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 20 }), async (bytes) => {
      const sent = new Uint8Array([...(before ?? []), ...bytes, ...(after ?? [])])
      const { status } = await call({ method: "POST", headers, body: sent })
      assert.ok([200, 400].includes(status), String(status))
    }),
    { ...runs, examples: [[Buffer.from(".")], [Buffer.from("..")], [Buffer.from("\\u0000")]] },
  )
  for (const { text } of calls) {
    const { text: sent } = JSON.parse(text)
    assert.ok(sent.isWellFormed() && !/[^\P{Cc}\n]/u.test(sent), JSON.stringify(sent))
  }
})

test("whatever the text, a code that is found is a run of digits that stands in it, and alone", async () => {
  const piece = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 6 }),
    fc.nat(99_999_999).map(String),
    fc.constantFrom(" ", "-", ".", "/", "&#49;", "a", "４", "٣", "\n"),
  )
  await fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join("")
      const code = findCode(text)
      if (code === undefined || text.includes("@")) return
      assert.match(code, /^\d{4,10}$/)
      // A digit in a circle is a sign, and no digit of a code.
      const runs =
        text
          .replace(/\p{No}/gu, "x")
          .normalize("NFKC")
          .match(/\p{Nd}{4,}/gu) ?? []
      assert.equal(new Set(runs.map((run) => run.length)).size, 1, JSON.stringify([text, code]))
    }),
    { numRuns: 3_000 },
  )
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
  const { send } = await route({ a: () => answer }, {}, { a: { faults: { recipient: [21211] } } })
  const code = fc.integer({ min: 200, max: 599 }).filter((code) => ![204, 205, 304].includes(code))
  const texts = fc.oneof(
    fc.json(),
    fc.string(),
    fc.constantFrom('{"code":21211,"reason":"x"}', '{"id":"x-1"}', '{"id":7}'),
  )
  await fc.assert(
    fc.asyncProperty(code, texts, async (code, text) => {
      answer = new Response(text, { status: code })
      const { status } = await send()
      const isTaken = code === 200 && /"id": *"/.test(text)
      assert.ok(
        status === 502 || (status === 422 && text.includes("21211")) || (status === 200 && isTaken),
        String(status),
      )
    }),
    runs,
  )
})

test("whatever a provider file gives or throws, the caller gets an answer, and the log is JSON", async () => {
  let given: unknown
  const request = () => {
    if (given instanceof Error) throw given
    return given as { id: string }
  }
  const { send, lines } = await route({ a: () => take() }, {}, { a: { request } })
  const anything = fc.oneof(
    fc.anything(),
    fc.string().map((text) => new Error(text)),
    fc.record({ code: fc.anything(), reason: fc.anything(), fault: fc.anything() }),
    fc.record({ id: fc.anything() }),
  )
  await fc.assert(
    fc.asyncProperty(anything, async (value) => {
      given = value
      const { status } = await send()
      assert.ok([200, 422, 502].includes(status), String(status))
    }),
    runs,
  )
  for (const line of lines) assert.equal(typeof JSON.parse(line).event, "string")
})
