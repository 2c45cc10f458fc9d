import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { after, test } from "node:test"
import type { Limit, Store, StoreSite } from "../../main.ts"
import file from "../../providers/stores/sqlite.ts"
import { copy, patient, root, run, serving } from "../lib/process.ts"
import { accepted, httpEnv, message, secret, sign, standing, start, until } from "../lib/world.ts"

const slow = { timeout: 60_000 }
const folders: string[] = []
const children = new Set<ChildProcess>()
after(() => {
  for (const child of children) child.kill("SIGKILL")
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "smstask-"))
  folders.push(folder)
  return `${folder}/limits.db`
}

/** The store by itself. Whatever it leaves to the memory in its place is an error. */
async function open(path: string): Promise<Store> {
  const away = () => {
    throw new Error("the store is away")
  }
  const site: StoreSite = {
    ...standing().world,
    spare: { take: () => 0, giveBack() {}, get: () => undefined, set() {}, add: away },
    hash: String,
    log: (_, event) => assert.fail(event),
  }
  return await file.open(`sqlite:${path}`, site)
}

const limit: Limit = { name: "LIMIT_TOTAL", count: 3, period: 60_000 }

test("a window lets through what it says, tells how long to wait, and takes back what was given", async () => {
  const { take, giveBack } = await open(newFile())
  for (let taken = 0; taken < 3; taken += 1) assert.equal(await take("all", limit), 0)
  for (let refused = 0; refused < 3; refused += 1) {
    const wait = await take("all", limit)
    assert.ok(wait > 0 && wait <= 60_000, `${wait}`)
  }
  await giveBack("all", limit)
  assert.equal(await take("all", limit), 0)
  assert.ok((await take("all", limit)) > 0)
  assert.equal(await take("another", limit), 0)
  assert.equal(await take("all", { ...limit, name: "LIMIT_IP" }), 0)
  assert.equal(await take("all", { ...limit, period: 61_000 }), 0, "each window of a limit counts by itself")
  const brief = { name: "LIMIT_BRIEF", count: 1, period: 50 }
  assert.equal(await take("all", brief), 0)
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(await take("all", brief), 0)
})

test("values and sums are there until they end, for whoever opens the file", async () => {
  const path = newFile()
  const [one, two] = [await open(path), await open(path)]
  const value = { id: "x", attempts: [{ ms: 1 }], text: "ünïcødé" }
  await one.set("value", value, 60_000)
  assert.deepEqual(await two.get("value"), value)
  assert.equal(await two.get("none"), undefined)
  assert.equal(await one.add("sum", 2, 60_000), 2)
  assert.equal(await two.add("sum", 3, 60_000), 5)
  assert.equal(await one.add("sum", 0, 60_000), 5)
  assert.equal(await one.add("none", 0, 60_000), 0)
  await one.set("brief", 1, 40)
  await one.add("brief sum", 7, 40)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(await two.get("brief"), undefined)
  assert.equal(await two.add("brief sum", 1, 60_000), 1)
})

test("what another wrote counts as absent", async () => {
  const path = newFile()
  const { take, get, set, add } = await open(path)
  await take("all", limit)
  await set("value", "x", 60_000)
  await add("sum", 1, 60_000)
  const database = new DatabaseSync(path)
  const write = (value: string) => database.prepare("UPDATE kept SET value = ?").run(value)
  for (const poison of ["canary", "{", "", "9".repeat(30), "-5", "1.5", "1e9", `"${"x".repeat(100_000)}"`]) {
    write(poison)
    assert.equal(await add("sum", 0, 60_000), 0, poison.slice(0, 20))
    assert.equal(await add("sum", 4, 60_000), 4, poison.slice(0, 20))
  }
  write("{")
  assert.equal(await get("value"), undefined)
  for (const [n, ends] of [
    [1e15, Date.now() + 1e12],
    [-5, Date.now() + 30_000],
    [3, -1],
  ]) {
    database.prepare("UPDATE counts SET n = ?, ends = ?").run(n ?? 0, ends ?? 0)
    for (let taken = 0; taken < 3; taken += 1) assert.equal(await take("all", limit), 0, `${n} ${ends}`)
    assert.ok((await take("all", limit)) > 0)
  }
  database.close()
})

