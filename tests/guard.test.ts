import assert from "node:assert/strict"
import { test } from "node:test"
import { type Key, loadFile, type Store, type StoreFile, type World } from "../main.ts"
import {
  accepted,
  blame,
  cutOff,
  message,
  notReached,
  problem,
  providers,
  route,
  standing,
  start,
  status,
  take,
  until,
} from "./lib/world.ts"

/** A gateway whose clock stands still until it is moved, and which sends texts that are never the same twice. */
async function guarded(env: Record<string, string>, answer: Answer = accepted, time = standing()) {
  let count = 0
  const gateway = await start(env, answer, time.world)
  const send = async (recipient = message.recipient, ip?: unknown) => {
    count += 1
    const req = ip === undefined ? {} : { req: { ip } }
    const response = await gateway.post({ ...message, recipient, body: `code ${count}`, ...req })
    return { status: response.status, retryAfter: response.headers.get("retry-after"), ...(await problem(response)) }
  }
  const statuses = async (recipients: string[], ip?: unknown) => {
    const told: number[] = []
    for (const recipient of recipients) told.push((await send(recipient, ip)).status)
    return told
  }
  return { ...gateway, send, statuses, ...time }
}
type Answer = () => Response | Promise<Response>
const same = (count: number, recipient = message.recipient) => Array<string>(count).fill(recipient)
const alike = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `+1222333${String(1000 + from + index)}`)

test("by default a number gets five messages in ten minutes, then 429 with Retry-After", async () => {
  const { send, statuses, pass, calls, events } = await guarded({})
  assert.deepEqual(await statuses(same(5)), [200, 200, 200, 200, 200])
  pass(60_500)
  const refused = await send()
  assert.equal(refused.status, 429)
  assert.equal(refused.retryAfter, "540")
  assert.deepEqual(Object.hasOwn({ ...refused }, "attempts"), false)
  assert.equal(calls.length, 5)
  assert.match(String(events().at(-1)?.reason), /LIMIT_RECIPIENT/)
  assert.equal((await send("+4915112345678")).status, 200)
  pass(539_499)
  assert.equal((await send()).status, 429)
  pass(1)
  assert.equal((await send()).status, 200)
})

test("by default fifty messages in ten minutes go to numbers that differ in four digits", async () => {
  const { statuses, calls } = await guarded({})
  assert.deepEqual(new Set(await statuses(alike(50))), new Set([200]))
  assert.deepEqual(await statuses(alike(2, 50)), [429, 429])
  assert.deepEqual(await statuses(["+12223341234"]), [200])
  assert.equal(calls.length, 51)
})

test("a wider limit is charged only when the narrower passed", async () => {
  const { statuses } = await guarded({ LIMIT_RECIPIENT: "1/10m", LIMIT_PREFIX: "3/10m" })
  assert.deepEqual(await statuses(same(5)), [200, 429, 429, 429, 429])
  assert.deepEqual(await statuses(alike(3)), [200, 200, 429])
})

test("a message that a wider limit refused costs no narrower allowance", async () => {
  const { statuses, pass } = await guarded({ LIMIT_RECIPIENT: "2/1h", LIMIT_TOTAL: "1/1m" })
  assert.deepEqual(await statuses(same(4)), [200, 429, 429, 429])
  pass(60_000)
  assert.deepEqual(await statuses(same(1)), [200])
})

