/**
 * A steady rate of messages through a gateway of its own process and two providers of this one, while connections are cut,
 * closed when idle or fall silent, answers drip, standard output is stuck, the disk under it is full, silent connections take
 * every descriptor, Redis is killed, started again and stopped in between, the wall clock is stepped by an hour, and the
 * gateway itself is told to end and started anew. Prints the figures of each runtime, and exits with 1 where this was broken:
 *
 * - Every message is answered, within 15 s, and no call whose text a provider has is left without an answer. Where a
 *   connection broke before that, the caller comes again, as a platform does.
 * - It is answered 200, since at every moment one provider can take it. The one exception: where no descriptor is left, none
 *   can be asked, so that what is under way then, or comes within a second after, may be refused.
 * - Its answer names every call that the providers had. So does the log, line by line, where it tells how many lines it
 *   dropped, and but for what it wrote while the disk was full.
 * - The gateway ends with 0 each time, and logs no error.
 * - Each trouble did come about.
 *
 *     npm run chaos                     ten minutes on each runtime
 *     npm run chaos -- 60 bun deno      sixty seconds on these
 */
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { type IncomingMessage, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort, redisOn, runtimeNames, supervisor, wait, wallClock } from "./processes.ts"
import { pairs, provider } from "./providers.ts"

const rate = 25
const longest = 15_000
const token = "a-token-for-the-chaos-of-more-than-32-characters"

type Provider = Awaited<ReturnType<typeof provider>>
type Gateway = ReturnType<typeof supervisor>

// ───────────────────────────── Messages ─────────────────────────────

/** `attempts` tells of each call the provider, the outcome and its code. */
type Answer = { status: number; id: string; attempts: string[] }
/** A message with what became of it, and the providers' moods as it came; times are of the monotonic clock. */
type Sent = { text: string; moods: string; begun: number; ended: number; tries: number; answer: Answer | undefined }

/** Posts over a connection of its own. */
async function post(port: number, text: string, recipient: string): Promise<Answer> {
  const body = JSON.stringify({ recipient, body: text, sender: "" })
  const headers = { authorization: `Bearer ${token}`, "content-length": Buffer.byteLength(body), connection: "close" }
  const call = request({ port, host: "127.0.0.1", method: "POST", headers, agent: false, timeout: 30_000 })
  call.on("timeout", () => call.destroy(new Error("no answer in 30 s"))).on("error", () => {})
  call.end(body)
  const [response]: IncomingMessage[] = await once(call, "response")
  let read = ""
  for await (const part of response ?? []) read += part
  const { id, attempts = [] } = JSON.parse(read)
  const told = attempts.map((attempt: Record<string, unknown>) =>
    [attempt.provider, attempt.outcome, attempt.code, `${attempt.ms} ms`].filter(Boolean).join(" "),
  )
  return { status: response?.statusCode ?? 0, id, attempts: told }
}

/** How often the providers had a text. */
const askedOf = (text: string, both: Provider[]) => both.reduce((sum, { asked }) => sum + (asked.get(text) ?? 0), 0)

/** Sends one message, again where nobody took the call. */
async function send(number: number, port: number, both: Provider[]): Promise<Sent> {
  const [text, recipient] = [`chaos ${number}`, `+1222${2_000_000 + number}`]
  const begun = performance.now()
  let answer: Answer | undefined
  let [tries, moods] = [0, ""]
  while (!answer && tries < 300 && askedOf(text, both) === 0) {
    if (tries > 0) await wait(100)
    tries += 1
    moods = both.map(({ state }) => state.mood).join(", ")
    answer = await post(port, text, recipient).catch(() => undefined)
  }
  return { text, moods, begun, ended: performance.now(), tries, answer }
}

// ───────────────────────────── Troubles ─────────────────────────────

type Span = { begun: number; ended: number }
const touches = (one: Span, spans: Span[], before: number, after: number) =>
  spans.some(({ begun, ended }) => one.begun < ended + after && one.ended > begun - before)

/** How long a run lasts, and when in it what is done: every minute, or once in a shorter run. */
function timetable(seconds: number) {
  const started = performance.now()
  const ends = started + seconds * 1_000
  const period = Math.min(60, seconds) * 1_000
  const isOver = () => performance.now() >= ends
  /** Waits, though no longer than the run lasts. */
  const pause = (ms: number) => wait(Math.max(0, Math.min(ms, ends - performance.now())))
  const every = async (moment: number, what: () => Promise<unknown> | unknown) => {
    for (let at = started + moment * period; at < ends; at += period) {
      await pause(at - performance.now())
      await what()
    }
  }
  return { period, isOver, pause, every }
}
type Timetable = ReturnType<typeof timetable>

