/** What each stage of a message costs under load: servers that each go one stage further, and what the CPU rises by. */
import { type Aim, percent, samples, shuffled, table } from "./figures.ts"
import { type Figures, load, measure, targetOf } from "./load.ts"
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

/** What each server has more than the one before, by the name of the server. */
const stages = {
  server: "a request read and answered, by Hono",
  call: "the provider's call, with nothing around it",
  proof: "proof",
  read: "read: fields, number, code, sender",
  send: "once, guard, route, deliver, ask",
  smstask: "take, log and redact",
}
type Stage = keyof typeof stages
const beside = { floor: "floor.ts", Hono: "hono.ts" }

function commandOf(runtime: Runtime, what: string): [command: string[], env: Environment] {
  if (what in beside) return [command(runtime, beside[what as keyof typeof beside]), {}]
  if (what === "smstask") return [command(runtime, `${root}main.ts`), {}]
  return [command(runtime, "stage.ts"), { STAGE: what }]
}

/** Each server on each runtime is warmed for seven seconds and measured by itself; those that are compared follow each other. */
export async function stagesOf(rounds: number, only: Runtime[]): Promise<Aim[]> {
  const provider = await startProvider()
  const found = samples<Figures>()
  const all = [...Object.keys(beside), ...Object.keys(stages)]
  for (let round = 0; round < rounds; round += 1) {
    for (const runtime of shuffled(only)) {
      for (const what of shuffled(all)) {
        const [args, env] = commandOf(runtime, what)
        const server: Server = await start(args, { ...sending(provider.url), ...env })
        const target = targetOf(server, `${runtime} ${what}`)
        await load(target, 64, 7)
        found.add(`${runtime} ${what}`, await measure(target, 64, 3))
        await server.stop()
      }
    }
  }
  await provider.stop()
  const cpu = (runtime: Runtime, what: string) => found.of(`${runtime} ${what}`, "cpu")
  const order = Object.keys(stages) as Stage[]
  const rows = order.map((stage, index) => {
    const before = order[index - 1]
    return [stages[stage], ...only.map((runtime) => cpu(runtime, stage) - (before ? cpu(runtime, before) : 0))]
  })
  const totals = ["smstask", ...Object.keys(beside)].map((what) => [
    `${what}, whole`,
    ...only.map((one) => cpu(one, what)),
  ])
  const times = Object.keys(beside).map((what) => [
    `smstask to ${what}`,
    ...only.map((one) => (cpu(one, "smstask") / cpu(one, what)).toFixed(2)),
  ])
  const noise = ["noise of smstask", ...only.map((one) => percent(found.spread(`${one} smstask`, "cpu")))]
  table(
    "a message, stage by stage: µs of CPU, 64 connections",
    ["stage", ...only],
    [...rows, ...totals, ...times, noise],
  )
  return []
}

export const stagesOn = (rounds: number, runtime?: string) =>
  stagesOf(rounds, names.some((name) => name === runtime) ? [runtime as Runtime] : [...names])
