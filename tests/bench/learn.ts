/**
 * Routes that learn, in a simulation: five providers and ten countries with rates that nobody is told, of which the best falls
 * at noon; 20,000 messages a day. Counts and draws are those of the gateway. It is seeded, so that every run says the same.
 */
import { createLearned, type Learned, learn, weigh } from "../../providers/parts/routing.ts"
import adaptive from "../../providers/routing/adaptive.ts"
import { createRandom } from "../lib/random.ts"
import { type Aim, table } from "./figures.ts"

const day = 86_400_000
const countries = 10
const messages = 2_000
const noon = 1_000
/** How many of a provider's codes are entered; at noon the best of a country falls. */
const rates = [0.92, 0.815, 0.71, 0.605, 0.5]
const fallen = 0.45
/** The parts of a day: what each is called, where it ends, and what is to be reached. */
const parts = [
  { name: "the first 500", end: 500, aim: 0.96 },
  { name: "to noon", end: noon, aim: 0.98 },
  { name: "300 after the best fell", end: noon + 300, aim: 0.9 },
  { name: "after that", end: messages, aim: 0.97 },
]

interface Provider {
  name: string
  rate: number
  learned: Learned
}
/** Gives the one that is asked first; `now` is in milliseconds. */
type Choose = (providers: Provider[], now: number, random: () => number) => Provider | undefined

const best = (providers: Provider[]) => providers.reduce((a, b) => (b.rate > a.rate ? b : a))
const choices = {
  adaptive(providers: Provider[], now: number, random: () => number) {
    const candidates = providers.map(({ name, learned }) => weigh(name, learned, now))
    const [first] = adaptive.order(candidates, random)
    return providers.find(({ name }) => name === first)
  },
  "ordered, the best first": (providers: Provider[]) => providers[0],
  "ordered, the worst first": (providers: Provider[]) => providers.at(-1),
} satisfies Record<string, Choose>

/** A day of one country: the sums of the rates that were chosen, and of the best ones, in each part. */
function simulate(choose: Choose, order: number[], random: () => number) {
  const providers: Provider[] = order.map((rate, at) => ({ name: `p${at}`, rate, learned: createLearned() }))
  const reached = parts.map(() => 0)
  const possible = parts.map(() => 0)
  for (let message = 0; message < messages; message += 1) {
    const now = (day * message) / messages
    if (message === noon) best(providers).rate = fallen
    const chosen = choose(providers, now, random)
    if (!chosen) throw new Error("nobody was chosen")
    const isEntered = random() < chosen.rate
    learn(chosen.learned, { good: Number(isEntered), bad: Number(!isEntered) }, now)
    const part = parts.findIndex(({ end }) => message < end)
    reached[part] = (reached[part] ?? 0) + chosen.rate
    possible[part] = (possible[part] ?? 0) + best(providers).rate
  }
  return { reached, possible }
}

/** Means over all seeds and countries, in parts of the best possible choice; the last one is the whole day's. */
function shareOf(choose: Choose, orderOf: (random: () => number) => number[], seeds: number): number[] {
  const reached = [...parts, 0].map(() => 0)
  const possible = [...parts, 0].map(() => 0)
  const add = (sums: number[], day: number[]) => {
    for (const [part, sum] of day.entries()) {
      sums[part] = (sums[part] ?? 0) + sum
      sums[parts.length] = (sums[parts.length] ?? 0) + sum
    }
  }
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = createRandom(seed)
    for (let country = 0; country < countries; country += 1) {
      const found = simulate(choose, orderOf(random), random)
      add(reached, found.reached)
      add(possible, found.possible)
    }
  }
  return reached.map((sum, part) => sum / (possible[part] ?? 1))
}

const shuffle = (random: () => number) =>
  rates
    .map((rate) => ({ rate, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ rate }) => rate)
const { adaptive: chooseAdaptive, ...byHand } = choices
const orders: Record<string, (random: () => number) => number[]> = {
  "adaptive, any order by hand": shuffle,
  "adaptive, the best first": () => rates,
  "adaptive, the worst first": () => rates.toReversed(),
}

export async function simulateLearning(seeds: number): Promise<Aim[]> {
  const learned = Object.entries(orders).map(([name, orderOf]) => ({
    name,
    shares: shareOf(chooseAdaptive, orderOf, seeds),
  }))
  const ordered = Object.entries(byHand).map(([name, choose]) => ({ name, shares: shareOf(choose, () => rates, 1) }))
  const rows = [...learned, ...ordered].map(({ name, shares }) => [name, ...shares.map((share) => share.toFixed(3))])
  const head = ["in parts of the best possible choice", ...parts.map(({ name }) => name), "the day"]
  table(`${seeds} seeds, ${countries} countries with ${messages} messages each`, head, rows)
  return learned.flatMap(({ name, shares }) =>
    parts.map(({ name: part, aim }, at) => ({
      what: `${name}: ${part}`,
      ratio: shares[at] ?? Number.NaN,
      least: aim,
      noise: 0,
    })),
  )
}
