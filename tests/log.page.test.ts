import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { test } from "node:test"
import { type LogEvent, loadFile, type Store, type StoreFile } from "../main.ts"
import { withSpare } from "../providers/parts/store.ts"
import { history, logToken, metricsToken } from "./lib/history.ts"
import { message, problem, standing, start } from "./lib/world.ts"

const env = { PAGES: "log", LOG_TOKEN: logToken }
const bearer = { authorization: `Bearer ${logToken}` }
const html = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" }

interface State {
  instance: string
  now: string
  storeAway?: string
  providers: { name: string; isResting: boolean }[]
}
type Kept = State & { first: number; events: LogEvent[] }

type Call = Awaited<ReturnType<typeof start>>["call"]
const kept = async (call: Call) => (await (await call({ headers: bearer }, "/log/events")).json()) as Kept
const state = async (call: Call) => (await (await call({ headers: bearer }, "/log/state")).json()) as State
/** What a stream sent before it was left. */
async function replayed(call: Call, query: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await call({ headers: { ...bearer, accept: "text/event-stream", ...headers } }, `/log${query}`)
  const reader = response.body?.getReader()
  let text = ""
  while (!/retry: \d+\n\n|never/.test(text)) text += new TextDecoder().decode((await reader?.read())?.value)
  await reader?.cancel()
  return text
}

test("who accepts HTML gets the page, everyone else the stream", async () => {
  const { call } = await start(env)
  const page = await call({ headers: { ...bearer, ...html } }, "/log")
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/)
  assert.match(await page.text(), /<title>Log – smstask<\/title>/)
  for (const accept of ["*/*", "text/event-stream", ""]) {
    const stream = await call({ headers: { ...bearer, accept } }, "/log")
    assert.equal(stream.headers.get("content-type"), "text/event-stream")
    await stream.body?.cancel()
  }
})

test("its one script and its one style are those that the policy names, and nothing is loaded", async () => {
  const { call } = await start(env)
  const page = await call({ headers: { ...bearer, ...html } }, "/log")
  const text = await page.text()
  const policy = page.headers.get("content-security-policy") ?? ""
  for (const name of ["script", "style"]) {
    const found = [...text.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "gs"))]
    assert.equal(found.length, 1, name)
    const hash = createHash("sha256")
      .update(found[0]?.[1] ?? "")
      .digest("base64")
    assert.ok(policy.includes(`${name}-src 'sha256-${hash}'`), name)
  }
  for (const rule of [
    "default-src 'none'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ])
    assert.ok(policy.includes(rule), rule)
  assert.doesNotMatch(policy, /unsafe|\*|https?:/)
  assert.doesNotMatch(
    text.replaceAll("http://www.w3.org/2000/svg", ""),
    /(src|href)="(?!data:|#)|innerHTML|https?:\/\/|style="| on\w+="/,
  )
})

test("no answer is kept, framed or sniffed", async () => {
  const { call } = await start(env)
  for (const path of ["/log", "/log/events", "/log/state", "/log/nothing", `/log?token=${logToken}`]) {
    for (const headers of [bearer, {}]) {
      const response = await call({ headers }, path)
      assert.equal(response.headers.get("cache-control"), "no-store", path)
      assert.equal(response.headers.get("x-content-type-options"), "nosniff", path)
      assert.match(response.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/, path)
      await response.body?.cancel()
    }
  }
})

