import type { RateLimiterRedis } from "rate-limiter-flexible"
import { type Key, type Limit, type StoreFile, tryOr } from "../../main.ts"
import { withSpare } from "../parts/store.ts"

/** Gives null for an error that Redis answered with, since it concerns one key. Any other error means that Redis is away. */
function requireReply(error: unknown, ErrorReply: new () => Error): null {
  if (error instanceof ErrorReply) return null
  throw error
}
/** Takes one from a count that is there and above zero: what a window's end has deleted is not begun below it. */
const giveOneBack = `if (tonumber(redis.call("get", KEYS[1])) or 0) > 0 then return redis.call("decr", KEYS[1]) end`
const isSum = (sum: unknown): sum is number => typeof sum === "number" && Number.isSafeInteger(sum) && sum >= 0

/** Redis or Valkey, as STORE=redis://host:6379 or rediss:// with TLS, valkey:// or valkeys://. Windows are each key's own. */
export default {
  async open(url, site) {
    // Loaded here, so that one file with everything inside starts without them. Deno would fetch them at every start, were
    // their names plain texts.
    const { createClient, ErrorReply } = (await import("@redis/client" as string)) as typeof import("@redis/client")
    const { RateLimiterRedis: Limiter } = (await import(
      "rate-limiter-flexible" as string
    )) as typeof import("rate-limiter-flexible")
    const socket = { reconnectStrategy: () => !site.stopping?.aborted && 500 }
    const client = createClient({ url: url.replace(/^valkey/, "redis"), disableOfflineQueue: true, socket })
    let failure: unknown
    const failed = new Promise<void>((resolve) => {
      client.on("error", (error: unknown) => {
        failure = error
        resolve()
      })
    })
    const limiters = new Map<string, RateLimiterRedis>()
    const prefixOf = ({ name, period }: Limit) => `smstask:${name}:${period}`
    const limiterOf = (limit: Limit) => {
      const { count, period } = limit
      const keyPrefix = prefixOf(limit)
      const options = { storeClient: client, useRedisPackage: true, keyPrefix }
      const limiter = limiters.get(keyPrefix) ?? new Limiter({ ...options, points: count, duration: period / 1_000 })
      limiters.set(keyPrefix, limiter)
      return limiter
    }
    const connected = client.connect().catch((error: unknown) => {
      failure = error
    })
    /** Waits for the connection. Throws why there is none. */
    const connect = async () => {
      await Promise.race([connected, failed])
      if (failure && !client.isReady) throw failure
    }
    const giveBack = (key: Key, limit: Limit) =>
      client.eval(giveOneBack, { keys: [`${prefixOf(limit)}:${key}`], arguments: [] })
    const store = withSpare(
      {
        async take(key, limit) {
          await connect()
          const consume = () =>
            limiterOf(limit)
              .consume(key)
              .catch((refusal) => refusal)
          let counted = await consume()
          // Another wrote there what is no count.
          if (counted instanceof ErrorReply && (await client.del(`${prefixOf(limit)}:${key}`)) > 0)
            counted = await consume()
          if (counted instanceof Error) throw counted
          if (counted.consumedPoints <= limit.count) return 0
          // It counts what it refuses, too.
          await giveBack(key, limit)
          return Math.max(1, counted.msBeforeNext)
        },
        giveBack,
        async get(key) {
          await connect()
          const text = await client.get(`smstask:${key}`).catch((error) => requireReply(error, ErrorReply))
          return tryOr(() => JSON.parse(text ?? "null"), undefined) ?? undefined
        },
        set: (key, value, period) => client.set(`smstask:${key}`, JSON.stringify(value), { PX: period }),
        async add(key, by, period) {
          const name = `smstask:${key}`
          const read = async () => Number(await client.get(name))
          const change = () => (by === 0 ? read() : client.incrBy(name, by))
          const increase = () => change().catch((error) => requireReply(error, ErrorReply))
          let sum = await increase()
          // Another wrote there what is no sum.
          if (!isSum(sum) && (await client.del(name)) > 0) sum = await increase()
          if (by !== 0) await client.pExpire(name, period)
          return isSum(sum) ? sum : undefined
        },
      },
      site,
    )
    await store.get("the first look")
    client.unref()
    return store
  },
} satisfies StoreFile
