import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { copy, patient, provider, serving, until } from "../lib/process.ts"
import { whySkipped } from "../lib/programs.ts"

const slow = { timeout: 120_000 }
const token = "a-token-of-more-than-32-characters-01234"
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A provider's file that calls `<NAME>_URL` and takes every 200 as an acceptance. */
const file = `export default {
  docs: "https://example.com/",
  env: {},
  request: (message, _, { url }) => new Request(url, { method: "POST", body: message.recipient }),
  receipt: ({ status }) => (status === 200 ? { id: "x-1" } : { code: status }),
}`
const files = { "providers/lost.ts": file, "providers/good.ts": file }

/** A gateway of two providers; whoever gets a text from \`lost\` asks again, since nothing arrives. */
async function learning(store: string, url: string, folder: string) {
  const gateway = await serving(
    {
      SMS_PROVIDER: "lost,good",
      ROUTING: "adaptive",
      LOST_URL: url,
      GOOD_URL: url,
      STORE: store,
      GATEWAY_TOKEN: token,
      LIMIT_PREFIX: "off",
      ...patient,
    },
    folder,
  )
  let count = 0
  const post = async (recipient: string) => {
    count += 1
    const headers = { authorization: `Bearer ${token}` }
    const body = JSON.stringify({ recipient, body: `code ${gateway.url} ${count}`, sender: "" })
    const response = await fetch(gateway.url, { method: "POST", headers, body })
    assert.equal(response.status, 200)
    return ((await response.json()) as { provider: string }).provider
  }
  /** Sends to so many numbers that nobody sent to before, and gives how many got a text that arrived at once. */
  const send = async (from: number, numbers: number) => {
    let arrived = 0
    for (let at = from; at < from + numbers; at += 1) {
      const recipient = `+1222333${at}`
      if ((await post(recipient)) === "good") arrived += 1
      else await post(recipient)
    }
    return arrived
  }
  const stop = async () => {
    gateway.kill("SIGTERM")
    assert.equal(await gateway.ended, 0)
  }
  return { send, stop, stdout: gateway.stdout }
}

/** One learns, another one knows it, and so does one that is started after both have ended. */
async function prove(store: string) {
  const { url, close } = await provider((_, response) => response.end("{}"))
  await copy(files, async (folder) => {
    const one = await learning(store, url, folder)
    const two = await learning(store, url, folder)
    await one.send(1_000, 60)
    await until(one.stdout, /"event":"routed".*"reason":"good lately in US: .*lost 0 of \d+/)
    // Each tells the store and asks it every two seconds.
    await wait(6_000)
    const arrived = await two.send(2_000, 30)
    assert.ok(arrived > 20, `${arrived} of 30 by the other instance`)
    await one.stop()
    await two.stop()
    const anew = await learning(store, url, folder)
    const after = await anew.send(3_000, 30)
    assert.ok(after > 20, `${after} of 30 after a restart`)
    await anew.stop()
  })
  close()
}

test("two instances on one file of SQLite share what they learn, and a restart remembers", slow, async () => {
  const folder = mkdtempSync(join(tmpdir(), "smstask-"))
  await prove(`sqlite:${folder}/learned.db`)
  rmSync(folder, { recursive: true })
})

const servers = new Set<ChildProcess>()
after(() => {
  for (const server of servers) if (server.pid) process.kill(server.pid, "SIGKILL")
})

const options = { ...slow, skip: whySkipped("redis-server") }
test("two instances on one Redis share what they learn, and a restart remembers", options, async () => {
  const probe = createServer().listen(0, "127.0.0.1")
  await once(probe, "listening")
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, "close")
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  const redis = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] })
  servers.add(redis)
  let output = ""
  redis.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
  for (let waited = 0; !/Ready to accept connections/.test(output); waited += 20) {
    assert.ok(waited < 10_000, output)
    await wait(20)
  }
  await prove(`valkey://127.0.0.1:${port}`)
  servers.delete(redis)
  process.kill(redis.pid ?? 0, "SIGKILL")
})
