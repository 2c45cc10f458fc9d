/**
 * A store that instances share, with this process's memory in its place while it is away.
 * @module
 */
import { createHmac } from "node:crypto"
import {
  type Clocks,
  formsOf,
  importFile,
  type Key,
  type Log,
  redact,
  type Settings,
  StartError,
  type Store,
  type StoreSite,
  tryOr,
  variablePrefix,
  type World,
  withTimeout,
} from "../../main.ts"
import { missingPackage } from "../lib.ts"
import { installLine } from "./packages.ts"

/** A store that answers nothing for so long is away. One that is busy answers others meanwhile. In milliseconds. */
const patience = 250
/** No message waits longer for a busy store. */
const longestWait = 2_000
/** For so long a store that is away is left alone. */
const pause = 1_000

const reasons: Record<string, string> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the name of its host is not known",
  EAI_AGAIN: "no DNS server answers",
}

/** Asks `shared`, or the memory while that does not answer. Keys are hashed for it. */
export function withSpare(shared: Store, { spare, hash, log, ...clocks }: StoreSite): Store {
  let isAway = false
  let awayUntil = 0
  let answeredAt = 0
  /** When the memory last answered in place of the store, which knows nothing of that. */
  let stoodInAt = Number.NEGATIVE_INFINITY
  const standIn = <T>(use: Use<T>) => {
    stoodInAt = clocks.monotonic()
    return use(spare, (key) => key)
  }
  /** What the store says, or undefined where it is away. */
  const waitFor = async <T>(work: Promise<T>): Promise<T | undefined> => {
    const since = clocks.monotonic()
    for (let passed = 0; passed < longestWait; ) {
      const answer = await withTimeout(patience, clocks, work)
      const before = passed
      passed = clocks.monotonic() - since
      // Where this process was too busy to look, its answer may be there already.
      const wasBusy = passed - before > 1.2 * patience
      const isSilent = !wasBusy && clocks.monotonic() - answeredAt >= patience
      if (answer !== undefined || isSilent) return answer
    }
    return undefined
  }
  type Use<T> = (store: Store, named: (key: Key) => Key) => T | Promise<T>
  const either = async <T>(use: Use<T>): Promise<T> => {
    if (clocks.monotonic() < awayUntil) return await standIn(use)
    const ask = async () => {
      const value = await use(shared, hash)
      answeredAt = clocks.monotonic()
      return { value }
    }
    const answer = await waitFor(ask().catch((error: unknown) => ({ error })))
    if (answer && "value" in answer) {
      if (isAway) log("info", "store_back")
      isAway = false
      return answer.value
    }
    const { code, message } = Object(answer?.error)
    const named = /^[A-Z][A-Z_]+\b/.exec(String(code ?? message))?.[0]
    const told = reasons[named ?? ""] ?? named ?? `no answer within ${patience} ms`
    if (!isAway) log("warn", "store_away", { reason: `${told}; limits and duplicates are kept in memory` })
    isAway = true
    awayUntil = clocks.monotonic() + pause
    return await standIn(use)
  }
  // The memory counts first, so that it goes on from what is known whenever the store is late.
  return {
    async take(key, limit) {
      const own = await spare.take(key, limit)
      // For a period after it stood in, it knows of messages that the store does not.
      if (own > 0 && clocks.monotonic() - stoodInAt < limit.period) return own
      const wait = await either((store, named) => (store === spare ? own : store.take(named(key), limit)))
      if (wait > 0 && own === 0) await spare.giveBack(key, limit)
      return wait
    },
    async giveBack(key, limit) {
      await spare.giveBack(key, limit)
      await either((store, named) => (store === spare ? undefined : store.giveBack(named(key), limit)))
    },
    // The memory keeps each value, too: the store may be away when it is asked for, or have been when it was set.
    get: (key) => either(async (store, named) => (await store.get(named(key))) ?? (await spare.get(key))),
    async set(key, value, period) {
      await spare.set(key, value, period)
      await either((store, named) => (store === spare ? undefined : store.set(named(key), value, period)))
    },
    // Whoever adds keeps what was not added, and tells it later.
    add: (key, by, period) =>
      either((store, named) => (store === spare ? undefined : store.add(named(key), by, period))),
  }
}

/** What a URL may hold of secrets. */
function secretsOf(store: string): string[] {
  const { username = "", password = "", search = "" } = URL.parse(store) ?? { password: store }
  const decoded = tryOr(() => decodeURIComponent(password), "")
  return [username, password, decoded, search].filter((part) => part.length > 3)
}

/** What a store of Redis needs. Both are told at once. */
const redisPackages = ["@redis/client", "rate-limiter-flexible"]

/** Opens the store that STORE names by its scheme. Throws a StartError that names STORE. */
export async function open(settings: Settings, world: World, clocks: Clocks, spare: Store, log: Log): Promise<Store> {
  const { STORE = "", GATEWAY_SECRET, GATEWAY_TOKEN, PLATFORMS = [] } = settings
  const file = await importFile("stores/", STORE.split(":")[0] ?? "", world)
  const names = PLATFORMS.map(variablePrefix)
  const ofPlatforms = names.map((name) => world.env[`${name}_SECRET`] ?? world.env[`${name}_TOKEN`]).find(Boolean)
  // Whoever reads the store knows its address.
  const secret = GATEWAY_SECRET ?? GATEWAY_TOKEN ?? ofPlatforms ?? STORE
  const hash = (key: Key) => createHmac("sha256", secret).update(`${key}`).digest("base64url")
  const { stopping } = world
  const site: StoreSite = { ...clocks, ...(stopping && { stopping }), spare, hash, log }
  return await file.open(STORE, site).catch((cause: Error) => {
    const lacking = missingPackage(cause)
    const packages = lacking && redisPackages.includes(lacking) ? redisPackages : [lacking ?? ""]
    if (lacking) throw new StartError([{ text: `STORE needs a package: ${installLine(packages)}`, cause }])
    const reason = redact(cause.message, formsOf(secretsOf(STORE)), { recipient: "", body: "", sender: "" }, "prose")
    throw new StartError([{ text: `STORE is wrong: ${reason}`, setting: "STORE", cause }])
  })
}
