/** What an attack tried: each test holds the right value for one kind of hostile input. */
import assert from "node:assert/strict"
import { createHmac } from "node:crypto"
import { mock, test } from "node:test"
import { gzipSync } from "node:zlib"
import { loadFile, type Page, redact } from "../main.ts"
import { message, problem, providers, route, secret, sign, standing, start, status, take } from "./lib/world.ts"

const token = "0123456789abcdef0123456789abcdef"
const bearer = { authorization: `Bearer ${token}` }
const platformSecrets: Record<string, Record<string, string>> = {
  auth0: { AUTH0_TOKEN: token },
  authentik: { AUTHENTIK_TOKEN: token },
  authgear: { AUTHGEAR_SECRET: secret },
  authsignal: { AUTHSIGNAL_SECRET: secret },
  casdoor: { CASDOOR_TOKEN: token },
  clerk: { CLERK_SECRET: `whsec_${Buffer.from(secret).toString("base64")}` },
  descope: { DESCOPE_SECRET: secret, DESCOPE_TOKEN: token },
  fusionauth: { FUSIONAUTH_TOKEN: token },
  "ibm-verify": { IBM_VERIFY_TOKEN: token },
  logto: { LOGTO_TOKEN: token },
  nhost: { NHOST_TOKEN: token },
  novu: { NOVU_TOKEN: token },
  okta: { OKTA_TOKEN: token },
  supabase: { SUPABASE_SECRET: `v1,whsec_${Buffer.from(secret).toString("base64")}` },
  "transmit-mosaic": { TRANSMIT_MOSAIC_TOKEN: token },
  zitadel: { ZITADEL_SECRET: secret },
}

const signatures = ["webhook-signature", "svix-signature", "x-signature-v2", "zitadel-signature"]
const others = ["x-authgear-body-signature", "x-descope-webhook-s256", "authorization", "x-api-key", "cookie"]
const hostile = [",", " ", ", ", "v1,", "v1,a ", "v1, ", "t=1,", "v1=a,", "v2=", "=", "a.", "Basic "]

test("whatever an unproven caller writes into a header, it is refused in a few milliseconds", async () => {
  const env = Object.assign({ PLATFORMS: Object.keys(platformSecrets).join() }, ...Object.values(platformSecrets))
  const { call } = await start(env)
  const attack = async (path: string, name: string, value: string) => {
    const headers = { "webhook-id": "a", "svix-id": "a", [name]: value.trim() || "," }
    const began = process.cpuUsage()
    const { status } = await call({ method: "POST", headers, body: "{}" }, path)
    assert.equal(status, 401, `${path} ${name}`)
    const { user } = process.cpuUsage(began)
    return user / 1_000
  }
  // Once for what the first call of each path loads.
  for (const path of Object.keys(platformSecrets)) await attack(`/${path}`, "authorization", "x")
  const slow: string[] = []
  for (const path of Object.keys(platformSecrets)) {
    for (const name of [...signatures, ...others]) {
      for (const part of hostile) {
        const value = part.repeat(60_000 / part.length)
        // In square time it would take seconds, each time; a collector may take a few milliseconds, once.
        const times = [await attack(`/${path}`, name, value), await attack(`/${path}`, name, value)]
        if (Math.min(...times) > 40) slow.push(`${path} ${name} ${JSON.stringify(part)}: ${times} ms`)
      }
    }
  }
  assert.deepEqual(slow, [])
})

test("whatever the length of a field, it is refused or sent in a few milliseconds", async () => {
  const { post } = await start()
  const fields = ["recipient", "body", "sender", "code", "locale", "channel", "ip"]
  const parts = [" ", "1", "(", "+", ".", "a", "{", "@@", "&#1;", "%41", "1 ", "\u00a0", "\u0661", "-1"]
  const slow: string[] = []
  for (const field of fields) {
    for (const part of parts) {
      const long = part.repeat(60_000 / Buffer.byteLength(part))
      for (const value of [long, `1${long}1`, `+1${long}x`]) {
        const began = process.cpuUsage()
        await post({ ...message, [field]: value })
        const milliseconds = process.cpuUsage(began).user / 1_000
        if (milliseconds > 150) slow.push(`${field} ${JSON.stringify(part)}: ${milliseconds} ms`)
      }
    }
  }
  assert.deepEqual(slow, [])
})

