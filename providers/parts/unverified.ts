/**
 * LIMIT_UNVERIFIED: how many messages may go out whose code nobody enters, for one country and for one end user's address, beyond
 * 0.3 of those that were verified in the last day. Whoever pumps messages enters no codes.
 * @module
 */
import { createHmac } from "node:crypto"
import {
  type Acceptance,
  type Caller,
  type Charge,
  type Gateway,
  hasOwnProof,
  type Inbound,
  type Limit,
  limitKeys,
  type Settings,
  StartError,
} from "../../main.ts"

const day = 86_400_000
const minute = 60_000
/** So many messages may stay unverified for each that was verified in the last day. */
const share = 0.3

/** What main.ts uses of it. */
export interface UnverifiedBudget {
  addressOf(inbound: Inbound): string
  /** What a message is to be charged, with limits as wide as what was verified lately allows. */
  listDue(inbound: Inbound): Promise<Charge[]>
  /** Whether nobody ever tells that a code was entered: then it refuses nothing. */
  isForgotten(): boolean
  settle(acceptance: Acceptance, isVerified: boolean): void
}

/** Throws a StartError where nobody could tell that a code was entered. */
export function createBudget(
  { count, period }: Settings["LIMIT_UNVERIFIED"][number],
  callers: Caller[],
  gateway: Gateway,
): UnverifiedBudget {
  const { world, settings, store } = gateway
  if (!hasOwnProof(world.env) && !callers.some(({ verified }) => verified)) {
    const text = "LIMIT_UNVERIFIED needs somebody who tells that codes were entered: GATEWAY_TOKEN opens POST /verified"
    throw new StartError([{ text, setting: "GATEWAY_TOKEN" }])
  }
  const limit: Limit = { name: "LIMIT_UNVERIFIED", count, period }
  const secret = settings.GATEWAY_SECRET ?? settings.GATEWAY_TOKEN ?? settings.STORE ?? ""
  const verified = createDays(gateway)
  const wire = createWire(gateway)
  /** An address is kept beside acceptances, in a store that holds none in clear. */
  const addressOf = (inbound: Inbound) => {
    const address = String(limitKeys.LIMIT_IP(inbound))
    return address ? createHmac("sha256", secret).update(address).digest("base64url").slice(0, 22) : "-"
  }
  const keysOf = (country: string, address: string) => (address === "-" ? [country] : [country, address])
  return {
    addressOf,
    async listDue(inbound) {
      await wire.look()
      const due: Charge[] = []
      for (const key of keysOf(inbound.country || inbound.callingCode, addressOf(inbound)))
        due.push({ key, limit: { ...limit, count: count + Math.floor(share * (await verified.count(key))) } })
      return due
    },
    isForgotten: () => wire.isForgotten(),
    settle({ country, address }: Acceptance, isVerified) {
      if (isVerified) wire.use()
      for (const key of keysOf(country, address)) {
        // Who got a code is nobody who pumps, and neither were the messages before it.
        store.giveBack(key, limit)
        if (isVerified) verified.add(key)
      }
    },
  }
}

/** Counts of the last day: the sum of this day's, and of the part of the day before that is not yet 24 hours ago. */
function createDays({ store, world }: Gateway) {
  const read = async (key: string) => {
    const today = Math.floor(world.clock() / day)
    const value = await store.get(`verified:${key}`)
    const [, at = "", now = "", before = ""] = /^(\d{1,9}) (\d{1,12}) (\d{1,12})$/.exec(String(value)) ?? []
    if (Number(at) === today && at) return { today, now: Number(now), before: Number(before) }
    return { today, now: 0, before: at && Number(at) === today - 1 ? Number(now) : 0 }
  }
  let adding: Promise<unknown> = Promise.resolve()
  const waiting = new Map<string, number>()
  const addWaiting = async (key: string) => {
    const more = waiting.get(key) ?? 0
    waiting.delete(key)
    const { today, now, before } = await read(key)
    await store.set(`verified:${key}`, `${today} ${now + more} ${before}`, 2 * day)
  }
  return {
    async count(key: string) {
      const { now, before } = await read(key)
      return now + before * (1 - (world.clock() % day) / day)
    },
    /** One after the other, so that none of this process is lost. */
    add(key: string) {
      const isWaiting = waiting.has(key)
      waiting.set(key, (waiting.get(key) ?? 0) + 1)
      if (!isWaiting) adding = adding.then(() => addWaiting(key)).catch(() => {})
    },
  }
}

/** Whether anybody ever tells that a code was entered: a wire that was forgotten must stop no login. */
function createWire({ store, world, clocks, log }: Gateway) {
  const key = "unverified:wire"
  const kept = 30 * day
  /** Times of the first message and of the last signal, in milliseconds since 1970. */
  const state = { first: 0, used: 0 }
  let lookedAt = Number.NEGATIVE_INFINITY
  let warnedAt = Number.NEGATIVE_INFINITY
  const look = async () => {
    lookedAt = clocks.monotonic()
    const [, first = "", used = ""] = /^(\d{1,15}) (\d{1,15})$/.exec(String(await store.get(key))) ?? []
    state.first = Math.min(Number(first) || world.clock(), state.first || world.clock())
    state.used = Math.max(Number(used), state.used)
    store.set(key, `${state.first} ${state.used}`, kept)
  }
  return {
    /** Reads what other instances know: before the first message, and later once a minute, when nobody waits for it. */
    async look() {
      if (state.first === 0) await look()
      else if (clocks.monotonic() - lookedAt > minute) look()
    },
    use() {
      const isFirst = state.used === 0
      state.used = world.clock()
      if (isFirst) look()
    },
    isForgotten() {
      const now = world.clock()
      if (state.used > 0 || now - state.first < day) return false
      const reason =
        "LIMIT_UNVERIFIED refuses nothing: since a day nobody tells that a code was entered, see POST /verified"
      if (clocks.monotonic() - warnedAt >= day) log("warn", "warning", { reason })
      if (clocks.monotonic() - warnedAt >= day) warnedAt = clocks.monotonic()
      return true
    },
  }
}
