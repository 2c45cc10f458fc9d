/**
 * The processes of a run, each with what can befall it: Redis, and the gateway under a supervisor. Linux alone has what is
 * needed: /proc, prlimit, and libfaketime (on Debian: apt-get install faketime).
 */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { closeSync, globSync, openSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { tryOr } from "../../main.ts"

export const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** What is started here ends with this process. */
const running = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1))

function started(command: string, args: string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, options)
  running.add(child)
  return child.on("exit", () => running.delete(child))
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, "close")
  return port
}

// ───────────────────────────── Redis ─────────────────────────────

export function redisOn(port: number) {
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  const start = () => started("redis-server", args, { stdio: "ignore" })
  let child = start()
  return {
    async killFor(ms: number) {
      child.kill("SIGKILL")
      await wait(ms)
      child = start()
    },
    async stopFor(ms: number) {
      child.kill("SIGSTOP")
      await wait(ms)
      child.kill("SIGCONT")
    },
    end: () => child.kill("SIGKILL"),
  }
}

// ───────────────────────────── Clock: of the gateway alone ─────────────────────────────

/**
 * The wall clock, for those that start with `env`. libfaketime stands between a runtime and the C library, so that the
 * runtime's own code sees a step as Date does; it looks into the file once a second. The monotonic clock goes on.
 */
export function wallClock(folder: string) {
  const [library] = globSync("/usr/lib{,64}/{,*/}faketime/libfaketimeMT.so.1")
  if (!library) throw new Error("the clock cannot be stepped without libfaketime: apt-get install faketime")
  const file = join(folder, "clock")
  const set = (hours: number) => {
    // In one move: an empty file is no time.
    writeFileSync(`${file}.new`, `${hours < 0 ? "" : "+"}${hours}h\n`)
    renameSync(`${file}.new`, file)
  }
  set(0)
  const times = { FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: "1", DONT_FAKE_MONOTONIC: "1" }
  return { env: { LD_PRELOAD: library, ...times }, set }
}

// ───────────────────────────── Log: what a gateway tells ─────────────────────────────

/** Counts, line by line, what the log tells. */
function logReader() {
  const log = { calls: 0, dropped: 0, torn: 0, errors: 0, storeAway: 0, clockForward: 0, clockBack: 0 }
  /** How many calls are told of a message, by its id. */
  const told = new Map<string, number>()
  let before = Number.NaN
  const read = (line: string) => {
    // What a full disk left of a line has no end: the next one stands right behind.
    const whole = line.slice(Math.max(0, line.lastIndexOf('{"time"')))
    const { time, event, level, lines, request } = tryOr(() => JSON.parse(whole), {})
    if (!time || whole !== line) log.torn += 1
    if (!time) return
    if (/^(accepted|refused|unreachable|timeout)$/.test(event)) {
      log.calls += 1
      told.set(request, (told.get(request) ?? 0) + 1)
    }
    if (event === "dropped") log.dropped += lines
    if (event === "store_away") log.storeAway += 1
    if (level === "error" && event !== "rejected") log.errors += 1
    const step = Date.parse(time) - before
    if (step > 1_800_000) log.clockForward += 1
    if (step < -1_800_000) log.clockBack += 1
    before = Date.parse(time)
  }
  return { log, told, read }
}

// ───────────────────────────── Gateway ─────────────────────────────

const main = fileURLToPath(new URL("../../main.ts", import.meta.url))
/** How many files and connections it may have open. */
const descriptors = 500

const runtimes: Record<string, string[]> = {
  node: ["node"],
  bun: ["bun", "--no-install"],
  deno: ["deno", "run", "--cached-only", "--no-prompt", "--allow-net", "--allow-env", "--allow-read=.env,providers"],
}
export const runtimeNames = Object.keys(runtimes)

/** The runtime's own file, not the npm package's script around it, so that memory and signals are the runtime's. */
function commandOf(name: string): string[] {
  const [command = "", ...args] = runtimes[name] ?? []
  const print = name === "deno" ? ["eval", "console.log(Deno.execPath())"] : ["-p", "process.execPath"]
  return [spawnSync(command, print, { encoding: "utf8" }).stdout.trim(), ...args, main]
}

/**
 * Keeps one gateway running, and reads its log. In turn it has a pipe for its standard output, whose reader can be late, and
 * a file, whose disk can be full: no file of its own may then grow (EFBIG), as no file of a full disk can (ENOSPC).
 */
export function supervisor(runtime: string, env: NodeJS.ProcessEnv, folder: string) {
  const around = ["prlimit", `--nofile=${descriptors}`, "sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"]
  const [command = "", ...args] = [...around, ...commandOf(runtime)]
  const { log, told, read } = logReader()
  /** How each one ended, and how long that took from the signal on. */
  const ends: { code: number | string | null; ms: number }[] = []
  let [starts, isOver, toldToEnd] = [0, false, Number.NaN]
  let file = ""
  let child: ChildProcess
  let ended: Promise<unknown> = Promise.resolve()

  const start = () => {
    starts += 1
    file = starts % 2 === 0 ? join(folder, `log-${starts}`) : ""
    const output = file ? openSync(file, "a") : ("pipe" as const)
    const own = started(command, args, { env, stdio: ["ignore", output, "inherit"] })
    child = own
    if (typeof output === "number") closeSync(output)
    let rest = ""
    const readSome = (text: string) => {
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) read(line)
    }
    own.stdout?.setEncoding("utf8").on("data", readSome)
    const ownFile = file
    ended = once(own, "close").then(([code, signal]) => {
      if (ownFile) readSome(readFileSync(ownFile, "utf8"))
      ends.push({ code: code ?? signal, ms: Math.round(performance.now() - toldToEnd) })
      if (!isOver) start()
    })
  }
  start()
  const stop = () => {
    toldToEnd = performance.now()
    child.kill("SIGTERM")
  }

  return {
    log,
    told,
    ends,
    restart: stop,
    memory() {
      const status = tryOr(() => readFileSync(`/proc/${child.pid}/status`, "utf8"), "")
      return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024)
    },
    /** Nobody reads the pipe. */
    async stuckFor(ms: number) {
      const { stdout } = child
      stdout?.pause()
      await wait(ms)
      stdout?.resume()
      return stdout !== null
    },
    /** The disk takes a part of one more line, and then nothing. Gives whether it did come to that. */
    async fullFor(ms: number) {
      if (!file) return false
      const [own, most] = [file, statSync(file).size + 100]
      const limit = (size: number | string) => spawnSync("prlimit", ["--pid", `${child.pid}`, `--fsize=${size}:`])
      limit(most)
      await wait(ms)
      const isFull = statSync(own).size === most
      limit("unlimited")
      return isFull
    },
    /** Silent connections take every descriptor, and more of them come again and again. Gives whether none was left. */
    async crowdedFor(ms: number, port: number) {
      const crowd = new Set<Socket>()
      const come = () => {
        const one = connect(port, "127.0.0.1").on("error", () => {})
        crowd.add(one)
        one.on("close", () => crowd.delete(one) && setTimeout(() => isCrowded && come(), 200))
      }
      let isCrowded = true
      for (let count = 0; count < descriptors + 200; count += 1) come()
      let most = 0
      for (let waited = 0; waited < ms; waited += 100) {
        await wait(100)
        most = Math.max(
          most,
          tryOr(() => readdirSync(`/proc/${child.pid}/fd`).length, 0),
        )
      }
      isCrowded = false
      for (const one of crowd) one.destroy()
      return most === descriptors
    },
    async end() {
      isOver = true
      stop()
      await ended
    },
  }
}
