import assert from "node:assert/strict"
import { test } from "node:test"
import { gateway, StartError } from "../main.ts"
import { serving } from "./lib/process.ts"
import { message, problem, secret, sign, start } from "./lib/world.ts"

const slow = { timeout: 60_000 }
const inboxToken = "an-inbox-token-of-32-characters+/="
const env = { SMS_PROVIDER: "inbox", LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
const host = { host: "localhost:3000" }

interface Kept {
  id: string
  time: string
  recipient: string
  body: string
  code?: string
}

/** A gateway with an inbox; `get` asks for a page as a browser of this machine does. */
async function inbox(more: Record<string, string> = {}, rest: Parameters<typeof start>[2] = {}) {
  const gateway = await start({ ...env, ...more }, undefined, rest)
  const get = (path = "", headers: Record<string, string> = host, address?: string) =>
    gateway.call({ headers }, `/inbox${path}`, address)
  const read = async (query = "") => (await (await get(`/messages${query}`)).json()) as Kept[]
  return { ...gateway, get, read }
}

const local: [title: string, headers: Record<string, string>, address: string | undefined, status: number][] = [
  ["localhost", host, "127.0.0.1", 200],
  ["127.0.0.1", { host: "127.0.0.1:3000" }, "::1", 200],
  ["[::1]", { host: "[::1]:3000" }, "::ffff:127.0.0.1", 200],
  ["a host without a port", { host: "LOCALHOST" }, "127.8.9.1", 200],
  ["another peer", host, "192.168.1.2", 403],
  ["a peer that only begins like loopback", host, "127.0.0.1.example", 403],
  ["a mapped peer from elsewhere", host, "::ffff:10.0.0.1", 403],
  ["no peer known", host, "", 403],
  ["a name that was rebound", { host: "rebound.example:3000" }, "127.0.0.1", 403],
  ["a name that begins with localhost", { host: "localhost.example" }, "127.0.0.1", 403],
  ["a name that ends with localhost", { host: "a.localhost" }, "127.0.0.1", 403],
  ["an address with more behind it", { host: "127.0.0.1.example" }, "127.0.0.1", 403],
  ["no host", {}, "127.0.0.1", 403],
  ...[
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Anything",
    "CF-Ray",
    "CF-Connecting-IP",
    "X-Real-IP",
    "True-Client-IP",
    "Via",
  ].map((name): (typeof local)[number] => [`the header ${name}`, { ...host, [name]: "" }, "127.0.0.1", 403]),
]
for (const [title, headers, address, status] of local) {
  test(`without INBOX_TOKEN ${title} is answered ${status}`, async () => {
    const { get } = await inbox()
    for (const path of ["", "/messages", "/events", "/messages?token=x"]) {
      const response = await get(path, headers, address)
      assert.equal(response.status, status, path)
      if (status === 200) await response.body?.cancel()
      else {
        assert.equal(response.headers.get("content-type"), "application/problem+json")
        assert.match(String((await problem(response)).detail), /INBOX_TOKEN/)
      }
    }
  })
}

test("with INBOX_TOKEN a bearer opens it from anywhere, and nothing else does", async () => {
  const { get, lines } = await inbox({ INBOX_TOKEN: inboxToken })
  const through = { host: "sms.example.com", "x-forwarded-for": "198.51.100.7" }
  const bearer = (token: string) => ({ ...through, authorization: `Bearer ${token}` })
  assert.equal((await get("/messages", bearer(inboxToken), "198.51.100.7")).status, 200)
  const bare = await get("/messages", host)
  assert.equal(bare.status, 401)
  assert.equal(bare.headers.get("www-authenticate"), "Bearer")
  const wrong = await get("/messages", bearer(`${inboxToken}x`))
  assert.equal(wrong.status, 401)
  assert.equal(wrong.headers.get("www-authenticate"), 'Bearer error="invalid_token"')
  assert.equal(wrong.headers.get("cache-control"), "no-store")
  assert.match(String((await problem(wrong)).detail), /INBOX_TOKEN/)
  assert.equal((await get("/events", { ...host, cookie: "smstask_inbox=" })).status, 401)
  assert.equal((await get(`/messages?token=${encodeURIComponent(inboxToken)}`)).status, 401)
  assert.equal((await get("?token=")).status, 401)
  assert.ok(!lines.join().includes(inboxToken))
})

test("/inbox?token=… is answered by a cookie that does not hold the token, and a redirect without it", async () => {
  const { get } = await inbox({ INBOX_TOKEN: inboxToken })
  for (const written of [encodeURIComponent(inboxToken), inboxToken]) {
    const response = await get(`?token=${written}`)
    assert.equal(response.status, 303)
    assert.equal(response.headers.get("location"), "/inbox")
    const cookie = response.headers.get("set-cookie") ?? ""
    assert.match(cookie, /^smstask_inbox=[\w-]{43}; Path=\/inbox; HttpOnly; SameSite=Strict$/)
    assert.ok(!cookie.includes("inbox-token"))
    assert.equal((await get("", { cookie: `other=1; ${cookie.split(";")[0]}` })).status, 200)
    const forged = cookie.replace(/=.{4}/, "=AAAA").split(";")[0] ?? ""
    assert.equal((await get("", { cookie: forged })).status, 401)
  }
  const behindTls = await get(`?token=${inboxToken}`, { ...host, "x-forwarded-proto": "https" })
  assert.match(behindTls.headers.get("set-cookie") ?? "", /; Secure; SameSite=Strict$/)
  assert.equal((await get(`?token=${inboxToken.slice(1)}`)).status, 401)
})

test("no answer is kept, framed, sniffed or shared, and the page may load nothing from elsewhere", async () => {
  const { get, call } = await inbox()
  const answers = [await get(), await get("/messages"), await get("/events"), await get("/messages?wait=x")]
  answers.push(await get("", host, "192.0.2.1"), await get("/other"))
  for (const { headers, body } of answers) {
    assert.equal(headers.get("cache-control"), "no-store")
    assert.equal(headers.get("x-content-type-options"), "nosniff")
    assert.equal(headers.get("referrer-policy"), "no-referrer")
    assert.equal(headers.get("access-control-allow-origin"), null)
    const policy = headers.get("content-security-policy") ?? ""
    for (const rule of ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
      assert.ok(policy.includes(rule), rule)
    assert.match(policy, /script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='/)
    assert.doesNotMatch(policy, /unsafe|\*|https?:/)
    await body?.cancel()
  }
  const preflight = await call({ method: "OPTIONS", headers: { ...host, origin: "https://evil.example" } }, "/inbox")
  assert.equal(preflight.headers.get("access-control-allow-origin"), null)
  const page = await (await get()).text()
  assert.doesNotMatch(page.replaceAll("http://www.w3.org/2000/svg", ""), /(src|href)="(?!data:)|innerHTML|https?:\/\//)
})

test("a message is told as JSON, newest first, by number or all of them, and nothing of it is in the log", async () => {
  const { post, read, lines } = await inbox({ SMS_SENDER: "Acme" })
  const first = await problem(await post({ ...message, sender: "" }))
  await post({ ...message, recipient: "+447700900123", body: "Line 1\nCode 998877" })
  const all = await read()
  assert.deepEqual(
    all.map(({ id: _, time: __, ...rest }) => rest),
    [
      {
        recipient: "+447700900123",
        body: "Line 1\nCode 998877",
        sender: message.sender,
        code: "998877",
        channel: "sms",
      },
      { ...message, sender: "Acme", code: "326162", channel: "sms" },
    ],
  )
  assert.equal(all[1]?.id, first.receipt)
  assert.ok(Math.abs(Date.now() - Date.parse(all[0]?.time ?? "")) < 10_000)
  for (const query of ["?recipient=+12223334444", "?recipient=%2B12223334444", "?recipient=001 222 333-4444"])
    assert.deepEqual(await read(query), [all[1]])
  assert.deepEqual(await read("?recipient=+1999"), [])
  const told = lines.join("\n")
  for (const hidden of ["326162", "998877", "Grüße", "Line 1", "12223334444"]) assert.ok(!told.includes(hidden), hidden)
})

test("what came before is left out by an id or by a time", async () => {
  let now = 1_700_000_000_000
  const { post, read } = await inbox({}, { clock: () => now })
  const send = async (body: string) => void (await post({ ...message, body }))
  await sign()
  await send("one 1111")
  now += 1_000
  await send("two 2222")
  const [two, one] = await read()
  const codes = async (after: string | number = "") => (await read(`?after=${after}`)).map(({ code }) => code)
  assert.deepEqual(await codes(one?.id), ["2222"])
  assert.deepEqual(await codes(two?.id), [])
  assert.deepEqual(await codes(now), ["2222"])
  assert.deepEqual(await codes(now - 1_000), ["2222", "1111"])
  assert.deepEqual(await codes(now + 1), [])
  assert.deepEqual(await codes(crypto.randomUUID()), ["2222", "1111"], "an id that is not kept any more")
})

test(
  "waiting ends with the next message to that number, at once where there is one, and empty in the end",
  slow,
  async () => {
    const { post, read } = await inbox()
    const asked = Date.now()
    const query = `?recipient=${message.recipient}&after=${asked}&wait=30`
    const waiting = read(query)
    await post({ ...message, recipient: "+447700900123" })
    await post()
    const [arrived, ...others] = await waiting
    assert.equal(arrived?.code, "326162")
    assert.deepEqual(others, [])
    assert.deepEqual(await read(query), [arrived], "asked after it was sent, nothing is missed")
    assert.deepEqual(await read(`?after=${arrived?.id}&wait=1`), [])
    assert.ok(Date.now() - asked < 10_000)
  },
)

test("a query that is wrong is a 400", async () => {
  const { get } = await inbox()
  for (const query of ["wait=31", "wait=-1", "wait=x", "recipient=abc", "after=yesterday"]) {
    const response = await get(`/messages?${query}`)
    assert.equal(response.status, 400, query)
    assert.equal((await problem(response)).code, "invalid_query")
  }
})

test("events tell what is kept, then what arrives, and a comment line every 15 s, until the gateway stops", async () => {
  const beats: (() => void)[] = []
  const { setInterval } = globalThis
  const stopping = new AbortController()
  const { get, post, read } = await inbox({}, { stopping: stopping.signal })
  await post({ ...message, body: "first\n1111" })
  const [first] = await read()
  globalThis.setInterval = ((work: () => void, ms: number) => {
    if (ms === 15_000) beats.push(work)
    return setInterval(() => {}, 1_000_000)
  }) as typeof setInterval
  const opened = get("/events")
  const again = get("/events", { ...host, "last-event-id": first?.id ?? "" })
  const responses = await Promise.all([opened, again]).finally(() => {
    globalThis.setInterval = setInterval
  })
  for (const { headers } of responses) assert.match(headers.get("content-type") ?? "", /^text\/event-stream/)
  const waiting = read("?wait=30&recipient=+19998887777")
  await post({ ...message, body: "second 2222" })
  beats[0]?.()
  stopping.abort()
  const [whole = "", rest = ""] = await Promise.all(responses.map((response) => response.text()))
  const [, second] = (await read()).reverse()
  const event = (kept: Kept | undefined) => `id: ${kept?.id}\ndata: ${JSON.stringify(kept)}\n\n`
  const live = "event: live\ndata: live\n\n"
  assert.equal(whole, `retry: 1000\n\n${event(first)}${live}${event(second)}:\n\n`)
  assert.equal(rest, `retry: 1000\n\n${live}${event(second)}`)
  assert.deepEqual(await waiting, [], "whoever waited is told at once")
  assert.deepEqual(await read("?wait=30&recipient=+19998887777"), [])
  assert.doesNotMatch(await (await get("/events")).text(), /:\n\n$/)
})

test("a reader that is gone, and one that does not read, cost nothing", async () => {
  const { get, post, call } = await inbox({ DUPLICATE_WINDOW: "off" })
  const gone = await get("/events")
  await gone.body?.cancel()
  const head = await call({ method: "HEAD", headers: host }, "/inbox/events")
  assert.equal(head.status, 200)
  const idle = await get("/events")
  for (let sent = 0; sent < 1_010; sent += 1) assert.equal((await post({ ...message, body: `${sent}` })).status, 200)
  assert.ok((await idle.text()).split("\n\n").length < 1_005, "it should have been cut")
})

test("a long poll ends with its reader", slow, async () => {
  const { get, post } = await inbox()
  const { setTimeout: set, clearTimeout: clear } = globalThis
  const timers = new Set<unknown>()
  globalThis.setTimeout = ((work: () => void, ms?: number) => {
    const timer = set(work, ms)
    if (ms === 29_000) timers.add(timer)
    return timer
  }) as typeof setTimeout
  globalThis.clearTimeout = ((timer: ReturnType<typeof set>) => {
    timers.delete(timer)
    clear(timer)
  }) as typeof clearTimeout
  try {
    const [gone, stays] = await Promise.all([get("/messages?wait=29"), get("/messages?wait=29")])
    assert.equal(timers.size, 2)
    await gone?.body?.cancel()
    assert.equal(timers.size, 1)
    await post()
    assert.equal(timers.size, 0)
    assert.match((await stays?.text()) ?? "", /326162/)
  } finally {
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear })
  }
})

test("HEAD does not wait", async () => {
  const { call } = await inbox()
  const asked = Date.now()
  const head = await call({ method: "HEAD", headers: host }, "/inbox/messages?wait=30")
  assert.deepEqual([head.status, await head.text()], [200, ""])
  assert.ok(Date.now() - asked < 5_000)
})

/** What has come over the events so far: their names and data. */
async function told(get: (path: string) => Promise<Response>) {
  const reader = (await get("/events")).body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  while (!text.includes("event: live")) text += (await reader?.read())?.value ?? ""
  await reader?.cancel()
  return [...text.matchAll(/^id: (\S+)\n(?:event: (\w+)\n)?data: (.*)$/gm)].map(
    ([, id, name = "message", data = ""]) => {
      const entry: Record<string, unknown> = JSON.parse(data)
      assert.equal(entry.id, id)
      return { name, ...entry }
    },
  )
}

/** Without what differs from run to run. */
const steady = (entries: object[]) => entries.map((entry) => ({ ...entry, id: "", time: "" }))
const refused = (code: string, title: string, reason: string, text: string, more: object = {}) => {
  const common = { name: "refused", id: "", time: "", code, title, reason, text, isObserved: false }
  return { ...common, ...more }
}

const usedUp = "This number got as many messages as LIMIT_RECIPIENT allows for now."

test("messages that were refused are told with the reason, masked, and are no messages", async () => {
  const { post, call, get, read } = await inbox({ LIMIT_RECIPIENT: "1/10m", DENY_DESTINATIONS: "RU" })
  await post({ ...message, recipient: "+79161234567" })
  await post()
  await post({ ...message, body: "Your code is 771204" })
  await post({ ...message, recipient: "+15005550001", body: "Your code is 771204" })
  await post({ recipient: "+12223334444", body: "Your code is {{ code }} 771204" })
  await call({ method: "POST", headers: { authorization: `Bearer ${await sign({ key: `${secret}x` })}` } })
  const entries = await told(get)
  const recipient = "+1•••4444"
  assert.deepEqual(steady(entries.filter(({ name }) => name !== "message")), [
    refused(
      "destination_not_allowed",
      "The destination is not allowed",
      "see ALLOW_DESTINATIONS and DENY_DESTINATIONS",
      "No message goes to this number: ALLOW_DESTINATIONS does not name it, or DENY_DESTINATIONS does.",
      { recipient: "+7•••4567" },
    ),
    refused("rate_limited", "Too many messages", "LIMIT_RECIPIENT is used up", usedUp, { recipient }),
    refused(
      "invalid_recipient",
      "The number cannot be reached",
      "inbox: 400 an invalid number",
      "The number cannot be reached, on purpose: see the numbers at the end of this page.",
      { recipient: "+1•••0001" },
    ),
    refused(
      "invalid_message",
      "The message is not valid",
      "body holds {{ code }}, which the platform's template left unfilled",
      "The call holds no message that can be sent: body holds {{ code }}, which the platform's template left unfilled.",
    ),
    refused(
      "authentication_failed",
      "The caller is not authenticated",
      "the token's signature does not match GATEWAY_SECRET",
      "The caller did not prove who it is: the token's signature does not match GATEWAY_SECRET.",
    ),
  ])
  const [kept, ...rest] = await read()
  assert.deepEqual([kept?.code, rest], ["326162", []])
  assert.ok(!JSON.stringify(entries).includes("771204"))
})

test("with GUARD=observe what would be refused is told beside the message", async () => {
  const { post, get } = await inbox({ LIMIT_RECIPIENT: "1/10m", GUARD: "observe" })
  await post()
  await post({ ...message, body: "Your code is 771204" })
  const [, observed, second] = await told(get)
  const more = { recipient: "+1•••4444", isObserved: true }
  assert.deepEqual(steady([observed ?? {}]), [
    refused("rate_limited", "Too many messages", "LIMIT_RECIPIENT is used up", usedUp, more),
  ])
  assert.equal(second?.name, "message")
})

test("what the page itself refuses, and calls of what is not there, are no news", async () => {
  const { get, call } = await inbox()
  await get("", host, "192.0.2.1")
  await get("/other")
  await call({ headers: host }, "/favicon.ico")
  await call({ method: "PUT", headers: host }, "/")
  assert.deepEqual(await told(get), [])
})

test("the last 100 refusals are kept, and hide no message", async () => {
  const { post, get } = await inbox({ LIMIT_RECIPIENT: "1/10m", DUPLICATE_WINDOW: "off" })
  for (let sent = 0; sent < 103; sent += 1) await post({ ...message, body: `number ${sent}` })
  const entries = await told(get)
  assert.equal(entries.length, 101)
  assert.equal(entries[0]?.name, "message")
})

test("a call is kept with what it says, its digits apart", async () => {
  const { post, read } = await inbox({ VOICE_PROVIDER: "inbox" })
  await post({ ...message, body: "Your code is 326162", channel: "voice" })
  const [{ id: _, time: __, ...call } = {}] = (await read()) as Partial<Kept>[]
  const speech = "Your code is 3, 2, 6, 1, 6, 2\nYour code is 3, 2, 6, 1, 6, 2"
  const body = "Your code is 326162"
  assert.deepEqual(call, { ...message, body, code: "326162", channel: "voice", speech })
})

/** What a request of the page itself has, and of other pages; of browsers that tell their Origin alone, and of none. */
const origins: [title: string, headers: Record<string, string>, isAllowed: boolean][] = [
  ["the page itself", { "sec-fetch-site": "same-origin", origin: "http://localhost:3000" }, true],
  ["the page itself in an older browser", { origin: "http://localhost:3000" }, true],
  ["a program that is no browser", {}, true],
  ["a page of another site", { "sec-fetch-site": "cross-site" }, false],
  ["a page of the same site", { "sec-fetch-site": "same-site", origin: "http://localhost:3000" }, false],
  ["a page of another port, in an older browser", { origin: "http://localhost:4000" }, false],
  ["a page of no origin", { origin: "null" }, false],
]
for (const [title, headers, isAllowed] of origins) {
  test(`${title} may ${isAllowed ? "" : "not "}send a test message and clear the inbox`, async () => {
    const { call, read, events } = await inbox()
    const ask = (method: string, path: string) => call({ method, headers: { ...host, ...headers } }, `/inbox${path}`)
    const sent = await ask("POST", "/test")
    assert.equal(sent.status, isAllowed ? 201 : 403)
    if (!isAllowed) {
      assert.equal((await problem(sent)).code, "forbidden_address")
      assert.equal((await ask("DELETE", "/messages")).status, 403)
      assert.deepEqual(await read(), [])
      return
    }
    const [kept, ...others] = await read()
    assert.deepEqual([await sent.json(), others], [kept, []])
    assert.equal(kept?.recipient, "+12223334444")
    assert.match(kept?.code ?? "", /^[1-9]\d{5}$/)
    assert.equal(kept?.body, `Your code is ${kept?.code}`)
    assert.equal((await ask("DELETE", "/messages")).status, 204)
    assert.deepEqual(await read(), [])
    assert.ok(!JSON.stringify(events()).includes(kept?.code ?? ""))
  })
}

test("a test message and clearing stand behind the door", async () => {
  const open = await inbox()
  const closed = await inbox({ INBOX_TOKEN: inboxToken })
  const bearer = { ...host, authorization: `Bearer ${inboxToken}` }
  for (const [method, path, status] of [
    ["POST", "/inbox/test", 201],
    ["DELETE", "/inbox/messages", 204],
  ] as const) {
    assert.equal((await open.call({ method, headers: host }, path, "192.0.2.1")).status, 403)
    assert.equal((await closed.call({ method, headers: host }, path)).status, 401)
    assert.equal((await closed.call({ method, headers: bearer }, path)).status, status)
  }
})

test("who waits gets a test message, and who follows is told that all was cleared", async () => {
  const stopping = new AbortController()
  const { get, read, post, call } = await inbox({}, { stopping: stopping.signal })
  const waiting = read("?recipient=+12223334444&wait=30")
  const events = await get("/events")
  await call({ method: "POST", headers: host }, "/inbox/test")
  const [kept] = await waiting
  assert.equal(kept?.recipient, "+12223334444")
  await post()
  await call({ method: "DELETE", headers: host }, "/inbox/messages")
  assert.deepEqual(await read(`?after=${kept?.id}`), [])
  await post({ ...message, body: "Your code is 112233" })
  assert.deepEqual(
    (await read(`?after=${kept?.id}`)).map(({ code }) => code),
    ["112233"],
  )
  stopping.abort()
  assert.match(await events.text(), /"code":"326162".*\n\nevent: cleared\ndata: cleared\n\nid: .*\n.*"112233"/)
})

test("the last 500 messages are kept", async () => {
  const { post, read } = await inbox()
  for (let sent = 0; sent < 502; sent += 1) await post({ ...message, body: `number ${sent}` })
  const all = await read()
  assert.equal(all.length, 500)
  assert.equal(all[0]?.body, "number 501")
  assert.equal(all[499]?.body, "number 2")
})

const failures: [recipient: string, status: number, code: string, fault: string][] = [
  ["+15005550001", 422, "invalid_recipient", "recipient"],
  ["+15005550002", 502, "delivery_rejected", "account"],
  ["+15005550003", 502, "delivery_rejected", "provider"],
  ["+15005550004", 504, "delivery_timeout", "provider"],
  ["+15005550005", 502, "delivery_rejected", "provider"],
]
for (const [recipient, status, code, fault] of failures) {
  test(`a message to ${recipient} is answered ${status}, and the page says so`, slow, async () => {
    const { post, get, read, events } = await inbox({ DEADLINE: "1s" })
    const response = await post({ ...message, recipient })
    assert.equal(response.status, status)
    assert.equal((await problem(response)).code, code)
    assert.equal(events().find(({ provider }) => provider === "inbox")?.fault, fault)
    assert.match(await (await get()).text(), new RegExp(`<dt>\\${recipient}</dt><dd>[^<]*${status}`))
    assert.deepEqual(await read(), [])
  })
}

test("two gateways have an inbox each", async () => {
  const [one, other] = [await inbox(), await inbox()]
  await one.post()
  assert.equal((await one.read()).length, 1)
  assert.equal((await other.read()).length, 0)
})

const wrong: [title: string, env: Record<string, string>, told: RegExp][] = [
  ["in production", { NODE_ENV: "production" }, /SMS_PROVIDER=inbox .* does not start in production/],
  ["on a deployment platform", { DENO_DEPLOY: "1" }, /does not start in production/],
  ["behind a proxy without a token", { GATEWAY_TRUST_PROXY: "1" }, /INBOX_TOKEN is missing: behind a proxy/],
  ["at a public address without a token", { GATEWAY_URL: "https://sms.example.com" }, /INBOX_TOKEN is missing/],
  ["beside another provider", { SMS_PROVIDER: "inbox,http" }, /stand alone/],
  ["with a short token", { INBOX_TOKEN: "short" }, /INBOX_TOKEN is wrong: expected a token of at least 32/],
  ["with spaces in its token", { INBOX_TOKEN: "a token ".repeat(8) }, /INBOX_TOKEN is wrong/],
]
for (const [title, more, told] of wrong) {
  test(`the inbox does not start ${title}`, async () => {
    const world = { fetch, clock: Date.now, print() {} }
    await assert.rejects(gateway({ ...world, env: { GATEWAY_SECRET: secret, ...env, ...more } }), (error: Error) => {
      assert.ok(error instanceof StartError)
      assert.match(error.message, told)
      return true
    })
  })
}

test("a served inbox streams as messages arrive, and SIGTERM ends its readers", slow, async () => {
  const { url, kill, ended, stdout } = await serving({ ...env, GATEWAY_SECRET: secret })
  const events = await fetch(`${url}inbox/events`)
  const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  const arrive = async (pattern: RegExp) => {
    while (!pattern.test(text)) {
      const { value, done } = (await reader?.read()) ?? { done: true }
      assert.ok(!done, `${pattern} did not come up in: ${text}`)
      text += value
    }
  }
  await arrive(/event: live/)
  const headers = { authorization: `Bearer ${await sign()}` }
  const waiting = fetch(`${url}inbox/messages?recipient=${message.recipient}&wait=30`)
  assert.equal((await fetch(url, { method: "POST", headers, body: JSON.stringify(message) })).status, 200)
  await arrive(/"code":"326162"/)
  assert.match(await (await waiting).text(), /^\[\{"id":"[\da-f-]{36}".*"code":"326162"/)
  assert.equal((await fetch(`${url}inbox`, { headers: { "x-forwarded-for": "192.0.2.1" } })).status, 403)
  const last = fetch(`${url}inbox/messages?recipient=+19998887777&wait=30`)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const stopped = Date.now()
  kill("SIGTERM")
  assert.deepEqual(await (await last).json(), [])
  assert.equal((await reader?.read())?.done, true)
  assert.equal(await ended, 0)
  assert.ok(Date.now() - stopped < 15_000, "it should not have waited for the 30 s")
  assert.doesNotMatch(stdout(), /326162/)
})