test("no zero and no digit too many leads past a type, a destination or a limit", async () => {
  const places = { ALLOW_DESTINATIONS: "PL,DE", DENY_DESTINATIONS: "+4851" }
  const { post } = await start({ ...places, LIMIT_RECIPIENT: "2/10m", DUPLICATE_WINDOW: "off" })
  const statusOf = async (recipient: string) => (await post({ ...message, recipient })).status
  for (const premium of ["+48701234567", "+480701234567", "+499001123456", "+4990011234560"])
    assert.equal(await statusOf(premium), 422, premium)
  for (const denied of ["+48512345678", "+480512345678"]) assert.equal(await statusOf(denied), 422, denied)
  const spellings = ["+48601234567", "+480601234567", "+48601234567"]
  const statuses: number[] = []
  for (const recipient of spellings) statuses.push(await statusOf(recipient))
  assert.deepEqual(statuses, [200, 200, 429])
})

test("a body whose length is told twice is read to 64 KiB at most", async () => {
  const { call } = await start({ PLATFORMS: "supabase", ...platformSecrets.supabase })
  const pulled = { bytes: 0 }
  const pull = (body: ReadableStreamDefaultController<Uint8Array>) => {
    pulled.bytes += 10_000
    if (pulled.bytes > 1_000_000) body.close()
    else body.enqueue(new Uint8Array(10_000))
  }
  const headers = { "content-length": "1000000, 1000000", "webhook-signature": "v1,AAAA", "webhook-id": "a" }
  const body = new ReadableStream({ pull })
  const init = { method: "POST", headers, body, duplex: "half" as const }
  assert.equal((await call(init, "/supabase")).status, 413)
  assert.ok(pulled.bytes < 200_000, `${pulled.bytes}`)
})

test("a notice of AWS whose type could hold the fields of another topic is none", async () => {
  const keys = { AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: "us-east-1" }
  const reports = { AWS_END_USER_MESSAGING_REPORT_KEY: "sampleReportKey0001", GATEWAY_URL: "https://sms.example.com" }
  const topic = "arn:aws:sns:us-east-1:111122223333:sms-reports"
  const env = { SMS_PROVIDER: "aws-end-user-messaging", AWS_SMS_REPORT_TOPIC: topic, ...keys, ...reports }
  const { call } = await start(env, () => new Response("no certificate"))
  const statusOf = async (Type: string) => {
    const signed = { Message: "{}", MessageId: "m-1", Timestamp: "2026-11-30T00:00:00.000Z", TopicArn: topic, Type }
    const SigningCertURL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0000.pem"
    const body = JSON.stringify({ ...signed, Signature: "AAAA", SignatureVersion: "2", SigningCertURL })
    return (await call({ method: "POST", body }, "/aws-end-user-messaging/report/sampleReportKey0001")).status
  }
  assert.equal(await statusOf("Notification"), 401)
  assert.equal(await statusOf(`x\nTopicArn\n${topic}\nType\nNotification`), 400)
})

test("with GATEWAY_AUTH=none neither a page in a browser nor what a proxy hands on is taken", async () => {
  const { call } = await start({ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "10.0.0.0/8", GATEWAY_SECRET: "" })
  const statusOf = async (headers: Record<string, string>, path = "/") =>
    (await call({ method: "POST", headers, body: JSON.stringify(message) }, path, "10.0.0.7")).status
  assert.equal(await statusOf({}), 200)
  for (const headers of [
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-origin" },
  ])
    for (const path of ["/", "/verified"]) assert.equal(await statusOf(headers, path), 401, JSON.stringify(headers))
  assert.equal(await statusOf({ "x-forwarded-for": "198.51.100.9" }), 403)
  assert.equal(await statusOf({ "x-forwarded-for": "198.51.100.9" }, "/supabase"), 404)
})

