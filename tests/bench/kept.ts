/**
 * What the guard keeps of a number, on the runtime that runs this: messages go into the gateway without a server, its
 * clock stands still, and the heap is read after garbage was collected. Writes one line of JSON. See memory.ts.
 */
import { gateway } from "../../main.ts"
import { numberOf, token } from "./calls.ts"

const { Bun, gc } = globalThis as unknown as { Bun?: { gc(isNow: boolean): void }; gc?: () => void }
const collect = () => (Bun ? Bun.gc(true) : gc?.())

let now = Date.now()
const app = await gateway({
  env: { SMS_PROVIDER: "none", GATEWAY_TOKEN: token },
  fetch: () => Promise.reject(new Error("nobody is called")),
  clock: () => now,
  monotonic: () => now,
  print() {},
})
const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }

let sent = 0
/** Sends so many messages to as many numbers; gives the microseconds that one took. */
async function send(count: number): Promise<number> {
  const started = performance.now()
  for (const last = sent + count; sent < last; sent += 1) {
    const code = `${sent % 1_000_000}`.padStart(6, "0")
    const body = JSON.stringify({ recipient: `+${numberOf(sent)}`, body: `Your code is ${code}`, sender: "" })
    const { status } = await app.request("http://127.0.0.1/", { method: "POST", headers, body })
    if (status !== 200) throw new Error(`message ${sent} is answered ${status}`)
  }
  return ((performance.now() - started) * 1_000) / count
}

/** Heap and resident memory in bytes, once what is garbage has gone. */
async function memory() {
  for (let time = 0; time < 3; time += 1) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, rss }
}

// What is compiled at first is no memory of the guard's: all of it is forgotten again.
await send(5_000)
now += 3_600_000
await send(1)
const first = await memory()
const steps: { what: string; numbers: number; us: number; heap: number; rss: number }[] = []
async function step(what: string, count: number) {
  const us = await send(count)
  const { heap, rss } = await memory()
  steps.push({ what, numbers: sent, us, heap: heap - first.heap, rss: rss - first.rss })
}
await step("50,000 numbers", 50_000)
await step("100,000, the cap", 50_000)
await step("200,000", 100_000)
now += 16_000
await step("DUPLICATE_WINDOW later", 1)
now += 600_000
await step("ten minutes later", 1)
console.log(JSON.stringify(steps))
process.exit(0)