test("what has ended is deleted", async () => {
  const path = newFile()
  const { set, take } = await open(path)
  for (let at = 0; at < 300; at += 1) await set(`old ${at}`, at, 1)
  for (let at = 0; at < 300; at += 1) await take(`old ${at}`, { name: "L", count: 1, period: 1 })
  await new Promise((resolve) => setTimeout(resolve, 10))
  for (let at = 0; at < 400; at += 1) await set("new", at, 60_000)
  const database = new DatabaseSync(path)
  const count = (table: string) => Object(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()).n
  assert.deepEqual([count("kept"), count("counts")], [1, 0])
  database.close()
})

test("two gateways share limits and duplicates; the file holds neither number nor text, and is its owner's", async () => {
  const path = newFile()
  const env = { STORE: `sqlite:${path}`, LIMIT_RECIPIENT: "3/10m" }
  const [one, two] = [await start(env, accepted, standing().world), await start(env, accepted, standing().world)]
  const first = await (await one.post()).text()
  assert.equal(await (await two.post()).text(), first)
  assert.equal(one.calls.length + two.calls.length, 1)
  const statuses: number[] = []
  for (const [at, gateway] of [two, one, two, one].entries())
    statuses.push((await gateway.post({ ...message, body: `code ${at}` })).status)
  assert.deepEqual(statuses, [200, 200, 429, 429])
  for (const end of ["", "-wal"]) {
    const bytes = readFileSync(`${path}${end}`, "latin1")
    for (const word of ["2223334444", "326162", message.body]) assert.ok(!bytes.includes(word), word)
    assert.equal(statSync(`${path}${end}`).mode & 0o077, 0)
  }
  assert.doesNotMatch(one.lines.join() + two.lines.join(), /store_away/)
})

/** Counts 150 at once, when a line of standard input says so; prints how many were let through, and adds 150 to a sum. */
const counting = `
  import store from ${JSON.stringify(`file://${root}providers/stores/sqlite.ts`)}
  const after = () => () => {}
  const spare = { take: () => 0, giveBack() {}, get() {}, set() {}, add() {} }
  const site = { monotonic: () => performance.now(), after, spare, hash: String, log: console.error }
  const { take, add } = await store.open("sqlite:" + process.argv[2], site)
  console.log("ready")
  await new Promise((resolve) => process.stdin.once("data", resolve))
  const limit = { name: "LIMIT_TOTAL", count: 20, period: 600_000 }
  const waits = await Promise.all(Array.from({ length: 150 }, () => take("all", limit)))
  for (let at = 0; at < 150; at += 1) await add("sum", 1, 600_000)
  console.log("through " + waits.filter((wait) => wait === 0).length)
  process.exit()
`

test("of 300 at once in two processes a limit of 20 lets 20 through, and no addition is lost", slow, async () => {
  const path = newFile()
  const script = `${path}.ts`
  writeFileSync(script, counting)
  const deno = ["run", "--no-prompt", "--no-check", "--allow-all", `--config=${root}deno.json`]
  const flags = process.versions.deno ? deno : process.versions.bun ? ["--no-install"] : []
  // Both make the file, at the same time.
  const processes = [0, 1].map(() => {
    const child = spawn(process.execPath, [...flags, script, path], { cwd: root })
    children.add(child)
    let text = ""
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (part: string) => (text += part))
    const written = async (pattern: RegExp) => {
      for (let waited = 0; !pattern.test(text); waited += 20) {
        assert.ok(waited < 30_000, `${pattern} did not come up in: ${text}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      return pattern.exec(text)?.[1]
    }
    return { child, written }
  })
  for (const { written } of processes) await written(/ready/)
  for (const { child } of processes) child.stdin.write("go\n")
  const counts = await Promise.all(processes.map(({ written }) => written(/through (\d+)/)))
  assert.equal(
    counts.reduce((sum, count) => sum + Number(count), 0),
    20,
    counts.join(),
  )
  const { add } = await open(path)
  assert.equal(await add("sum", 0, 1), 300)
  children.clear()
})

