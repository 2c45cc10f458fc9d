/**
 * Routes that learn: counts what becomes of messages by provider, country and channel, shares that through STORE, and has the
 * file that ROUTING names order a route by it. All of it works on a copy in memory, so that no message waits for the store.
 * @module
 */
import * as v from "valibot"
import {
  acceptances,
  type Candidate,
  findAcceptances,
  type Gateway,
  type Inbound,
  importFile,
  type LoadedProvider,
  type Log,
  placeOf,
  type Route,
  type Routing,
  routeOf,
  StartError,
} from "../../main.ts"

/** In milliseconds. */
const day = 86_400_000
/** So long nothing is forgotten of what the store has: ten half-lives leave a thousandth. */
const kept = 10 * day
/** So often the copy and the store tell each other what is new. */
const pause = 2_000

/** An outcome weighs 2 of at most 100, so that the last 50 decide and older ones fade as each new one comes. */
const weight = 2
const most = 100

/** Acceptances that wait for the end of RESEND_WINDOW, and how many of them are looked at in one go. More teach nothing new. */
const mostWaiting = 10_000
const mostLookedAt = 500
/** More routes than providers and countries make; what a stranger wrote into the store fills no more. */
const mostLearned = 20_000

type Mark = "good" | "bad"
const marks = ["good", "bad"] as const
type Counts = Record<Mark, number>

/** What is known of one provider in one country by one channel. */
export interface Learned extends Counts {
  /** When `good` and `bad` were counted last, in milliseconds since 1970. */
  at: number
  /** The sums of the store that stand in it. */
  seen: Counts
  /** What the store was not told yet. */
  owed: Counts
}

export const createLearned = (): Learned => ({
  good: 0,
  bad: 0,
  at: 0,
  seen: { good: 0, bad: 0 },
  owed: { good: 0, bad: 0 },
})

/** How much is left of a weight after so many milliseconds: half after a day. A clock that was set back changes nothing. */
const fade = (milliseconds: number) => 2 ** (-Math.max(0, milliseconds) / day)

/** Counts outcomes, and makes older ones lighter: by their age, and where all together weigh too much. */
export function learn(learned: Learned, { good, bad }: Counts, now: number) {
  const left = fade(now - learned.at)
  learned.good = learned.good * left + weight * good
  learned.bad = learned.bad * left + weight * bad
  learned.at = now
  const all = learned.good + learned.bad
  if (all <= most) return
  learned.good *= most / all
  learned.bad *= most / all
}

/** What a provider brings to the draw. */
export function weigh(name: string, learned: Learned | undefined, now: number): Candidate {
  if (!learned) return { name, good: 0, bad: 0 }
  const left = fade(now - learned.at)
  return { name, good: learned.good * left, bad: learned.bad * left }
}

const keyOf = (provider: string, { country, channel }: Route) => `${provider}:${country}:${channel}`

// ───────────────────────────── The store: what instances tell each other ─────────────────────────────

const amount = (most: number) => v.pipe(v.number(), v.minValue(0), v.maxValue(most))
const sum = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
/** One line of what is kept: good, bad, when, and the two sums that stand in it. */
const line = v.tuple([amount(most + 1), amount(most + 1), amount(Number.MAX_SAFE_INTEGER), sum, sum])
const key = v.pipe(v.string(), v.maxLength(60), v.regex(/^[a-z][a-z0-9-]*:([A-Z]{2}|\d{1,3}):(sms|voice)$/))
/** What is kept of all that was learned. What another wrote there is foreign, and counts as absent line by line. */
const all = v.object({
  verified: v.fallback(amount(Number.MAX_SAFE_INTEGER), 0),
  learned: v.record(v.string(), v.unknown()),
})
const nameOfAll = "learned"

/** Adds what the store was not told, and learns what others added meanwhile. */
async function exchange(name: string, learned: Learned, { store, world }: World): Promise<boolean> {
  const others = { good: 0, bad: 0 }
  for (const mark of marks) {
    const owed = learned.owed[mark]
    learned.owed[mark] = 0
    const total = await Promise.resolve(store.add(`learned:${name}:${mark}`, owed, kept)).catch(() => undefined)
    if (!v.is(sum, total)) {
      learned.owed[mark] += owed
      return false
    }
    // Less than before is a store that began anew.
    others[mark] = Math.max(0, total - owed - learned.seen[mark])
    learned.seen[mark] = total
  }
  if (others.good + others.bad > 0) learn(learned, others, world.clock())
  return true
}

/** What the store keeps of all that was learned, with what is newer in place of what is older and has nothing to tell. */
function adopt(foreign: unknown, table: Map<string, Learned>, now: number): number {
  const parsed = v.safeParse(all, foreign)
  if (!parsed.success) return 0
  for (const [name, value] of Object.entries(parsed.output.learned)) {
    const own = table.get(name)
    if (!v.is(key, name) || !v.is(line, value) || (!own && table.size >= mostLearned)) continue
    const [good, bad, at, seenGood, seenBad] = value
    // Another host's clock may be a little ahead. What is from the future would never fade.
    const isNewer = at <= now + 60_000 && at > (own?.at ?? 0)
    if (!isNewer || (own && own.owed.good + own.owed.bad > 0)) continue
    const learned = own ?? createLearned()
    table.set(name, Object.assign(learned, { good, bad, at, seen: { good: seenGood, bad: seenBad } }))
  }
  return Math.min(parsed.output.verified, now)
}

