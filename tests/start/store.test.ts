import assert from "node:assert/strict"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import type { World } from "../../main.ts"
import { copy, patient, provider, root, until as seen, serving } from "../lib/process.ts"
import { whySkipped } from "../lib/programs.ts"
import { accepted, httpEnv, message, secret, sign, standing, start, until } from "../lib/world.ts"

const options = { timeout: 60_000, skip: whySkipped("redis-server") }

const slow = { timeout: 60_000 }
const token = "a-token-of-more-than-32-characters-01234"

const servers = new Set<ChildProcess>()
after(() => {
  for (const server of servers) server.kill("SIGKILL")
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** A redis-server on a port of its own, with nothing on disk. */
async function redis(port: number) {
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] })
  servers.add(child)
  let output = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text
  })
  for (let waited = 0; !/Ready to accept connections/.test(output); waited += 20) {
    assert.ok(waited < 10_000, output)
    await wait(20)
  }
  const signal = (name: NodeJS.Signals) => process.kill(child.pid ?? 0, name)
  const stop = async () => {
    const ended = once(child, "exit")
    servers.delete(child)
    signal("SIGKILL")
    await ended
  }
  return { stop, signal }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * An instance of a gateway on the store; `send` posts a text that is never the same twice and gives the status. Its clocks
 * stand, so that no store is slow, and what waited for a timer would never be answered.
 */
async function instance(
  port: number,
  env: Record<string, string> = {},
  answer = accepted,
  clocks: Partial<World> = standing().world,
) {
  const stopping = new AbortController()
  const world = { ...clocks, stopping: stopping.signal }
  const gateway = await start({ STORE: `redis://127.0.0.1:${port}`, ...env }, answer, world)
  let count = 0
  const send = async (recipient = message.recipient) => {
    count += 1
    return (await gateway.post({ ...message, recipient, body: `${port} code ${count} ${Math.random()}` })).status
  }
  return { ...gateway, send, stop: () => stopping.abort() }
}

test(
  "two instances share limits and accepted duplicates, and keep neither number nor text in the store",
  options,
  async () => {
    const port = await freePort()
    const { stop } = await redis(port)
    const [one, two] = [
      await instance(port, { LIMIT_RECIPIENT: "3/10m" }),
      await instance(port, { LIMIT_RECIPIENT: "3/10m" }),
    ]
    const first = await (await one.post()).text()
    assert.equal(await (await two.post()).text(), first)
    assert.equal(one.calls.length + two.calls.length, 1)
    assert.ok(two.events().some(({ event }) => event === "duplicate"))
    assert.equal(await two.send(), 200)
    assert.equal(await one.send(), 200)
    assert.equal(await two.send(), 429)
    assert.equal(await one.send(), 429)
    const dump = spawnSync("redis-cli", ["-p", String(port), "--scan"], { encoding: "utf8" }).stdout
    assert.match(dump, /smstask:LIMIT_RECIPIENT:/)
    const values = spawnSync("redis-cli", ["-p", String(port), "mget", ...dump.trim().split("\n")], {
      encoding: "utf8",
    }).stdout
    for (const word of ["2223334444", "326162", message.body]) assert.ok(!`${dump}${values}`.includes(word), word)
    one.stop()
    two.stop()
    await stop()
  },
)

test(
  "two instances share each window of a limit, and what one window refuses the other has back",
  options,
  async () => {
    const port = await freePort()
    const { stop } = await redis(port)
    const env = { LIMIT_RECIPIENT: "5/10m,2/1h", LIMIT_PREFIX: "off" }
    const one = await instance(port, env)
    const two = await instance(port, env)
    const statuses = [await one.send(), await two.send(), await one.send(), await two.send()]
    assert.deepEqual(statuses, [200, 200, 429, 429])
    const cli = (...args: string[]) =>
      spawnSync("redis-cli", ["-p", String(port), ...args], { encoding: "utf8" }).stdout.trim()
    const keys = cli("--scan", "--pattern", "smstask:LIMIT_RECIPIENT:*").split("\n")
    const short = keys.find((key) => key.startsWith("smstask:LIMIT_RECIPIENT:600000:")) ?? ""
    assert.equal(keys.length, 2, keys.join())
    assert.equal(cli("get", short), "2")
    one.stop()
    two.stop()
    await stop()
  },
)

