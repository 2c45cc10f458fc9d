import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Answers,
  blame,
  cutOff,
  message,
  notReached,
  problem,
  route,
  standing,
  status,
  take,
  until,
} from "./lib/world.ts"

const all: Answers = { a: () => take(), b: () => take(), c: () => take() }
const providersOf = ({ attempts }: Record<string, unknown>): string[] =>
  (attempts as { provider: string }[]).map(({ provider }) => provider)

const failovers: [name: string, answers: Answers, asked: string[], status: number, by?: string][] = [
  ["accepted by the first", {}, ["a"], 200, "a"],
  ["refused by fault of the account", { a: status(401) }, ["a", "b"], 200, "b"],
  ["refused by fault of the provider", { a: status(500) }, ["a", "b"], 200, "b"],
  ["refused by fault of the message", { a: blame("message") }, ["a", "b"], 200, "b"],
  [
    "refused by fault of the message, at last",
    { a: status(500), b: status(500), c: blame("message") },
    ["a", "b", "c"],
    502,
  ],
  ["not reached", { a: notReached }, ["a", "b"], 200, "b"],
  ["cut off", { a: cutOff, b: cutOff }, ["a", "b", "c"], 200, "c"],
  ["cut off everywhere", { a: cutOff, b: cutOff, c: cutOff }, ["a", "b", "c", "a", "b", "c"], 502],
  ["cut off by the first, then refused", { a: cutOff, b: status(500), c: status(500) }, ["a", "b", "c", "a"], 502],
  ["cut off by the last, then refused", { a: status(500), b: status(500), c: cutOff }, ["a", "b", "c", "c"], 502],
  ["refused by fault of the recipient", { a: status(500), b: blame("recipient") }, ["a", "b"], 422],
  ["refused by fault of the recipient at first", { a: blame("recipient") }, ["a"], 422],
  ["refused by all", { a: status(500), b: status(402), c: blame("account") }, ["a", "b", "c"], 502],
]
for (const [name, answers, expected, status, by] of failovers) {
  test(`a message that is ${name} is answered with ${status} after ${expected.join(", ")}`, async () => {
    const { send, asked } = await route({ ...all, ...answers })
    const { status: told, answer } = await send()
    assert.equal(told, status)
    assert.deepEqual(asked, expected)
    assert.equal(answer.provider, by)
    assert.deepEqual(providersOf(answer), expected)
  })
}

const chosen: [name: string, env: Record<string, string>, recipient: string, asked: string][] = [
  ["the longest digits", { SMS_PROVIDER_49: "b", SMS_PROVIDER_49151: "c" }, "+4915112345678", "c"],
  [
    "shorter digits where the longer ones do not fit",
    { SMS_PROVIDER_49: "b", SMS_PROVIDER_49151: "c" },
    "+4917012345678",
    "b",
  ],
  ["no digits that do not fit", { SMS_PROVIDER_49: "b" }, "+442079460958", "a"],
  ["the country", { SMS_PROVIDER_DE: "b" }, "+4915112345678", "b"],
  ["digits before the country", { SMS_PROVIDER_DE: "b", SMS_PROVIDER_4: "c" }, "+4915112345678", "c"],
  [
    "of one calling code the country that is meant",
    { SMS_PROVIDER_US: "b", SMS_PROVIDER_CA: "c" },
    "+16135550123",
    "c",
  ],
  ["the common one for a country of the same calling code", { SMS_PROVIDER_US: "b" }, "+18765551234", "a"],
  ["the country of a number written another way", { SMS_PROVIDER_GB: "b" }, "+44 (0) 7400 123456", "b"],
  ["the digits of a number written another way", { SMS_PROVIDER_4474: "b" }, "+4407400123456", "b"],
  [
    "the digits of a number with an exit prefix",
    { SMS_PROVIDER_44: "b", DEFAULT_COUNTRY: "US" },
    "011 44 20 7946 0958",
    "b",
  ],
]
for (const [name, env, recipient, expected] of chosen) {
  test(`${name} chooses the route: ${Object.keys(env).join(" ")} for ${recipient}`, async () => {
    const { send, asked } = await route(all, { SMS_PROVIDER: "a", ...env })
    assert.equal((await send(recipient)).status, 200)
    assert.deepEqual(asked, [expected])
  })
}