/** What is kept: of each route good, bad, when, and the sums that stand in it; no count that the store was not told. */
function toKept(table: Map<string, Learned>, verified: number, now: number) {
  const round = (value: number) => Math.max(0, Math.round(value * 100) / 100)
  const lines = [...table].flatMap(([name, { good, bad, at, seen, owed }]) =>
    at > 0 && now - at < kept
      ? [[name, [round(good - weight * owed.good), round(bad - weight * owed.bad), at, seen.good, seen.bad]]]
      : [],
  )
  return { verified, learned: Object.fromEntries(lines) }
}

// ───────────────────────────── Learning ─────────────────────────────

type Why = "verified" | "again" | "report" | "refused" | "timeout" | "unasked"
/** What main.ts uses of it. */
export interface Learning {
  /** Counts what became of a message. Never on a message's way; never throws. */
  count(route: Route, mark: Mark, why: Why): void
  /** The providers in the order in which they are to be asked, and the counts behind it, for the draw and in words. */
  arrange(route: LoadedProvider[], inbound: Inbound): Arranged
  /** Tells the order in which they are asked, and the counts behind it. */
  tell(route: LoadedProvider[], arranged: Arranged, inbound: Inbound): void
  /** Keeps an acceptance until RESEND_WINDOW ends, when it is known whether the number asked again. */
  accepted(inbound: Inbound, provider: string): void
}

interface Arranged {
  arranged: LoadedProvider[]
  candidates: Candidate[]
  reason: string
}

type World = Pick<Gateway, "settings" | "world" | "clocks" | "store" | "routes" | "shares" | "log">

/** Everything that is learned, and what it is made with. */
interface State extends World {
  file: Routing
  table: Map<string, Learned>
  /** The same by route, country and channel: a message builds no names to find it. */
  places: Map<LoadedProvider[], Map<string, Place>>
  /** What was counted since the store was told of it. */
  touched: Set<string>
  waiting: Waiting[]
  /** When a code was entered last, as far as anyone said so, in milliseconds since 1970. */
  verified: number
  isBusy: boolean
}

interface Serving {
  provider: LoadedProvider
  name: string
  learned: Learned
  /** The last counts that were told, in outcomes. */
  told: { good: number; asked: number; words: string }
}

/** A route in one country by one channel: those that serve it, with what is known of each. */
interface Place {
  serving: Serving[]
  /** The last counts that were told, in words. */
  reason: string
  /** Whether it was asked for since the store was told of it. */
  isTouched: boolean
}

/** An acceptance of the message `id`, kept under `key`; `ends` is on the monotonic clock. */
interface Waiting {
  route: Route
  id: string
  key: string
  ends: number
}

/** Loads the file that ROUTING names, and what was learned before. Where it serves, the copy is refreshed from then on. */
export async function openRouting(given: World, isServing: boolean): Promise<Learning> {
  const text = "ROUTING orders a route by itself: leave it out, or the shares in SMS_PROVIDER and VOICE_PROVIDER"
  if (given.shares.size > 0) throw new StartError([{ text }])
  const file = await importFile("routing/", given.settings.ROUTING, given.world)
  const empty = {
    table: new Map(),
    places: new Map(),
    touched: new Set<string>(),
    waiting: [],
    verified: 0,
    isBusy: false,
  }
  const state: State = { ...given, file, ...empty }
  await refresh(state)
  const { stopping } = given.world
  const repeat = async () => {
    await refresh(state)
    if (!stopping?.aborted) given.clocks.after(pause, repeat)
  }
  if (isServing) given.clocks.after(pause, repeat)
  stopping?.addEventListener("abort", () => refresh(state))
  return {
    count: (route, mark, why) => count(state, route, mark, why),
    arrange: (route, inbound) => arrange(state, route, inbound),
    tell: (route, arranged, inbound) => tell(route, arranged, inbound, given.log),
    accepted(inbound, provider) {
      const { id, acceptanceKeys } = inbound
      // What is kept of it ends a little later.
      const period = Math.min(given.settings.RESEND_WINDOW, acceptances.period - 10_000)
      const ends = given.clocks.monotonic() + period
      const waiting = { route: routeOf(provider, inbound), id, key: acceptanceKeys[0] ?? "", ends }
      if (state.waiting.length < mostWaiting) state.waiting.push(waiting)
    },
  }
}

const count = (state: State, route: Route, mark: Mark, why: Why) => {
  const { table, touched, routes, world } = state
  const name = keyOf(route.provider, route)
  // A store may bring a provider of another instance.
  const isKnown = routes[route.channel]?.some(({ value }) => value.some((one) => one.name === route.provider))
  if (!isKnown || !v.is(key, name)) return
  const now = world.clock()
  if (why === "verified") state.verified = now
  const learned = findOrCreate(table, name)
  learn(learned, { good: Number(mark === "good"), bad: Number(mark === "bad") }, now)
  learned.owed[mark] += 1
  touched.add(name)
}

