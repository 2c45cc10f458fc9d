/** TEST_NUMBERS: a message to one is answered as accepted, and sent to nobody. */
import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { prepare } from "../main.ts"
import clerk from "../providers/platforms/clerk.ts"
import { httpEnv, message, problem, secret, start } from "./lib/world.ts"

const env = { TEST_NUMBERS: "+12015550100, +1201556" }

test("a message to a test number is answered as accepted, by provider test, and nobody is asked", async () => {
  const { post, calls, events } = await start(env)
  const response = await post({ ...message, recipient: "+1 (201) 555-0100" })
  assert.equal(response.status, 200)
  const { id, provider, receipt, attempts, ...rest } = await problem(response)
  assert.match(String(id), /^[\da-f]{8}-/)
  assert.ok(typeof receipt === "string" && receipt !== "")
  assert.deepEqual({ provider, attempts, rest }, { provider: "test", attempts: [], rest: {} })
  assert.equal(calls.length, 0)
  assert.deepEqual(
    events().map(({ event }) => event),
    ["received", "test"],
  )
  assert.deepEqual(events()[1]?.recipient, "+1•••0100")
})

test("a beginning holds for every number that begins so, and for no other", async () => {
  const { post, calls } = await start({ ...env, LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off", DUPLICATE_WINDOW: "off" })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2_015_540_000, max: 2_015_579_999 }), async (national) => {
      const before = calls.length
      const recipient = `+1${national}`
      assert.equal((await post({ ...message, recipient })).status, 200)
      const isTest = recipient === "+12015550100" || recipient.startsWith("+1201556")
      assert.equal(calls.length - before, isTest ? 0 : 1, recipient)
    }),
    { numRuns: 150, examples: [[2_015_550_100], [2_015_550_101], [2_015_560_000], [2_015_569_999], [2_015_570_000]] },
  )
})

test("it counts against no limit, and takes nothing from those of others", async () => {
  const { post, calls } = await start({ ...env, LIMIT_RECIPIENT: "1/10m", LIMIT_TOTAL: "1/10m" })
  for (let sent = 0; sent < 9; sent += 1)
    assert.equal((await post({ ...message, recipient: "+12015550100", body: `code ${sent}` })).status, 200)
  assert.equal(calls.length, 0)
  assert.equal((await post()).status, 200)
  assert.equal((await post({ ...message, body: "another" })).status, 429)
  assert.equal(calls.length, 1)
})

test("it needs a destination as little as a provider that answers", async () => {
  const { post, calls } = await start({ ...env, ALLOW_DESTINATIONS: "DE" }, () => new Response(null, { status: 500 }))
  assert.equal((await post({ ...message, recipient: "+12015560000" })).status, 200)
  assert.equal((await post({ ...message, recipient: "+12015570000" })).status, 422)
  assert.equal(calls.length, 0)
})

test("it needs proof and a message that can be read all the same", async () => {
  const { call, post, calls, events } = await start(env)
  const body = JSON.stringify({ ...message, recipient: "+12015550100" })
  assert.equal((await call({ method: "POST", body })).status, 401)
  for (const wrong of [{ body: "" }, { body: "Your code is {{ code }}" }, { sender: "a name that is far too long" }])
    assert.equal((await post({ ...message, recipient: "+12015550100", ...wrong })).status, 400, JSON.stringify(wrong))
  assert.equal((await post({ ...message, recipient: "+12015550100", channel: "voice" })).status, 422)
  assert.equal(calls.length, 0)
  assert.ok(!events().some(({ event }) => event === "test"))
})

test("the same message again gets the same answer", async () => {
  const { post, line } = await start(env)
  const first = await (await post({ ...message, recipient: "+12015550100" })).text()
  assert.equal(await (await post({ ...message, recipient: "+12015550100" })).text(), first)
  assert.equal(line("duplicate").recipient, "+1•••0100")
})

test("without TEST_NUMBERS no number is one", async () => {
  const { post, calls } = await start()
  assert.equal((await post({ ...message, recipient: "+12015550100" })).status, 200)
  assert.equal(calls.length, 1)
})

test("in production the start warns, and elsewhere it does not", async () => {
  const warningsOf = async (more: Record<string, string>) => {
    const world = { env: { GATEWAY_SECRET: secret, ...httpEnv, ...more }, fetch, clock: Date.now, print: () => {} }
    return (await prepare(world, true)).warnings.filter((text) => text.startsWith("TEST_NUMBERS"))
  }
  const production = { NODE_ENV: "production", ALLOW_DESTINATIONS: "US" }
  assert.deepEqual(await warningsOf({ ...production, ...env }), [
    "TEST_NUMBERS: messages to these numbers are answered as accepted, and nobody gets them",
  ])
  assert.deepEqual(await warningsOf(production), [])
  assert.deepEqual(await warningsOf(env), [])
})

test("what Clerk's steps suggest holds Clerk's test numbers of an area, and no other", async () => {
  const setup = clerk.setup("https://sms.example.com/clerk")
  const [, TEST_NUMBERS = ""] = /TEST_NUMBERS=(\+\d+)/.exec(setup) ?? []
  assert.match(setup, /424242/)
  const { post, calls } = await start({ TEST_NUMBERS })
  for (const recipient of ["+12015550100", "+12015550199"]) await post({ ...message, recipient })
  assert.equal(calls.length, 0)
  for (const recipient of ["+12015550200", "+12015550099"]) await post({ ...message, recipient })
  assert.equal(calls.length, 2)
})
