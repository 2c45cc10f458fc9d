/** This main.ts beside another one, interleaved: CPU and memory of a message, its rate, and the start. */
import { resolve } from "node:path"
import { calls, requestOf } from "./calls.ts"
import { type Aim, percent, samples, shuffled, table } from "./figures.ts"
import { type Figures, measure, targetOf, warm } from "./load.ts"
import { command, names, root, sending, start, startProvider } from "./servers.ts"

export async function against(main: string, rounds: number): Promise<Aim[]> {
  const other = resolve(process.env.INIT_CWD ?? ".", main)
  const provider = await startProvider()
  const env = sending(provider.url)
  const found = samples<Figures & { ms: number; first: number }>()
  const cells = names.flatMap((name) => [`${root}main.ts`, other].map((file) => ({ name, file })))
  // The first start of each fills the runtime's caches.
  for (const { name, file } of cells) await (await start(command(name, file), env)).stop()
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, file } of shuffled(cells)) {
      const server = await start(command(name, file), env, requestOf(calls.auth0, 0))
      const target = { ...targetOf(server, `${name} ${file}`), sent: 1 }
      const { first } = await warm(target)
      found.add(`${name} ${file}`, { ...(await measure(target, 64, 3)), ms: server.ms, first })
      await server.stop()
    }
  }
  await provider.stop()
  const fields = { cpu: "CPU µs", rps: "req/s", first: "first second req/s", p99: "p99 ms", ms: "start ms", rss: "MiB" }
  const rows = names.flatMap((name) =>
    (Object.keys(fields) as (keyof typeof fields)[]).map((field) => {
      const [own, its] = [found.of(`${name} ${root}main.ts`, field), found.of(`${name} ${other}`, field)]
      const noise = found.spread(`${name} ${other}`, field)
      return [name, fields[field], own, its, (own / its).toFixed(3), percent(noise)]
    }),
  )
  table(`against ${other}`, ["runtime", "figure", "this", "other", "ratio", "noise of the other"], rows)
  return []
}
