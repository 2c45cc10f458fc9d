/**
 * A steady rate of messages through a gateway of its own process and two providers of this one, while connections are cut,
 * closed when idle or fall silent, answers drip, standard output is stuck, Redis is killed, started again and stopped in
 * between, and the gateway itself is told to end and started anew. At every moment one provider can take a message. Prints
 * the figures of each runtime, and exits with 1 where a message was lost or not answered, or a call was not told.
 *
 *     npm run chaos                     ten minutes on each runtime
 *     npm run chaos -- 60 bun deno      sixty seconds on these
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { request } from "node:http"
import { createServer, type Socket } from "node:net"
import { fileURLToPath } from "node:url"

const rate = 25
const token = "a-token-for-the-chaos-of-more-than-32-characters"
const main = fileURLToPath(new URL("../../main.ts", import.meta.url))
const runtimes: Record<string, string[]> = {
  node: ["node"],
  bun: ["bun", "--no-install"],
  deno: ["deno", "run", "--cached-only", "--no-prompt", "--allow-net", "--allow-env", "--allow-read=.env,providers"],
}
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

// ───────────────────────────── Providers ─────────────────────────────

type Mood = "well" | "cutting" | "silent" | "closing" | "dripping"
const json = '{"id":"m-1","message_uuid":["m-1"]}'
const answer = `HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`

/** How a provider takes a call; gives whether it is accepted. */
const moods: Record<Mood, (socket: Socket, call: number) => boolean> = {
  well(socket) {
    return socket.write(answer) || true
  },
  /** Before the answer, or in its middle. */
  cutting(socket, call) {
    if (call % 2 === 0) socket.write(answer.slice(0, 90))
    setImmediate(() => socket.destroy())
    return false
  },
  /** The connection stays, and is dead from now on. */
  silent(socket) {
    socket.removeAllListeners("data").pause()
    return false
  },
  /** With the answer, or some milliseconds later, when the next call is perhaps under way. */
  closing(socket, call) {
    socket.write(answer)
    setTimeout(() => socket.end(), call % 8)
    return true
  },
  dripping(socket) {
    const parts = answer.match(/.{1,12}/gs) ?? []
    const drip = setInterval(() => {
      const part = parts.shift()
      if (part && !socket.destroyed) socket.write(part)
      else clearInterval(drip)
    }, 25)
    return true
  },
}

/** A provider that counts, text by text, what it was asked and what it accepted. */
async function provider() {
  const asked = new Map<string, number>()
  const took = new Map<string, number>()
  const state = { mood: "well" as Mood, calls: 0 }
  const count = (map: Map<string, number>, text: string) => map.set(text, (map.get(text) ?? 0) + 1)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    let read = ""
    socket.on("data", (bytes) => {
      read += bytes
      const end = read.indexOf("\r\n\r\n") + 4
      const length = Number(/^content-length: (\d+)/im.exec(read)?.[1])
      if (end < 4 || read.length < end + length) return
      const { text } = JSON.parse(read.slice(end, end + length))
      read = read.slice(end + length)
      state.calls += 1
      count(asked, text)
      if (moods[state.mood](socket, state.calls)) count(took, text)
    })
    socket.on("close", () => open.delete(socket)).on("error", () => {})
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  const close = () => {
    server.close()
    for (const socket of open) socket.destroy()
  }
  return { url: `http://127.0.0.1:${port}`, asked, took, state, close }
}

/**
 * What the two are like, one pair after the other. Beside one that takes nothing stands one that breaks nothing: a connection
 * that closes under a call is the other's turn, who then must be able to take it.
 */
const pairs: [Mood, Mood][] = [
  ["cutting", "well"],
  ["closing", "closing"],
  ["silent", "dripping"],
  ["well", "cutting"],
  ["dripping", "dripping"],
  ["dripping", "silent"],
  ["closing", "well"],
  ["cutting", "dripping"],
  ["dripping", "cutting"],
  ["silent", "well"],
  ["well", "closing"],
  ["well", "silent"],
]

// ───────────────────────────── Redis and the supervisor ─────────────────────────────

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, "close")
  return port
}

