/**
 * What a part of a message costs under load, where nothing else changes: copies of main.ts, in each of which one part is
 * replaced by the least that keeps the rest going. What a copy takes less than the whole is the part's.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { bare } from "./copies.ts"
import { type Aim, percent, samples, shuffled, table } from "./figures.ts"
import { type Figures, load, measure, targetOf } from "./load.ts"
import { command, type Runtime, sending, start, startProvider } from "./servers.ts"

const number = `if (written.startsWith("+")) return { recipient: written, country: "US", callingCode: "1", type: "" }`
const accepted = `{ messages: [{ apiMessageId: "77f8a2b0", accepted: true }] }`

/** Of each part the code that is replaced, which main.ts must hold once, and what stands for it. */
const parts: Record<string, [found: string, replacement: string][]> = {
  "the proof": [
    ["const { GATEWAY_TOKEN, GATEWAY_AUDIENCE", "if (1) return () => ({})\n  const { GATEWAY_TOKEN, GATEWAY_AUDIENCE"],
  ],
  "the number": [
    ["  const trimmed = normalize(written).trim()", `  ${number}\n  const trimmed = normalize(written).trim()`],
  ],
  "its type alone": [["parsed.getType()", `"MOBILE" as const`]],
  "the provider's file and its call": [
    [
      "await exchange(provider, message, inbound.id, send, clocks).catch(",
      `{ id: "77f8a2b0" } as Verdict; void (async () => send)().catch(`,
    ],
  ],
  "the call alone": [
    [
      "await call(request, world, init)",
      `{ status: 202, headers: new Headers(), text: "", json: ${accepted} } as contract.Answer | Refused`,
    ],
  ],
  "the two lines of the log": [
    [
      "  return (level, event, fields) => {",
      `  return (level, event, fields) => {\n    if (event === "received" || event === "accepted") return`,
    ],
  ],
  acceptances: [
    ["      keepAcceptance(inbound, delivery, earlier, gateway)\n", ""],
    [
      `const earlier = findAcceptances(inbound.acceptanceKeys[0] ?? "", gateway)`,
      "const earlier = Promise.resolve([] as Acceptance[])",
    ],
  ],
  "the timer of a call": [
    ["withTimeout(limit, clocks, ask(provider, inbound, gateway, init))", "ask(provider, inbound, gateway, init)"],
  ],
}

/** Writes a copy of main.ts without a part, beside the bare one, and gives its path. */
function copyWithout(part: string, at: number): string {
  let text = readFileSync(bare(), "utf8")
  for (const [found, replacement] of parts[part] ?? []) {
    if (text.split(found).length !== 2) throw new Error(`main.ts must hold this once: ${found}`)
    text = text.replace(found, () => replacement)
  }
  const file = bare().replace(/main\.ts$/, `without${at}.ts`)
  writeFileSync(file, text)
  return file
}

export async function without(rounds: number, runtime: Runtime): Promise<Aim[]> {
  const provider = await startProvider()
  const files = new Map([
    ["nothing", bare()],
    ...Object.keys(parts).map((part, at): [string, string] => [part, copyWithout(part, at)]),
  ])
  const found = samples<Figures>()
  for (let round = 0; round < rounds; round += 1)
    for (const [part, file] of shuffled([...files])) {
      const server = await start(command(runtime, file), sending(provider.url))
      const target = targetOf(server, `without ${part}`)
      await load(target, 64, 7)
      found.add(part, await measure(target, 64, 5))
      await server.stop()
    }
  await provider.stop()
  const whole = found.of("nothing", "cpu")
  const rows = [...files.keys()].map((part) => {
    const cpu = found.of(part, "cpu")
    return [part, cpu, part === "nothing" ? "" : whole - cpu, percent(found.spread(part, "cpu"))]
  })
  table(
    `a message on ${runtime} without a part: µs of CPU, 64 connections`,
    ["without", "takes", "so the part", "noise"],
    rows,
  )
  return []
}
