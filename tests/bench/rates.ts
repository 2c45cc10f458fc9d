/**
 * What a message costs: smstask on each runtime beside the floor of that runtime, Hono in twenty lines, Express, and itself
 * with one thing named. All servers live through the run, so that each is warmed once; every round measures all.
 */
import { bare } from "./copies.ts"
import { type Aim, samples, shuffled } from "./figures.ts"
import { type Figures, measure, type Target, targetOf, warm } from "./load.ts"
import { openNamed } from "./named.ts"
import { aimsOf, keyOf, tell } from "./rates.tables.ts"
import {
  command,
  type Environment,
  names,
  type Runtime,
  root,
  type Server,
  sending,
  start,
  startProvider,
} from "./servers.ts"

/** One server, and the loads under which it is measured. */
interface Candidate {
  runtime: Runtime
  /** `floor`, `smstask`, or what is named. */
  what: string
  command: string[]
  env: Environment
  connections: number[]
  /** For how many seconds it is warmed at most. */
  patience: number
}

/** What is known of a server before the rounds: memory, the rate of its first second, whether that became steady. */
export type Warmed = Candidate & { server: Server; target: Target; before: number; first: number; isSteady: boolean }
export type Found = ReturnType<typeof samples<Figures>>

function candidates(url: string, named: Record<string, Environment>): Candidate[] {
  const env = sending(url)
  const full = { env, connections: [64, 512], patience: 12 }
  // They are many, and differ little.
  const short = { env, connections: [64], patience: 6 }
  const ofRuntime = (runtime: Runtime): Candidate[] => {
    const main = { runtime, command: command(runtime, `${root}main.ts`) }
    const floor = { runtime, command: command(runtime, "floor.ts") }
    const one = { connections: [64], patience: 12 }
    return [
      { ...floor, ...full, what: "floor" },
      { ...full, runtime, what: "Hono", command: command(runtime, "hono.ts") },
      { ...main, ...full, what: "smstask" },
      { ...floor, ...one, what: "floor, no call", env: {} },
      { ...main, ...one, what: "smstask, no call", env: sending("") },
      { ...short, runtime, what: "bare", command: command(runtime, bare()) },
      ...Object.entries(named).map(([what, own]) => ({ ...main, ...short, what, env: { ...env, ...own } })),
    ]
  }
  const express = { ...full, runtime: "Node" as const, what: "Express", command: command("Node", "express.js") }
  return [express, ...names.flatMap(ofRuntime)]
}

/** Starts a server and warms it, while nothing else is measured. */
async function warmed(candidate: Candidate): Promise<Warmed> {
  const { command, env, runtime, what, patience } = candidate
  const server = await start(command, env)
  const target = targetOf(server, `${runtime} ${what}`)
  return { ...candidate, server, target, before: server.rss(), ...(await warm(target, patience)) }
}

/** Measures each server once a round, in another order each time; no round but the first two begins after `until`. */
export async function rates(rounds: number, until = Number.POSITIVE_INFINITY): Promise<Aim[]> {
  const provider = await startProvider()
  const { named, close } = await openNamed()
  const all: Warmed[] = []
  for (const candidate of candidates(provider.url, named)) all.push(await warmed(candidate))
  const found: Found = samples()
  for (let round = 0; round < rounds && (round < 2 || performance.now() < until); round += 1) {
    for (const { runtime, what, target, connections } of shuffled(all))
      for (const many of connections) found.add(keyOf(runtime, what, many), await measure(target, many))
    console.error(`round ${round + 1} of ${rounds}`)
  }
  for (const { stop } of [...all.map(({ server }) => server), provider]) await stop()
  await close()
  tell(all, found)
  return aimsOf(found)
}