function redisOn(port: number) {
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  const start = () => spawn("redis-server", args, { stdio: "ignore" })
  let child = start()
  let kills = 0
  return {
    kills: () => kills,
    async killFor(ms: number) {
      child.kill("SIGKILL")
      kills += 1
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

/** Keeps one gateway running on a port, and counts in its log what it tells of calls. */
function supervisor(file: string, args: string[], env: NodeJS.ProcessEnv) {
  const figures = { starts: 0, codes: [] as (number | string | null)[], told: 0, dropped: 0, errors: 0, away: 0 }
  let isOver = false
  let child: ChildProcess
  let ended: Promise<unknown> = Promise.resolve()
  const read = (line: string) => {
    const { event, level, lines } = JSON.parse(line)
    if (/^(accepted|refused|unreachable|timeout)$/.test(event)) figures.told += 1
    if (event === "dropped") figures.dropped += lines
    if (event === "store_away") figures.away += 1
    if (level === "error" && event !== "rejected") figures.errors += 1
  }
  const start = () => {
    figures.starts += 1
    const own = spawn(file, [...args, main], { env, stdio: ["ignore", "pipe", "inherit"] })
    child = own
    let rest = ""
    own.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) read(line)
    })
    ended = once(own, "close").then(([code, signal]) => {
      figures.codes.push(code ?? signal)
      if (!isOver) start()
    })
  }
  start()
  const memory = () =>
    Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024)
  const end = async () => {
    isOver = true
    child.kill("SIGTERM")
    await ended
  }
  const stuckFor = async (ms: number) => {
    const { stdout } = child
    stdout?.pause()
    await wait(ms)
    stdout?.resume()
  }
  return { figures, restart: () => child.kill("SIGTERM"), stuckFor, memory, end }
}

// ───────────────────────────── Messages ─────────────────────────────

type Told = { status: number; attempts: number }
/** Posts over a connection of its own. */
function post(port: number, text: string, recipient: string): Promise<Told> {
  const body = JSON.stringify({ recipient, body: text, sender: "" })
  const headers = { authorization: `Bearer ${token}`, "content-length": Buffer.byteLength(body), connection: "close" }
  return new Promise((resolve, reject) => {
    const call = request({ port, host: "127.0.0.1", method: "POST", headers, agent: false, timeout: 30_000 })
    call.on("timeout", () => call.destroy(new Error("no answer in 30 s"))).on("error", reject)
    call.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part
      })
      response.on("error", reject).on("end", () => {
        const { attempts = [] } = JSON.parse(text)
        resolve({ status: response.statusCode ?? 0, attempts: attempts.length })
      })
    })
    call.end(body)
  })
}

