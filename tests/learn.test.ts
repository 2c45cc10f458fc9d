import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { type Candidate, type Inbound, loadFile, prepare, type Route, type Store, type World } from "../main.ts"
import { listDoubts } from "../providers/commands/advice.ts"
import { createLearned, type Learning, learn, weigh } from "../providers/parts/routing.ts"
import adaptive from "../providers/routing/adaptive.ts"
import { createRandom } from "./lib/random.ts"
import {
  type Answers,
  blame,
  type Line,
  providers,
  route,
  secret,
  standing,
  start,
  status,
  take,
  until,
} from "./lib/world.ts"

const all: Answers = { a: () => take(), b: () => take(), c: () => take() }
const learning = { ROUTING: "adaptive" }
const us = (provider: string): Route => ({ provider, country: "US", channel: "sms" })

/** A gateway that learns, whose clock stands and whose random numbers are the same at each run. */
const learned = (answers: Answers = all, env: World["env"] = {}, files = {}, seed = 1) => {
  const time = standing()
  const world = { ...time.world, random: createRandom(seed) }
  return route(answers, { ...learning, ...env }, files, { ...time, world })
}

/** A gateway by its parts, for counts that no message brings. */
async function parts(env: World["env"] = {}, more: Partial<World> = {}) {
  const given = providers(all)
  const time = standing()
  const lines: string[] = []
  const world: World = {
    ...time.world,
    env: { GATEWAY_SECRET: secret, ...given.env, ...learning, ...env },
    fetch: async () => take(),
    print: (line) => lines.push(line),
    load: given.load,
    random: createRandom(1),
    ...more,
  }
  const { gateway } = await prepare(world, true)
  const count = (
    provider: string,
    mark: "good" | "bad",
    times = 1,
    why: Parameters<Learning["count"]>[2] = "verified",
  ) => {
    for (let at = 0; at < times; at += 1) gateway.learning?.count(us(provider), mark, why)
  }
  const arrange = (country = "US") => {
    const inbound = {
      country,
      callingCode: "1",
      message: { recipient: "+12223334444", body: "", sender: "", channel: "sms" },
    }
    const route = gateway.routes.sms[0]?.value ?? []
    return gateway.learning?.arrange(route, inbound as never).arranged.map(({ name }) => name) ?? []
  }
  /** What is known of each provider, in outcomes. */
  const known = () => {
    const inbound = { country: "US", callingCode: "1", message: { channel: "sms" } }
    const { candidates = [] } = gateway.learning?.arrange(gateway.routes.sms[0]?.value ?? [], inbound as never) ?? {}
    return candidates.map(({ name, good, bad }) => `${name} ${Math.round(good / 2)} of ${Math.round((good + bad) / 2)}`)
  }
  /** How often a provider is the first of 200. */
  const firsts = (name: string, country?: string) =>
    Array.from({ length: 200 }, () => arrange(country)[0]).filter((first) => first === name).length
  return { gateway, count, known, firsts, lines, time }
}

// ───────────────────────────── The order ─────────────────────────────

const foreign = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e308, 5e-324, 2 ** 53),
  fc.string(),
  fc.anything(),
)
test("whatever the counts and the random numbers, every provider stands in the order exactly once", () => {
  const candidate = fc.record({ good: foreign, bad: foreign })
  const random = fc.oneof(fc.constantFrom(0, 0.5, 1 - 2 ** -53), fc.double({ min: 0, max: 1, maxExcluded: true }))
  fc.assert(
    fc.property(fc.array(candidate, { maxLength: 8 }), fc.array(random, { minLength: 1 }), (counts, numbers) => {
      const candidates = counts.map((one, at) => ({ name: `p${at}`, ...one }) as Candidate)
      let drawn = 0
      const order = adaptive.order(candidates, () => numbers[drawn++ % numbers.length] ?? 0)
      assert.deepEqual(order.toSorted(), candidates.map(({ name }) => name).toSorted())
    }),
    { numRuns: 2_000 },
  )
})