test("an allowance that is given back is given back to all", options, async () => {
  const port = await freePort()
  const { stop } = await redis(port)
  const env = { LIMIT_RECIPIENT: "1/10m" }
  const one = await instance(port, env, () => new Response(null, { status: 500 }))
  const two = await instance(port, env)
  assert.equal((await one.post()).status, 502)
  assert.equal(await two.send(), 200)
  assert.equal(await two.send(), 429)
  one.stop()
  two.stop()
  await stop()
})

test("while the store is away limits count in memory, with one warning and one all-clear", options, async () => {
  const port = await freePort()
  const first = await redis(port)
  const time = standing()
  const gateway = await instance(port, { LIMIT_RECIPIENT: "4/10m", LIMIT_PREFIX: "off" }, accepted, time.world)
  const count = (event: string) => gateway.events().filter((line) => line.event === event).length
  assert.equal(await gateway.send(), 200)
  await first.stop()
  // The memory knows of the first, which the store counted.
  for (const expected of [200, 200, 200, 429]) assert.equal(await gateway.send(), expected)
  assert.equal(count("store_away"), 1)
  const second = await redis(port)
  for (let tries = 0; tries < 100 && count("store_back") === 0; tries += 1) {
    await wait(100)
    time.pass(1_000)
    assert.equal(await gateway.send(`+49151123456${tries + 10}`), 200)
  }
  assert.equal(count("store_back"), 1)
  assert.equal(count("store_away"), 1)
  gateway.stop()
  await second.stop()
})

test("a store that hangs costs a message at most 250 ms, once a second", options, async () => {
  const port = await freePort()
  const { stop, signal } = await redis(port)
  const time = standing()
  let asked = 0
  const after: World["after"] = (milliseconds, run) => {
    if (milliseconds === 250) asked += 1
    return time.world.after(milliseconds, run)
  }
  const env = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
  const gateway = await instance(port, env, accepted, { ...time.world, after })
  assert.equal(await gateway.send(), 200)
  signal("SIGSTOP")
  for (let seconds = 0; seconds < 2; seconds += 1) {
    const before = asked
    const slow = gateway.send()
    await until(() => asked > before)
    time.pass(250)
    assert.equal(await slow, 200)
    for (let sent = 0; sent < 5; sent += 1) assert.equal(await gateway.send(), 200)
    assert.equal(asked, before + 1)
    time.pass(1_000)
  }
  signal("SIGCONT")
  assert.equal(await gateway.send(), 200)
  assert.ok(gateway.events().some(({ event }) => event === "store_back"))
  gateway.stop()
  await stop()
})

test("a store that was never there keeps no gateway from starting, serving and stopping", options, async () => {
  const port = await freePort()
  await copy({}, async (folder) => {
    const gateway = await serving({ GATEWAY_SECRET: secret, STORE: `redis://127.0.0.1:${port}`, ...patient }, folder)
    const headers = { authorization: `Bearer ${await sign()}` }
    const response = await fetch(gateway.url, { method: "POST", headers, body: JSON.stringify(message) })
    assert.equal(response.status, 200)
    await seen(
      gateway.stdout,
      /"store_away","reason":"nothing listens there; limits and duplicates are kept in memory"/,
    )
    gateway.kill("SIGTERM")
    assert.equal(await gateway.ended, 0)
  })
})

test("a gateway on a store stops when it is told to", options, async () => {
  const port = await freePort()
  const { stop } = await redis(port)
  await copy({}, async (folder) => {
    const gateway = await serving({ GATEWAY_SECRET: secret, STORE: `redis://127.0.0.1:${port}`, ...patient }, folder)
    const headers = { authorization: `Bearer ${await sign()}` }
    assert.equal((await fetch(gateway.url, { method: "POST", headers, body: JSON.stringify(message) })).status, 200)
    const clients = spawnSync("redis-cli", ["-p", String(port), "client", "list"], { encoding: "utf8" }).stdout
    assert.equal(clients.trim().split("\n").length, 2, "the gateway and redis-cli are connected")
    gateway.kill("SIGTERM")
    assert.equal(await gateway.ended, 0)
  })
  await stop()
})

test("a URL that cannot be read names STORE, and nothing of it", options, async () => {
  for (const url of ["redis://:p%zz-canary@h", "redis://user:canary%@h:6379", "redis://canary:canary@h:port"]) {
    const told = await start({ STORE: url }).catch((error: Error) => error.message)
    assert.match(String(told), /STORE is wrong: /, url)
    assert.doesNotMatch(String(told), /canary|%zz/)
  }
})

