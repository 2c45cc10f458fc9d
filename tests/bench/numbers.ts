/**
 * What reading a number costs: milliseconds to load the library, microseconds a number, written as E.164 and as at home.
 *
 *     node|bun|deno run -A tests/bench/numbers.ts
 */
import { loadNumbers, readNumber } from "../../main.ts"

const started = performance.now()
const numbers = await loadNumbers()
const load = performance.now() - started

function cost(write: (index: number) => string, country?: string): number {
  const run = (count: number) => {
    for (let index = 0; index < count; index += 1) readNumber(write(index), country, numbers)
  }
  run(20_000)
  const begun = performance.now()
  run(50_000)
  return ((performance.now() - begun) / 50_000) * 1_000
}
const international = cost((index) => `+1212555${1_000 + (index % 9_000)}`)
const national = cost((index) => `0151 1234${1_000 + (index % 9_000)}`, "DE")
const told = [
  `load ${load.toFixed(0)} ms`,
  `E.164 ${international.toFixed(1)} µs`,
  `national ${national.toFixed(1)} µs`,
]
console.log(told.join(", "))
process.exit(0)
