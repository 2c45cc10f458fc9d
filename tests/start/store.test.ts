import assert from "node:assert/strict"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { after, test } from "node:test"
import type { World } from "../../main.ts"
import { copy, patient, serving } from "../lib/process.ts"
import { whySkipped } from "../lib/programs.ts"
import { accepted, message, secret, sign, standing, start, until } from "../lib/world.ts"

const options = { timeout: 60_000, skip: whySkipped("redis-server") }

const servers = new Set<ChildProcess>()
after(() => {
  for (const server of servers) if (server.pid) process.kill(server.pid, "SIGKILL")
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
    assert.match(gateway.stdout(), /"store_away"/)
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
