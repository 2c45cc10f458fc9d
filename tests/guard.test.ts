import assert from "node:assert/strict"
import { test } from "node:test"
import { accepted, message, problem, start } from "./world.ts"

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A gateway whose clock stands still until it is moved, and which sends texts that are never the same twice. */
async function guarded(env: Record<string, string>, answer: () => Response | Promise<Response> = accepted) {
  let now = Date.now()
  let count = 0
  const gateway = await start(env, answer, { clock: () => now })
  const send = async (recipient = message.recipient, ip?: string) => {
    count += 1
    const req = ip === undefined ? {} : { req: { ip } }
    const response = await gateway.post({ ...message, recipient, body: `code ${count}`, ...req })
    return { status: response.status, retryAfter: response.headers.get("retry-after"), ...(await problem(response)) }
  }
  const statuses = async (recipients: string[], ip?: string) => {
    const told: number[] = []
    for (const recipient of recipients) told.push((await send(recipient, ip)).status)
    return told
  }
  const pass = (ms: number) => {
    now += ms
  }
  return { ...gateway, send, statuses, pass }
}
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

test("LIMIT_IP counts the end user's address, IPv6 by its /64", async () => {
  const { send } = await guarded({ LIMIT_IP: "1/10m", LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" })
  const tries: [ip: string | undefined, status: number][] = [
    ["192.0.2.1", 200],
    ["192.0.2.1", 429],
    ["::ffff:192.0.2.1", 429],
    ["192.0.2.2", 200],
    ["2001:db8:0:1::1", 200],
    ["2001:db8:0:1:ffff::2", 429],
    ["2001:0DB8::1:0:0:0:9", 429],
    ["2001:db8:0:2::1", 200],
    ["::1", 200],
    ["::2", 429],
    ["junk", 200],
    ["junk", 200],
    [undefined, 200],
    [undefined, 200],
  ]
  for (const [ip, status] of tries) assert.equal((await send(undefined, ip)).status, status, String(ip))
})

test("LIMIT_TOTAL counts all, and off is off", async () => {
  const { statuses } = await guarded({ LIMIT_TOTAL: "2/1s", LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" })
  assert.deepEqual(await statuses(["+12223334444", "+4915112345678", "+5511912345678"]), [200, 200, 429])
  const { statuses: free } = await guarded({ LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" })
  assert.deepEqual(new Set(await free(same(60))), new Set([200]))
})

test("the allowance is given back where all refused or none was reached, and kept where it may have been sent", async () => {
  let answer: () => Response | Promise<Response> = () => new Response(null, { status: 500 })
  const { statuses } = await guarded(
    { LIMIT_RECIPIENT: "1/10m", LIMIT_PREFIX: "1/10m", LIMIT_TOTAL: "1/10m", DEADLINE: "1s" },
    () => answer(),
  )
  assert.deepEqual(await statuses(same(2)), [502, 502])
  answer = () => Promise.reject(Object.assign(new Error("x"), { code: "ECONNREFUSED" }))
  assert.deepEqual(await statuses(same(2)), [502, 502])
  answer = () => new Promise(() => {})
  assert.deepEqual(await statuses(same(2)), [504, 429])
})

const destinations: [env: Record<string, string>, recipient: string, status: number][] = [
  [{ ALLOW_PREFIXES: "44,+49" }, "+4915112345678", 200],
  [{ ALLOW_PREFIXES: "44,+49" }, "+12223334444", 422],
  [{ DENY_PREFIXES: "4915" }, "+4915112345678", 422],
  [{ DENY_PREFIXES: "4915" }, "+4917012345678", 200],
  [{ ALLOW_PREFIXES: "49", DENY_PREFIXES: "4915" }, "+4915112345678", 422],
  [{ ALLOW_PREFIXES: "49", DENY_PREFIXES: "4915" }, "+4917012345678", 200],
  [{ ALLOW_PREFIXES: "49151", DENY_PREFIXES: "4915" }, "+4915112345678", 200],
  [{ ALLOW_PREFIXES: "4915", DENY_PREFIXES: "4915" }, "+4915112345678", 422],
  [{ ALLOW_PREFIXES: "4", DENY_PREFIXES: "44" }, "+12223334444", 422],
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
  const { statuses, events } = await guarded({ GUARD: "observe", LIMIT_RECIPIENT: "1/10m", DENY_PREFIXES: "49" })
  assert.deepEqual(await statuses([...same(2), "+4915112345678"]), [200, 200, 200])
  const observed = events().filter(({ event }) => event === "observed")
  assert.deepEqual(
    observed.map(({ code }) => code),
    ["rate_limited", "destination_not_allowed"],
  )
})

test("in production a line at start says what no ALLOW_PREFIXES risks", async () => {
  const risk = /without ALLOW_PREFIXES/
  assert.ok((await start({ NODE_ENV: "production" })).lines.some((line) => risk.test(line)))
  assert.ok(!(await start({ NODE_ENV: "production", ALLOW_PREFIXES: "49" })).lines.some((line) => risk.test(line)))
})

test("the same message while the first is under way joins it and gets its answer", async () => {
  let release: (response: Response) => void = () => {}
  const { post, calls, events } = await start(
    { LIMIT_RECIPIENT: "1/10m" },
    () => new Promise((resolve) => (release = resolve)),
  )
  const posts = [post(), post(), post({ to: message.recipient, from: "Other", body: message.body })]
  while (events().filter(({ event }) => event === "duplicate").length < 2) await wait(5)
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
  const { post } = await start({}, async () => {
    calls += 1
    await wait(20)
    return new Response(null, { status: 500 })
  })
  const answers = await Promise.all([post(), post()])
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
    let now = Date.now()
    const env = { LIMIT_RECIPIENT: "2/1h", ...(window !== "15s" && { DUPLICATE_WINDOW: window }) }
    const { post, calls } = await start(env, accepted, { clock: () => now })
    const first = await (await post()).text()
    for (let sent = 0; sent < 4; sent += 1) assert.equal(await (await post()).text(), first)
    now += ms - 1
    assert.equal(await (await post()).text(), first)
    assert.equal(calls.length, 1)
    now += 1
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
