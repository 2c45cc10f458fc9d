/** Starts servers on each runtime, waits for their first answer, and reads what they use, from /proc. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { fileURLToPath } from "node:url"
import { secret } from "./calls.ts"

export const here = fileURLToPath(new URL("./", import.meta.url))
export const root = fileURLToPath(new URL("../../", import.meta.url))
const tools = `${root}tests/node_modules`

/** For what a run writes; it goes with the process. */
export const folder = mkdtempSync(`${root}.tmp-`)

export const runtimes = {
  Bun: [`${tools}/bun/bin/bun.exe`, "run"],
  Deno: [`${tools}/deno/deno`, "run", "--no-prompt", "--no-check", "--allow-all"],
  Node: [`${tools}/node/bin/node`],
}
export type Runtime = keyof typeof runtimes
export const names = Object.keys(runtimes) as Runtime[]
/** The command of a file beside this one, or of one with a whole path. */
export const command = (runtime: Runtime, file: string) => [
  ...runtimes[runtime],
  file.startsWith("/") ? file : `${here}${file}`,
]

const children = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1))

export type Environment = Record<string, string>

/** Starts a process that ends with this one; its output is read and dropped, unless somebody listens. */
export function run(command: string[], env: Environment = {}) {
  const { PATH = "", HOME = "" } = process.env
  const [file = "", ...args] = command
  const child = spawn(file, args, { cwd: here, env: { PATH, HOME, ...env }, stdio: ["ignore", "pipe", "inherit"] })
  children.add(child)
  child.stdout.resume()
  const ended = once(child, "exit").then(() => children.delete(child))
  const stop = async () => {
    child.kill("SIGKILL")
    await ended
  }
  return { child, pid: child.pid ?? 0, ended, stop }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Sends one request on a socket, which costs less than a fetch; gives when it was connected, and the answer. */
function ask(port: number, request: string): Promise<{ connected: number; answer: string }> {
  return new Promise((resolve) => {
    let connected = Number.NaN
    const end = (answer: string) => {
      socket.destroy()
      resolve({ connected, answer })
    }
    const socket = connect(port, "127.0.0.1", () => {
      connected = performance.now()
      socket.write(request)
    })
    socket.setTimeout(20_000, () => end("no answer within 20 s"))
    socket.on("error", () => end("")).once("data", (data) => end(data.toString()))
  })
}

const health = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

/** Starts a server and sends `first` until it is answered 200; `listens` and `ms` are how long both took. */
export async function start(command: string[], env: Environment = {}, first = health) {
  const port = await freePort()
  const started = performance.now()
  const own = { PORT: String(port), HOST: "127.0.0.1", SECRET: secret, GATEWAY_SECRET: secret }
  const { child, pid, stop } = run(command, { ...own, ...env })
  let listens = Number.NaN
  for (;;) {
    const { connected, answer } = await ask(port, first)
    if (Number.isNaN(listens)) listens = connected - started
    if (answer.startsWith("HTTP/1.1 200")) break
    if (answer) throw new Error(`${command.join(" ")} answers: ${answer}`)
    const isLate = performance.now() - started > 20_000
    if (child.exitCode !== null || isLate) throw new Error(`${command.join(" ")} does not start`)
    await sleep(1)
  }
  return { port, pid, listens, ms: performance.now() - started, stop, rss: () => usage(pid).rss }
}
export type Server = Awaited<ReturnType<typeof start>>

/** The provider of this machine, which answers after `delay` milliseconds, or never. */
export async function startProvider(delay: "0" | "never" = "0") {
  const { port, stop } = await start(command("Bun", "provider.ts"), { DELAY: delay })
  return { url: `http://127.0.0.1:${port}`, stop }
}

/** smstask with that provider behind it, or with none at all. */
export const sending = (url: string): Environment =>
  url
    ? { SMS_PROVIDER: "clickatell", CLICKATELL_API_KEY: "a key of 16 bytes", CLICKATELL_URL: url, PROVIDER_URL: url }
    : { SMS_PROVIDER: "none" }

/** Threads that collect garbage and compile beside the program: two of Bun's; V8's do both. */
const helpers = /^(HeapHelper|JITWorker|V8Worker|V8 DefaultWorke)/

/** User and system time of a process or a thread, in microseconds. */
function cpuOf(stat: string): number {
  const fields = stat.split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** What a process has used: CPU of all its threads, and of those that collect and compile, in µs; resident memory in MiB. */
export function usage(pid: number) {
  const read = (path: string) => readFileSync(`/proc/${pid}/${path}`, "utf8")
  const threads = readdirSync(`/proc/${pid}/task`).filter((id) => helpers.test(read(`task/${id}/comm`)))
  return {
    cpu: cpuOf(read("stat")),
    helpers: threads.reduce((sum, id) => sum + cpuOf(read(`task/${id}/stat`)), 0),
    rss: Number(/VmRSS:\s+(\d+)/.exec(read("status"))?.[1]) / 1_024,
  }
}
