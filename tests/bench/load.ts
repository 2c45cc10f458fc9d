/** The load, which comes from wrk: calls over some connections, none of them twice. */
import { existsSync } from "node:fs"
import { type Call, calls, writeCalls } from "./calls.ts"
import { folder, here, run, type Server, usage } from "./servers.ts"

/** A server under load, and how many calls it has had. */
export type Target = Pick<Server, "port" | "pid"> & { name: string; call: Call; path: string; sent: number }

export function targetOf(server: Pick<Server, "port" | "pid">, name: string, call: Call = calls.auth0): Target {
  return { ...server, name, call, path: call.path, sent: 0 }
}

/** What wrk finds: latencies in milliseconds; `bad` is every answer but a 2xx and every broken connection. */
interface Load {
  requests: number
  seconds: number
  p50: number
  p99: number
  bad: number
}

const fileOf = ({ path }: Call) => `${folder}/calls${path.replace("/", "-")}`
/** Signs the calls; those that hold the time are to be signed when they are needed. */
export const sign = (call: Call) => writeCalls(call, fileOf(call))

export async function load(target: Target, connections: number, seconds: number): Promise<Load> {
  const { port, path, call, name } = target
  const file = fileOf(call)
  if (!existsSync(file)) sign(call)
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "30s", "-s", `${here}load.lua`]
  const { child, ended } = run(["wrk", ...args, `http://127.0.0.1:${port}${path}`, "--", file, String(target.sent)])
  let text = ""
  child.stdout.setEncoding("utf8").on("data", (chunk) => (text += chunk))
  await Promise.all([ended, new Promise((resolve) => child.stdout.once("close", resolve))])
  const line = text.split("\n").find((line) => line.startsWith("{"))
  if (!line) throw new Error(`wrk says: ${text}`)
  const found = JSON.parse(line) as Load
  // What was under way at the end, and what wrk asked for to look at it, are not among the requests.
  target.sent += found.requests + connections + 1
  if (call.isOnce && target.sent > call.count) throw new Error(`${name}: more than ${call.count} calls are needed`)
  if (found.bad > 0) console.error(`${name}: ${found.bad} of ${found.requests} failed`)
  return found
}

/**
 * Sends for a second at a time until two in a row have the same rate, but for 5 %, and for `patience` seconds at most.
 * Gives the rate of the first second, when nothing was compiled yet, and whether it became steady.
 */
export async function warm(target: Target, patience = 12, connections = 64) {
  const rates: number[] = []
  const isSteady = () => {
    const [last = 0, before = 0] = rates.toReversed()
    return rates.length > 2 && Math.abs(last / before - 1) <= 0.05
  }
  while (rates.length < patience && !isSteady()) {
    const { requests, seconds } = await load(target, connections, 1)
    rates.push(requests / seconds)
  }
  return { first: rates[0] ?? 0, isSteady: isSteady() }
}

/** What a message costs under load: rates by the second, latencies in ms, CPU in µs, memory in MiB. `helpers`: see usage. */
export type Figures = Record<"requests" | "rps" | "p50" | "p99" | "cpu" | "helpers" | "rss", number>

export async function measure(target: Target, connections: number, seconds = 2): Promise<Figures> {
  const before = usage(target.pid)
  const found = await load(target, connections, seconds)
  const after = usage(target.pid)
  const { p50, p99, requests } = found
  const spent = (what: "cpu" | "helpers") => (after[what] - before[what]) / requests
  const costs = { cpu: spent("cpu"), helpers: spent("helpers"), rss: after.rss }
  return { requests, rps: requests / found.seconds, p50, p99, ...costs }
}
