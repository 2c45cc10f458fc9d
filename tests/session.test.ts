import assert from "node:assert/strict"
import { test } from "node:test"
import { setImmediate as turn } from "node:timers/promises"
import type { Provider, Refusal, Session } from "../main.ts"
import { message, providers, route, standing, start, take, until } from "./lib/world.ts"

const hour = 3_600_000
const unauthorized = () => Response.json({ code: "expired", reason: "x" }, { status: 401 })

/** A gateway to a provider that logs in; `answers` are given to the sending calls in order, then acceptances. */
async function withLogin(answers: Response[] = [], login?: (count: number) => Session | Refusal | Promise<Refusal>) {
  const time = standing()
  const tokens: (string | null)[] = []
  let logins = 0
  const request: Provider["request"] = async (message, _, { url, session, clock }) => {
    const token = await session(async () => {
      logins += 1
      return (await login?.(logins)) ?? { token: `session-token-${logins}`, expires: clock() + hour }
    })
    if (typeof token !== "string") return token
    tokens.push(token)
    const headers = { authorization: `Bearer ${token}` }
    return new Request(url, { method: "POST", headers, body: JSON.stringify(message) })
  }
  const gateway = await route({ a: () => answers.shift() ?? take() }, {}, { a: { request } }, time)
  return { ...gateway, tokens, logins: () => logins }
}
const numbered = (...counts: number[]) => counts.map((count) => `session-token-${count}`)

test("a provider that logs in does so once, and again when the token has expired", async () => {
  const { send, tokens, time, logins } = await withLogin()
  assert.deepEqual([(await send()).status, (await send()).status], [200, 200])
  time.pass(hour - 1)
  await send()
  assert.equal(logins(), 1)
  time.pass(1)
  assert.equal((await send()).status, 200)
  assert.deepEqual(tokens, numbered(1, 1, 1, 2))
})

test("a 401 makes it log in again and send once more, but only once", async () => {
  const { send, tokens } = await withLogin([unauthorized()])
  const { status, answer } = await send()
  assert.equal(status, 200)
  assert.deepEqual(tokens, numbered(1, 2))
  assert.equal((answer.attempts as unknown[]).length, 1)
  const refused = await withLogin([unauthorized(), unauthorized()])
  assert.equal((await refused.send()).status, 502)
  assert.deepEqual(refused.tokens, numbered(1, 2))
  assert.equal(refused.line("refused").fault, "account")
  assert.equal((await refused.send()).status, 200)
})

test("another refusal keeps the token", async () => {
  const { send, tokens } = await withLogin([new Response(null, { status: 403 }), new Response(null, { status: 500 })])
  for (let sent = 0; sent < 3; sent += 1) await send()
  assert.deepEqual(tokens, numbered(1, 1, 1))
})

test("a log-in that is refused is the refusal of the message, and is tried again by the next", async () => {
  const { send, calls, line, logins } = await withLogin([], (count) =>
    count === 1
      ? { code: "wrong_password", reason: "no", fault: "account" }
      : { token: "session-token-2", expires: Number.POSITIVE_INFINITY },
  )
  assert.equal((await send()).status, 502)
  assert.equal(calls.length, 0)
  const { code, fault } = line("refused")
  assert.deepEqual([code, fault], ["wrong_password", "account"])
  assert.equal((await send()).status, 200)
  assert.equal(logins(), 2)
})

test("a log-in that is not reached, or breaks off, is told by its class", async () => {
  for (const [error, code] of [
    ["ECONNREFUSED", "refused"],
    ["ENOTFOUND", "dns"],
    ["ECONNRESET", "reset"],
  ] as const) {
    const request: Provider["request"] = async (message, _, { url, fetch, session }) => {
      const token = await session(async () => {
        const { token } = (await (await fetch(`${url}/login`, { method: "POST" })).json()) as Session
        return { token, expires: Number.POSITIVE_INFINITY }
      })
      return new Request(url, { method: "POST", body: JSON.stringify({ ...message, token }) })
    }
    const failing = () => Promise.reject(Object.assign(new Error("secret-host"), { code: error }))
    const { send, lines, line } = await route({ a: failing }, {}, { a: { request } })
    assert.equal((await send()).status, 502)
    assert.equal(line("unreachable").code, code)
    assert.doesNotMatch(lines.join(), /secret-host/)
  }
})