test("a route for some numbers has its own order", async () => {
  const { send, asked } = await route({ ...all, c: status(500) }, { SMS_PROVIDER_49: "c,b" })
  assert.equal((await send("+4915112345678")).answer.provider, "b")
  assert.deepEqual(asked, ["c", "b"])
})

test("a provider that stands twice in a route does not start", async () => {
  await assert.rejects(route(all, { SMS_PROVIDER: "a,b,a" }), /SMS_PROVIDER is wrong/)
})

test("a provider that does not serve the number's country is passed by without a call", async () => {
  const files = { a: { countries: ["DE", "AT"] } }
  const { send, asked, line } = await route(all, {}, files)
  const { answer } = await send("+12223334444")
  assert.equal(answer.provider, "b")
  assert.deepEqual(asked, ["b"])
  assert.deepEqual(providersOf(answer), ["a", "b"])
  const { code, reason, fault } = line("refused")
  assert.deepEqual([code, reason, fault], ["country", "serves DE, AT", "account"])
  assert.equal((await send("+4915112345678")).answer.provider, "a")
  assert.equal((await send("+436641234567")).answer.provider, "a")
})

test("a country that nobody serves is a 502, and rests nobody", async () => {
  const { send, asked } = await route({ a: () => take() }, {}, { a: { countries: ["IN"] } })
  for (let sent = 0; sent < 4; sent += 1) assert.equal((await send("+12223334444")).status, 502)
  assert.deepEqual(asked, [])
  assert.equal((await send("+919812345678")).status, 200)
})

// ───────────────────────────── Time: the deadline, and second tries ─────────────────────────────

test("attempts share the deadline, and the last may use what is left", async () => {
  const time = standing()
  const silent = { a: time.silence, b: time.silence, c: time.silence }
  const { send, asked } = await route(silent, { DEADLINE: "3s", ATTEMPT_TIMEOUT: "8s" }, {}, time)
  const { status, answer } = await send()
  assert.equal(status, 504)
  assert.deepEqual(asked, ["a", "b", "c"])
  const attempt = { outcome: "timeout", code: "timeout", ms: 1_000 }
  assert.deepEqual(
    answer.attempts,
    asked.map((provider) => ({ provider, ...attempt })),
  )
})

test("an attempt ends after ATTEMPT_TIMEOUT while others are left, and the last one has the rest", async () => {
  const time = standing()
  const { send, events } = await route(
    { a: time.silence, b: time.silence },
    { DEADLINE: "10s", ATTEMPT_TIMEOUT: "1s" },
    {},
    time,
  )
  const { status, answer } = await send()
  assert.equal(status, 504)
  assert.deepEqual(
    (answer.attempts as { ms: number }[]).map(({ ms }) => ms),
    [1_000, 9_000],
  )
  assert.match(String(answer.detail), /may have been sent/)
  for (const { reason } of events().filter(({ event }) => event === "timeout"))
    assert.equal(reason, "it may have been sent")
})

test("a late code is sent by the next", async () => {
  const time = standing()
  const { send } = await route({ a: time.silence, b: () => take() }, { ATTEMPT_TIMEOUT: "1s" }, {}, time)
  const { status, answer } = await send()
  assert.equal(status, 200)
  assert.equal(answer.provider, "b")
})

test("a single provider that keeps silent is asked twice within the deadline, the second time on a new connection", async () => {
  const time = standing()
  const { send, asked, calls } = await route({ a: time.silence }, { DEADLINE: "10s", ATTEMPT_TIMEOUT: "4s" }, {}, time)
  const { status, answer } = await send()
  assert.equal(status, 504)
  assert.deepEqual(asked, ["a", "a"])
  assert.deepEqual(
    (answer.attempts as { ms: number }[]).map(({ ms }) => ms),
    [4_000, 6_000],
  )
  assert.deepEqual(
    calls.map(({ init }) => init.isFresh),
    [false, true],
  )
})

