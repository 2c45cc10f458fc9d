/**
 * What a message costs, against what people run today and against the floor: in one run, on this machine, interleaved.
 * Prints tables of medians and of their ratios. Linux only: it reads /proc, and the load comes from wrk.
 *
 *     npm run bench                                  everything, about 20 minutes
 *     npm run bench -- load|start|guard [rounds]     one part of it, in as many rounds
 *     npm run bench -- against MAIN.TS [rounds]      this main.ts beside another one
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { availableParallelism, cpus } from "node:os"
import { fileURLToPath } from "node:url"
import { SignJWT } from "jose"

const here = fileURLToPath(new URL("./", import.meta.url))
const root = fileURLToPath(new URL("../../", import.meta.url))
const tools = `${root}tests/node_modules`
const secret = "a secret for the bench, longer than 32 bytes"

const node = [`${tools}/node/bin/node`]
const bun = [`${tools}/bun/bin/bun.exe`, "run"]
const deno = [`${tools}/deno/deno`, "run", "--no-prompt", "--no-check", "--allow-all"]
const runtimes = { Bun: bun, Deno: deno, Node: node }
type Runtime = keyof typeof runtimes
const names = Object.keys(runtimes) as Runtime[]

const commands: Record<string, string[]> = { express: [...node, `${here}express.js`] }
for (const name of names) {
  commands[`floor ${name}`] = [...runtimes[name], `${here}floor.ts`]
  commands[`smstask ${name}`] = [...runtimes[name], `${root}main.ts`]
  commands[`hono ${name}`] = [...runtimes[name], `${here}hono.ts`]
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const shuffled = <T>(all: T[]) => all.toSorted(() => Math.random() - 0.5)
const children = new Set<ChildProcess>()
process.on("exit", () => children.forEach((child) => void child.kill("SIGKILL")))

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a server and waits for its first 200; `ms` is how long that took. */
async function start(command: string[], env: Record<string, string>, path = "/health") {
  const port = await freePort()
  const { PATH = "" } = process.env
  const settings = { PATH, PORT: String(port), HOST: "127.0.0.1", SECRET: secret, GATEWAY_SECRET: secret, ...env }
  const [file = "", ...args] = command
  const started = performance.now()
  const child = spawn(file, args, { cwd: here, env: settings, stdio: ["ignore", "pipe", "inherit"] })
  children.add(child)
  child.stdout.resume()
  const ended = once(child, "exit")
  while (!(await answers(port, path))) {
    if (child.exitCode !== null || performance.now() - started > 20_000) throw new Error(`${command} does not start`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const ms = performance.now() - started
  const stop = async () => {
    child.kill("SIGKILL")
    await ended
    children.delete(child)
  }
  return { port, pid: child.pid ?? 0, ms, stop }
}

/** Whether a plain GET is answered 200: by a socket, which costs this process less than a fetch. */
function answers(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`))
    socket
      .on("error", () => resolve(false))
      .once("data", (data) => {
        socket.destroy()
        resolve(data.toString().startsWith("HTTP/1.1 200"))
      })
  })
}

/** User and system time of a process in microseconds, and its resident memory in MiB. */
function usage(pid: number) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  return {
    cpu: (Number(fields[11]) + Number(fields[12])) * 10_000,
    rss: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
  }
}

interface Load {
  requests: number
  seconds: number
  p50: number
  p99: number
  bad: number
}

/** Posts messages over `connections` for some seconds, the first of them number `from`, to so many recipients. */
async function load(port: number, connections: number, seconds: number, from: number, recipients = 7_999_999_993) {
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "30s", "-s", `${here}load.lua`]
  const messages = [`${folder}/tokens`, String(from), String(recipients)]
  const wrk = spawn("wrk", [...args, `http://127.0.0.1:${port}/`, "--", ...messages])
  children.add(wrk)
  let text = ""
  wrk.stdout.on("data", (chunk) => (text += chunk))
  await once(wrk, "close")
  children.delete(wrk)
  const line = text.split("\n").find((line) => line.startsWith("{"))
  if (!line) throw new Error(`wrk says: ${text}`)
  return JSON.parse(line) as Load
}

/** A hundred thousand tokens as Auth0 signs them, one for each call. */
async function writeTokens() {
  const key = await crypto.subtle.importKey("raw", Buffer.from(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ])
  const now = Math.floor(Date.now() / 1_000)
  const claims = { aud: "urn:smstask", sub: "urn:Auth0", iat: now, exp: now + 86_400 }
  const tokens: string[] = []
  for (let id = 0; id < 100_000; id += 1) {
    tokens.push(await new SignJWT({ ...claims, jti: `${id}` }).setProtectedHeader({ alg: "HS256" }).sign(key))
  }
  writeFileSync(`${folder}/tokens`, tokens.join("\n"))
}

type Figures = { rps: number; p50: number; p99: number; cpu: number; before: number; after: number }

/** Measures every server once a round, in another order each time, and gives the medians by server and load. */
async function loads(rounds: number) {
  const providers = { "0 ms": "0", "50 ms": "50" }
  const cells: [provider: string, connections: number[]][] = [
    ["0 ms", [1, 64, 512]],
    ["50 ms", [64, 512]],
    ["none", [64]],
  ]
  const found = new Map<string, Figures[]>()
  const urls: Record<string, string> = {}
  const stops: (() => Promise<void>)[] = []
  for (const [name, delay] of Object.entries(providers)) {
    const { port, stop } = await start([...bun, `${here}provider.ts`], { DELAY: delay })
    urls[name] = `http://127.0.0.1:${port}`
    stops.push(stop)
  }
  const servers = Object.keys(commands).filter((name) => !name.startsWith("hono"))
  for (let round = 0; round < rounds; round += 1) {
    for (const [provider, connections] of cells) {
      for (const name of shuffled(servers)) {
        const url = urls[provider] ?? ""
        const sending = { SMS_PROVIDER: "clickatell", CLICKATELL_API_KEY: "a key of 16 bytes", CLICKATELL_URL: url }
        const env = { PROVIDER_URL: url, ...(url ? sending : { SMS_PROVIDER: "none" }) }
        const { port, pid, stop } = await start(commands[name] ?? [], env)
        const before = usage(pid).rss
        let count = (await load(port, 64, 1, 0)).requests + 1_000
        for (const many of connections) {
          const { cpu } = usage(pid)
          const { requests, seconds, p50, p99, bad } = await load(port, many, 3, count)
          const now = usage(pid)
          if (bad > 0) console.error(`${name}, ${provider}, ${many}: ${bad} of ${requests} failed`)
          count += requests + 1_000
          const key = `${provider}|${many}|${name}`
          const figures = { rps: requests / seconds, p50, p99, cpu: (now.cpu - cpu) / requests, before, after: now.rss }
          found.set(key, [...(found.get(key) ?? []), figures])
        }
        await stop()
      }
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\n`)
  }
  for (const stop of stops) await stop()
  const middle = (all: Figures[], field: keyof Figures) => median(all.map((figures) => figures[field]))
  for (const [provider, connections] of cells) {
    for (const many of connections) {
      const read = (name: string) => {
        const all = found.get(`${provider}|${many}|${name}`) ?? []
        return (field: keyof Figures) => middle(all, field)
      }
      const express = read("express")
      console.log(`\nprovider ${provider}, ${many} connections\n`)
      console.log("| server | req/s | × Express | p50 ms | p99 ms | CPU µs | × floor | MiB before | after | × floor |")
      console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
      for (const name of servers) {
        const own = read(name)
        const floor = name.startsWith("smstask") ? read(name.replace("smstask", "floor")) : undefined
        const row = [name, own("rps").toFixed(0), (own("rps") / express("rps")).toFixed(2), own("p50").toFixed(2)]
        row.push(own("p99").toFixed(2), own("cpu").toFixed(0), floor ? (own("cpu") / floor("cpu")).toFixed(2) : "")
        row.push(own("before").toFixed(0), own("after").toFixed(0))
        row.push(floor ? (own("after") / floor("after")).toFixed(2) : "")
        console.log(`| ${row.join(" | ")} |`)
      }
    }
  }
}

/** The time from the start of the process to its first 200, by the number of files in providers/. */
async function starts(rounds: number) {
  const env = { SMS_PROVIDER: "clickatell", CLICKATELL_API_KEY: "a key of 16 bytes" }
  const servers: Record<string, string[]> = {}
  for (const name of names) servers[`hono ${name}`] = commands[`hono ${name}`] ?? []
  for (const count of [1, 70, 1000]) {
    const copy = `${folder}/${count}`
    for (const file of ["main.ts", "package.json", "deno.json"]) cpSync(`${root}${file}`, `${copy}/${file}`)
    symlinkSync(`${root}node_modules`, `${copy}/node_modules`)
    cpSync(`${root}providers/clickatell.ts`, `${copy}/providers/clickatell.ts`)
    cpSync(`${root}providers/parts`, `${copy}/providers/parts`, { recursive: true })
    for (let n = 1; n < count; n += 1) cpSync(`${root}providers/plivo.ts`, `${copy}/providers/plivo${n}.ts`)
    for (const name of names) servers[`smstask ${name}, ${count} files`] = [...runtimes[name], `${copy}/main.ts`]
  }
  servers.express = commands.express ?? []
  spawnSync(node[0] ?? "", [`${root}tests/build.ts`], { stdio: "inherit" })
  cpSync(`${root}dist/smstask.js`, `${folder}/smstask.js`)
  console.log(`\nbundle: ${(statSync(`${folder}/smstask.js`).size / 1_024).toFixed(0)} KiB`)
  for (const name of names) servers[`bundle ${name}`] = [...runtimes[name], `${folder}/smstask.js`]
  const found = new Map<string, { ms: number; rss: number }[]>()
  for (let round = -1; round < rounds; round += 1) {
    for (const [name, command] of shuffled(Object.entries(servers))) {
      const { ms, pid, stop } = await start(command, env)
      const { rss } = usage(pid)
      await stop()
      if (round >= 0) found.set(name, [...(found.get(name) ?? []), { ms, rss }])
    }
  }
  console.log("\nfrom the start of the process to its first 200\n")
  console.log("| server | ms | × Hono alone | MiB |\n| --- | --- | --- | --- |")
  const time = (name: string) => median((found.get(name) ?? []).map(({ ms }) => ms))
  for (const name of Object.keys(servers)) {
    const alone = names.find((runtime) => new RegExp(`^(smstask|bundle) ${runtime}`).test(name))
    const ratio = alone ? (time(name) / time(`hono ${alone}`)).toFixed(2) : ""
    const rss = median((found.get(name) ?? []).map(({ rss }) => rss))
    console.log(`| ${name} | ${time(name).toFixed(0)} | ${ratio} | ${rss.toFixed(0)} |`)
  }
}

/** CPU per message and the time to the first 200, of this main.ts and of another one, interleaved; medians and their ratio. */
async function against(other: string, rounds: number) {
  const { port: at, stop: end } = await start([...bun, `${here}provider.ts`], { DELAY: "0" })
  const url = `http://127.0.0.1:${at}`
  const env = { SMS_PROVIDER: "clickatell", CLICKATELL_API_KEY: "a key of 16 bytes", CLICKATELL_URL: url }
  const found = new Map<string, { ms: number; cpu: number; rps: number; rss: number }[]>()
  const cells = names.flatMap((name) => [`${root}main.ts`, other].map((main): [Runtime, string] => [name, main]))
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, main] of shuffled(cells)) {
      const { ms, port, pid, stop } = await start([...runtimes[name], main], env)
      const { requests: before } = await load(port, 64, 3, 0)
      const { cpu } = usage(pid)
      const { requests, seconds, bad } = await load(port, 64, 3, before + 1_000)
      if (bad > 0) console.error(`${name}, ${main}: ${bad} of ${requests} failed`)
      const now = usage(pid)
      await stop()
      const figures = { ms, cpu: (now.cpu - cpu) / requests, rps: requests / seconds, rss: now.rss }
      found.set(`${name}|${main}`, [...(found.get(`${name}|${main}`) ?? []), figures])
    }
  }
  await end()
  const middle = (name: Runtime, main: string, field: "ms" | "cpu" | "rps" | "rss") =>
    median((found.get(`${name}|${main}`) ?? []).map((figures) => figures[field]))
  console.log("\n| runtime | figure | this | other | ratio |\n| --- | --- | --- | --- | --- |")
  for (const name of names) {
    for (const field of ["cpu", "rps", "ms", "rss"] as const) {
      const [own, its] = [middle(name, `${root}main.ts`, field), middle(name, other, field)]
      console.log(`| ${name} | ${field} | ${own.toFixed(1)} | ${its.toFixed(1)} | ${(own / its).toFixed(3)} |`)
    }
  }
}

/** CPU and memory against the number of recipients that the guard counts; its limits are too high to refuse any. */
async function guards(rounds: number) {
  const env = { SMS_PROVIDER: "none", LIMIT_RECIPIENT: "99999999/10m", LIMIT_PREFIX: "99999999/10m" }
  const cells = names.flatMap((name) => [1e3, 1e6].map((recipients): [Runtime, number] => [name, recipients]))
  const found = new Map<string, { cpu: number; rss: number }[]>()
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, recipients] of shuffled(cells)) {
      const { port, pid, stop } = await start(commands[`smstask ${name}`] ?? [], env)
      const { requests: before } = await load(port, 64, 10, 0, recipients)
      const { cpu } = usage(pid)
      const { requests } = await load(port, 64, 3, before + 1_000, recipients)
      const now = usage(pid)
      await stop()
      const key = `${name}|${recipients}`
      found.set(key, [...(found.get(key) ?? []), { cpu: (now.cpu - cpu) / requests, rss: now.rss }])
    }
  }
  console.log("\nrecipients in the guard, 64 connections, no provider's call\n")
  console.log("| server | recipients | CPU µs | MiB |\n| --- | --- | --- | --- |")
  for (const [name, recipients] of cells) {
    const all = found.get(`${name}|${recipients}`) ?? []
    const figures = [median(all.map(({ cpu }) => cpu)), median(all.map(({ rss }) => rss))]
    console.log(`| smstask ${name} | ${recipients} | ${figures.map((figure) => figure.toFixed(0)).join(" | ")} |`)
  }
}

if (spawnSync("wrk", ["-v"]).error) {
  console.error("the bench needs wrk: apt-get install wrk")
  process.exit(1)
}
const folder = mkdtempSync(`${root}.tmp-`)
try {
  const [part = "all", ...rest] = process.argv.slice(2)
  const rounds = rest.at(-1)
  const does = (name: string) => part === "all" || part === name
  console.log(`${availableParallelism()} × ${cpus()[0]?.model}`)
  await writeTokens()
  if (does("load")) await loads(Number(rounds ?? 5))
  if (does("start")) await starts(Number(rounds ?? 15))
  if (part === "against") await against(rest[0] ?? "", Number(rest[1] ?? 5))
  if (does("guard")) await guards(Number(rounds ?? 3))
} finally {
  rmSync(folder, { recursive: true })
}
