/**
 * What became of messages over the day, by provider and country, counted from the events of the log: for the page of the log
 * and for metrics.
 * @module
 */
import type { LogEvent } from "../../main.ts"

export const outcomes = ["sent", "first", "verified", "again", "undelivered"] as const
type Outcome = (typeof outcomes)[number]
export interface Counted {
  provider: string
  country: string
  outcome: Outcome
}

const hour = 3_600_000
const hours = 24
/** Requests of which the first call is known, and rows that are kept. */
const most = 10_000
const mostRows = 2_000

/** Gives what an event counts for. `first` is the first call of a message, whatever became of it. */
export function createReader(): (event: LogEvent) => Counted[] {
  const begun = new Set<unknown>()
  return ({ event, provider, country, code, request }) => {
    if (!provider || !country) return []
    const of = (outcome: Outcome): Counted => ({ provider: `${provider}`, country: `${country}`, outcome })
    if (event === "verified" || event === "again" || event === "undelivered") return [of(event)]
    // A provider that does not serve the country is not called.
    if (!/^(accepted|refused|timeout|unreachable)$/.test(event) || code === "country") return []
    const isFirst = !begun.has(request)
    begun.add(request)
    if (begun.size > most) begun.delete(begun.values().next().value)
    return [...(isFirst ? [of("first")] : []), ...(event === "accepted" ? [of("sent")] : [])]
  }
}

type Counts = Record<Outcome, number>
const none = (): Counts => ({ sent: 0, first: 0, verified: 0, again: 0, undelivered: 0 })

/** A provider in a country over the last 24 hours. */
export interface Row extends Counts {
  provider: string
  country: string
  /** Its part of the first calls of all providers in this country. */
  share: number
  /** Hour by hour, the last one is now: the part of what was sent that arrived as far as is known; null where nothing was sent. */
  line: (number | null)[]
}

/** Counts events by provider, country and hour. */
export function createTally(clock: () => number) {
  const read = createReader()
  const table = new Map<string, Map<number, Counts>>()
  const now = () => Math.floor(clock() / hour)
  const count = (event: LogEvent) => {
    for (const { provider, country, outcome } of read(event)) {
      const key = `${provider} ${country}`
      const row = table.get(key) ?? new Map<number, Counts>()
      if (row.size === 0 && table.size >= mostRows) continue
      table.set(key, row)
      const counts = row.get(now()) ?? none()
      row.set(now(), counts)
      counts[outcome] += 1
      for (const at of row.keys()) if (at <= now() - hours) row.delete(at)
    }
  }
  const rows = (): Row[] => {
    const latest = now()
    const sums = [...table].map(([key, row]) => {
      const [provider = "", country = ""] = key.split(" ")
      const inside = [...row].filter(([at]) => at > latest - hours)
      const sum = none()
      for (const [, counts] of inside) for (const outcome of outcomes) sum[outcome] += counts[outcome]
      return { provider, country, sum, row: new Map(inside) }
    })
    const calls = new Map<string, number>()
    for (const { country, sum } of sums) calls.set(country, (calls.get(country) ?? 0) + sum.first)
    // Where nobody says that codes are entered, what nobody asked again about counts as arrived.
    const isWired = sums.some(({ sum }) => sum.verified > 0)
    const arrived = ({ sent, verified, again, undelivered }: Counts) =>
      sent === 0 ? null : Math.min(1, Math.max(0, isWired ? verified : sent - again - undelivered) / sent)
    const lineOf = (row: Map<number, Counts>) =>
      Array.from({ length: hours }, (_, at) => arrived(row.get(latest - hours + 1 + at) ?? none()))
    return sums
      .filter(({ row }) => row.size > 0)
      .map(({ provider, country, sum, row }) => {
        const share = sum.first / Math.max(1, calls.get(country) ?? 0)
        return { provider, country, ...sum, share, line: lineOf(row) }
      })
      .sort((a, b) => (calls.get(b.country) ?? 0) - (calls.get(a.country) ?? 0) || b.first - a.first)
  }
  return { count, rows }
}