test("whatever is counted, and however the clock goes, good and bad stay numbers that weigh at most 100", () => {
  const many = fc.nat(Number.MAX_SAFE_INTEGER)
  const step = fc.record({ good: many, bad: many, passed: fc.integer({ min: -1e12, max: 1e12 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const learned = createLearned()
      let now = 1e12
      for (const { good, bad, passed } of steps) {
        now += passed
        learn(learned, { good, bad }, now)
        const { good: up, bad: down } = weigh("a", learned, now)
        assert.ok(up >= 0 && down >= 0 && up + down <= 100.001, `${up} ${down}`)
      }
    }),
  )
})

test("good and bad halve within a day, and the last fifty outcomes weigh more than a thousand before them", () => {
  const learned = createLearned()
  learn(learned, { good: 10, bad: 0 }, 0)
  assert.deepEqual(weigh("a", learned, 0), { name: "a", good: 20, bad: 0 })
  assert.deepEqual(weigh("a", learned, 86_400_000), { name: "a", good: 10, bad: 0 })
  for (let at = 0; at < 1_000; at += 1) learn(learned, { good: 1, bad: 0 }, 0)
  for (let at = 0; at < 50; at += 1) learn(learned, { good: 0, bad: 1 }, 0)
  assert.ok(learned.bad > learned.good, JSON.stringify(learned))
})

test("who delivers is asked first in nearly every draw, and who is little known now and then", async () => {
  const { count, firsts } = await parts()
  count("b", "good", 45)
  count("b", "bad", 5)
  count("a", "good", 5)
  count("a", "bad", 45)
  assert.equal(firsts("a"), 0)
  assert.ok(firsts("b") > 120, `${firsts("b")}`)
  assert.ok(firsts("c") > 0)
})

test("a country learns for itself", async () => {
  const { count, firsts } = await parts({ SMS_PROVIDER: "a,b" })
  count("a", "good", 50)
  count("b", "bad", 50)
  assert.equal(firsts("a"), 200)
  assert.ok(Math.abs(firsts("a", "DE") - 100) < 40, `${firsts("a", "DE")}`)
})

// ───────────────────────────── Outcomes ─────────────────────────────

const routed = ({ events }: { events: () => Line[] }): Partial<Line> =>
  events().findLast(({ event }) => event === "routed") ?? {}
/** What is said of each provider in the last line `routed`. */
const reason = (gateway: { events: () => Line[] }) => String(routed(gateway).reason)

test("an order is told with the counts behind it", async () => {
  const gateway = await learned({ a: () => take(), b: status(500) }, { RESEND_WINDOW: "off" })
  for (let sent = 0; sent < 6; sent += 1) await gateway.send()
  const { order, reason, country } = routed(gateway)
  assert.deepEqual([country, order], ["US", "a, b"])
  assert.match(String(reason), /^good lately in US: (a not known, b 0 of [1-6])$/)
})

test("without ROUTING nothing is drawn and nothing is told", async () => {
  const { send, asked, line } = await route(all)
  for (let sent = 0; sent < 5; sent += 1) await send()
  assert.deepEqual(new Set(asked), new Set(["a"]))
  assert.equal(line("routed").event, undefined)
})

const outcomes: [what: string, answer: Answers[string], expected: RegExp][] = [
  ["a refusal by fault of the provider is bad", blame("provider"), /a 0 of 1/],
  ["a refusal by fault of the account is nothing", blame("account"), /a not known/],
  ["a refusal by fault of the message is nothing", blame("message"), /a not known/],
  ["a refusal by fault of the recipient is nothing", blame("recipient"), /a not known/],
]
for (const [what, answer, expected] of outcomes)
  test(what, async () => {
    const gateway = await learned({ a: answer, b: answer }, { SMS_PROVIDER_DE: "a" })
    await gateway.send("+4915112345678")
    await gateway.send("+4915112345679")
    const both = await learned({ a: answer, b: answer })
    await both.send()
    await both.send()
    assert.match(reason(both), expected)
  })

test("silence until the attempt's end is bad", async () => {
  const given = providers(all)
  const time = standing()
  const silent = { ...given, answer: () => new Promise<Response>(() => {}) }
  const rest = { ...time.world, load: given.load, random: createRandom(1) }
  const gateway = await start({ ...given.env, ...learning, SMS_PROVIDER: "a,b" }, silent.answer, rest)
  const answering = gateway.post()
  for (let passed = 0; passed < 17; passed += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    time.pass(1_000)
  }
  assert.equal((await answering).status, 504)
  gateway.post({ recipient: "+12223335555", body: "another", sender: "" })
  await until(() => gateway.events().filter(({ event }) => event === "routed").length === 2)
  assert.match(reason(gateway), /^good lately in US: (a|b) 0 of 1, (a|b) 0 of 1$/)
})

test("asking again is bad for who accepted before, who goes to the end whatever was drawn", async () => {
  const gateway = await learned()
  const { answer } = await gateway.send("+12223334444")
  const { answer: second } = await gateway.send("+12223334444")
  assert.notEqual(second.provider, answer.provider)
  const { order } = routed(gateway)
  assert.match(String(order), new RegExp(`, ${answer.provider}$`))
  assert.match(reason(gateway), new RegExp(`${answer.provider} 0 of 1`))
})

test("nobody asking again is good when RESEND_WINDOW ends, unless a code was entered within a day", async () => {
  const { send, time, ...gateway } = await learned({ a: () => take(), b: () => take() }, { RESEND_WINDOW: "5m" })
  const { answer } = await send("+12223334444")
  const told = async () => {
    await send()
    return reason(gateway)
  }
  time.pass(200_000)
  await turns()
  assert.match(await told(), new RegExp(`${answer.provider} not known`))
  time.pass(101_000)
  await turns()
  assert.match(await told(), new RegExp(`${answer.provider} 1 of 1`))
})

test("where codes are entered, silence says nothing", async () => {
  const { gateway, count, time } = await parts()
  const accept = async () => {
    const id = crypto.randomUUID()
    const acceptanceKeys = ["accepted:12223334444"]
    await gateway.store.set(acceptanceKeys[0] ?? "", `${gateway.world.clock()} ${id} sms US a - x-1`, 900_000)
    const message = { recipient: "+12223334444", body: "x", sender: "", channel: "sms" }
    gateway.learning?.accepted({ id, acceptanceKeys, message, country: "US", callingCode: "1" } as Inbound, "a")
  }
  count("c", "good")
  await accept()
  time.pass(302_000)
  await turns()
  assert.equal(JSON.stringify(await gateway.store.get("learned")).includes("a:US"), false)
  // A day after the last code it does again.
  time.pass(86_400_000)
  await accept()
  await turns()
  time.pass(302_000)
  await turns()
  time.pass(2_000)
  await turns()
  assert.match(JSON.stringify(await gateway.store.get("learned")), /"a:US:sms":\[2,0/)
})

/** Lets the copy and the store finish what they began. */
async function turns() {
  for (let at = 0; at < 50; at += 1) await new Promise((resolve) => setImmediate(resolve))
}

test("whatever was drawn, an open breaker comes last, and before it who does not serve the country", async () => {
  const given = providers({ a: status(500), b: () => take(), c: () => take() }, { c: { countries: ["DE"] } })
  const load: World["load"] = async (path) =>
    path === "routing/mine" ? { default: { order: () => ["c", "a", "b"] } } : await (given.load ?? loadFile)(path)
  const env = { ...given.env, ROUTING: "mine", LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
  const gateway = await start(env, given.answer, { ...standing().world, load })
  for (let sent = 0; sent < 4; sent += 1)
    await gateway.post({ recipient: `+1222333444${sent}`, body: `code ${sent}`, sender: "" })
  const orders = gateway.events().flatMap(({ event, order }) => (event === "routed" ? [order] : []))
  assert.deepEqual(orders, ["a, b, c", "a, b, c", "a, b, c", "b, c, a"])
})

test("a count for a provider or a country that is none is dropped", async () => {
  const { gateway, time } = await parts()
  for (const wrong of [
    us("zz"),
    { ...us("a"), country: "../x" },
    { ...us("a"), country: "" },
    { ...us("a"), channel: "x" },
  ])
    gateway.learning?.count(wrong as Route, "good", "verified")
  time.pass(2_000)
  await turns()
  assert.equal(await gateway.store.get("learned"), undefined)
})

// ───────────────────────────── Instances ─────────────────────────────

/** A store of this process that several gateways share; `away` makes it answer nothing good. */
function shared() {
  const values = new Map<unknown, unknown>()
  const state = { isAway: false, adds: 0 }
  const open = async (): Promise<Store> => ({
    take: () => 0,
    giveBack() {},
    get: (key) => (state.isAway ? undefined : values.get(key)),
    set: (key, value) => !state.isAway && values.set(key, structuredClone(value)),
    add(key, by) {
      if (state.isAway) return undefined
      state.adds += Math.sign(by)
      const sum = Number(values.get(key) ?? 0) + by
      values.set(key, sum)
      return sum
    },
  })
  const load: World["load"] = async (path) =>
    path === "stores/mine" ? { default: { open } } : ((await providers(all).load?.(path)) ?? (await loadFile(path)))
  return { values, state, more: { load } }
}

/** Lets both tell the store what is new, twice. */
async function exchange(...gateways: { time: ReturnType<typeof standing> }[]) {
  for (let at = 0; at < 2; at += 1)
    for (const { time } of gateways) {
      time.pass(2_000)
      await turns()
    }
}

test("two instances share what they learn, and count nothing twice", async () => {
  const { more, values } = shared()
  const env = { STORE: "mine:", SMS_PROVIDER: "a,b" }
  const one = await parts(env, more)
  const two = await parts(env, more)
  one.count("a", "bad", 10)
  two.count("a", "bad", 5)
  two.count("b", "good", 12)
  await exchange(one, two)
  await exchange(one, two)
  assert.equal(values.get("learned:a:US:sms:bad"), 15)
  for (const instance of [one, two]) {
    assert.equal(instance.firsts("b"), 200)
    assert.deepEqual(instance.known(), ["a 0 of 15", "b 12 of 12"])
  }
})

test("an instance that nobody called knows what the others learned, and so does one that starts anew", async () => {
  const { more } = shared()
  const env = { STORE: "mine:", SMS_PROVIDER: "a,b" }
  const one = await parts(env, more)
  const idle = await parts(env, more)
  one.count("a", "bad", 30)
  one.count("b", "good", 30)
  await exchange(one, idle)
  assert.equal(idle.firsts("b"), 200)
  const anew = await parts(env, more)
  assert.equal(anew.firsts("b"), 200)
})

test("while the store is away it learns in memory, and tells the others when it is back", async () => {
  const { more, state, values } = shared()
  const env = { STORE: "mine:", SMS_PROVIDER: "a,b" }
  const one = await parts(env, more)
  one.count("a", "bad", 3)
  await exchange(one)
  state.isAway = true
  one.count("a", "bad", 20)
  one.count("b", "good", 20)
  await exchange(one)
  assert.equal(one.firsts("b"), 200)
  state.isAway = false
  await exchange(one)
  assert.equal(values.get("learned:a:US:sms:bad"), 23)
  const two = await parts(env, more)
  assert.equal(two.firsts("b"), 200)
})

const poisons: unknown[] = [
  "canary",
  null,
  7,
  [],
  { verified: "x", learned: { "a:US:sms": "canary" } },
  { verified: 1e300, learned: { "a:US:sms": [1e308, -1, 0, 0, 0], "b:US:sms": [Number.NaN, 1, 1, 1, 1] } },
  { verified: 0, learned: { "a:US:sms": [100, 0, 9e15, 0, 0] } },
  { verified: 0, learned: { __proto__: [1, 1, 1, 1, 1], "../x": [1, 1, 1, 1, 1] } },
]
test("what another wrote into the store counts as absent", async () => {
  for (const poison of poisons) {
    const { more, values } = shared()
    values.set("learned", poison)
    for (const mark of ["good", "bad"]) values.set(`learned:a:US:sms:${mark}`, Number.NaN)
    const one = await parts({ STORE: "mine:", SMS_PROVIDER: "a,b" }, more)
    await exchange(one)
    const first = one.firsts("a")
    assert.ok(first > 60 && first < 140, `${first} ${JSON.stringify(poison)}`)
    one.count("b", "bad", 50)
    one.count("a", "good", 50)
    await exchange(one)
    assert.equal(one.firsts("a"), 200)
    assert.doesNotMatch(one.lines.join(), /canary|failure/)
  }
})

test("no message waits for the store: an order is there while the store never answers", async () => {
  const never = () => new Promise<never>(() => {})
  let isStarted = false
  const open = async (): Promise<Store> => ({
    take: () => 0,
    giveBack() {},
    get: () => (isStarted ? never() : undefined),
    set: () => {},
    add: never,
  })
  const load: World["load"] = async (path) =>
    path === "stores/mine" ? { default: { open } } : ((await providers(all).load?.(path)) ?? {})
  const one = await parts({ STORE: "mine:" }, { load })
  isStarted = true
  one.time.pass(2_000)
  await turns()
  one.count("a", "bad", 30)
  one.count("c", "bad", 30)
  assert.ok(one.firsts("b") > 190)
})

// ───────────────────────────── Files ─────────────────────────────

const filesOf = (more: Record<string, unknown>): NonNullable<World["load"]> => {
  const { load = loadFile } = providers(all)
  return async (path) => (path in more ? { default: more[path] } : await load(path))
}
const named = (env: World["env"], more: Record<string, unknown> = {}) =>
  start({ SMS_PROVIDER: "a,b,c", ...env }, () => take(), { load: filesOf(more) })

test("a file of routing is dropped in, and who it leaves out comes last", async () => {
  const given: unknown[] = []
  const order = (candidates: Candidate[]) => {
    given.push(candidates)
    return ["c", "zz", "c"]
  }
  const gateway = await named({ ROUTING: "mine" }, { "routing/mine": { order } })
  assert.equal((await gateway.post()).status, 200)
  assert.equal(gateway.line("routed").order, "c, a, b")
  assert.deepEqual(given, [["a", "b", "c"].map((name) => ({ name, good: 0, bad: 0 }))])
})

test("a file of routing that throws or gives nothing leaves the order by hand, and the log says so", async () => {
  const broken: (() => unknown)[] = [
    () => {
      throw new TypeError("canary")
    },
    () => undefined,
    () => 7,
  ]
  for (const order of broken) {
    const gateway = await named({ ROUTING: "mine" }, { "routing/mine": { order } })
    assert.equal((await gateway.post()).status, 200)
    assert.equal(gateway.line("routed").order, "a, b, c")
    assert.equal(gateway.line("failure").reason, "TypeError")
    assert.doesNotMatch(gateway.lines.join(), /canary/)
  }
})

const wrong: [env: World["env"], text: RegExp][] = [
  [{ ROUTING: "adaptiv" }, /ROUTING is wrong: there is no providers\/routing\/adaptiv\.ts.*did you mean adaptive\?/],
  [{ ROUTING: "../x" }, /ROUTING is wrong/],
  [{ ROUTING: "broken" }, /providers\/routing\/broken\.ts does not export/],
  [{ SMS_PROVIDER: "a:80,b" }, /SMS_PROVIDER is wrong/],
  [{ SMS_PROVIDER: "a:0,b:1" }, /SMS_PROVIDER is wrong/],
  [{ SMS_PROVIDER: "a:-1,b:1" }, /SMS_PROVIDER is wrong/],
  [{ SMS_PROVIDER: "a:x,b:1" }, /SMS_PROVIDER is wrong/],
  [{ SMS_PROVIDER: "a:1:2,b:1" }, /SMS_PROVIDER is wrong/],
  [{ SMS_PROVIDER: "a:1,a:2" }, /SMS_PROVIDER is wrong/],
  [{ SMS_PROVIDER: "a:80%,b:20%" }, /SMS_PROVIDER is wrong/],
  [{ SMS_PROVIDER: "a:80,b:20", ...learning }, /leave it out, or the shares/],
  [{ SMS_PROVIDER_DE: "a:80,b:20", ...learning }, /leave it out, or the shares/],
]
for (const [env, text] of wrong)
  test(`${JSON.stringify(env)} does not start`, async () => {
    await assert.rejects(named(env, { "routing/broken": { sort: 1 } }), text)
  })

test("ROUTING=ordered is the default, and loads nothing", async () => {
  const loaded: string[] = []
  const { load = loadFile } = providers(all)
  const note: World["load"] = async (path) => {
    loaded.push(path)
    return await load(path)
  }
  const gateway = await start({ SMS_PROVIDER: "a,b", ROUTING: "ordered" }, () => take(), { load: note })
  assert.equal((await gateway.post()).status, 200)
  assert.deepEqual(loaded.toSorted(), ["a", "b"])
})

// ───────────────────────────── Shares ─────────────────────────────

test("shares decide who is first, and who follows", async () => {
  const time = standing()
  const world = { ...time.world, random: createRandom(1) }
  const env = { SMS_PROVIDER: "a:70,b:20,c:10", RESEND_WINDOW: "off" }
  const gateway = await route({ a: status(402), b: status(402), c: status(402) }, env, {}, { ...time, world })
  for (let sent = 0; sent < 500; sent += 1) await gateway.send()
  const { asked } = gateway
  const orders = Array.from({ length: 500 }, (_, at) => asked.slice(3 * at, 3 * at + 3).join(""))
  const share = (fits: (order: string) => boolean) => orders.filter(fits).length / 500
  const near = (found: number, expected: number) => assert.ok(Math.abs(found - expected) < 0.06, `${found} ${expected}`)
  near(
    share((order) => order.startsWith("a")),
    0.7,
  )
  near(
    share((order) => order.startsWith("b")),
    0.2,
  )
  near(
    share((order) => order.startsWith("ab")),
    0.7 * (20 / 30),
  )
  assert.ok(orders.every((order) => [...order].toSorted().join("") === "abc"))
})

test("who asks again is not sent to the same provider by its share, and an open breaker has none", async () => {
  const gateway = await route(all, { SMS_PROVIDER: "a:9999,b:1" })
  for (let at = 0; at < 20; at += 1) {
    const number = `+1222333${5_000 + at}`
    const { answer } = await gateway.send(number)
    assert.notEqual((await gateway.send(number)).answer.provider, answer.provider)
  }
  const down = await route({ a: status(500), b: () => take() }, { SMS_PROVIDER: "a:9999,b:1" })
  for (let sent = 0; sent < 8; sent += 1) assert.equal((await down.send()).answer.provider, "b")
  assert.equal(down.asked.filter((name) => name === "a").length, 3)
})

// ───────────────────────────── What is shown ─────────────────────────────

const pages = { PAGES: "log,metrics", LOG_TOKEN: "l".repeat(32), METRICS_TOKEN: "m".repeat(32) }

test("the page and the metrics count by provider and country: first calls, sent, asked again", async () => {
  const gateway = await route({ a: status(402), b: () => take() }, { SMS_PROVIDER_DE: "b", ...pages })
  for (const number of ["+12223334444", "+12223334444", "+12223335555", "+4915112345678"]) await gateway.send(number)
  const read = async (path: string, token: string) =>
    await (await gateway.call({ headers: { authorization: `Bearer ${token}` } }, path)).text()
  const rows = async () => JSON.parse(await read("/log/routes", pages.LOG_TOKEN)).routes as Record<string, unknown>[]
  const told = (await rows()).map(({ line, ...row }) => ({ ...row, last: (line as unknown[]).at(-1) }))
  const none = { verified: 0, undelivered: 0 }
  assert.deepEqual(told, [
    // The second message of the number that asked again went past the one that accepted the first.
    { provider: "a", country: "US", ...none, again: 0, first: 3, sent: 0, share: 1, last: null },
    { provider: "b", country: "US", ...none, again: 1, first: 0, sent: 3, share: 0, last: 2 / 3 },
    { provider: "b", country: "DE", ...none, again: 0, first: 1, sent: 1, share: 1, last: 1 },
  ])
  const metrics = await read("/metrics", pages.METRICS_TOKEN)
  for (const [country, outcome, count] of [
    ["US", "sent", 3],
    ["US", "again", 1],
    ["DE", "first", 1],
  ])
    assert.match(
      metrics,
      new RegExp(`smstask_routes_total\\{provider="b",country="${country}",outcome="${outcome}"\\} ${count}`),
    )
  gateway.time.pass(25 * 3_600_000)
  assert.deepEqual(await rows(), [])
})

test("check says of a route of one that it learns nothing, and what is forgotten without STORE", async () => {
  const given = providers(all)
  const world = { ...standing().world, fetch: async () => take(), print() {}, load: filesOf({}) }
  const doubtsOf = async (env: World["env"]) =>
    listDoubts(await prepare({ ...world, env: { GATEWAY_SECRET: secret, ...given.env, ...env } }, true)).join("\n")
  const doubts = await doubtsOf({ ...learning, SMS_PROVIDER_DE: "a" })
  assert.match(doubts, /ROUTING=adaptive learns nothing of SMS_PROVIDER_DE: a route of one/)
  assert.doesNotMatch(doubts, /nothing of SMS_PROVIDER:/)
  assert.match(doubts, /ROUTING=adaptive begins anew at each start/)
  assert.doesNotMatch(await doubtsOf({ SMS_PROVIDER: "a" }), /ROUTING/)
})
