import type { Key, Limit, StoreFile } from "../../main.ts"
import { withSpare } from "../parts/store.ts"

/** What is used of Deno's KV (docs.deno.com/api/deno/~/Deno.Kv), which needs --unstable-kv where it is not Deno Deploy. */
interface Kv {
  get(key: string[]): Promise<{ value: unknown; versionstamp: string | null }>
  set(key: string[], value: unknown, options: { expireIn: number }): Promise<unknown>
  atomic(): Atomic
}
interface Atomic {
  check(entry: { key: string[]; versionstamp: string | null }): Atomic
  set(key: string[], value: unknown, options: { expireIn: number }): Atomic
  commit(): Promise<{ ok: boolean }>
}
type Window = { count: number; ends: number }

/** Deno's own KV, as STORE=deno-kv: or deno-kv:<path of a file>. A window begins with the first message that it counts. */
export default {
  async open(url, site) {
    const { Deno } = globalThis as unknown as { Deno?: { openKv?(path?: string): Promise<Kv> } }
    if (!Deno) throw new Error("deno-kv: is Deno's own store; on Bun and Node STORE is a redis:// URL")
    if (!Deno.openKv) throw new Error("deno-kv: needs the flag --unstable-kv where it is not Deno Deploy")
    const kv = await Deno.openKv(url.slice("deno-kv:".length) || undefined)
    /** Changes a window by what nobody else changed meanwhile; undefined leaves it as it is. */
    const change = async (key: Key, { name, period }: Limit, next: (window: Window) => number | undefined) => {
      const path = ["smstask", name, String(key)]
      for (let tries = 0; tries < 20; tries += 1) {
        const { value, versionstamp } = await kv.get(path)
        const before = value as Window | null
        const now = Date.now()
        const window = before && before.ends > now ? before : { count: 0, ends: now + period }
        const count = next(window)
        if (count === undefined) return window.ends - now
        const entry = { count, ends: window.ends }
        const set = kv
          .atomic()
          .check({ key: path, versionstamp })
          .set(path, entry, { expireIn: window.ends - now })
        if ((await set.commit()).ok) return 0
      }
      throw new Error("BUSY: twenty others changed the same count")
    }
    return withSpare(
      {
        take: (key, limit) => change(key, limit, ({ count }) => (count < limit.count ? count + 1 : undefined)),
        giveBack: (key, limit) => change(key, limit, ({ count }) => (count > 0 ? count - 1 : undefined)),
        async get(key) {
          const entry = (await kv.get(["smstask", String(key)])).value as { value: unknown; ends: number } | null
          return entry && entry.ends > Date.now() ? entry.value : undefined
        },
        set: (key, value, period) =>
          kv.set(["smstask", String(key)], { value, ends: Date.now() + period }, { expireIn: period }),
      },
      site,
    )
  },
} satisfies StoreFile