test(
  "what is refused uses nothing up, and what is given back after a window's end begins none below zero",
  options,
  async () => {
    const port = await freePort()
    const { stop } = await redis(port)
    const free = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
    const flood = await instance(port, { ...free, LIMIT_TOTAL: "3/1h" })
    const many = await Promise.all(Array.from({ length: 10 }, () => flood.send()))
    assert.equal(many.filter((status) => status === 200).length, 3)
    const cli = (...args: string[]) =>
      spawnSync("redis-cli", ["-p", String(port), ...args], { encoding: "utf8" }).stdout
    const [count = ""] = cli("--scan", "--pattern", "*LIMIT_TOTAL*").trim().split("\n")
    assert.equal(cli("get", count).trim(), "3")
    // The window ends while a message is in flight that then fails.
    const failing = await instance(port, { ...free, LIMIT_TOTAL: "3/2h" }, () => {
      cli("flushall")
      return new Response("{}", { status: 400 })
    })
    assert.equal(await failing.send(), 502)
    assert.equal(cli("--scan", "--pattern", "*LIMIT_TOTAL*").trim(), "")
    for (const { stop } of [flood, failing]) stop()
    await stop()
  },
)

test("what is accepted while the store is away or there is known when it is back or gone", options, async () => {
  const port = await freePort()
  const first = await redis(port)
  const time = standing()
  const gateway = await instance(port, {}, accepted, time.world)
  const post = async (body: string) => (await gateway.post({ ...message, body })).status
  assert.equal(await post("code 1"), 200)
  await first.stop()
  assert.equal(await post("code 1"), 200)
  assert.equal(gateway.calls.length, 1, "accepted while there, repeated while away")
  assert.equal(await post("code 2"), 200)
  const second = await redis(port)
  time.pass(1_000)
  assert.equal(await post("code 2"), 200)
  assert.equal(gateway.calls.length, 2, "accepted while away, repeated when it is back")
  gateway.stop()
  await second.stop()
})

test(
  "what another wrote into the store counts as absent, sends the store nowhere, and reaches no log",
  options,
  async () => {
    const port = await freePort()
    const { stop } = await redis(port)
    const cli = (...args: string[]) =>
      spawnSync("redis-cli", ["-p", String(port), ...args], { encoding: "utf8" }).stdout
    const env = { LIMIT_RECIPIENT: "3/10m", RESEND_WINDOW: "5m" }
    const poisons: [what: string, poison: (key: string) => void][] = [
      ["text that is no JSON", (key) => cli("set", key, "\u001b[2Jcanary\nline")],
      ["another text", (key) => cli("set", key, '"\u001b[2Jcanary"')],
      ["another provider", (key) => cli("set", key, '{"id":"canary","provider":"canary","receipt":"","attempts":[]}')],
      ["a megabyte", (key) => cli("eval", `return redis.call("set", KEYS[1], string.rep("canary", 200000))`, "1", key)],
      ["a list", (key) => cli("del", key) + cli("rpush", key, "canary")],
      ["a number", (key) => cli("set", key, "7")],
    ]
    for (const [what, poison] of poisons) {
      cli("flushall")
      const gateway = await instance(port, env)
      assert.equal((await gateway.post()).status, 200, what)
      const keys = cli("--scan").trim().split("\n")
      assert.ok(keys.length >= 3, keys.join())
      const counts = keys.filter((key) => key.includes("LIMIT_"))
      for (const key of keys.filter((key) => !counts.includes(key) || what !== "a number")) poison(key)
      // To another instance what the store has of the message is nothing that can be read.
      const other = await instance(port, env)
      assert.equal((await other.post()).status, 200, what)
      assert.equal(other.calls.length, 1, what)
      // Its counts begin anew, and hold.
      const statuses = [await other.send(), await other.send(), await other.send()]
      assert.ok(statuses.includes(429), `${what}: ${statuses}`)
      for (const { lines, stop } of [gateway, other]) {
        assert.doesNotMatch(lines.join("\n"), /canary|store_away/, what)
        stop()
      }
    }
    await stop()
  },
)

const deno = `${root}tests/node_modules/.bin/deno`

/** What a process writes, as it comes. */
function outputOf({ stdout, stderr }: ChildProcess): () => string {
  let text = ""
  for (const stream of [stdout, stderr]) stream?.setEncoding("utf8").on("data", (part: string) => (text += part))
  return () => text
}

/** Waits for a pattern in what a process writes. */
async function written(output: () => string, pattern: RegExp): Promise<RegExpExecArray> {
  for (let waited = 0; waited < 30_000; waited += 20) {
    const found = pattern.exec(output())
    if (found) return found
    await wait(20)
  }
  throw new Error(`${pattern} did not come up in: ${output()}`)
}