test("its cookie opens page, events and state, at each instance with that token and at no other", async () => {
  const [one, other] = [await start(env), await start(env)]
  const stranger = await start({ ...env, LOG_TOKEN: `${logToken}x` })
  const opened = await one.call({ headers: html }, `/log?token=${logToken}`)
  assert.equal(opened.status, 303)
  assert.equal(opened.headers.get("location"), "/log")
  const set = opened.headers.get("set-cookie") ?? ""
  assert.match(set, /^smstask_log=[\w-]{43}; Path=\/log; HttpOnly; SameSite=Strict$/)
  assert.ok(!set.includes(logToken))
  const cookie = set.split(";")[0] ?? ""
  for (const { call } of [one, other])
    for (const path of ["/log", "/log/events", "/log/state"])
      assert.equal((await call({ headers: { ...html, cookie } }, path)).status, 200, path)
  for (const path of ["/log", "/log/events", "/log/state"]) {
    for (const headers of [{ cookie: cookie.replace(/=.{4}/, "=AAAA") }, {}]) {
      const response = await one.call({ headers }, path)
      assert.equal(response.status, 401)
      assert.match(String((await problem(response)).detail), /LOG_TOKEN/)
    }
    assert.equal((await stranger.call({ headers: { cookie } }, path)).status, 401)
  }
})