test("POST / takes no key: a form with an API key of that name sends to everyone", async () => {
  const { post, calls } = await start()
  const type = { "content-type": "application/x-www-form-urlencoded" }
  for (const recipient of ["%2B12025550101", "%2B12025550102"])
    for (const text of ["Code+1111", "Code+2222"])
      assert.equal((await post(`key=APIKEY&recipient=${recipient}&body=${text}`, type)).status, 200)
  assert.equal(calls.length, 4)
  for (const code of ["1111", "2222"]) await post({ ...message, body: `Code ${code}`, key: "APIKEY" })
  assert.equal(calls.length, 6)
})

test("a login code stands in no refusal's code, however it is written", async () => {
  for (const code of [
    "code is 326 162",
    "326162",
    "E-326162",
    "326-162",
    "3.2.6.1.6.2",
    "3•2•6•1•6•2",
    "ＣＯＤＥ 326162",
  ]) {
    const { send, lines } = await route({ a: () => Response.json({ code, reason: code }, { status: 400 }) })
    const { answer } = await send(undefined, { body: "Your code is 326162", code: "326162" })
    const told = `${lines.join("\n")}${JSON.stringify(answer)}`.replace(/"(?:id|request|time)":"[^"]*"/g, "")
    assert.doesNotMatch(told.replace(/[^\d"]/g, ""), /326162/, code)
  }
  // What is a code of the provider stays.
  const { send, events } = await route({ a: () => Response.json({ code: "ERR-1234:56/7" }, { status: 400 }) })
  await send(undefined, { body: "Your code is 326162" })
  assert.equal(events().find(({ event }) => event === "refused")?.code, "ERR-1234:56/7")
})

test("a key is hidden in every form in which JSON and forms write it, and so are digits with a sign between", () => {
  const sent = { recipient: "+12223334444", body: "Your code is 326162", sender: "" }
  const hidden = ["ab/cd+efgh", "ab cd efgh"]
  for (const echoed of ['"ab\\/cd+efgh"', "\\u0061b/cd+efgh"])
    assert.doesNotMatch(redact(`key ${echoed} is wrong`, ["ab/cd+efgh"], sent, "prose"), /efgh/, echoed)
  assert.doesNotMatch(redact("key ab cd efgh is wrong", hidden, sent, "prose"), /efgh/)
  for (const digits of ["3•2•6•1•6•2", "3 • 2 • 6 • 1", "1•2•2•2•3•3•3•4•4•4•4"])
    assert.doesNotMatch(redact(`it was ${digits}`, [], sent, "prose").replace(/\D/g, ""), /\d{4}/, digits)
})

test("an echo of what a header or an address holds is hidden, and a part of the text that a vendor quotes", async () => {
  const env = {
    HTTP_URL: "https://sms.example.com/T000/canaryTOKEN99xyz/send?k=hunter2",
    HTTP_HEADERS: `{"authorization":"Basic ${Buffer.from("alice:canary-pass-word").toString("base64")}"}`,
    HTTP_REASON: '"error":"([^"]*)"',
  }
  const echoes = [
    "Cannot POST /T000/canaryTOKEN99xyz/send",
    "user alice, password canary-pass-word unknown",
    "k is hunter2",
    "Text: Dear Anna, your canary code is... too long",
  ]
  for (const error of echoes) {
    const { post, lines } = await start(env, () => Response.json({ error }, { status: 400 }))
    await post({ ...message, body: "Dear Anna, your canary code is KXQWTZ and none other" })
    assert.doesNotMatch(lines.join("\n"), /canary|hunter2|alice|Anna/, error)
  }
})

test("a text of many words, or of one long one, and a vendor's long words are read in a few milliseconds", () => {
  const sent = { recipient: "+12223334444", sender: "" }
  const bodies = [Array.from({ length: 300 }, (_, n) => `a${n % 10}bc`).join(" "), `${"a".repeat(1_590)}1`]
  for (const body of bodies)
    for (const words of ["a1 ", "a ", "a1bc ", "1 "]) {
      const began = process.cpuUsage()
      redact(words.repeat(60_000 / words.length), [], { ...sent, body }, "prose")
      const { user } = process.cpuUsage(began)
      assert.ok(user < 1_000_000, `${body.slice(0, 10)} ${words}: ${user / 1_000} ms`)
    }
})

test("what a platform made an id of is told no more than the number itself", async () => {
  const { post, line } = await start()
  await post({ ...message, code: "326162" }, { "x-request-id": "to-12223334444" })
  assert.equal(line("received").caller_id, "to-•")
  const other = await start()
  await other.post({ ...message, code: "326162" }, { "x-request-id": "otp326162" })
  assert.equal(other.line("received").caller_id, "•")
})

test("what a file throws while it reads what is set is told by name and place", async () => {
  const check = (values: object) => {
    const parsed: string = JSON.parse(`canary ${values}`)
    return { text: parsed, setting: "" }
  }
  const throwing = { a: { check } }
  const { load, env } = providers({ a: () => take() }, throwing)
  await assert.rejects(start(env, undefined, { load }), (error: Error) => {
    assert.match(error.message, /a file throws SyntaxError at attack\.test\.ts:\d+:\d+, while it reads what is set/)
    assert.doesNotMatch(error.message, /canary/)
    return true
  })
})

test("a signed call that was answered as a repetition is not sent when it comes again", async () => {
  const key = Buffer.from(secret)
  const time = standing()
  const { call, calls } = await start({ PLATFORMS: "supabase", ...platformSecrets.supabase }, undefined, time.world)
  const signed = (id: string) => {
    const user = { id: "user-1", phone: "12223334444" }
    const body = JSON.stringify({ user, sms: { otp: "326162" }, metadata: { uuid: id } })
    const seconds = String(Math.floor(time.world.clock() / 1_000))
    const signature = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")
    const headers = { "webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": `v1,${signature}` }
    return () => call({ method: "POST", headers, body }, "/supabase")
  }
  const [first, repeated] = [signed("a"), signed("b")]
  assert.equal((await first()).status, 200)
  assert.equal((await repeated()).status, 200)
  time.pass(20_000)
  assert.equal((await repeated()).status, 200)
  assert.equal(calls.length, 1)
})

test("a code is sent as it is written, whatever signs it holds, and dots alone are none", async () => {
  const env = {
    CODE_TEXT: "Code {code}!",
    HTTP_URL: "https://sms.example.com/to/{sender}/{code}",
    HTTP_BODY: "to={recipient}&text={body}",
    LIMIT_RECIPIENT: "off",
  }
  const { post, calls } = await start(env)
  for (const code of ["12$$34", "A$&B", "$1$`$'", "{code}", "a/b"]) {
    assert.equal((await post({ recipient: "+12223334444", code, sender: "Acme" })).status, 200, code)
    assert.equal(calls.at(-1)?.request.url, `https://sms.example.com/to/Acme/${encodeURIComponent(code)}`)
    assert.equal(new URLSearchParams(calls.at(-1)?.text).get("text"), `Code ${code}!`)
  }
  const before = calls.length
  for (const dots of [".", "..", "..."]) {
    assert.equal((await post({ ...message, sender: dots, code: "1234" })).status, 400)
    assert.equal((await post({ ...message, sender: "Acme", code: dots })).status, 400)
  }
  assert.equal(calls.length, before)
  // A text of dots is one, where it stands in no path.
  assert.equal((await post({ ...message, body: ".", code: "1234" })).status, 200)
  const inPath = await start({ ...env, HTTP_URL: "https://sms.example.com/to/{body}?from={sender}" })
  for (const body of [".", ".."]) assert.equal((await inPath.post({ ...message, body })).status, 502)
  assert.equal(inPath.calls.length, 0)
})

test("half of a surrogate pair in a code or a sender throws nowhere", async () => {
  const { post, calls } = await start({
    HTTP_URL: "https://sms.example.com/?to={recipient}",
    HTTP_BODY: '{"code":"{code}","from":"{sender}"}',
  })
  assert.equal((await post({ ...message, code: "12\ud83d34", sender: "A\udc00" })).status, 200)
  assert.deepEqual(JSON.parse(calls[0]?.text ?? ""), { code: "12\ufffd34", from: "A\ufffd" })
})

test("a name of every object, as a provider's answer gives it, is nothing special", async () => {
  for (const word of ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"]) {
    const coded = new Response('{"id":"x-1"}', { headers: { "content-encoding": word } })
    const { send } = await route({ a: () => coded.clone() as Response })
    assert.equal((await send()).status, 200, word)
    const refused = await route({
      a: () => Response.json({ code: word, reason: word, fault: undefined }, { status: 400 }),
    })
    assert.equal((await refused.send()).status, 502, word)
  }
})

test("an answer that comes compressed is read to 64 KiB, and one that cannot be read is asked for once", async () => {
  const gzip = (text: string | Uint8Array) => new Uint8Array(gzipSync(text))
  const headers = { "content-encoding": "gzip" }
  const cases: [body: Uint8Array<ArrayBuffer>, expected: number][] = [
    [gzip('{"id":"x-1"}'), 200],
    [new Uint8Array(), 502],
    [gzip(new Uint8Array(60_000_000)).slice(0, 60_000), 502],
    [gzip(new Uint8Array(1_000_000)), 502],
    [new TextEncoder().encode('{"id":"x-1"}'), 502],
  ]
  for (const [body, expected] of cases) {
    const { send, asked } = await route({ a: () => new Response(body, { headers }) })
    assert.equal((await send()).status, expected)
    assert.equal(asked.length, 1)
  }
})

test("GATEWAY_ALLOW_IPS holds on every path but /health and the reports of providers", async () => {
  const { load, answer, env } = providers(
    { a: () => take() },
    {
      a: {
        report: { read: () => [] } as never,
        routes: (app) => void app.get("/", (c) => c.text("a page of its own")),
      },
    },
  )
  const settings = {
    ...env,
    PAGES: "log,metrics",
    LOG_TOKEN: token,
    METRICS_TOKEN: token,
    GATEWAY_ALLOW_IPS: "192.0.2.1",
  }
  const reports = { GATEWAY_URL: "https://otp.example.com", A_REPORT_KEY: "a-key-of-16-letters" }
  const { call } = await start({ ...settings, ...reports }, answer, { load })
  for (const path of ["/", "/log", "/log/events", "/log/state", "/metrics", "/a", "/nowhere", "/health/", "/a/report"])
    for (const method of ["GET", "POST"])
      assert.equal((await call({ method, headers: bearer }, path, "198.51.100.7")).status, 403, `${method} ${path}`)
  assert.equal((await call({}, "/health", "198.51.100.7")).status, 200)
  assert.equal((await call({}, "/a/report/a-key-of-16-letters", "198.51.100.7")).status, 200)
  assert.equal((await call({}, "/a/report/another-key-of-letters", "198.51.100.7")).status, 401)
  assert.equal((await call({ headers: bearer }, "/log/events", "192.0.2.1")).status, 200)
})

test("no page is served without its token, whatever its file says", async () => {
  const page: Page = { env: {}, routes: (app) => void app.get("/*", (c) => c.text("a canary")) }
  const load = async (path: string) => (path === "pages/mine" ? { default: page } : await loadFile(path))
  await assert.rejects(start({ PAGES: "mine" }, undefined, { load }), /MINE_TOKEN is missing/)
  await assert.rejects(start({ PAGES: "mine", MINE_TOKEN: "short" }, undefined, { load }), /MINE_TOKEN is wrong/)
  const { call } = await start({ PAGES: "mine", MINE_TOKEN: token }, undefined, { load })
  for (const path of ["/mine", "/mine/", "/mine/deeper"]) {
    const response = await call({}, path)
    assert.equal(response.status, 401, path)
    assert.doesNotMatch(await response.text(), /canary/)
  }
  assert.equal(await (await call({ headers: bearer }, "/mine/deeper")).text(), "a canary")
})

test("the door's cookie is Secure where GATEWAY_URL is https, although a proxy speaks http to us", async () => {
  const log = { PAGES: "log", LOG_TOKEN: token }
  for (const [url, isSecure] of [
    ["https://otp.example.com", true],
    ["http://otp.example.com", false],
  ] as const) {
    const { call } = await start({ ...log, GATEWAY_URL: url })
    const cookie = (await call({}, `/log?token=${token}`)).headers.get("set-cookie") ?? ""
    assert.equal(/; Secure/.test(cookie), isSecure, cookie)
  }
})

test("a secret that can be guessed never starts, and one of less than 32 bytes is warned of", async () => {
  const weak = ["changeme", "x".repeat(15), "äöüäöüä"]
  for (const GATEWAY_SECRET of weak)
    await assert.rejects(start({ GATEWAY_SECRET, NODE_ENV: "production" }), (error: Error) => {
      assert.match(error.message, /GATEWAY_SECRET is too short: expected at least 16 bytes/)
      assert.ok(!error.message.includes(GATEWAY_SECRET))
      return true
    })
  const base64 = { GATEWAY_SECRET: Buffer.from("fifteen bytes..").toString("base64"), GATEWAY_SECRET_BASE64: "true" }
  await assert.rejects(start(base64), /too short/)
  const { events } = await start({ GATEWAY_SECRET: "x".repeat(16) })
  assert.match(String(events()[0]?.reason), /less than 32 bytes/)
})

test("a proof that takes too long ends at the deadline", async () => {
  const time = standing()
  const { call } = await start({ DEADLINE: "6s" }, undefined, time.world)
  const authorization = `Bearer ${await sign()}`
  const never = mock.method(crypto.subtle, "verify", () => new Promise(() => {}))
  try {
    const sent = call({ method: "POST", headers: { authorization }, body: JSON.stringify(message) })
    await time.silenceOnce()
    const response = await sent
    assert.equal(response.status, 504)
    assert.equal((await problem(response)).code, "delivery_timeout")
    assert.ok(never.mock.callCount() > 0)
  } finally {
    never.mock.restore()
  }
})

test("what a poisoned store gives counts as absent, and reaches neither log nor answer", async () => {
  const uuid = "3f0c1c1e-98f5-4f1c-8a57-0f1d5f8d9c11"
  const good = { id: uuid, provider: "a", receipt: "r", attempts: [] }
  const poison: unknown[] = [
    "\u001b[2Jcanary\nline",
    { ...good, provider: "canary" },
    { ...good, receipt: "canary".repeat(200_000) },
    { ...good, receipt: "\u001b[2J" },
    { ...good, attempts: [{ provider: "a", outcome: "accepted", ms: "canary" }] },
    { ...good, id: "canary" },
    Array(1_000).fill("canary"),
    7,
  ]
  for (const value of poison) {
    const memory = { take: () => 0, giveBack() {}, get: () => value, set() {} }
    const { load, answer, env, asked } = providers({ a: () => take("fresh") })
    const withStore = async (path: string) =>
      path === "stores/mine" ? { default: { open: async () => memory } } : await load(path)
    const { post, lines } = await start({ ...env, STORE: "mine:" }, answer, { load: withStore })
    const response = await post()
    assert.equal(response.status, 200)
    assert.equal((await problem(response)).receipt, "fresh")
    assert.equal(asked.length, 1)
    assert.doesNotMatch(lines.join("\n"), /canary/)
    assert.ok(!lines.join().includes("\u001b"))
  }
})

test("in the log for people no control character of any source is printed", async () => {
  const { load, answer, env } = providers({ a: status(400) })
  const { post, lines } = await start({ ...env, LOG_FORMAT: "pretty" }, answer, { load })
  await post(message, { "x-request-id": "a\u009b2J", traceparent: "\u009b" })
  await post({ ...message, recipient: "\u001b[2J" })
  const colors = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, "g")
  for (const line of lines) assert.doesNotMatch(line.replace(colors, ""), /\p{Cc}/u)
})
