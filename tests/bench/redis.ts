/** A store that instances share: Redis, or Valkey where it is installed, with nothing on disk. */
import { spawnSync } from "node:child_process"
import { createClient } from "@redis/client"
import { freePort, run, sleep, usage } from "./servers.ts"

export const stores = { Redis: "redis-server", Valkey: "valkey-server" }
export const installed = (program: string) => spawnSync(program, ["--version"]).status === 0

/** Starts one on a port of its own, with a client that looks into it. */
export async function openStore(program: string) {
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  const flags = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  const { pid, stop } = run([program, ...flags])
  const client = createClient({ url, socket: { reconnectStrategy: () => 50 } })
  client.on("error", () => {})
  await Promise.race([client.connect(), sleep(10_000)])
  if (!client.isReady) throw new Error(`${program} does not start`)
  const read = async (section: string, pattern: RegExp) => (await client.info(section)).matchAll(pattern)
  return {
    url,
    /** Valkey would free the memory later. */
    empty: () => client.flushAll("SYNC"),
    forgetCounts: () => client.configResetStat(),
    /** How often each command was called, those within a script counted too. */
    async counts() {
      const found = await read("commandstats", /^cmdstat_([^:]+):calls=(\d+)/gm)
      return new Map([...found].map(([, name = "", calls]) => [name.split("|")[0] ?? "", Number(calls)]))
    },
    /** Bytes and keys that it holds. */
    async holds() {
      const [[, bytes] = []] = await read("memory", /^used_memory:(\d+)/gm)
      return { bytes: Number(bytes), keys: await client.dbSize() }
    },
    cpu: () => usage(pid).cpu,
    async stop() {
      client.destroy()
      await stop()
    },
  }
}
export type Store = Awaited<ReturnType<typeof openStore>>
