/** What the time of a message goes to: parts.ts on each runtime, in turns. */
import { type Aim, samples, shuffled, table } from "./figures.ts"
import { command, names, run, startProvider } from "./servers.ts"

export async function profile(rounds: number): Promise<Aim[]> {
  const provider = await startProvider()
  const found = samples<Record<string, number>>()
  let parts: string[] = []
  for (let round = 0; round < rounds; round += 1) {
    for (const name of shuffled(names)) {
      const { child, ended } = run(command(name, "parts.ts"), { PROVIDER_URL: provider.url })
      let text = ""
      child.stdout.setEncoding("utf8").on("data", (chunk) => (text += chunk))
      await Promise.all([ended, new Promise((resolve) => child.stdout.once("close", resolve))])
      if (child.exitCode !== 0) throw new Error(`parts.ts fails on ${name}`)
      const figures = JSON.parse(text) as Record<string, number>
      parts = Object.keys(figures)
      found.add(name, figures)
    }
  }
  await provider.stop()
  const rows = parts.map((part) => [part, ...names.map((name) => found.of(name, part))])
  table("a message, part by part, each alone: µs of CPU, of all threads", ["part", ...names], rows)
  return []
}