test("while another process holds the file limits count in memory, and it is back when that lets go", async () => {
  const path = newFile()
  const time = standing()
  const env = { STORE: `sqlite:${path}`, LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off", LIMIT_TOTAL: "4/10m" }
  const gateway = await start(env, accepted, time.world)
  let count = 0
  const send = async () => {
    count += 1
    return (await gateway.post({ ...message, recipient: `+1222333${4_000 + count}`, body: `code ${count}` })).status
  }
  const told = (name: string) => gateway.events().filter(({ event }) => event === name).length
  assert.equal(await send(), 200)
  const other = new DatabaseSync(path)
  other.exec("BEGIN EXCLUSIVE")
  assert.deepEqual([await send(), await send(), await send(), await send()], [200, 200, 200, 429])
  assert.deepEqual([told("store_away"), told("store_back")], [1, 0])
  other.exec("ROLLBACK")
  other.close()
  time.pass(1_000)
  // What this process let through meanwhile is known to its memory, which goes on refusing until its window ends.
  assert.equal(await send(), 429)
  time.pass(600_000)
  assert.equal(await send(), 200)
  assert.equal(told("store_back"), 1)
})

test("what another instance gives back is free here, too", async () => {
  const env = { STORE: `sqlite:${newFile()}`, LIMIT_UNVERIFIED: "2/1h", LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
  const [one, other] = [await start(env), await start(env)]
  for (let sent = 0; sent < 6; sent += 1) {
    const recipient = `+1222333${4_000 + sent}`
    assert.equal((await one.post({ ...message, recipient, body: `code ${sent}` })).status, 200, `message ${sent}`)
    const isVerified = () => other.events().filter(({ event }) => event === "verified").length > sent
    assert.equal((await other.post({ recipient }, {}, "/verified")).status, 204)
    await until(isVerified)
  }
})

test("a file that cannot be opened keeps the gateway from starting, with what is missing", slow, async () => {
  const path = newFile()
  const folder = `${path}.d`
  mkdirSync(folder)
  writeFileSync(`${path}.txt`, "this is no database, but a text that is long enough to be taken for one".repeat(20))
  for (const wrong of ["", `${path}/none/limits.db`, folder, `${path}.txt`]) {
    const told = await start({ STORE: `sqlite:${wrong}` }).catch((error: Error) => error.message)
    assert.match(String(told), /STORE is wrong: .*sqlite/, wrong)
  }
})

test(
  "a gateway on a file serves, and stops when it is told to; on Deno it says which permission it lacks",
  slow,
  async () => {
    await copy({}, async (folder) => {
      const store = { GATEWAY_SECRET: secret, STORE: `sqlite:${newFile()}`, ...patient }
      const gateway = await serving(store, folder)
      const headers = { authorization: `Bearer ${await sign()}` }
      const response = await fetch(gateway.url, { method: "POST", headers, body: JSON.stringify(message) })
      assert.equal(response.status, 200)
      assert.doesNotMatch(gateway.stdout() + gateway.stderr(), /store_away|Experimental/)
      gateway.kill("SIGTERM")
      assert.equal(await gateway.ended, 0)
      if (!process.versions.deno) return
      // With two slashes it is the same file, which the flags of these tests do not name.
      const { stderr, ended } = run([], { ...store, STORE: "sqlite://limits.db", ...httpEnv }, folder)
      assert.equal(await ended, 1)
      assert.match(stderr(), /STORE is wrong: .*--allow-read=.env,providers,limits\.db --allow-write=limits\.db/)
    })
  },
)