const secondTries: [name: string, first: keyof typeof broken, count: number][] = [
  ["kept silent", "silence", 1],
  ["broke off", "cutOff", 1],
  ["broke off as the last of two", "cutOff", 2],
]
const broken = { silence: (time: ReturnType<typeof standing>) => time.silence, cutOff: () => cutOff }
for (const [name, first, count] of secondTries) {
  test(`a connection that ${name} is tried once more, and the second answer counts`, async () => {
    const time = standing()
    let tries = 0
    const last = () => (tries++ === 0 ? broken[first](time)() : Promise.resolve(take()))
    const { send, asked } = await route(count === 1 ? { a: last } : { b: status(500), a: last }, {}, {}, time)
    const { status: told, answer } = await send()
    assert.equal(told, 200)
    assert.equal(answer.provider, "a")
    assert.deepEqual(asked.slice(-2), ["a", "a"])
    assert.equal((answer.attempts as unknown[]).length, count + 1)
  })
}

test("the last of several that keeps silent is not asked again, and neither is one that refused or was not reached", async () => {
  const time = standing()
  const { send, asked } = await route({ a: status(500), b: time.silence }, {}, {}, time)
  assert.equal((await send()).status, 504)
  assert.deepEqual(asked, ["a", "b"])
  for (const answer of [status(500), status(400), notReached, blame("account")]) {
    const { send, asked } = await route({ a: answer })
    assert.equal((await send()).status, 502)
    assert.deepEqual(asked, ["a"])
  }
})

test("where the deadline has passed there is no second try", async () => {
  const time = standing()
  const { send, asked } = await route({ a: time.silence }, { DEADLINE: "5s", ATTEMPT_TIMEOUT: "8s" }, {}, time)
  assert.equal((await send()).status, 504)
  assert.deepEqual(asked, ["a"])
})

// ───────────────────────────── Rest: who is out of order comes last ─────────────────────────────

test("after three failures in a row a provider rests for 30 s, is probed once, and comes back", async () => {
  let a = status(503)
  const { send, asked, events, time } = await route({ ...all, a: () => a() })
  for (let sent = 0; sent < 5; sent += 1) await send()
  assert.deepEqual(asked.splice(0), ["a", "b", "a", "b", "a", "b", "b", "b"])
  assert.equal(events().filter(({ event }) => event === "resting").length, 1)
  time.pass(29_999)
  await send()
  assert.deepEqual(asked.splice(0), ["b"])
  time.pass(1)
  await send()
  await send()
  assert.deepEqual(asked.splice(0), ["a", "b", "b"])
  time.pass(30_000)
  a = () => take()
  await send()
  await send()
  assert.deepEqual(asked.splice(0), ["a", "a"])
})

test("no step of the wall clock ends or lengthens a rest", async () => {
  const { send, asked, time } = await route({ ...all, a: status(503) })
  for (let sent = 0; sent < 3; sent += 1) await send()
  asked.splice(0)
  time.step(86_400_000)
  await send()
  assert.deepEqual(asked.splice(0), ["b"])
  time.step(-2 * 86_400_000)
  time.pass(30_000)
  await send()
  assert.deepEqual(asked, ["a", "b"])
})

test("while one message probes a provider the others go past it", async () => {
  let a: () => Response | Promise<Response> = status(503)
  const { send, asked, time } = await route({ ...all, a: () => a() })
  for (let sent = 0; sent < 3; sent += 1) await send()
  time.pass(30_000)
  const { promise, resolve } = Promise.withResolvers<Response>()
  a = () => promise
  asked.splice(0)
  const probe = send()
  await until(() => asked.length > 0)
  await send()
  assert.deepEqual(asked, ["a", "b"])
  resolve(take())
  assert.equal((await probe).answer.provider, "a")
})

test("a message that a provider does not serve is no probe of it", async () => {
  let a: () => Response = status(503)
  const files = { a: { countries: ["IN"] } }
  const { send, asked, time } = await route({ a: () => a(), b: () => take() }, {}, files)
  const india = async (n: number) => await send(`+9198765432${10 + n}`)
  for (let sent = 0; sent < 3; sent += 1) await india(sent)
  a = () => take()
  for (let second = 0; second < 40; second += 1) {
    time.pass(1_000)
    await send()
  }
  asked.splice(0)
  await india(4)
  assert.deepEqual(asked, ["a"])
})