async function chaos(name: string, seconds: number): Promise<boolean> {
  const [first, second] = [await provider(), await provider()]
  const [port, redisPort] = [await freePort(), await freePort()]
  const redis = redisOn(redisPort)
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    PORT: String(port),
    HOST: "127.0.0.1",
    LOG_FORMAT: "json",
    GATEWAY_TOKEN: token,
    STORE: `redis://127.0.0.1:${redisPort}`,
    SMS_PROVIDER: "http,plivo",
    HTTP_URL: `${first.url}/send`,
    HTTP_BODY: '{"text":"{body}"}',
    HTTP_SUCCESS: '"id":"(.+?)"',
    PLIVO_URL: second.url,
    PLIVO_AUTH_ID: "id",
    PLIVO_AUTH_TOKEN: "token",
    ATTEMPT_TIMEOUT: "2s",
    DEADLINE: "10s",
    LIMIT_PREFIX: "off",
  } as unknown as NodeJS.ProcessEnv
  const [command = "", ...args] = runtimes[name] ?? []
  // The runtime's own file, not the npm package's script around it, so that memory and signals are the runtime's.
  const print = name === "deno" ? ["eval", "console.log(Deno.execPath())"] : ["-p", "process.execPath"]
  const file = spawnSync(command, print, { encoding: "utf8" }).stdout.trim()
  const gateway = supervisor(file, args, env)

  const started = Date.now()
  const isOver = () => Date.now() - started > seconds * 1_000
  /** Waits, though no longer than the run lasts. */
  const pause = (ms: number) => wait(Math.max(0, Math.min(ms, started + seconds * 1_000 - Date.now())))

  const answered: Record<string, number> = {}
  const lost: string[] = []
  const untold: string[] = []
  const times: number[] = []
  let [sent, attempts, retries, cutOff] = [0, 0, 0, 0]
  const asked = (text: string) => (first.asked.get(text) ?? 0) + (second.asked.get(text) ?? 0)
  const send = async () => {
    sent += 1
    const [text, recipient] = [`chaos ${sent}`, `+1222${2_000_000 + sent}`]
    const begun = performance.now()
    let told: Told | undefined
    // While it starts anew nobody listens: a platform asks again.
    for (let tries = 0; !told && tries < 300; tries += 1) {
      told = await post(port, text, recipient).catch(() => undefined)
      if (told) break
      retries += 1
      if (asked(text) > 0) cutOff += 1
      if (asked(text) > 0) break
      await wait(100)
    }
    answered[told?.status ?? "none"] = (answered[told?.status ?? "none"] ?? 0) + 1
    if (told?.status !== 200) lost.push(`${text}: ${told?.status}`)
    attempts += told?.attempts ?? 0
    if (told && asked(text) > told.attempts) untold.push(`${text}: ${asked(text)} calls, ${told.attempts} told`)
    times.push(performance.now() - begun)
  }
  const underWay = new Set<Promise<void>>()
  const steady = async () => {
    for (let next = started; !isOver(); next += 1_000 / rate) {
      const sending: Promise<void> = send().finally(() => underWay.delete(sending))
      underWay.add(sending)
      await wait(Math.max(0, next + 1_000 / rate - Date.now()))
    }
  }
  const change = async () => {
    for (let turn = 0; !isOver(); turn += 1) {
      const [one = "well", other = "well"] = pairs[turn % pairs.length] ?? []
      Object.assign(first.state, { mood: one })
      Object.assign(second.state, { mood: other })
      await pause(3_000)
      // Who was asked in one pair is done with before the next: else both would be unwell for it.
      Object.assign(first.state, { mood: "well" })
      Object.assign(second.state, { mood: "well" })
      await pause(2_500)
    }
  }
  const period = Math.min(60, seconds) * 1_000
  const every = async (moment: number, what: () => Promise<unknown> | unknown) => {
    for (let at = started + moment * period; at < started + seconds * 1_000; at += period) {
      await wait(Math.max(0, at - Date.now()))
      if (!isOver()) await what()
    }
  }
  const memories: number[] = []
  await Promise.all([
    steady(),
    change(),
    every(0.15, () => gateway.stuckFor(period / 8)),
    every(0.2, () => redis.killFor(3_000)),
    every(0.45, () => redis.stopFor(1_500)),
    every(0.35, () => gateway.restart()),
    every(0.6, () => redis.killFor(1_000)),
    every(0.75, () => gateway.restart()),
    every(0.7, () => memories.push(gateway.memory())),
  ])
  await Promise.all(underWay)
  await gateway.end()
  redis.end()
  first.close()
  second.close()

  const { figures } = gateway
  const calls = first.state.calls + second.state.calls
  const isAllTold = figures.told === attempts || (figures.dropped > 0 && figures.told + figures.dropped >= attempts)
  const twice = [...new Set([...first.took.keys(), ...second.took.keys()])].filter(
    (text) => (first.took.get(text) ?? 0) + (second.took.get(text) ?? 0) > 1,
  ).length
  const sorted = times.sort((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
  const isEnded = figures.codes.every((code) => code === 0)
  const isGood =
    lost.length === 0 && untold.length === 0 && cutOff === 0 && isAllTold && isEnded && figures.errors === 0 && sent > 0
  const ms = { half: at(0.5), "99 %": at(0.99), most: at(1) }
  const log = { told: figures.told, dropped: figures.dropped, storeAway: figures.away, errors: figures.errors }
  const restarts = { gateway: figures.starts - 1, codes: figures.codes, redis: redis.kills() }
  console.log(
    JSON.stringify({
      ...{ runtime: name, seconds, sent, answered, attempts, calls, acceptedTwice: twice, retries, cutOff, ms, log },
      ...{ restarts, memories, lost: lost.slice(0, 10), untold: untold.slice(0, 10), isGood },
    }),
  )
  return isGood
}

const [seconds = 600] = process.argv.slice(2).map(Number).filter(Boolean)
const chosen = process.argv.slice(2).filter((word) => word in runtimes)
let isGood = true
for (const name of chosen.length > 0 ? chosen : Object.keys(runtimes)) isGood = (await chaos(name, seconds)) && isGood
process.exit(isGood ? 0 : 1)
