/**
 * What smstask costs, against what people run today and against the floor: in one run, on this machine, interleaved.
 * Prints tables of medians, and for each target whether it is reached. Linux only: it reads /proc, and wrk is the load.
 *
 *     npm run bench                                a message and the start, with their targets: under ten minutes
 *     npm run bench -- load|start [rounds]         one of the two
 *     npm run bench -- others [rounds]             beside the samples that Supabase and Auth0 document
 *     npm run bench -- scale [Bun|Deno|Node]       one to four instances on one store, and the store's share
 *     npm run bench -- memory                      what the guard keeps of a number
 *     npm run bench -- stages [rounds] [runtime]   what each stage of a message costs under load: under five minutes
 *     npm run bench -- without [rounds] [runtime]  what each part takes less where it is replaced: two minutes a round
 *     npm run bench -- profile [rounds]            what the time of a message goes to, part by part
 *     npm run bench -- against MAIN.TS [rounds]    this main.ts beside another one
 *     npm run bench -- learn [seeds]               ROUTING=adaptive in a simulation of a day, and what it adds to a message
 */
import { spawnSync } from "node:child_process"
import { availableParallelism, cpus, loadavg } from "node:os"
import { against } from "./against.ts"
import { decide } from "./decide.ts"
import { type Aim, tellAims } from "./figures.ts"
import { simulateLearning } from "./learn.ts"
import { memory } from "./memory.ts"
import { others } from "./others.ts"
import { profile } from "./profile.ts"
import { rates } from "./rates.ts"
import { scale } from "./scale.ts"
import { here, names, type Runtime, root, runtimes } from "./servers.ts"
import { stagesOn } from "./stages.ts"
import { starts } from "./starts.ts"
import { without } from "./without.ts"

const [part = "all", ...rest] = process.argv.slice(2)

function roundsOr(otherwise: number, written = rest[0]): number {
  const rounds = Number(written ?? otherwise)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`${written} is no number of rounds`)
  return rounds
}

const parts: Record<string, () => Promise<Aim[]>> = {
  // On a machine that comes to no rest, fewer rounds: both together take less than ten minutes.
  all: async () => [...(await rates(3, 6 * 60_000)), ...(await starts(10, 9.3 * 60_000))],
  load: () => rates(roundsOr(3)),
  start: () => starts(roundsOr(10)),
  others: () => others(roundsOr(3)),
  scale: () => scale(names.find((name) => name === rest[0]) ?? ("Bun" satisfies Runtime)),
  memory,
  stages: () => stagesOn(roundsOr(1), rest[1]),
  without: () => without(roundsOr(2), names.find((name) => name === rest[1]) ?? "Bun"),
  profile: () => profile(roundsOr(3)),
  against: () => against(rest[0] ?? "", roundsOr(5, rest[1])),
  learn: async () => [...(await simulateLearning(roundsOr(60))), ...(await decide(10))],
}

const run = parts[part]
if (!run) {
  console.error(`there is no part ${part}: ${Object.keys(parts).join(", ")}`)
  process.exit(1)
}
const isAlone = part === "learn"
if (!isAlone && spawnSync("wrk", ["-v"]).error) {
  console.error("the bench needs wrk: apt-get install wrk")
  process.exit(1)
}
// At its first start Deno fetches packages, which takes longer than a server is waited for.
if (!isAlone) spawnSync(runtimes.Deno[0] ?? "", ["cache", "--quiet", `${root}main.ts`, `${here}hono.ts`], { cwd: root })
const started = performance.now()
console.log(`${availableParallelism()} × ${cpus()[0]?.model}, load before the run ${loadavg()[0]?.toFixed(2)}`)
const aims = await run()
if (aims.length > 0) tellAims(aims)
console.log(`\ntook ${((performance.now() - started) / 60_000).toFixed(1)} minutes`)
process.exit(0)
