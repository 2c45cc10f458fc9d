import { setTimeout as sleep } from "node:timers/promises"
import * as v from "valibot"
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
const Window = v.object({ count: v.pipe(v.number(), v.minValue(0)), ends: v.number() })
const Entry = v.object({ value: v.unknown(), ends: v.number() })
const Sum = v.object({ value: v.pipe(v.number(), v.safeInteger(), v.minValue(0)), ends: v.number() })

/** One message to count (1) or to give back (-1), and who waits for it. */
interface Change {
  by: 1 | -1
  resolve(wait: number): void
  reject(error: unknown): void
}

/** Opens the store. Of processes that open a new file at once SQLite refuses all but one. */
async function openKv(open: (path?: string) => Promise<Kv>, path: string | undefined): Promise<Kv> {
  for (let tries = 1; tries < 20; tries += 1) {
    const kv = await open(path).catch(loseRace)
    if ("get" in kv) return kv
  }
  return await open(path)
}

/** SQLite refuses a commit while another process writes to the file: the race is lost, and the store is there. */
async function loseRace(error: Error) {
  if (!/database is locked/i.test(error.message)) throw error
  await sleep(5)
  return { ok: false }
}

/** Deno's own KV, as STORE=deno-kv: or deno-kv:<path of a file>. A window begins with the first message that it counts. */
export default {
  async open(url, site) {
    const { Deno } = globalThis as unknown as { Deno?: { openKv?(path?: string): Promise<Kv> } }
    if (!Deno) throw new Error("deno-kv: is Deno's own store; on Bun and Node STORE is a redis:// URL")
    if (!Deno.openKv) throw new Error("deno-kv: needs the flag --unstable-kv where it is not Deno Deploy")
    const kv = await openKv(Deno.openKv, url.slice("deno-kv:".length) || undefined)
    /** Commits changes of one count together, unless another instance changed it meanwhile: then once more. */
    const commit = async (path: string[], { count: most, period }: Limit, changes: Change[]) => {
      for (let tries = 0; tries < 20; tries += 1) {
        const { value, versionstamp } = await kv.get(path)
        const now = Date.now()
        const isOpen = v.is(Window, value) && value.ends > now && value.ends < now + 2 * period
        const { count: before, ends } = isOpen ? value : { count: 0, ends: now + period }
        let count = before
        const waits = changes.map(({ by }) => {
          const isFull = by === 1 && count >= most
          if (!isFull) count = Math.max(0, count + by)
          return isFull ? ends - now : 0
        })
        const set = kv
          .atomic()
          .check({ key: path, versionstamp })
          .set(path, { count, ends }, { expireIn: ends - now })
        if (count === before || (await set.commit().catch(loseRace)).ok) return waits
      }
      throw new Error("BUSY: twenty others changed the same count")
    }
    /** The changes that wait for the commit before them, by count. One commit of a count is in flight at a time. */
    const waiting = new Map<string, Change[]>()
    const commitAll = async (id: string, path: string[], limit: Limit) => {
      for (let changes = waiting.get(id) ?? []; changes.length > 0; changes = waiting.get(id) ?? []) {
        waiting.set(id, [])
        const together = changes
        await commit(path, limit, together).then(
          (waits) => together.forEach(({ resolve }, at) => void resolve(waits[at] ?? 0)),
          (error) => together.forEach(({ reject }) => void reject(error)),
        )
      }
      waiting.delete(id)
    }
    const change = (key: Key, limit: Limit, by: Change["by"]) =>
      new Promise<number>((resolve, reject) => {
        const path = ["smstask", limit.name, String(limit.period), String(key)]
        const id = path.join("\n")
        const before = waiting.get(id)
        waiting.set(id, [...(before ?? []), { by, resolve, reject }])
        if (!before) commitAll(id, path, limit)
      })
    return withSpare(
      {
        take: (key, limit) => change(key, limit, 1),
        giveBack: (key, limit) => change(key, limit, -1),
        async get(key) {
          const { value } = await kv.get(["smstask", String(key)])
          return v.is(Entry, value) && value.ends > Date.now() ? value.value : undefined
        },
        set: (key, value, period) =>
          kv.set(["smstask", String(key)], { value, ends: Date.now() + period }, { expireIn: period }),
        async add(key, by, period) {
          const path = ["smstask", String(key)]
          for (let tries = 0; tries < 20; tries += 1) {
            const { value, versionstamp } = await kv.get(path)
            const sum = (v.is(Sum, value) && value.ends > Date.now() ? value.value : 0) + by
            if (by === 0) return sum
            const entry = { value: sum, ends: Date.now() + period }
            const set = kv.atomic().check({ key: path, versionstamp }).set(path, entry, { expireIn: period })
            if ((await set.commit().catch(loseRace)).ok) return sum
          }
          throw new Error("BUSY: twenty others changed the same sum")
        },
      },
      site,
    )
  },
} satisfies StoreFile
