/** What the guard keeps of a number: kept.ts on each runtime, which is asked to collect its garbage when told. */
import { type Aim, table } from "./figures.ts"
import { here, names, type Runtime, run, runtimes } from "./servers.ts"

const flags: Record<Runtime, string[]> = { Bun: [], Deno: ["--v8-flags=--expose-gc"], Node: ["--expose-gc"] }

interface Step {
  what: string
  us: number
  heap: number
  rss: number
}

async function steps(runtime: Runtime): Promise<Step[]> {
  const { child, ended } = run([...runtimes[runtime], ...flags[runtime], `${here}kept.ts`])
  let text = ""
  child.stdout.setEncoding("utf8").on("data", (chunk) => (text += chunk))
  await Promise.all([ended, new Promise((resolve) => child.stdout.once("close", resolve))])
  if (child.exitCode !== 0) throw new Error(`kept.ts fails on ${runtime}`)
  return JSON.parse(text) as Step[]
}

export async function memory(): Promise<Aim[]> {
  const numbers: Record<string, number> = { "50,000 numbers": 50_000, "100,000, the cap": 100_000, "200,000": 100_000 }
  const rows: (string | number)[][] = []
  for (const runtime of names) {
    for (const { what, us, heap, rss } of await steps(runtime)) {
      const each = numbers[what] ? heap / numbers[what] : ""
      rows.push([runtime, what, heap / 1_048_576, rss / 1_048_576, each, numbers[what] ? us : ""])
    }
  }
  const head = ["runtime", "after messages to", "heap MiB", "resident MiB", "bytes of a number kept", "µs of a message"]
  table("what the guard keeps; the first three within one second, each number with one message", head, rows)
  return []
}