const spellings: [name: string, written: string[], env?: Record<string, string>][] = [
  ["separators", ["+12223334444", "+1 222 333 4444", "+1 (222) 333-4444", "+1.222.333.4444"]],
  ["an exit prefix", ["+442079460958", "0044 20 7946 0958", "00442079460958"]],
  ["a trunk zero behind +", ["+447400123456", "+4407400123456", "+44 (0) 7400 123456"]],
  ["several trunk zeros", ["+4915112345678", "+49015112345678", "+490015112345678", "+49 (0) 0 151 12345678"]],
  ["other digits", ["+966501234567", "+٩٦٦٥٠١٢٣٤٥٦٧", "＋９６６５０１２３４５６７", "+۹۶۶۵۰۱۲۳۴۵۶۷"]],
  ["no + at all", ["+12223334444", "2223334444", "12223334444", "(222) 333-4444"], { DEFAULT_COUNTRY: "US" }],
  [
    "characters that only format",
    ["+12223334444", "\u202a+1 222 333 4444\u202c", "+1\u00ad2223334444", "+1\u200b2223334444"],
  ],
]
for (const [name, written, env] of spellings) {
  test(`a number written with ${name} has one limit`, async () => {
    const { statuses, calls } = await guarded({ LIMIT_RECIPIENT: "1/10m", ...env })
    assert.deepEqual(await statuses(written), [200, ...written.slice(1).map(() => 429)])
    assert.equal(calls.length, 1)
  })

  test(`a text for a number written with ${name} is a duplicate`, async () => {
    const { post, calls } = await start(env)
    for (const recipient of written) assert.equal((await post({ ...message, recipient })).status, 200)
    assert.equal(calls.length, 1)
  })
}

