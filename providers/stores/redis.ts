import type { RateLimiterRedis } from "rate-limiter-flexible"
import { type Limit, type StoreFile, tryOr } from "../../main.ts"
import { withSpare } from "../parts/store.ts"

/** Gives null for an error that Redis answered with, since it concerns one key. Any other error means that Redis is away. */
function requireReply(error: unknown, ErrorReply: new () => Error): null {
  if (error instanceof ErrorReply) return null
  throw error
}
const isSum = (sum: unknown): sum is number => typeof sum === "number" && Number.isSafeInteger(sum) && sum >= 0

/** Redis or Valkey, as STORE=redis://host:6379 or rediss:// with TLS, valkey:// or valkeys://. Windows are each key's own. */
export default {
  async open(url, site) {
    // Loaded here, so that one file with everything inside starts without them.
    const { createClient, ErrorReply } = await import("@redis/client")
    const { RateLimiterRedis: Limiter } = await import("rate-limiter-flexible")
    const socket = { reconnectStrategy: () => !site.stopping?.aborted && 500 }
    const client = createClient({ url: url.replace(/^valkey/, "redis"), disableOfflineQueue: true, socket })
    client.on("error", () => {})
    const limiters = new Map<string, RateLimiterRedis>()
    const limiterOf = ({ name, count, period }: Limit) => {
      const options = { storeClient: client, useRedisPackage: true, keyPrefix: `smstask:${name}` }
      const limiter = limiters.get(name) ?? new Limiter({ ...options, points: count, duration: period / 1_000 })
      limiters.set(name, limiter)
      return limiter
    }
    const connected = client.connect().catch((error: unknown) => error)
    const store = withSpare(
      {
        async take(key, limit) {
          const consume = () =>
            limiterOf(limit)
              .consume(key)
              .catch((refusal) => refusal)
          let counted = await consume()
          // Another wrote there what is no count.
          if (counted instanceof ErrorReply && (await client.del(`smstask:${limit.name}:${key}`)) > 0)
            counted = await consume()
          if (counted instanceof Error) throw counted
          return counted.consumedPoints > limit.count ? Math.max(1, counted.msBeforeNext) : 0
        },
        giveBack: (key, limit) => limiterOf(limit).reward(key),
        async get(key) {
          const error = await connected
          if (error instanceof Error && !client.isReady) throw error
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