/** A gateway on Deno, which alone has this store. */
async function onDeno(env: Record<string, string>) {
  const flags = ["run", "--no-prompt", "--unstable-kv", "--allow-net", "--allow-env", "--allow-read", "--allow-write"]
  const own = { PORT: "0", HOST: "127.0.0.1", LOG_FORMAT: "json", NO_COLOR: "1" }
  const child = spawn(deno, [...flags, `${root}main.ts`], { env: { ...process.env, ...own, ...env }, cwd: root })
  servers.add(child)
  const output = outputOf(child)
  const [, url = ""] = await written(output, /"address":"([^"]+)"/)
  const stop = async () => {
    const ended = once(child, "exit")
    servers.delete(child)
    process.kill(child.pid ?? 0, "SIGKILL")
    await ended
  }
  return { url, output, stop }
}

for (const instances of [1, 2])
  test(`deno-kv: of 300 messages at once a limit of 20 lets 20 through, ${instances} at the store`, slow, async () => {
    const folder = mkdtempSync(join(tmpdir(), "smstask-"))
    let calls = 0
    const { url, close } = await provider((_, response) => {
      calls += 1
      response.end('{"id":"m-1"}')
    })
    const env = {
      ...httpEnv,
      HTTP_URL: `${url}/send`,
      GATEWAY_TOKEN: token,
      STORE: `deno-kv:${folder}/kv`,
      LIMIT_TOTAL: "20/10m",
      LIMIT_RECIPIENT: "off",
      LIMIT_PREFIX: "off",
    }
    const gateways = [await onDeno(env)]
    if (instances === 2) gateways.push(await onDeno(env))
    const headers = { authorization: `Bearer ${token}` }
    const send = async (at: number) => {
      const body = JSON.stringify({ ...message, recipient: `+1222333${4_000 + at}`, body: `code ${at}` })
      const { url = "" } = gateways[at % instances] ?? {}
      const response = await fetch(url, { method: "POST", headers, body })
      await response.arrayBuffer()
      return response.status
    }
    const statuses = await Promise.all(Array.from({ length: 300 }, (_, at) => send(at)))
    const through = statuses.filter((status) => status === 200).length
    assert.equal(statuses.filter((status) => status === 429).length, 300 - through)
    assert.equal(calls, through)
    // Where a machine is so busy that the store answers nothing for a while, each of them counts for itself.
    const isAway = gateways.some(({ output }) => output().includes("store_away"))
    assert.ok(through === 20 || (isAway && through <= 20 * instances), `${through} of 20`)
    for (const gateway of gateways) await gateway.stop()
    close()
    rmSync(folder, { recursive: true })
  })

/** Counts 150 at once where no answer is too late, when a line of standard input says so; prints how many were let through. */
const counting = `
  import store from ${JSON.stringify(`file://${root}providers/stores/deno-kv.ts`)}
  const after = () => () => {}
  const spare = { take: () => 0, giveBack() {}, get() {}, set() {} }
  const site = { monotonic: () => performance.now(), after, spare, hash: String, log: console.error }
  const { take } = await store.open("deno-kv:" + Deno.args[0], site)
  console.log("ready")
  await Deno.stdin.read(new Uint8Array(8))
  const limit = { name: "LIMIT_TOTAL", count: 20, period: 600_000 }
  const waits = await Promise.all(Array.from({ length: 150 }, () => take("all", limit)))
  const apart = await take("all", { ...limit, period: 60_000 })
  console.log("through " + waits.filter((wait) => wait === 0).length + ", another period waits " + apart)
  Deno.exit()
`
test("deno-kv: of 300 at once in two processes a limit of 20 lets 20 through", slow, async () => {
  const folder = mkdtempSync(join(tmpdir(), "smstask-"))
  const open = () => {
    const child = spawn(deno, ["eval", "--unstable-kv", "--ext=ts", counting, `${folder}/kv`], { cwd: root })
    servers.add(child)
    const output = outputOf(child)
    return { child, output }
  }
  const processes = [open(), open()]
  for (const { output } of processes) await written(output, /ready/)
  for (const { child } of processes) child.stdin.write("go\n")
  const counts: number[] = []
  for (const { child, output } of processes) {
    counts.push(Number((await written(output, /through (\d+), another period waits 0\n/))[1]))
    servers.delete(child)
  }
  assert.equal(
    counts.reduce((sum, count) => sum + count),
    20,
    counts.join(),
  )
  rmSync(folder, { recursive: true })
})
