/**
 * Starts main.ts as a user does, on the runtime that runs these tests; or the file that `SMSTASK` names: a bundle (.js) on
 * that runtime, or an executable by itself, alone in a folder with no package anywhere above it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { after } from "node:test"
import { fileURLToPath } from "node:url"
import { variables } from "../../main.ts"

export const root = fileURLToPath(new URL("../../", import.meta.url))

const { SMSTASK } = process.env
const entry = SMSTASK ? join(root, SMSTASK) : `${root}main.ts`
const alone = SMSTASK ? mkdtempSync(join(tmpdir(), "smstask-")) : undefined
if (alone) cpSync(entry, join(alone, basename(entry)))
process.on("exit", () => alone && rmSync(alone, { recursive: true }))

/** The command of `deno task start`, `bun` or `node`, with nothing to be fetched; an executable is one itself. */
const command = (folder: string, name = basename(entry), store = ""): string[] => {
  const file = join(folder, name)
  if (!/\.[jt]s$/.test(file)) return [file]
  if (process.versions.bun) return [process.execPath, "--no-install", file]
  if (!process.versions.deno) return [process.execPath, file]
  const [, database] = /^sqlite:(.+)/.exec(store) ?? []
  const readable = database ? `.env,providers,${database}` : ".env,providers"
  const flags = ["--no-prompt", "--allow-net", "--allow-env", `--allow-read=${readable}`]
  if (database) flags.push(`--allow-write=${database}`)
  return [process.execPath, "run", "--cached-only", ...flags, file]
}

const children = new Set<ChildProcess>()
const servers = new Set<Server>()
after(() => {
  for (const child of children) {
    child.kill("SIGKILL")
    // Who comes after it may hold its pipes.
    child.stdout?.destroy()
    child.stderr?.destroy()
    child.unref()
  }
  for (const server of servers) server.close().closeAllConnections()
})

type Environment = Record<string, string | undefined>

export interface Run {
  child: ChildProcess
  stdout: () => string
  stderr: () => string
  /** Sends a signal by process id: Deno's `child.kill` makes every exit look like a kill. */
  kill(signal?: NodeJS.Signals): void
  /** Resolves with the exit code once the process has ended and its output is read. */
  ended: Promise<number | null>
}

/** Variables of the machine, less those that would configure a gateway. */
const machine = Object.entries(process.env).filter(
  ([name]) => !(name in variables || /^(SMS_|CODE_|NODE_ENV$|DENO_DEPLOY)/.test(name)),
)

/** Starts main.ts in an environment of its own; `around` is what stands before its command, as `prlimit` does. */
export function run(
  args: string[],
  env: Environment = {},
  folder = alone ?? root,
  cwd = folder,
  around: string[] = [],
  name?: string,
): Run {
  const options = { cwd, env: { ...Object.fromEntries(machine), NO_COLOR: "1", ...env } }
  const [file = "", ...rest] = [...around, ...command(folder, name, env.STORE)]
  const child = spawn(file, [...rest, ...args], options)
  children.add(child)
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  const ended = once(child, "close").then(([code]) => code as number | null)
  const kill = (signal: NodeJS.Signals = "SIGTERM") => void process.kill(child.pid ?? 0, signal)
  return { child, stdout: () => stdout, stderr: () => stderr, kill, ended }
}

/** Waits for a pattern in a process's output. */
export async function until(read: () => string, pattern: RegExp): Promise<RegExpExecArray> {
  for (let waited = 0; waited < 20_000; waited += 20) {
    const match = pattern.exec(read())
    if (match) return match
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${pattern} did not come up in: ${read()}`)
}

/** Serves on a free port and gives the address. */
export async function serving(
  env: Environment,
  folder?: string,
  around?: string[],
  name?: string,
): Promise<Run & { url: string }> {
  const started = run([], { PORT: "0", HOST: "127.0.0.1", LOG_FORMAT: "json", ...env }, folder, undefined, around, name)
  const failed = started.ended.then((code) => Promise.reject(new Error(`it ended with ${code}: ${started.stderr()}`)))
  failed.catch(() => {})
  const match = await Promise.race([until(started.stdout, /"address":"([^"]+)"/), failed])
  return { ...started, url: match[1] ?? "" }
}

/** A gateway that does not stop by itself is ended a second after its DEADLINE. With this one the test's limit comes first. */
export const patient = { DEADLINE: "10m" }

/** A provider of this machine: an HTTP server whose answers `handle` gives. */
export async function provider(handle: (request: IncomingMessage, response: ServerResponse, body: string) => void) {
  const server: Server = createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (text: string) => (body += text))
    request.on("end", () => handle(request, response, body))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  servers.add(server)
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => server.close().closeAllConnections() }
}

/** A provider that accepts a message once `answer` is called. */
export async function holdAnswer() {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>()
  const { url, close } = await provider((_, response) => resolve(response))
  const answer = async () => void (await promise).end('{"id":"m-1"}')
  return { url, close, answer }
}

/** The same one for each test of this process, where it is free: the runtimes keep what they compiled by its path. */
function makeFolder(): string {
  const usual = `${root}.tmp-${process.pid}`
  if (existsSync(usual)) return mkdtempSync(`${root}.tmp-`)
  mkdirSync(usual)
  return usual
}

/** A copy of it in a folder of its own, inside the project so that providers find their packages, gone afterwards. */
export async function copy(files: Record<string, string>, work: (folder: string) => Promise<void>, isAlone = false) {
  const folder = makeFolder()
  try {
    cpSync(entry, join(folder, basename(entry)))
    mkdirSync(`${folder}/providers`)
    cpSync(`${root}package.json`, `${folder}/package.json`)
    // main.ts alone has a folder with nothing in it.
    const house = ["contract.ts", "lib.ts", "http.ts", "commands", "pages", "parts", "platforms", "routing", "stores"]
    for (const path of SMSTASK || isAlone ? [] : house)
      cpSync(`${root}providers/${path}`, `${folder}/providers/${path}`, { recursive: true })
    for (const [path, text] of Object.entries(files)) writeFileSync(`${folder}/${path}`, text)
    await work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