/** One address in each row, as platforms and proxies write it. */
const addresses: [name: string, written: unknown[]][] = [
  ["IPv4", ["192.0.2.1", " 192.0.2.1 ", "192.0.2.1:51234", "192.0.2.1, 10.0.0.1", ["192.0.2.1", "10.0.0.1"]]],
  [
    "IPv4 in IPv6",
    [
      "192.0.2.1",
      "::ffff:192.0.2.1",
      "::FFFF:192.0.2.1",
      "::ffff:c000:201",
      "0:0:0:0:0:ffff:c000:0201",
      "[::ffff:192.0.2.1]:443",
      "64:ff9b::192.0.2.1",
      "64:ff9b::c000:201",
      "192.0.2.1.",
      '"192.0.2.1"',
      "１９２.0.2.1",
      "192.0.002.1",
      "192.0.2.001",
      "3221225985",
      "0xc0000201",
      "0300.0.2.1",
    ],
  ],
  [
    "IPv6",
    ["2001:db8:0:1::1", "2001:DB8:0:1:0:0:0:1", "[2001:db8:0:1::1]", "[2001:db8:0:1::1]:443", ["2001:db8:0:1::1"]],
  ],
  ["one household", ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:0db8:0:1:0:0:0:9", "2001:db8:0:1::1%eth0"]],
  ["the loopback", ["::1", "::2", "0:0:0:0:0:0:0:1"]],
]
const ipEnv = { LIMIT_IP: "1/10m", LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
for (const [name, written] of addresses) {
  test(`LIMIT_IP counts ${name} once, in whatever form it comes`, async () => {
    const { send } = await guarded(ipEnv)
    for (const [index, ip] of written.entries())
      assert.equal((await send(undefined, ip)).status, index === 0 ? 200 : 429, JSON.stringify(ip))
  })
}

test("LIMIT_IP tells different addresses apart, and counts none that cannot be read", async () => {
  const { send } = await guarded(ipEnv)
  const others = ["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.3", "::ffff:c000:204", "2001:db8:0:1::1", "2001:db8:0:2::1"]
  for (const ip of others) assert.equal((await send(undefined, ip)).status, 200, ip)
  for (const ip of ["junk", "", "192.0.2", "192.0.2.256", "::g", "unix", "[]", [], {}, 7, null, undefined])
    for (const _ of "12") assert.equal((await send(undefined, ip)).status, 200, JSON.stringify(ip))
})

test("the end user's address is read as req.ip or as ip, and ip is the nearer", async () => {
  const { post } = await guarded(ipEnv)
  const send = async (more: object, body: string) => (await post({ ...message, body, ...more })).status
  assert.equal(await send({ ip: "192.0.2.1" }, "one"), 200)
  assert.equal(await send({ req: { ip: "192.0.2.1" } }, "two"), 429)
  assert.equal(await send({ ip: "192.0.2.1", req: { ip: "192.0.2.9" } }, "three"), 429)
  assert.equal(await send({ ip: null, req: { ip: "192.0.2.9" } }, "four"), 200)
})

test("LIMIT_TOTAL counts all, and off is off", async () => {
  const { statuses } = await guarded({ LIMIT_TOTAL: "2/1s", LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" })
  assert.deepEqual(await statuses(["+12223334444", "+4915112345678", "+5511912345678"]), [200, 200, 429])
  const { statuses: free } = await guarded({ LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" })
  assert.deepEqual(new Set(await free(same(60))), new Set([200]))
})

test("the allowance is given back where all refused or none was reached, and kept where it may have been sent", async () => {
  const time = standing()
  let answer: Answer = status(500)
  const env = { LIMIT_RECIPIENT: "1/10m", LIMIT_PREFIX: "1/10m", LIMIT_TOTAL: "1/10m", DEADLINE: "1s" }
  const { statuses } = await guarded(env, () => answer(), time)
  assert.deepEqual(await statuses(same(2)), [502, 502])
  answer = notReached
  assert.deepEqual(await statuses(same(2)), [502, 502])
  answer = time.silence
  assert.deepEqual(await statuses(same(2)), [504, 429])
})

for (const [fault, statusOf, isKept] of [
  ["recipient", 422, true],
  ["message", 502, true],
  ["account", 502, false],
  ["provider", 502, false],
] as const) {
  test(`what a provider refuses by fault of the ${fault} ${isKept ? "is counted" : "is given back"}`, async () => {
    const { send, asked } = await route({ a: blame(fault) }, { LIMIT_RECIPIENT: "2/10m" })
    const last = isKept ? 429 : statusOf
    for (const expected of [statusOf, statusOf, last, last])
      assert.equal((await send(message.recipient)).status, expected)
    assert.equal(asked.length, isKept ? 2 : 4)
  })
}

test("one telephone has one count, however its number is written", async () => {
  const pairs = [
    ["+541123456789", "+5491123456789"],
    ["+5511987654321", "+551187654321"],
    ["+24106031234", "+2416031234"],
  ]
  for (const pair of pairs) {
    const { statuses } = await guarded({ LIMIT_RECIPIENT: "1/10m" })
    assert.deepEqual(await statuses(pair), [200, 429], pair.join())
  }
  // Another telephone, though alike.
  const { statuses } = await guarded({ LIMIT_RECIPIENT: "1/10m" })
  assert.deepEqual(await statuses(["+5511932345678", "+551132345678"]), [200, 200])
})

test("a connection that broke keeps the allowance, since the message may have been sent", async () => {
  const { statuses } = await guarded({ LIMIT_RECIPIENT: "1/10m" }, cutOff)
  assert.deepEqual(await statuses(same(2)), [502, 429])
})

test("no step of the wall clock opens or closes a limit", async () => {
  const { statuses, step, pass } = await guarded({ LIMIT_RECIPIENT: "1/10m" })
  assert.deepEqual(await statuses(same(1)), [200])
  step(3_600_000)
  assert.deepEqual(await statuses(same(1)), [429])
  step(-2 * 3_600_000)
  assert.deepEqual(await statuses(same(1)), [429])
  pass(600_000)
  assert.deepEqual(await statuses(same(1)), [200])
})

test("LIMIT_VOICE counts calls alone, and LIMIT_RECIPIENT counts them with the texts", async () => {
  const { load, env, answer } = providers({ a: () => take(), b: () => take() }, { b: { channel: "voice" } })
  const given = { ...env, SMS_PROVIDER: "a", VOICE_PROVIDER: "b", LIMIT_RECIPIENT: "4/10m" }
  const { post } = await start(given, answer, { ...standing().world, load })
  let count = 0
  const send = async (channel: string) => {
    count += 1
    const response = await post({ ...message, body: `code ${count}`, channel })
    return [response.status, String((await problem(response)).detail ?? "").split(" ")[0]]
  }
  for (let sent = 0; sent < 3; sent += 1) assert.deepEqual(await send("voice"), [200, ""])
  assert.deepEqual(await send("voice"), [429, "LIMIT_VOICE"])
  assert.deepEqual(await send("sms"), [200, ""])
  assert.deepEqual(await send("sms"), [429, "LIMIT_RECIPIENT"])
})

/** What a process remembers by itself, as a store file is given it; `watch` sees every take and what is given back. */
async function memory(env: Record<string, string> = {}, answer: Answer = accepted, watch = (_: Store): Store => _) {
  const time = standing()
  let spare: Store | undefined
  const open: StoreFile["open"] = async (_, site) => {
    spare = site.spare
    return watch(site.spare)
  }
  const load: World["load"] = async (path) => (path === "stores/spare" ? { default: { open } } : await loadFile(path))
  const { post } = await start({ STORE: "spare:", ...env }, answer, { ...time.world, load })
  assert.ok(spare)
  return { store: spare, post, ...time }
}
const limit = { name: "LIMIT_RECIPIENT", count: 1, period: 600_000 }

test("a message that was refused leaves no count, whoever refused it", async () => {
  const deny = { DENY_DESTINATIONS: "+1222" }
  const total = { LIMIT_TOTAL: "1/1h", LIMIT_IP: "1/1h" }
  for (const [env, answer] of [
    [deny, accepted],
    [{}, status(500)],
    [{}, notReached],
    [total, accepted],
  ] as const) {
    const counts = new Map<string, number>()
    const count = (name: string, key: Key, by: number) =>
      counts.set(`${name} ${key}`, (counts.get(`${name} ${key}`) ?? 0) + by)
    const watch = (store: Store): Store => ({
      ...store,
      async take(key, limit) {
        const wait = await store.take(key, limit)
        if (wait === 0) count(limit.name, key, 1)
        return wait
      },
      giveBack(key, limit) {
        count(limit.name, key, -1)
        return store.giveBack(key, limit)
      },
    })
    const { post, store } = await memory(env, answer, watch)
    if (env === total) await store.take("all", { name: "LIMIT_TOTAL", count: 1, period: 3_600_000 })
    assert.notEqual((await post({ ...message, ip: "192.0.2.1" })).status, 200)
    assert.equal(counts.size, env === deny ? 0 : env === total ? 3 : 2)
    for (const [key, left] of counts) assert.equal(left, 0, key)
  }
})

test("a count that falls to 0 is deleted, so that 100,000 of them push out none that holds", async () => {
  const { store } = await memory()
  assert.equal(await store.take("kept", limit), 0)
  for (let key = 0; key < 100_001; key += 1) {
    assert.equal(await store.take(key, limit), 0)
    await store.giveBack(key, limit)
  }
  assert.equal(await store.take("kept", limit), 600_000)
})

test("a full memory drops the older half of its counts, not all, and each limit has a memory of its own", async () => {
  const { store } = await memory()
  const other = { name: "LIMIT_IP", count: 1, period: 600_000 }
  assert.equal(await store.take("other", other), 0)
  for (let key = 0; key < 100_001; key += 1) await store.take(key, limit)
  assert.equal(await store.take(50_000, limit), 600_000)
  assert.equal(await store.take(100_000, limit), 600_000)
  assert.equal(await store.take(0, limit), 0)
  assert.equal(await store.take("other", other), 600_000)
})

test("a full memory drops the older half of what it keeps of that time, and nothing is told when it has ended", async () => {
  const { store, pass } = await memory()
  await store.set("long", "before", 900_000)
  for (let key = 0; key < 50_001; key += 1) await store.set(key, key, 300_000)
  assert.equal(await store.get(0), undefined)
  assert.equal(await store.get(25_000), 25_000)
  assert.equal(await store.get("long"), "before")
  pass(299_999)
  assert.equal(await store.get(25_000), 25_000)
  pass(1)
  assert.equal(await store.get(25_000), undefined)
  assert.equal(await store.get("long"), "before")
})

test("what is kept again has its whole time again", async () => {
  const { store, pass } = await memory()
  await store.set("key", 1, 1_000)
  pass(900)
  await store.set("key", 2, 1_000)
  pass(999)
  assert.equal(await store.get("key"), 2)
  pass(1)
  assert.equal(await store.get("key"), undefined)
})

test("what is given back is at most what was taken, and never below nothing", async () => {
  const { store } = await memory()
  const two = { ...limit, count: 2 }
  await store.giveBack("key", two)
  assert.deepEqual([await store.take("key", two), await store.take("key", two)], [0, 0])
  assert.ok(Number(await store.take("key", two)) > 0)
  await store.giveBack("key", two)
  assert.equal(await store.take("key", two), 0)
  assert.ok(Number(await store.take("key", two)) > 0)
})

const destinations: [env: Record<string, string>, recipient: string, status: number][] = [
  [{ ALLOW_DESTINATIONS: "+44,+49" }, "+4915112345678", 200],
  [{ ALLOW_DESTINATIONS: "44,49" }, "+4915112345678", 200],
  [{ ALLOW_DESTINATIONS: "+44,+49" }, "+12223334444", 422],
  [{ DENY_DESTINATIONS: "+4915" }, "+4915112345678", 422],
  [{ DENY_DESTINATIONS: "+4915" }, "+4917012345678", 200],
  [{ ALLOW_DESTINATIONS: "+49", DENY_DESTINATIONS: "+4915" }, "+4915112345678", 422],
  [{ ALLOW_DESTINATIONS: "+49", DENY_DESTINATIONS: "+4915" }, "+4917012345678", 200],
  [{ ALLOW_DESTINATIONS: "+49151", DENY_DESTINATIONS: "+4915" }, "+4915112345678", 200],
  [{ ALLOW_DESTINATIONS: "+4915", DENY_DESTINATIONS: "+4915" }, "+4915112345678", 422],
  [{ ALLOW_DESTINATIONS: "+4", DENY_DESTINATIONS: "+44" }, "+12223334444", 422],
  [{ ALLOW_DESTINATIONS: "US" }, "+12125550100", 200],
  [{ ALLOW_DESTINATIONS: "US" }, "+18765551234", 422],
  [{ ALLOW_DESTINATIONS: "US" }, "+16135550123", 422],
  [{ ALLOW_DESTINATIONS: "US,CA" }, "+16135550123", 200],
  [{ ALLOW_DESTINATIONS: "US, JM" }, "+18765551234", 200],
  [{ ALLOW_DESTINATIONS: "+1", DENY_DESTINATIONS: "JM" }, "+18765551234", 422],
  [{ ALLOW_DESTINATIONS: "+1", DENY_DESTINATIONS: "JM" }, "+12125550100", 200],
  [{ ALLOW_DESTINATIONS: "+1", DENY_DESTINATIONS: "+1876" }, "+18765551234", 422],
  [{ ALLOW_DESTINATIONS: "+1", DENY_DESTINATIONS: "+1876" }, "+118765551234", 422],
  [{ ALLOW_DESTINATIONS: "+1876555", DENY_DESTINATIONS: "JM" }, "+18765551234", 200],
  [{ ALLOW_DESTINATIONS: "US", DENY_DESTINATIONS: "+1" }, "+12125550100", 200],
  [{ ALLOW_DESTINATIONS: "US", DENY_DESTINATIONS: "+1" }, "+18765551234", 422],
  [{ ALLOW_DESTINATIONS: "+1", DENY_DESTINATIONS: "US" }, "+16135550123", 200],
  [{ ALLOW_DESTINATIONS: "US", DENY_DESTINATIONS: "+1900" }, "+19005550100", 422],
  [{ ALLOW_DESTINATIONS: "US" }, "+80012345678", 422],
  [{ DENY_DESTINATIONS: "US" }, "+80012345678", 200],
  [{ ALLOW_DESTINATIONS: "JM", DENY_DESTINATIONS: "JM" }, "+18765551234", 422],
  [{ ALLOW_DESTINATIONS: "GB,DE", DENY_DESTINATIONS: "+4474" }, "+447400123456", 422],
  [{ ALLOW_DESTINATIONS: "GB,DE", DENY_DESTINATIONS: "+4474" }, "+4407400123456", 422],
  [{ ALLOW_DESTINATIONS: "GB,DE", DENY_DESTINATIONS: "+4474" }, "+44 (0) 20 7946 0958", 200],
  [{ ALLOW_DESTINATIONS: "GB" }, "+442079460958", 200],
  [{ ALLOW_DESTINATIONS: "GB" }, "+447911123456", 422],
  [{ ALLOW_DESTINATIONS: "KZ" }, "+77012345678", 200],
  [{ ALLOW_DESTINATIONS: "KZ" }, "+79261234567", 422],
  [{ DENY_DESTINATIONS: "RU" }, "+77012345678", 200],
  [{ DENY_DESTINATIONS: "RU", DEFAULT_COUNTRY: "RU" }, "8 926 123 45 67", 422],
  [{ DENY_DESTINATIONS: "SA" }, "+٩٦٦٥٠١٢٣٤٥٦٧", 422],
]
for (const [env, recipient, status] of destinations) {
  test(`with ${JSON.stringify(env)} ${recipient} is answered with ${status}`, async () => {
    const { send, calls } = await guarded(env)
    const told = await send(recipient)
    assert.equal(told.status, status)
    if (status === 422) assert.equal("code" in told && told.code, "destination_not_allowed")
    assert.equal(calls.length, status === 200 ? 1 : 0)
  })
}

test("GUARD=observe lets through and logs what it would have refused", async () => {
  const { statuses, events } = await guarded({ GUARD: "observe", LIMIT_RECIPIENT: "1/10m", DENY_DESTINATIONS: "DE" })
  assert.deepEqual(await statuses([...same(2), "+4915112345678"]), [200, 200, 200])
  const observed = events().filter(({ event }) => event === "observed")
  assert.deepEqual(
    observed.map(({ code }) => code),
    ["rate_limited", "destination_not_allowed"],
  )
})

test("in production a line at start says what no ALLOW_DESTINATIONS risks", async () => {
  const risk = /without ALLOW_DESTINATIONS/
  const production = { NODE_ENV: "production" }
  assert.ok((await start(production)).lines.some((line) => risk.test(line)))
  assert.ok(!(await start({ ...production, ALLOW_DESTINATIONS: "DE" })).lines.some((line) => risk.test(line)))
})

test("the same message while the first is under way joins it and gets its answer", async () => {
  let release: (response: Response) => void = () => {}
  const { post, calls, events } = await start(
    { LIMIT_RECIPIENT: "1/10m" },
    () => new Promise((resolve) => (release = resolve)),
  )
  const posts = [post(), post(), post({ ...message, recipient: "+1 222 333 4444", sender: "Other" })]
  await until(() => calls.length > 0 && events().filter(({ event }) => event === "received").length === 3)
  release(accepted())
  const answers = await Promise.all(posts)
  const texts = await Promise.all(answers.map((answer) => answer.text()))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  )
  assert.equal(new Set(texts).size, 1)
  assert.equal(calls.length, 1)
})

test("those who joined a failure share it, and the next tries again", async () => {
  let calls = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const { post, events } = await start({}, async () => {
    calls += 1
    await promise
    return new Response(null, { status: 500 })
  })
  const posts = [post(), post()]
  await until(() => calls > 0 && events().filter(({ event }) => event === "received").length === 2)
  resolve()
  const answers = await Promise.all(posts)
  assert.deepEqual(
    answers.map(({ status }) => status),
    [502, 502],
  )
  assert.equal(calls, 1)
  assert.equal((await post()).status, 502)
  assert.equal(calls, 2)
})

for (const [window, ms] of [
  ["15s", 15_000],
  ["1m", 60_000],
] as const) {
  test(`for ${window} after an acceptance the same message gets the first answer and costs nothing`, async () => {
    const time = standing()
    const env = { LIMIT_RECIPIENT: "2/1h", ...(window !== "15s" && { DUPLICATE_WINDOW: window }) }
    const { post, calls } = await start(env, accepted, time.world)
    const first = await (await post()).text()
    for (let sent = 0; sent < 4; sent += 1) assert.equal(await (await post()).text(), first)
    time.pass(ms - 1)
    assert.equal(await (await post()).text(), first)
    assert.equal(calls.length, 1)
    time.pass(1)
    assert.notEqual(await (await post()).text(), first)
    assert.equal(calls.length, 2)
  })
}

test("another number or another text is no duplicate, and with DUPLICATE_WINDOW=off nothing is once it is sent", async () => {
  const { post, calls } = await start()
  await post()
  await post({ ...message, body: `${message.body} ` })
  await post({ ...message, recipient: "+12223334445" })
  assert.equal(calls.length, 3)
  const { post: again, calls: more } = await start({ DUPLICATE_WINDOW: "off" })
  await again()
  await again()
  assert.equal(more.length, 2)
})
