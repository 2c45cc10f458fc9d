import assert from "node:assert/strict"
import { test } from "node:test"
import { loadFile, type Store, type StoreFile } from "../main.ts"
import { withSpare } from "../providers/parts/store.ts"
import { history, metricsToken } from "./lib/history.ts"
import { serving } from "./lib/process.ts"
import { httpEnv, message, problem, secret, sign, start } from "./lib/world.ts"

const headers = { authorization: `Bearer ${metricsToken}` }
const env = { PAGES: "metrics", METRICS_TOKEN: metricsToken, LIMIT_PREFIX: "off" }
const twilio = { TWILIO_ACCOUNT_SID: "AC1", TWILIO_AUTH_TOKEN: "x".repeat(32), SMS_SENDER: "+15005550006" }

/** One series of the text format (Prometheus, exposition formats), read by a grammar and not by hope. */
interface Series {
  name: string
  labels: Record<string, string>
  value: number
}
function parse(text: string): Series[] {
  const described = new Map<string, string>()
  return text.split("\n").flatMap((line): Series[] => {
    if (line === "") return []
    const comment = /^# (HELP|TYPE) (\w+) (.+)$/.exec(line)
    if (comment?.[1] === "TYPE") described.set(comment[2] ?? "", comment[3] ?? "")
    if (comment) return []
    const [, name = "", inner = "", value] =
      /^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$/.exec(line) ?? []
    assert.ok(name, `this is no series: ${line}`)
    const family = name.replace(/_(bucket|sum|count)$/, "")
    assert.ok(described.has(name) || described.get(family) === "histogram", `${name} has no type`)
    const labels = Object.fromEntries([...inner.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, key, text]) => [key, text]))
    return [{ name, labels, value: Number(value) }]
  })
}

type Call = Awaited<ReturnType<typeof start>>["call"]
async function scrape(call: Call) {
  const response = await call({ headers }, "/metrics")
  assert.equal(response.status, 200)
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4; charset=utf-8$/)
  const series = parse(await response.text())
  const value = (name: string, labels: Record<string, string> = {}) => {
    const fits = (one: Series) => Object.entries(labels).every(([key, text]) => one.labels[key] === text)
    return series.filter((one) => one.name === `smstask_${name}` && fits(one)).reduce((sum, one) => sum + one.value, 0)
  }
  return { series, value }
}

test("GET /metrics is not there unless PAGES names it, and takes that token alone", async () => {
  const { call: without } = await start()
  assert.equal((await without({ headers }, "/metrics")).status, 404)
  await assert.rejects(start({ PAGES: "metrics" }), /METRICS_TOKEN is missing/)
  await assert.rejects(start({ PAGES: "metrics", METRICS_TOKEN: "short" }), /METRICS_TOKEN is wrong/)
  const { call } = await start(env)
  for (const wrong of [{}, { authorization: `Bearer ${metricsToken}x` }, { authorization: `Bearer ${await sign()}` }]) {
    const response = await call({ headers: wrong }, "/metrics")
    assert.equal(response.status, 401)
    assert.match(String((await problem(response)).detail), /METRICS_TOKEN/)
  }
})

test("before the first message everything is there at zero, and the version", async () => {
  const { call } = await start(env)
  const { series, value } = await scrape(call)
  const { default: own } = await import("../package.json", { with: { type: "json" } })
  assert.equal(value("build_info", { version: own.version }), 1)
  const zero = ["messages_total", "received_total", "attempts_total", "again_total", "guard_refusals_total"]
  for (const name of [...zero, "attempt_seconds_count", "provider_resting", "store_away"]) {
    assert.ok(
      series.some((one) => one.name === `smstask_${name}`),
      name,
    )
    assert.equal(value(name), 0, name)
  }
  assert.ok(series.every(({ name }) => name.startsWith("smstask_")))
})

test("what an hour brought is counted as the log has it", async () => {
  const { call, past, events } = await history()
  await past(4_200)
  const { value } = await scrape(call)
  const count = (fits: Record<string, unknown>) =>
    events().filter((line) => Object.entries(fits).every(([key, wanted]) => line[key] === wanted)).length
  for (const platform of ["/", "supabase"]) {
    const own = { platform: platform === "/" ? undefined : platform }
    assert.equal(value("received_total", { platform }), count({ event: "received", ...own }))
    assert.equal(value("duplicates_total", { platform }), count({ event: "duplicate", ...own }))
    assert.equal(value("messages_total", { platform, code: "accepted" }), count({ event: "accepted", ...own }))
    for (const code of ["rate_limited", "authentication_failed", "destination_not_allowed", "not_found"])
      assert.equal(value("messages_total", { platform, code }), count({ event: "rejected", code, ...own }))
  }
  for (const provider of ["twilio", "plivo", "vonage"]) {
    for (const outcome of ["accepted", "refused", "timeout"])
      assert.equal(
        value("attempts_total", { provider, outcome }),
        count({ event: outcome, provider }),
        `${provider} ${outcome}`,
      )
    const timed = events().filter((line) => line.provider === provider && /^(acc|ref|time|unr)/.test(line.event))
    assert.equal(value("attempt_seconds_count", { provider }), timed.length)
    const seconds = timed.reduce((sum, { ms }) => sum + Number(ms), 0) / 1_000
    assert.ok(Math.abs(value("attempt_seconds_sum", { provider }) - seconds) < 1e-6)
    const quick = timed.filter(({ ms }) => Number(ms) <= 300).length
    assert.equal(value("attempt_seconds_bucket", { provider, le: "0.3" }), quick)
    assert.equal(value("again_total", { provider }), count({ event: "again", provider }))
  }
  assert.ok(value("attempts_total", { provider: "vonage", code: "1000" }) > 0)
  assert.equal(
    value("attempts_total", { provider: "vonage", code: "1000" }),
    count({ provider: "vonage", code: "1000" }),
  )
  const limit = "LIMIT_PREFIX"
  const limited = events().filter(
    ({ event, reason }) => event === "rejected" && reason === `${limit} is used up`,
  ).length
  assert.ok(limited > 0)
  assert.equal(value("guard_refusals_total", { limit, guard: "enforce" }), limited)
  const denied = count({ event: "rejected", code: "destination_not_allowed" })
  assert.equal(value("guard_refusals_total", { limit: "destinations" }), denied)
  for (const state of ["delivered", "undelivered"])
    assert.equal(value("reports_total", { provider: "plivo", state }), count({ event: state }))
})

