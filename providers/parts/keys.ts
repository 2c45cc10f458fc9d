/**
 * The public keys of platforms that sign with keys of their own: fetched from an address that a setting names, never one that
 * a call names, and kept for an hour.
 * @module
 */
import type { JSONWebKeySet } from "jose"
import { readBytes, type World } from "../../main.ts"

const hour = 3_600_000
/** Milliseconds between two fetches, so that no stranger makes the gateway ask for each of his calls. */
const pause = 10_000
/** Milliseconds until a silent server of keys is given up. */
const patience = 3_000

/** Finds the keys at an address. With `isStale` they are fetched anew, where that was not just done. Rejects without keys. */
export type FindKeys = (address: string, isStale?: boolean) => Promise<JSONWebKeySet>

interface Kept {
  keys: Promise<JSONWebKeySet>
  fetched: number
  isBroken: boolean
  /** What the last fetch that worked brought, and when. */
  good?: { keys: JSONWebKeySet; at: number } | undefined
}

/** Keeps keys by their address for an hour. Where they can be fetched no more, whoever must be proven by them is refused. */
export function createKeys({ fetch, clock, monotonic = clock }: World): FindKeys {
  const all = new Map<string, Kept>()
  return async (address, isStale = false) => {
    const kept = all.get(address)
    const age = kept ? monotonic() - kept.fetched : hour
    if (kept && age < (isStale || kept.isBroken ? pause : hour)) return await kept.keys
    const load = async () => {
      try {
        fresh.good = { keys: await fetchKeys(address, fetch), at: monotonic() }
      } catch (error) {
        fresh.isBroken = true
        // A stranger's call may have asked for them.
        if (!fresh.good || monotonic() - fresh.good.at >= hour) throw error
      }
      return fresh.good.keys
    }
    const fresh: Kept = { keys: Promise.resolve({ keys: [] }), fetched: monotonic(), isBroken: false, good: kept?.good }
    fresh.keys = load()
    all.set(address, fresh)
    return await fresh.keys
  }
}

async function fetchKeys(address: string, fetch: World["fetch"]): Promise<JSONWebKeySet> {
  const request = new Request(address, { headers: { accept: "application/json" } })
  // A redirect could lead to another's keys.
  const reply = await fetch(request, { redirect: "manual", signal: AbortSignal.timeout(patience) })
  const bytes = reply.status === 200 ? await readBytes(reply) : undefined
  const found: unknown = bytes && JSON.parse(Buffer.from(bytes).toString())
  if (!Array.isArray(Object(found).keys)) throw new Error(`the keys cannot be read: ${reply.status}`)
  return found as JSONWebKeySet
}