/** Those that serve the country as the file orders them, then whoever it left out, then the others. */
function arrange(state: State, route: LoadedProvider[], inbound: Inbound) {
  const { file, world, log } = state
  const now = world.clock()
  const place = findPlace(state, route, inbound)
  place.isTouched = true
  const candidates = place.serving.map(({ provider, learned }) => weigh(provider.name, learned, now))
  const arranged: LoadedProvider[] = []
  const add = (provider: LoadedProvider) => {
    if (!arranged.includes(provider)) arranged.push(provider)
  }
  try {
    for (const name of file.order(candidates, world.random ?? Math.random)) {
      const found = place.serving.find(({ provider }) => provider.name === name)
      if (found) add(found.provider)
    }
  } catch (error) {
    logFailure(error, log)
  }
  for (const { provider } of place.serving) add(provider)
  for (const provider of route) add(provider)
  return { arranged, candidates, reason: describeCounts(place, candidates, inbound) }
}

function findOrCreate(table: Map<string, Learned>, name: string): Learned {
  const learned = table.get(name) ?? createLearned()
  table.set(name, learned)
  return learned
}

function findPlace({ places, table }: State, route: LoadedProvider[], inbound: Inbound): Place {
  const target = routeOf("", inbound)
  const name = target.country + target.channel
  const ofRoute = places.get(route) ?? new Map<string, Place>()
  const before = ofRoute.get(name)
  if (before) return before
  const serving = route.filter(({ provider: { countries } }) => !countries || countries.includes(inbound.country))
  const place: Place = {
    serving: serving.map((provider) => {
      const name = keyOf(provider.name, target)
      return { provider, name, learned: findOrCreate(table, name), told: { good: 0, asked: -1, words: "" } }
    }),
    reason: "",
    isTouched: false,
  }
  places.set(route, ofRoute.set(name, place))
  return place
}

const logFailure = (error: unknown, log: Log) =>
  log("error", "failure", { reason: Object(error).name, place: error instanceof Error ? placeOf(error) : "" })

function tell(route: LoadedProvider[], { reason }: Arranged, inbound: Inbound, log: Log) {
  const order = route.map(({ name }) => name).join(", ")
  log("info", "routed", { ...inbound.about, country: inbound.country || inbound.callingCode, order, reason })
}

/** The counts behind an order in words, which are made anew only where a number changed: every message tells them. */
function describeCounts(place: Place, candidates: Candidate[], inbound: Inbound): string {
  let isSame = place.reason !== ""
  for (const [at, { provider, told }] of place.serving.entries()) {
    const { good = 0, bad = 0 } = candidates[at] ?? {}
    const rounded = Math.round(good / weight)
    const asked = Math.round((good + bad) / weight)
    if (rounded === told.good && asked === told.asked) continue
    const words = `${provider.name} ${asked > 0 ? `${rounded} of ${asked}` : "not known"}`
    Object.assign(told, { good: rounded, asked, words })
    isSame = false
  }
  const country = inbound.country || inbound.callingCode
  if (!isSame) place.reason = `good lately in ${country}: ${place.serving.map(({ told }) => told.words).join(", ")}`
  return place.reason
}

/** Tells the store what is new and learns from it. It works on a copy, and no message waits for it. Never throws. */
async function refresh(state: State): Promise<void> {
  if (state.isBusy) return
  state.isBusy = true
  try {
    await lookAtWaiting(state)
    await share(state)
  } catch (error) {
    logFailure(error, state.log)
  }
  state.isBusy = false
}

async function share(state: State) {
  const { table, touched, places, store, world } = state
  for (const place of [...places.values()].flatMap((ofRoute) => [...ofRoute.values()])) {
    if (place.isTouched) for (const { name } of place.serving) touched.add(name)
    place.isTouched = false
  }
  const names = [...touched]
  touched.clear()
  let isAllTold = true
  for (const name of names) {
    const learned = findOrCreate(table, name)
    const isTold = await exchange(name, learned, state)
    if (isTold) continue
    touched.add(name)
    isAllTold = false
  }
  state.verified = Math.max(state.verified, adopt(await store.get(nameOfAll), table, world.clock()))
  if (names.length > 0 && isAllTold) await store.set(nameOfAll, toKept(table, state.verified, world.clock()), kept)
}

/** Where nobody said for a day that a code was entered, nobody asking again says that the text arrived. */
async function lookAtWaiting(state: State) {
  const { waiting, clocks, world } = state
  const now = clocks.monotonic()
  const first = waiting.findIndex(({ ends }) => ends > now)
  const ended = waiting.splice(0, first < 0 ? waiting.length : first)
  if (world.clock() - state.verified < day) return
  for (const { route, id, key } of ended.slice(0, mostLookedAt)) {
    const [last] = (await findAcceptances(key, state)).filter(({ channel }) => channel === route.channel)
    if (last?.id === id) count(state, route, "good", "unasked")
  }
}