test("a code that the provider's file does not know is other, so that a provider makes no series", async () => {
  let sent = 0
  const answer = () => Response.json({ code: 90_000 + ++sent, message: "new" }, { status: 400 })
  const { call, post } = await start({ ...env, ...twilio, SMS_PROVIDER: "twilio" }, answer)
  for (let count = 0; count < 5; count += 1) await post({ ...message, body: `Your code is ${4_000 + count}` })
  const { series, value } = await scrape(call)
  assert.equal(value("attempts_total", { provider: "twilio", outcome: "refused", code: "other" }), 5)
  assert.ok(series.every(({ labels }) => !/^9000/.test(labels.code ?? "")))
})

test("what the gateway itself finds keeps its name", async () => {
  const failures = ["getaddrinfo ENOTFOUND", "connect ECONNREFUSED", "socket hang up"]
  const { call, post } = await start(env, () => {
    throw new Error(failures.shift())
  })
  for (const body of ["one", "two", "three"]) await post({ ...message, body })
  const { value } = await scrape(call)
  for (const code of ["dns", "refused", "reset"])
    assert.ok(value("attempts_total", { provider: "http", outcome: "unreachable", code }) > 0, code)
  assert.equal(value("provider_resting", { provider: "http" }), 1)
})

test("observed refusals count apart", async () => {
  const { call, post } = await start({ ...env, GUARD: "observe", LIMIT_RECIPIENT: "1/10m", DUPLICATE_WINDOW: "off" })
  await post()
  await post()
  const { value } = await scrape(call)
  assert.equal(value("guard_refusals_total", { limit: "LIMIT_RECIPIENT", guard: "observe" }), 1)
  assert.equal(value("guard_refusals_total", { guard: "enforce" }), 0)
  assert.equal(value("messages_total", { code: "accepted" }), 2)
})

test("a store that is away shows until it is back", async () => {
  let isAway = false
  let now = 1_000_000
  const ask = async () => (isAway ? await Promise.reject(new Error("ECONNREFUSED")) : 0)
  const shared: Store = { take: ask, giveBack: ask, get: async () => void (await ask()), set: ask, add: ask }
  const file: StoreFile = { open: async (_, site) => withSpare(shared, site) }
  const load = async (path: string) => (path === "stores/fake" ? { default: file } : await loadFile(path))
  const { call, post } = await start({ ...env, STORE: "fake://" }, undefined, { load, monotonic: () => now })
  const away = async () => {
    now += 2_000
    await post({ ...message, body: `Your code is ${now}` })
    return (await scrape(call)).value("store_away")
  }
  assert.equal(await away(), 0)
  isAway = true
  assert.equal(await away(), 1)
  isAway = false
  assert.equal(await away(), 0)
})

test("no number, no text, no code and no id stands in it", async () => {
  const { call, post, events } = await start(env)
  await post()
  await post({ ...message, recipient: "+447700900123" })
  const text = await (await call({ headers }, "/metrics")).text()
  const ids = events().map(({ request }) => String(request))
  for (const hidden of ["326162", "Grüße", "2223334444", "4444", "7700900123", "0123", "•", "m-1", ...ids])
    assert.ok(!text.includes(hidden), hidden)
})

test("a scrape of more than a hundred series is answered", async (t) => {
  const seven = { SMS_PROVIDER_FR: "http,seven", SEVEN_API_KEY: "sample" }
  const { call, past } = await history(60, { ...httpEnv, ...seven, SMS_PROVIDER: "twilio,plivo" })
  await past(4_200)
  const { series } = await scrape(call)
  assert.ok(series.length > 100, `${series.length}`)
  const times: number[] = []
  for (let count = 0; count < 50; count += 1) {
    const began = performance.now()
    await (await call({ headers }, "/metrics")).text()
    times.push(performance.now() - began)
  }
  const [median = 0] = times.sort((a, b) => a - b).slice(25)
  const told = `${series.length} series, a scrape takes ${median.toFixed(2)} ms (median of 50), ${times.at(-1)?.toFixed(2)} at most`
  t.diagnostic?.(told)
})

test("a served gateway is scraped over HTTP", { timeout: 30_000 }, async () => {
  const { url, kill, ended } = await serving({ GATEWAY_SECRET: secret, SMS_PROVIDER: "console", ...env })
  const posted = { authorization: `Bearer ${await sign()}` }
  assert.equal((await fetch(url, { method: "POST", headers: posted, body: JSON.stringify(message) })).status, 200)
  const text = await (await fetch(`${url}metrics`, { headers })).text()
  assert.ok(
    parse(text).some(
      ({ name, labels, value }) => name === "smstask_messages_total" && labels.code === "accepted" && value === 1,
    ),
  )
  kill()
  assert.equal(await ended, 0)
})
