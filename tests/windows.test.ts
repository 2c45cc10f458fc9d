/** Limits as lists: LIMIT_RECIPIENT=1/30s,5/10m. Each window counts by itself, and the first that is used up refuses. */
import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { loadFile, type World } from "../main.ts"
import { withSpare } from "../providers/parts/store.ts"
import { accepted, message, standing, start, status } from "./lib/world.ts"

const off = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }

/** A gateway whose clock stands until it is moved, and which sends texts that are never the same twice. */
async function guarded(env: Record<string, string>, answer: () => Response = accepted, rest: Partial<World> = {}) {
  const time = standing()
  const gateway = await start({ ...off, ...env }, answer, { ...time.world, ...rest })
  let count = 0
  const send = async (more: object = {}) => {
    count += 1
    const response = await gateway.post({ ...message, body: `code ${count}`, ...more })
    return [response.status, response.headers.get("retry-after")]
  }
  return { ...gateway, send, pass: time.pass }
}

test("each window counts, and the first that is used up refuses, with its Retry-After", async () => {
  const { send, pass, calls, line } = await guarded({ LIMIT_RECIPIENT: "1/30s,3/10m" })
  for (let sent = 0; sent < 3; sent += 1) {
    assert.deepEqual(await send(), [200, null])
    assert.deepEqual(await send(), [429, "30"])
    pass(30_000)
  }
  assert.deepEqual(await send(), [429, "510"])
  assert.equal(line("rejected").reason, "LIMIT_RECIPIENT is used up")
  pass(510_000)
  assert.deepEqual(await send(), [200, null])
  assert.equal(calls.length, 4)
})

test("a message that one window refuses costs the others nothing, in whatever order they are written", async () => {
  for (const list of ["1/30s,3/10m", "3/10m,1/30s", " 3/10m , 1/30s "]) {
    const { send, pass } = await guarded({ LIMIT_RECIPIENT: list })
    const statuses: unknown[] = []
    for (let sent = 0; sent < 3; sent += 1) {
      for (const _ of "1234") statuses.push((await send())[0])
      pass(30_000)
    }
    assert.deepEqual(statuses, [200, 429, 429, 429, 200, 429, 429, 429, 200, 429, 429, 429], list)
    assert.equal((await send())[0], 429, list)
  }
})

test("a provider's outage gives back every window", async () => {
  const { send, calls } = await guarded({ LIMIT_RECIPIENT: "1/30s,2/10m" }, status(500))
  for (let sent = 0; sent < 4; sent += 1) assert.equal((await send())[0], 502)
  assert.equal(calls.length, 4)
})

test("every limit takes a list", async () => {
  const lists: [env: Record<string, string>, more: object][] = [
    [{ LIMIT_RECIPIENT: "1/30s,9/1h" }, {}],
    [{ LIMIT_PREFIX: "1/30s,9/1h" }, {}],
    [{ LIMIT_IP: "1/30s,9/1h" }, { ip: "192.0.2.1" }],
    [{ LIMIT_TOTAL: "1/30s,9/1h" }, {}],
    [{ LIMIT_VOICE: "1/30s,9/1h", VOICE_PROVIDER: "http" }, { channel: "voice" }],
  ]
  const voice: World["load"] = async (path) => {
    const file = await loadFile(path)
    return path === "http" ? { default: { ...Object(file.default), channel: "voice" } } : file
  }
  for (const [env, more] of lists) {
    const isVoice = "VOICE_PROVIDER" in env
    const rest = isVoice ? { load: voice } : {}
    const { send, pass, calls } = await guarded(isVoice ? { ...env, SMS_PROVIDER: "console" } : env, accepted, rest)
    const name = JSON.stringify(env)
    assert.deepEqual(await send(more), [200, null], name)
    assert.deepEqual(await send(more), [429, "30"], name)
    pass(30_000)
    assert.deepEqual(await send(more), [200, null], name)
    assert.equal(calls.length, 2, name)
  }
})

test("whatever the windows and the pauses are, no window ever lets more through, and one that is free never refuses", async () => {
  const window = fc.record({ count: fc.integer({ min: 1, max: 4 }), seconds: fc.integer({ min: 1, max: 60 }) })
  const windows = fc.uniqueArray(window, { minLength: 1, maxLength: 3, selector: ({ seconds }) => seconds })
  const pauses = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 25 })
  await fc.assert(
    fc.asyncProperty(windows, pauses, async (windows, pauses) => {
      const list = windows.map(({ count, seconds }) => `${count}/${seconds}s`).join()
      const { send, pass, calls } = await guarded({ LIMIT_RECIPIENT: list })
      // A plain model: a window begins with the first message that it is asked about after its end.
      const model = windows.map((one) => ({ ...one, used: 0, ends: 0 }))
      let now = 0
      let sent = 0
      for (const pause of pauses) {
        const asked: typeof model = []
        let isFree = true
        for (const one of model) {
          if (!isFree) break
          if (now >= one.ends) Object.assign(one, { used: 0, ends: now + one.seconds })
          isFree = one.used < one.count
          if (isFree) asked.push(one)
        }
        if (isFree) for (const one of asked) one.used += 1
        sent += Number(isFree)
        assert.equal((await send())[0], isFree ? 200 : 429, `${list} at ${now} s`)
        now += pause
        pass(pause * 1_000)
      }
      assert.equal(calls.length, sent)
    }),
    { numRuns: 60 },
  )
})

test("a store is asked for each window by its period, and the memory in its place counts them apart, too", async () => {
  const asked: string[] = []
  const open = async (_: string, site: Parameters<typeof withSpare>[1]) =>
    withSpare(
      {
        take: async (_, { name, count, period }) => {
          asked.push(`${name} ${count}/${period}`)
          throw new Error("AWAY")
        },
        giveBack: async () => {},
        get: async () => undefined,
        set: async () => {},
        add: async () => 0,
      },
      site,
    )
  const load: World["load"] = async (path) => (path === "stores/away" ? { default: { open } } : await loadFile(path))
  const { send, calls } = await guarded({ STORE: "away:", LIMIT_RECIPIENT: "2/30s,1/10m" }, accepted, { load })
  assert.deepEqual(await send(), [200, null])
  assert.deepEqual(await send(), [429, "600"])
  assert.equal(calls.length, 1)
  assert.equal(asked[0], "LIMIT_RECIPIENT 2/30000")
})