test("a browser without a token is shown the door of a page, wherever below it, and that is no event", async () => {
  const tokens = { LOG_TOKEN: logToken, METRICS_TOKEN: metricsToken, INBOX_TOKEN: logToken }
  const { call, events } = await start({ ...tokens, PAGES: "log,metrics", SMS_PROVIDER: "inbox" })
  for (const path of ["/log", "/log/", "/log/events", "/log/state", "/log/nothing", "/metrics", "/inbox", "/inbox/x"]) {
    const [, name = ""] = path.split("/")
    const response = await call({ headers: html }, path)
    assert.equal(response.status, 401, path)
    assert.match(response.headers.get("content-type") ?? "", /^text\/html/, path)
    assert.equal(response.headers.get("www-authenticate"), "Bearer")
    assert.equal(response.headers.get("cache-control"), "no-store")
    const text = await response.text()
    assert.match(
      text,
      new RegExp(`<form method="post" action="/${name}">[\\s\\S]*${name.toUpperCase()}_TOKEN[\\s\\S]*</form>`),
    )
    assert.doesNotMatch(text, /<script|https?:|style="|This is not/)
    assert.match(text, /<link rel="icon" href="data:image\/svg\+xml,%3Csvg%20xmlns/)
    const hash = createHash("sha256")
      .update(/<style>(.*?)<\/style>/s.exec(text)?.[1] ?? "")
      .digest("base64")
    const policy = response.headers.get("content-security-policy") ?? ""
    for (const rule of [
      "default-src 'none'",
      `style-src 'sha256-${hash}'`,
      "form-action 'self'",
      "frame-ancestors 'none'",
      // Its icon is one.
      "img-src data:",
    ])
      assert.ok(policy.includes(rule), `${path}: ${policy}`)
  }
  assert.deepEqual(events(), [])
  for (const headers of [{ ...html, authorization: "Bearer wrong" }, { accept: "*/*" }, {}]) {
    const response = await call({ headers }, "/log")
    assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/)
  }
  assert.equal(events().length, 3)
})

test("a form at the door that never ends is refused after 10 s", async () => {
  const time = standing()
  const { call, line } = await start({ ...env, DEADLINE: "60s" }, undefined, time.world)
  const headers = { ...html, "content-type": "application/x-www-form-urlencoded" }
  const body = new ReadableStream({ pull: () => time.silence().then(() => {}) })
  const { status, code, detail } = await problem(
    await call({ method: "POST", headers, body, duplex: "half" } as RequestInit, "/log"),
  )
  assert.deepEqual([status, code], [400, "invalid_message"])
  assert.equal(detail, "the body did not arrive within the deadline")
  assert.equal(time.world.monotonic(), 10_000)
  assert.equal(line("rejected").reason, detail)
})

test("the form at the door takes the token, and says where it is another", async () => {
  const { call, events } = await start(env)
  const type = { "content-type": "application/x-www-form-urlencoded" }
  const sign = (token: string, headers = {}, path = "/log") =>
    call(
      { method: "POST", headers: { ...html, ...type, ...headers }, body: new URLSearchParams({ token }).toString() },
      path,
    )
  const opened = await sign(` ${logToken} `)
  assert.equal(opened.status, 303)
  assert.equal(opened.headers.get("location"), "/log")
  const cookie = opened.headers.get("set-cookie")?.split(";")[0] ?? ""
  assert.equal((await call({ headers: { ...html, cookie } }, "/log")).status, 200)
  const slashed = await call({ headers: { ...html, cookie } }, "/log/")
  assert.equal(slashed.headers.get("location"), "/log")
  assert.deepEqual(events(), [])
  for (const token of ["", "canary", `${logToken}x`, "x".repeat(70_000)]) {
    const response = await sign(token)
    assert.equal(response.status, 401)
    assert.match(await response.text(), /This is not LOG_TOKEN\./)
  }
  assert.equal((await sign(logToken, { "content-type": "application/json" })).status, 401)
  assert.equal((await sign(logToken, {}, "/log/state")).status, 401)
  assert.equal(events().filter(({ code }) => code === "authentication_failed").length, 4)
  assert.doesNotMatch(JSON.stringify(events()), /canary/)
})

test("the last 1,000 events are given as the log has them, and nothing that the log has not", async () => {
  const { call, past, lines, events } = await history()
  await past(4_200)
  const { first, events: last, providers } = await kept(call)
  assert.equal(last.length, 1_000)
  assert.ok(events().length > 1_000)
  assert.equal(first, events().length - 999)
  assert.deepEqual(last, events().slice(-1_000))
  assert.deepEqual(providers.map(({ name }) => name).sort(), ["plivo", "twilio", "vonage"])
  assert.ok(!lines.join().includes("Your code is"))
})

test("a page that connects again gets what it missed once, in order, and all of it from another instance", async () => {
  const { call, post } = await start(env)
  await post()
  const { instance, first, events } = await kept(call)
  await post({ ...message, recipient: "+447700900123" })
  const { events: all } = await kept(call)
  const told = (from: number) =>
    all
      .slice(from)
      .map((event, at) => `id: ${instance}-${first + from + at}\ndata: ${JSON.stringify(event)}\n\n`)
      .join("")
  const missed = `: following the log\n\nretry: 1000\n\n${told(events.length)}`
  const last = `${instance}-${first + events.length - 1}`
  assert.equal(await replayed(call, `?after=${last}`), missed)
  assert.equal(await replayed(call, "?after=x-1", { "last-event-id": last }), missed)
  assert.equal(await replayed(call, `?after=${instance}-${all.length}`), ": following the log\n\nretry: 1000\n\n")
  for (const foreign of ["00000000-7", "", "x", `${instance}-x`])
    assert.equal(await replayed(call, `?after=${foreign}`), `: following the log\n\nretry: 1000\n\n${told(0)}`, foreign)
})

test("who rests and a store that is away are told", async () => {
  let isAway = false
  let now = 1_000_000
  const ask = async () => (isAway ? await Promise.reject(new Error("ECONNREFUSED")) : 0)
  const shared: Store = { take: ask, giveBack: ask, get: async () => void (await ask()), set: ask, add: ask }
  const file: StoreFile = { open: async (_, site) => withSpare(shared, site) }
  const load = async (path: string) => (path === "stores/fake" ? { default: file } : await loadFile(path))
  const down = () => new Response("", { status: 503 })
  const more = { STORE: "fake://", LIMIT_RECIPIENT: "off" }
  const { call, post, events } = await start({ ...env, ...more }, down, { load, monotonic: () => now })
  assert.deepEqual((await state(call)).providers, [{ name: "http", isResting: false }])
  assert.equal((await state(call)).storeAway, undefined)
  isAway = true
  now += 2_000
  for (const body of ["one", "two", "three"]) await post({ ...message, body })
  const resting = await state(call)
  assert.deepEqual(resting.providers, [{ name: "http", isResting: true }])
  assert.equal(resting.storeAway, events().find(({ event }) => event === "store_away")?.time)
  isAway = false
  now += 40_000
  await post({ ...message, body: "four" })
  assert.equal((await state(call)).storeAway, undefined)
})