async function changeMoods([first, second]: [Provider, Provider], { isOver, pause }: Timetable) {
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

/** Everything but the providers' moods. Gives how often each was made, and when the disk was full and no descriptor left. */
async function trouble(
  gateway: Gateway,
  port: number,
  redis: ReturnType<typeof redisOn>,
  clock: ReturnType<typeof wallClock>,
  { period, every }: Timetable,
) {
  const made = { stuck: 0, diskFull: 0, crowded: 0, redisKilled: 0, redisStopped: 0, clockStepped: 0, restarted: 0 }
  const [full, crowded]: [Span[], Span[]] = [[], []]
  const make = async (name: keyof typeof made, what: () => unknown, spans: Span[] = []) => {
    const begun = performance.now()
    if ((await what()) !== false) made[name] += 1
    spans.push({ begun, ended: performance.now() })
  }
  const memories: number[] = []
  // To end may take it 11 s, DEADLINE and a second: so much later comes what the next one must be there for.
  await Promise.all([
    every(0.08, () => make("clockStepped", () => clock.set(1))),
    every(0.15, () => make("stuck", () => gateway.stuckFor(period / 8))),
    every(0.2, () => make("redisKilled", () => redis.killFor(3_000))),
    every(0.3, () => make("restarted", gateway.restart)),
    every(0.4, () => make("clockStepped", () => clock.set(0))),
    every(0.45, () => make("redisStopped", () => redis.stopFor(1_500))),
    every(0.5, () => make("diskFull", () => gateway.fullFor(period / 8), full)),
    every(0.55, () => make("clockStepped", () => clock.set(-1))),
    every(0.6, () => make("redisKilled", () => redis.killFor(1_000))),
    every(0.65, () => memories.push(gateway.memory())),
    every(0.7, () => make("restarted", gateway.restart)),
    every(0.9, () => make("crowded", () => gateway.crowdedFor(3_000, port), crowded)),
    every(0.96, () => make("clockStepped", () => clock.set(0))),
  ])
  return { made, full, crowded, memories }
}

// ───────────────────────────── A run, and what is said of it ─────────────────────────────

function settings(port: number, redisPort: number, [first, second]: [Provider, Provider]) {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    PORT: String(port),
    HOST: "127.0.0.1",
    LOG_FORMAT: "json",
    GATEWAY_TOKEN: token,
    STORE: `redis://127.0.0.1:${redisPort}`,
    SMS_PROVIDER: "http,plivo",
    HTTP_URL: `${first.url}/send`,
    HTTP_BODY: '{"to":"{recipient}","text":"{body}"}',
    HTTP_SUCCESS: '"id":"(.+?)"',
    PLIVO_URL: second.url,
    PLIVO_AUTH_ID: "id",
    PLIVO_AUTH_TOKEN: "token",
    ATTEMPT_TIMEOUT: "2s",
    DEADLINE: "10s",
    LIMIT_PREFIX: "off",
  }
}

type Troubles = Awaited<ReturnType<typeof trouble>>

/** What one message was promised and did not get. */
function wrongWith({ text, begun, ended, answer }: Sent, asked: number, logged: number, mayBeRefused: boolean) {
  const wrong: string[] = []
  const { status, attempts = [] } = answer ?? {}
  if (status !== 200 && !(answer && mayBeRefused))
    wrong.push(`answered ${status}, asked ${asked}: ${attempts.join(", ")}`)
  if (ended - begun > longest) wrong.push(`${Math.round(ended - begun)} ms`)
  if (answer && asked > attempts.length) wrong.push(`${asked} calls, ${attempts.length} told`)
  if (logged > attempts.length) wrong.push(`${attempts.length} calls, ${logged} logged`)
  return wrong.map((what) => `${text}: ${what}`)
}

