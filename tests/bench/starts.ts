/** From the start of a process to its first 200 for a message: token, number and the provider's call included. */
import { calls, requestOf } from "./calls.ts"
import { bare, crowded, oneFile } from "./copies.ts"
import { type Aim, samples, shuffled, table } from "./figures.ts"
import { openNamed } from "./named.ts"
import { command, type Environment, names, type Runtime, root, sending, start, startProvider } from "./servers.ts"

type Candidate = { name: string; command: string[]; env: Environment }

function candidates(url: string, named: Record<string, Environment>): Candidate[] {
  const env = sending(url)
  const ofRuntime = (runtime: Runtime): Candidate[] => {
    const files = {
      Hono: "hono.ts",
      "main.ts": `${root}main.ts`,
      "the one file": oneFile(),
      "main.ts, no other file there": bare(),
      "main.ts among 1,000 providers": crowded(),
    }
    const plain = Object.entries(files).map(([name, file]) => ({ name, command: command(runtime, file), env }))
    const with_ = Object.entries(named).map(([name, own]) => ({
      name: `main.ts, ${name} named`,
      command: command(runtime, `${root}main.ts`),
      env: { ...env, ...own },
    }))
    return [...plain, ...with_].map((candidate) => ({ ...candidate, name: `${runtime} ${candidate.name}` }))
  }
  return [{ name: "Node Express", command: command("Node", "express.js"), env }, ...names.flatMap(ofRuntime)]
}

/**
 * Starts each server once a round, in another order each time; the first fills the runtimes' caches and is forgotten.
 * No round but the first ones begins after `until`.
 */
export async function starts(rounds: number, until = Number.POSITIVE_INFINITY): Promise<Aim[]> {
  const provider = await startProvider()
  const { named, close } = await openNamed()
  const all = candidates(provider.url, named)
  const found = samples<{ ms: number; listens: number; rss: number }>()
  let n = 0
  for (let round = -1; round < rounds && (round < 2 || performance.now() < until); round += 1) {
    for (const { name, command, env } of shuffled(all)) {
      const { ms, listens, rss, stop } = await start(command, env, requestOf(calls.auth0, n++))
      if (round >= 0) found.add(name, { ms, listens, rss: rss() })
      await stop()
    }
  }
  await provider.stop()
  await close()
  const rows = all.map(({ name }) => {
    const toHono = found.of(name, "ms") / found.of(`${name.split(" ")[0]} Hono`, "ms")
    return [name, found.of(name, "listens"), found.of(name, "ms"), toHono.toFixed(2), found.of(name, "rss")]
  })
  const head = ["server", "listens after ms", "first 200 of a message", "× Hono", "MiB"]
  table("from the start of a process to its first message", head, rows)
  return aims(found)
}

/** What is wanted of each runtime: times Hono with a token, a number and a call. */
const timesHono: Record<Runtime, number> = { Bun: 1.6, Deno: 1.5, Node: 1.2 }

function aims(found: ReturnType<typeof samples<{ ms: number; listens: number; rss: number }>>): Aim[] {
  return names.flatMap((runtime) => {
    const compare = (what: string, own: string, base: string, most: number): Aim => {
      const ratio = found.of(`${runtime} ${own}`, "ms") / found.of(`${runtime} ${base}`, "ms")
      const noise = Math.max(...["Hono", own, base].map((name) => found.spread(`${runtime} ${name}`, "ms")))
      return { what: `${runtime}: ${what}`, ratio, most, noise }
    }
    const most = timesHono[runtime]
    const toMain = compare("start of the one file to main.ts's", "the one file", "main.ts", 1)
    return [
      compare("start of main.ts to Hono's", "main.ts", "Hono", most),
      compare("start of the one file to Hono's", "the one file", "Hono", most),
      ...(runtime === "Node" ? [] : [toMain]),
    ]
  })
}
