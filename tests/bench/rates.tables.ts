/** The tables of rates.ts, and its targets. */
import { type Aim, percent, table } from "./figures.ts"
import type { Figures } from "./load.ts"
import type { Found, Warmed } from "./rates.ts"
import { names, type Runtime } from "./servers.ts"

/** Where the figures of a server under a load are kept. */
export const keyOf = (runtime: Runtime, what: string, connections: number) => `${runtime} ${what} ${connections}`

const rate = ["server", "first second req/s", "warm req/s", "p50 ms", "p99 ms"]
const columns = [...rate, "CPU µs", "of it collector and compiler", "MiB before", "after"]

/** The figures of a server, and its CPU and memory as multiples of another's. */
function row({ runtime, what, first, before }: Warmed, many: number, beside: string, found: Found) {
  const own = (field: keyof Figures) => found.of(keyOf(runtime, what, many), field)
  const times = (field: keyof Figures) =>
    what === beside ? "" : (own(field) / found.of(keyOf(runtime, beside, many), field)).toFixed(2)
  const figures = [
    many === 64 ? first : "",
    own("rps"),
    own("p50"),
    own("p99"),
    own("cpu"),
    own("helpers"),
    before,
    own("rss"),
  ]
  return [`${runtime} ${what}`, ...figures, times("cpu"), times("rss")]
}

export function tell(all: Warmed[], found: Found) {
  tellMachine(all, found)
  for (const many of [64, 512]) tellMessage(all, many, found)
  const alone = all.filter(({ what }) => what.endsWith("no call"))
  const costs = alone.map((one) => row(one, 64, "floor, no call", found))
  table("a message without the provider's call, 64 connections", [...columns, "CPU × floor", "MiB × floor"], costs)
  const others = ["Express", "Hono", "floor", "floor, no call", "smstask, no call"]
  const named = all.filter(({ what }) => !others.includes(what)).map((one) => row(one, 64, "smstask", found))
  table(
    "what is named, 64 connections: the message uses pages and store alone; bare is smstask with no other file",
    [...columns, "CPU × smstask", "MiB × smstask"],
    named,
  )
}

function tellMachine(all: Warmed[], found: Found) {
  const restless = all.filter(({ isSteady }) => !isSteady).map(({ runtime, what }) => `${runtime} ${what}`)
  if (restless.length > 0) console.log(`\nnot steady when it was measured: ${restless.join("; ")}`)
  const noise = names.map((name) => `${name} ${percent(found.spread(keyOf(name, "floor", 64), "rps"))}`)
  console.log(`\nnoise, how far the floor's requests per second were apart over the rounds: ${noise.join(", ")}`)
}

function tellMessage(all: Warmed[], many: number, found: Found) {
  const express = found.of(keyOf("Node", "Express", many), "rps")
  const shown = all.filter(({ what }) => ["Express", "Hono", "floor", "smstask"].includes(what))
  const rows = shown.map((one) => {
    const rate = found.of(keyOf(one.runtime, one.what, many), "rps") / express
    return [...row(one, many, "floor", found), rate.toFixed(2)]
  })
  const head = [...columns, "CPU × floor", "MiB × floor", "req/s × Express"]
  table(`a message with the provider's call, ${many} connections`, head, rows)
}

/** What is wanted of each runtime: requests per second to Express's; CPU to Hono's and to the floor's; memory to the floor's. */
const wanted: Record<Runtime, { rate: number; toHono: number; toFloor: number; memory: number }> = {
  Bun: { rate: 5.5, toHono: 1.5, toFloor: 2.5, memory: 2 },
  Deno: { rate: 2.4, toHono: 1.2, toFloor: 1.7, memory: 1.5 },
  Node: { rate: 1.6, toHono: 1, toFloor: 2, memory: 1.6 },
}

export const aimsOf = (found: Found): Aim[] => names.flatMap((runtime) => aimsOn(runtime, found))

function aimsOn(runtime: Runtime, found: Found): Aim[] {
  /** `own` to `base`; the noise is the largest of the two's and the floor's. */
  const compare = (
    what: string,
    own: string,
    base: string,
    field: keyof Figures,
    line: Partial<Aim>,
    many = 64,
  ): Aim => {
    const [one, other] = [keyOf(runtime, own, many), keyOf(base === "Express" ? "Node" : runtime, base, many)]
    const noise = Math.max(...[one, other, keyOf(runtime, "floor", many)].map((key) => found.spread(key, field)))
    return { what: `${runtime}: ${what}`, ratio: found.of(one, field) / found.of(other, field), noise, ...line }
  }
  const { rate, toHono, toFloor, memory } = wanted[runtime]
  const late = { most: 1 }
  const unused = { most: 1.03 }
  return [
    compare("requests per second to Express's", "smstask", "Express", "rps", { least: rate }),
    compare("p99 to Express's, 64 connections", "smstask", "Express", "p99", late),
    compare("p99 to Express's, 512 connections", "smstask", "Express", "p99", late, 512),
    compare("CPU to Hono's", "smstask", "Hono", "cpu", { most: toHono }),
    compare("CPU to the floor's", "smstask", "floor", "cpu", { most: toFloor }),
    compare("memory to the floor's", "smstask", "floor", "rss", { most: memory }, 512),
    compare("CPU, nothing named to no other file there", "smstask", "bare", "cpu", unused),
    compare("CPU, two platforms named to none", "platforms", "smstask", "cpu", unused),
    compare("CPU, a voice route named to none", "voice", "smstask", "cpu", unused),
  ]
}