test("refusals by fault of account, message or recipient neither count nor reset", async () => {
  for (const fault of ["account", "message", "recipient"]) {
    const answers = [status(503), status(503), blame(fault), status(503), blame(fault)]
    const { send, asked } = await route({ ...all, a: () => (answers.shift() ?? status(503))() })
    for (let sent = 0; sent < 6; sent += 1) await send()
    assert.equal(asked.filter((name) => name === "a").length, 4, fault)
  }
})

const rests: [name: string, answer: Answers[string], isRest: boolean][] = [
  ["a status of 400", status(400), false],
  ["a code that its file does not list", () => Response.json({ code: "new", reason: "?" }, { status: 400 }), false],
  ["a fault of the provider that the file tells without listing the code", blame("provider"), false],
  [
    "a code that its file lists as an outage",
    () => Response.json({ code: "busy", reason: "x" }, { status: 400 }),
    true,
  ],
  ["throttling", status(429), true],
  ["a status of 500", status(500), true],
  ["a connection that breaks", cutOff, true],
  ["a port where nobody listens", notReached, true],
]
for (const [name, answer, isRest] of rests) {
  test(`${name} ${isRest ? "rests" : "does not rest"} a provider`, async () => {
    const files = { a: { faults: { provider: ["busy"] } } }
    const { send, asked, events } = await route({ ...all, a: answer }, {}, files)
    for (let sent = 0; sent < 5; sent += 1) assert.equal((await send()).status, 200)
    assert.equal(asked.filter((name) => name === "a").length, isRest ? 3 : 5)
    assert.equal(events().filter(({ event }) => event === "resting").length, isRest ? 1 : 0)
  })
}

test("an acceptance between two failures starts the count anew", async () => {
  const answers = [status(503), status(503), () => take(), status(503), status(503), () => take()]
  const { send, asked } = await route({ ...all, a: () => (answers.shift() ?? status(503))() })
  for (let sent = 0; sent < 6; sent += 1) assert.equal((await send()).status, 200)
  assert.equal(asked.filter((name) => name === "a").length, 6)
})

test("the last hope is always tried, and among resting providers the order stays", async () => {
  const { send, asked } = await route({ a: status(500), b: status(500), c: status(500) })
  for (let sent = 0; sent < 4; sent += 1) assert.equal((await send()).status, 502)
  assert.deepEqual(asked.slice(-3), ["a", "b", "c"])
})

// ───────────────────────────── Who asks again gets the next provider ─────────────────────────────

const { recipient } = message
const orders: [names: string[], asked: string[]][] = [
  [["a"], ["a", "a", "a"]],
  [
    ["a", "b"],
    ["a", "b", "a", "b"],
  ],
  [
    ["a", "b", "c"],
    ["a", "b", "c", "a"],
  ],
]
for (const [names, expected] of orders) {
  test(`somebody who asks again on a route of ${names.join(", ")} gets ${expected.join(", ")}`, async () => {
    const { send, asked, events } = await route(Object.fromEntries(names.map((name) => [name, () => take()])))
    for (const provider of expected) assert.equal((await send(recipient)).answer.provider, provider)
    assert.deepEqual(asked, expected)
    const again = events().filter(({ event }) => event === "again")
    assert.deepEqual(
      again.map(({ provider }) => provider),
      expected.slice(0, -1),
    )
    for (const { request, recipient } of again) assert.ok(request && recipient === "+1•••4444")
  })
}

test("another spelling of the number asks again as well, and another number does not", async () => {
  const { send, asked } = await route(all, { DEFAULT_COUNTRY: "US" })
  for (const written of ["+12223334444", "(222) 333-4444", "+12223334445", "001 222 333 4444"]) await send(written)
  assert.deepEqual(asked.slice(0, 3), ["a", "b", "a"])
  assert.notEqual(asked[3], "b")
})

