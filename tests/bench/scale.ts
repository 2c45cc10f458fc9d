/** Instances that share a store: messages a second, the store's share of a message, and what it holds. */
import { type Aim, table, told } from "./figures.ts"
import { load, measure, type Target, targetOf, warm } from "./load.ts"
import { installed, openStore, type Store, stores } from "./redis.ts"
import { command, type Environment, type Runtime, root, type Server, sending, start, startProvider } from "./servers.ts"

/** Some instances, warm, each with numbers of its own. */
async function instances(count: number, runtime: Runtime, env: Environment) {
  const all: { server: Server; target: Target }[] = []
  for (let index = 0; index < count; index += 1) {
    const server = await start(command(runtime, `${root}main.ts`), env)
    const target = { ...targetOf(server, `instance ${index + 1} of ${count}`), sent: index * 1_000_000 }
    await warm(target, 6)
    all.push({ server, target })
  }
  const stop = async () => {
    for (const { server } of all) await server.stop()
  }
  return { targets: all.map(({ target }) => target), stop }
}

/** Messages a second of so many instances under 64 connections in all. */
async function together(count: number, runtime: Runtime, env: Environment, store?: Store) {
  await store?.empty()
  const { targets, stop } = await instances(count, runtime, env)
  await store?.forgetCounts()
  const found = await Promise.all(targets.map((target) => load(target, Math.floor(64 / count), 4)))
  const counts = await store?.counts()
  await stop()
  const messages = found.reduce((sum, { requests }) => sum + requests, 0)
  const rate = found.reduce((sum, { requests, seconds }) => sum + requests / seconds, 0)
  return { rate, p99: Math.max(...found.map(({ p99 }) => p99)), perMessage: shares(counts, messages) }
}

/** Commands of one message, those that look at the store itself left out. */
function shares(counts: Map<string, number> | undefined, messages: number): string {
  const own = /^(info|config|dbsize|flushall|hello|client|ping|select)$/
  const found = [...(counts ?? [])].filter(([name, calls]) => !own.test(name) && calls / messages > 0.01)
  return found.map(([name, calls]) => `${name} ${told(calls / messages)}`).join(", ")
}

/** One instance by itself: what one message takes when no other waits, and what it takes of both processors. */
async function alone(runtime: Runtime, env: Environment, store?: Store) {
  const { targets, stop } = await instances(1, runtime, env)
  const [target] = targets
  if (!target) throw new Error("there is no instance")
  await warm(target, 12, 1)
  const { requests, seconds } = await load(target, 1, 4)
  await store?.empty()
  const before = { holds: await store?.holds(), cpu: store?.cpu() }
  const { requests: messages, cpu } = await measure(target, 64, 4)
  const holds = await store?.holds()
  const after = store?.cpu()
  await stop()
  const per = (now = Number.NaN, then = Number.NaN) => (now - then) / messages
  return {
    ms: (seconds * 1_000) / requests,
    cpu,
    storeCpu: per(after, before.cpu),
    bytes: per(holds?.bytes, before.holds?.bytes),
    keys: per(holds?.keys, before.holds?.keys),
  }
}

export async function scale(runtime: Runtime): Promise<Aim[]> {
  const provider = await startProvider()
  const env = sending(provider.url)
  const without = { ...(await together(1, runtime, env)), ...(await alone(runtime, env)) }
  const rates: (string | number)[][] = [[runtime, "unset", "1", without.rate, "1.00", without.p99, ""]]
  const costs: (string | number)[][] = [["unset", without.ms, "", without.cpu, "", "", "", ""]]
  for (const [name, program] of Object.entries(stores)) {
    if (!installed(program)) {
      console.error(`${program} is not installed: ${name} is left out`)
      continue
    }
    const store = await openStore(program)
    const shared = { ...env, STORE: store.url }
    for (const count of [1, 2, 3, 4]) {
      const { rate, p99, perMessage } = await together(count, runtime, shared, store)
      rates.push([runtime, name, String(count), rate, (rate / without.rate).toFixed(2), p99, perMessage])
    }
    const { ms, cpu, storeCpu, bytes, keys } = await alone(runtime, shared, store)
    costs.push([name, ms, ms - without.ms, cpu, storeCpu, keys, bytes, (bytes * 1_000_000) / 1_048_576])
    await store.stop()
  }
  await provider.stop()
  const head = ["runtime", "STORE", "instances", "messages a second", "× unset", "p99 ms", "commands of a message"]
  table("instances on one store, 64 connections in all; commands within a script counted too", head, rates)
  const columns = ["STORE", "ms", "added ms", "CPU µs", "of the store", "keys", "bytes", "MiB of a million messages"]
  table(
    `one message, ${runtime}: alone, in ms; under load, on each processor; what is held of it at first`,
    columns,
    costs,
  )
  return []
}
