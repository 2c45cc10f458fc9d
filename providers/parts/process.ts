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
import { nearest, placeOf } from "./check.ts"
import { say } from "./say.ts"

export { readEnvFile } from "./env.ts"
export { say } from "./say.ts"

/** The token of a first run, the same for an hour. */
export const rememberedToken = async (token: string) => (await import("./first-run.ts")).rememberedToken(token)

const { Deno } = globalThis as unknown as Runtimes

const newline = 10

/**
 * Writes lines to standard output, one write at a time, and no login waits for it. Above 1 MiB unwritten, and where a write
 * fails (a full disk), lines are dropped, and their number is told with the next one that is written.
 */
export function printer(): { print: World["print"]; flush(): Promise<void> } {
  const writeSome = promisify(write)
  let lines: string[] = []
  let [size, dropped, isBusy, isTorn, since] = [0, 0, false, false, Number.NaN]
  let flushed = () => {}
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
    // The line that told of others is the last of a text.
    if (lost > 0) dropped += lost + told - Math.sign(told)
    if (at > 0) isTorn = bytes[at - 1] !== newline
    next()
  }
  const next = () => {
    const told = lines.length > 0 ? dropped : 0
    const time = new Date()
    if (told > 0) lines.push(JSON.stringify({ time, level: "warn", event: "dropped", lines: told }))
    const text = lines.map((line) => `${line}\n`).join("")
    lines = []
    size = 0
    dropped -= told
    isBusy = text !== ""
    if (isBusy) put(Buffer.from(isTorn ? `\n${text}` : text), told)
    else flushed()
  }
  process.on("exit", () => {
    // Node waits for a write that is stuck, for ever.
    if (performance.now() - since > 1_000) process.kill(process.pid, "SIGKILL")
    attempt(() => lines.length > 0 && writeSync(1, `${lines.join("\n")}\n`), 0)
  })
  const print = (line: string) => {
    if (size > 1_048_576) {
      dropped += 1
      return
    }
    size += line.length
    lines.push(line)
    if (!isBusy) setImmediate(next)
    isBusy = true
  }
  const flush = () =>
    new Promise<void>((resolve) => {
      flushed = resolve
      if (!isBusy) resolve()
    })
  return { print, flush }
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
    const end = async () => {
      await close()
      log("info", "stopped")
      await prepared.gateway.world.flush?.()
      // Handles that never finish closing would keep it.
      process.exit(0)
    }
    end()
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
    const text = `${cause.code} ${cause.name} ${cause.message}`
    const isTaken = /EADDRINUSE|AddrInUse|in use/i.test(text)
    const isElsewhere = /EADDRNOTAVAIL|AddrNotAvailable|ENOTFOUND|EAI_AGAIN|EINVAL|lookup address/i.test(text)
    const isForbidden = /EACCES|PermissionDenied/i.test(text)
    const other = isElsewhere ? "HOST is no address of this machine: leave it out" : (cause.code ?? cause.message)
    const bound = isForbidden ? "ports below 1024 need a right of their own: set another PORT" : other
    const why = isTaken ? "another program listens there: end it, or set another PORT" : bound
    throw new Error(`PORT ${port} of ${host} cannot be listened on: ${why}`, { cause })
  }

/** What other programs call these. */
const otherWords: Record<string, string> = {
  ...{ start: "serve", run: "serve", dev: "serve", up: "serve", list: "providers", ls: "providers", test: "send" },
  ...{ config: "check", validate: "check", doctor: "check", "-v": "--version", "-V": "--version", jwt: "token" },
}
const commands = ["serve", "check", "send", "providers", "platforms", "token", "help", "--help", "--version"]
/** The exit code of what ended before it had begun. */
const unfinished = 70

/** Says so where a file of providers/ never finishes loading: then nothing is left to do, and the process would end with 0. */
export async function command(args: string[], world: World): Promise<void> {
  process.exitCode = unfinished
  process.once("exit", (code) => {
    if (code === unfinished) say("smstask ended before it began: a file of providers/ never finishes loading")
  })
  await run(args, world)
  if (process.exitCode === unfinished) process.exitCode = 0
}

/** Runs what the command line names: to serve, or `providers/commands/<name>.ts`. Throws what is to be told on standard error. */
async function run([name = "serve", ...rest]: string[], world: World): Promise<void> {
  if (name === "serve" && rest.length === 0) return await serve(world)
  const asksHelp = [name, ...rest].some((word) => /^(-h|--help)$/.test(word))
  const path = asksHelp ? "help" : name.replace(/^--version$/, "version")
  const found = v.is(fileName, path) ? await loadFile(`commands/${path}`).catch(() => undefined) : undefined
  if (found) return await (found.default as Command).run(rest, world)
  const near = otherWords[name] ?? nearest(name, commands)
  const setting = name.startsWith("-") ? "; settings are environment variables, as PORT=4000" : ""
  const meant = near ? `; did you mean ${near}?` : setting
  throw new Error(`there is no command ${[name, ...rest].join(" ")}: see main.ts --help${meant}`)
}