test("the window is five minutes or RESEND_WINDOW, counted from the last acceptance", async () => {
  for (const [env, window] of [
    [{}, 300_000],
    [{ RESEND_WINDOW: "1m" }, 60_000],
  ] as const) {
    const { send, asked, time } = await route({ a: () => take(), b: () => take() }, env)
    await send(recipient)
    time.pass(window - 1)
    await send(recipient)
    time.pass(window)
    await send(recipient)
    assert.deepEqual(asked, ["a", "b", "a"])
  }
})

test("with RESEND_WINDOW=off the order never changes, and nothing is logged", async () => {
  const { send, asked, events } = await route(all, { RESEND_WINDOW: "off" })
  for (let sent = 0; sent < 3; sent += 1) await send(recipient)
  assert.deepEqual(asked, ["a", "a", "a"])
  assert.ok(!events().some(({ event }) => event === "again"))
})

test("the provider before is asked after the others, and before one that rests", async () => {
  const { send, asked } = await route({ a: () => take(), b: status(400) })
  for (let sent = 0; sent < 2; sent += 1) assert.equal((await send(recipient)).answer.provider, "a")
  assert.deepEqual(asked, ["a", "b", "a"])
  const resting = await route({ a: () => take(), b: status(503) })
  await resting.send(recipient)
  for (let sent = 0; sent < 4; sent += 1) await resting.send(recipient)
  assert.deepEqual(resting.asked, ["a", "b", "a", "b", "a", "b", "a", "a"])
})

test("who was refused begins with the first provider again", async () => {
  let a = status(500)
  const { send, asked } = await route({ a: () => a(), b: status(500) })
  assert.equal((await send(recipient)).status, 502)
  a = () => take()
  assert.equal((await send(recipient)).answer.provider, "a")
  assert.deepEqual(asked, ["a", "b", "a"])
})

test("a repetition of the same text is a duplicate, and asks nobody", async () => {
  const { post, asked } = await route(all)
  const first = await problem(await post())
  assert.deepEqual(await problem(await post()), first)
  assert.deepEqual(asked, ["a"])
})

// ───────────────────────────── Voice: a route of its own ─────────────────────────────

const voice = { d: { channel: "voice" } as const, e: { channel: "voice" } as const }
const spoken = { ...all, d: () => take(), e: () => take() }
const voiceEnv = { SMS_PROVIDER: "a,b", VOICE_PROVIDER: "d,e", VOICE_PROVIDER_49: "e", LIMIT_VOICE: "off" }

test("VOICE_PROVIDER delivers what is spoken, by numbers and with its own failover", async () => {
  const { send, asked } = await route({ ...spoken, d: status(500) }, voiceEnv, voice)
  assert.equal((await send(undefined, { channel: "voice" })).answer.provider, "e")
  assert.equal((await send("+4915112345678", { channel: "voice" })).answer.provider, "e")
  assert.equal((await send()).answer.provider, "a")
  assert.deepEqual(asked, ["d", "e", "e", "a"])
})

test("who asks again is counted by channel", async () => {
  const { send, asked } = await route(spoken, voiceEnv, voice)
  for (const channel of ["sms", "voice", "sms", "voice"]) await send(recipient, { channel })
  assert.deepEqual(asked, ["a", "d", "b", "e"])
})

test("a route of one channel does not start with a file of the other", async () => {
  await assert.rejects(route(spoken, { SMS_PROVIDER: "a,d" }, voice), /SMS_PROVIDER names d, which speaks/)
  await assert.rejects(
    route(spoken, { SMS_PROVIDER: "a", VOICE_PROVIDER: "d,b" }, voice),
    /VOICE_PROVIDER names b, which sends texts/,
  )
})

test("without VOICE_PROVIDER a call is a 422, and so is one to numbers that have no route", async () => {
  const without = await route(all)
  assert.equal((await without.send(undefined, { channel: "voice" })).answer.code, "unsupported_channel")
  const some = await route(spoken, { SMS_PROVIDER: "a", VOICE_PROVIDER_49: "d" }, voice)
  assert.equal((await some.send("+4915112345678", { channel: "voice" })).status, 200)
  const { status, answer } = await some.send("+12223334444", { channel: "voice" })
  assert.deepEqual([status, answer.code], [422, "unsupported_channel"])
  assert.deepEqual(some.asked, ["d"])
})
