/**
 * What a process needs beside the gateway: standard output that nobody waits for, and a good end.
 * @module
 */
import { write, writeSync } from "node:fs"
import { setTimeout as afterwards } from "node:timers"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import * as v from "valibot"
import {
  attempt,
  type Command,
  fileName,
  type Listener,
  loadFile,
  type Prepared,
  type Runtimes,
  serve,
  type World,
} from "../../main.ts"
import { placeOf } from "./check.ts"

export { readEnvFile } from "./env.ts"

/** The token of a first run, the same for an hour. */
export const rememberedToken = async (token: string) => (await import("./first-run.ts")).rememberedToken(token)

const { Deno } = globalThis as unknown as Runtimes

const newline = 10

/**
 * Writes lines to standard output, one write at a time, and no login waits for it. Above 1 MiB unwritten, and where a write
 * fails (a full disk), lines are dropped, and their number is told with the next one that is written.
 */
export function printer(): World["print"] {
  const writeSome = promisify(write)
  let lines: string[] = []
  let [size, dropped, isBusy, isTorn, since] = [0, 0, false, false, Number.NaN]
  // Deno's node:fs writes to a pipe without giving anyone else a turn.
  const some = async (bytes: Buffer) =>
    Deno ? await Deno.stdout.write(bytes) : (await writeSome(1, bytes)).bytesWritten
  const put = async (bytes: Buffer, told: number) => {
    since = performance.now()
    let at = 0
    while (at < bytes.length) {
      const count = await some(bytes.subarray(at)).catch(({ code }) => (code === "EAGAIN" ? sleep(20, 0) : undefined))
      if (count === undefined) break
      at += count
    }
    since = Number.NaN
    const lost = bytes.subarray(at).filter((byte) => byte === newline).length
    dropped += at === 0 ? told + lost - Math.sign(told) : lost
    if (at > 0) isTorn = bytes[at - 1] !== newline
    next()
  }
  const next = () => {
    const told = lines.length > 0 ? dropped : 0
    const time = new Date()
    if (told > 0) lines.unshift(JSON.stringify({ time, level: "warn", event: "dropped", lines: told }))
    const text = lines.map((line) => `${line}\n`).join("")
    lines = []
    size = 0
    dropped -= told
    isBusy = text !== ""
    if (isBusy) put(Buffer.from(isTorn ? `\n${text}` : text), told)
  }
  process.on("exit", () => {
    // Node waits for a write that is stuck, for ever.
    if (performance.now() - since > 1_000) process.kill(process.pid, "SIGKILL")
    attempt(() => lines.length > 0 && writeSync(1, `${lines.join("\n")}\n`), 0)
  })
  return (line) => {
    if (size > 1_048_576) {
      dropped += 1
      return
    }
    size += line.length
    lines.push(line)
    if (!isBusy) setImmediate(next)
    isBusy = true
  }
}

interface Started {
  address: string
  isFirstRun: boolean
  stopping: AbortController
  close: Listener["close"]
}

/**
 * Tells what is in force. On SIGTERM, SIGINT or SIGHUP lets the requests in flight finish; a second signal ends at once. What
 * nobody caught ends the process, and is told by its name and place alone.
 */
export async function started(prepared: Prepared, { address, isFirstRun, stopping, close }: Started) {
  const { log, settings } = prepared.gateway
  const onSignal = (signal: string) => {
    if (stopping.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143)
    stopping.abort()
    log("info", "stopping", { signal })
    afterwards(() => process.exit(0), settings.DEADLINE + 1_000).unref()
    close().then(() => log("info", "stopped"))
  }
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, onSignal)
  const fail = (error: Error) => log("error", "failure", { reason: Object(error).name, place: placeOf(Object(error)) })
  process.on("unhandledRejection", fail)
  process.on("uncaughtException", (error) => {
    fail(error)
    process.exit(1)
  })
  if (settings.LOG_FORMAT === "pretty") (await import("./summary.ts")).tell(prepared, address, isFirstRun)
}

/** Throws what is to be told where the port cannot be listened on. */
export const cannotListen =
  (host: string, port: number) => (cause: { code?: string; name: string; message: string }) => {
    const isTaken = /EADDRINUSE|AddrInUse|in use/i.test(`${cause.code} ${cause.name} ${cause.message}`)
    const why = isTaken ? "another program listens there: end it, or set another PORT" : (cause.code ?? cause.message)
    throw new Error(`PORT ${port} of ${host} cannot be listened on: ${why}`, { cause })
  }

/** Runs what the command line names: to serve, or `providers/commands/<name>.ts`. Throws what is to be told on standard error. */
export async function command([name = "serve", ...rest]: string[], world: World): Promise<void> {
  if (name === "serve" && rest.length === 0) return await serve(world)
  const asksHelp = [name, ...rest].some((word) => /^(-h|--help)$/.test(word))
  const path = asksHelp ? "help" : name.replace(/^--version$/, "version")
  const found = v.is(fileName, path) ? await loadFile(`commands/${path}`).catch(() => undefined) : undefined
  if (!found) throw new Error(`there is no command ${[name, ...rest].join(" ")}: see main.ts --help`)
  await (found.default as Command).run(rest, world)
}