/** Everything that was promised above and not kept. */
function faultsOf(messages: Sent[], both: Provider[], { log, told, ends }: Gateway, { made, full, crowded }: Troubles) {
  const faults: string[] = []
  let unlogged = 0
  for (const message of messages) {
    const { answer, text, moods } = message
    const logged = told.get(answer?.id ?? "") ?? 0
    const wrong = wrongWith(message, askedOf(text, both), logged, touches(message, crowded, 0, 1_000))
    faults.push(...wrong.map((what) => `${moods}: ${what}`))
    if (answer && !touches(message, full, 500, 500)) unlogged += answer.attempts.length - logged
  }
  if (unlogged > log.dropped) faults.push(`${unlogged} calls are not logged, ${log.dropped} lines told as dropped`)
  // Where the disk became full there is half a line.
  if (log.torn > made.diskFull) faults.push(`${log.torn} lines are broken`)
  if (log.errors > 0) faults.push(`${log.errors} errors are logged`)
  for (const { code, ms } of ends) if (code !== 0) faults.push(`it ended with ${code} after ${ms} ms`)
  for (const [name, times] of Object.entries(made)) if (times === 0) faults.push(`${name} did not come about`)
  // The last step is perhaps too late for a line.
  if (log.clockForward + log.clockBack < made.clockStepped - 1) faults.push("it did not see the clock step")
  return faults
}

function figuresOf(messages: Sent[], both: Provider[], { log, ends }: Gateway, { made, crowded, memories }: Troubles) {
  const answered: Record<string, number> = {}
  const whileCrowded = { sent: 0, refused: 0 }
  const calls = { asked: both.reduce((sum, { state }) => sum + state.calls, 0), told: 0, logged: log.calls }
  let [triesMore, acceptedTwice] = [0, 0]
  for (const message of messages) {
    const { text, tries, answer } = message
    const status = answer?.status ?? "none"
    answered[status] = (answered[status] ?? 0) + 1
    const isCrowded = touches(message, crowded, 0, 1_000)
    if (isCrowded) whileCrowded.sent += 1
    if (isCrowded && status !== 200) whileCrowded.refused += 1
    calls.told += answer?.attempts.length ?? 0
    triesMore += tries - 1
    if (both.reduce((sum, { took }) => sum + (took.get(text) ?? 0), 0) > 1) acceptedTwice += 1
  }
  const times = messages.map(({ begun, ended }) => ended - begun).sort((a, b) => a - b)
  const at = (share: number) => Math.round(times[Math.floor(share * (times.length - 1))] ?? 0)
  const answerMs = { half: at(0.5), "99 %": at(0.99), most: at(1) }
  const endMs = ends.map(({ ms }) => ms).join(" ")
  const counts = { sent: messages.length, answered, whileCrowded, triesMore, acceptedTwice }
  return { ...counts, answerMs, calls, log, made, endMs, memoryMiB: memories.join(" ") }
}

async function chaos(runtime: string, seconds: number): Promise<boolean> {
  const both: [Provider, Provider] = [await provider(), await provider()]
  const [port, redisPort] = [await freePort(), await freePort()]
  const folder = mkdtempSync(join(tmpdir(), "smstask-chaos-"))
  const clock = wallClock(folder)
  const redis = redisOn(redisPort)
  const gateway = supervisor(runtime, { ...settings(port, redisPort, both), ...clock.env } as never, folder)

  const times = timetable(seconds)
  const underWay: Promise<Sent>[] = []
  const steady = async () => {
    for (let next = performance.now(); !times.isOver(); await times.pause(next - performance.now())) {
      underWay.push(send(underWay.length + 1, port, both))
      next += 1_000 / rate
    }
  }
  const [troubles] = await Promise.all([
    trouble(gateway, port, redis, clock, times),
    steady(),
    changeMoods(both, times),
  ])
  const messages = await Promise.all(underWay)
  await gateway.end()
  redis.end()
  for (const { close } of both) close()
  rmSync(folder, { recursive: true })

  const figures = figuresOf(messages, both, gateway, troubles)
  const faults = faultsOf(messages, both, gateway, troubles)
  console.log(JSON.stringify({ runtime, seconds, ...figures, faults: faults.length, first: faults.slice(0, 20) }))
  return faults.length === 0
}

const [seconds = 600] = process.argv.slice(2).map(Number).filter(Boolean)
const chosen = process.argv.slice(2).filter((word) => runtimeNames.includes(word))
let isGood = true
for (const name of chosen.length > 0 ? chosen : runtimeNames) isGood = (await chaos(name, seconds)) && isGood
process.exit(isGood ? 0 : 1)