test("a redirect of a log-in is not followed, and a log-in shares the attempt's time", async () => {
  const time = standing()
  const request: Provider["request"] = async (message, _, { url, fetch }) => {
    await fetch(`${url}/login`)
    return new Request(url, { method: "POST", body: JSON.stringify(message) })
  }
  const headers = { location: "https://evil.example/" }
  const redirected = await route({ a: () => new Response(null, { status: 302, headers }) }, {}, { a: { request } })
  assert.equal((await redirected.send()).status, 502)
  assert.equal(redirected.calls.length, 1)
  assert.equal(redirected.calls[0]?.init.redirect, "manual")
  const silent = await route({ a: time.silence }, { DEADLINE: "2s" }, { a: { request } }, time)
  assert.equal((await silent.send()).status, 504)
  assert.equal(silent.calls[0]?.init.signal?.aborted, true)
})

test("the token is never told", async () => {
  const echo = () => Response.json({ code: "bad", reason: "bad token session-token-1 given" }, { status: 400 })
  const { send, lines, line } = await withLogin([echo()])
  const { status, answer } = await send()
  assert.equal(status, 502)
  assert.equal(line("refused").reason, "bad token • given")
  assert.doesNotMatch(lines.join() + JSON.stringify(answer), /session-token-1/)
})

test("whatever many messages wait for one log-in, and one that a vendor drops is renewed once for all of them", async () => {
  let valid = 0
  let logins = 0
  const request: Provider["request"] = async (_, __, { url, session, fetch, clock }) => {
    const token = await session(async () => {
      logins += 1
      // Each log-in ends the token before.
      valid = logins
      await fetch(`${url}/login`)
      return { token: `${logins}`, expires: clock() + hour }
    })
    return new Request(url, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: "{}" })
  }
  const time = standing()
  const answer = (header: string | null) => (header === `Bearer ${valid}` ? take() : unauthorized())
  const { load, env } = providers({ a: () => take() }, { a: { request } })
  const fetch = (request: Request) =>
    request.url.endsWith("/login") ? take() : answer(request.headers.get("authorization"))
  const { post } = await start({ ...env, LIMIT_PREFIX: "off" }, fetch, { ...time.world, load })
  const sendMany = async (from: number) => {
    const bodies = Array.from({ length: 20 }, (_, n) => ({ ...message, recipient: `+1222333${4000 + from + n}` }))
    return await Promise.all(bodies.map(async (body) => (await post(body)).status))
  }
  assert.deepEqual(new Set(await sendMany(0)), new Set([200]))
  assert.equal(logins, 1)
  valid = 0
  assert.deepEqual(new Set(await sendMany(20)), new Set([200]))
  assert.equal(logins, 2)
})

for (const [title, failing] of [
  ["throws", () => Promise.reject(new Error("its message was ended"))],
  ["is refused", async () => ({ code: 503, reason: "busy" })],
] as [string, () => Promise<Refusal>][])
  test(`where the log-in ${title} that somebody makes for all, the others log in by themselves`, async () => {
    let logins = 0
    const request: Provider["request"] = async (_, __, { url, session, clock }) => {
      const token = await session(async () => {
        logins += 1
        if (logins === 1) return await failing()
        return { token: "t", expires: clock() + hour }
      })
      if (typeof token !== "string") return token
      return new Request(url, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: "{}" })
    }
    const { send } = await route({ a: () => take() }, {}, { a: { request } })
    const statuses = await Promise.all([send(), send(), send()].map(async (sent) => (await sent).status))
    assert.deepEqual(statuses.sort(), [200, 200, 502])
  })

test("nobody waits longer than a second for the log-in of another", async () => {
  const time = standing()
  let logins = 0
  const request: Provider["request"] = async (_, __, { url, session, clock }) => {
    const token = await session(async () => {
      logins += 1
      if (logins === 1) await new Promise(() => {})
      return { token: "t", expires: clock() + hour }
    })
    return new Request(url, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: "{}" })
  }
  const { send, events } = await route({ a: () => take() }, {}, { a: { request } }, time)
  send()
  await until(() => logins === 1)
  const waiting = send()
  await until(() => events().filter(({ event }) => event === "received").length === 2)
  for (let turns = 0; turns < 10; turns += 1) await turn()
  time.pass(1_000)
  assert.equal((await waiting).status, 200)
  assert.equal(logins, 2)
})
