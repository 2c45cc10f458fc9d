import type { Candidate, Routing } from "../../main.ts"

/** More than any count can be, and little enough that the draw stays exact. */
const most = 1_000_000

/** What is no count is none: not a number, negative, of another type. */
const toCount = (foreign: unknown) => (typeof foreign === "number" && foreign > 0 ? Math.min(foreign, most) : 0)

/** A number of the standard normal distribution (Box and Muller, 1958). */
function drawNormal(random: () => number): number {
  // 0 has no logarithm.
  const radius = Math.sqrt(-2 * Math.log(1 - random()))
  return radius * Math.cos(2 * Math.PI * random())
}

/** A number of the gamma distribution, for a shape of at least 1 (Marsaglia and Tsang, 2000). */
function drawGamma(shape: number, random: () => number): number {
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  // One draw in twenty is rejected at most. Random numbers that never pass give the mean.
  for (let tries = 0; tries < 100; tries += 1) {
    const normal = drawNormal(random)
    const cubed = (1 + c * normal) ** 3
    if (cubed <= 0) continue
    const chance = 1 - random()
    const squared = normal * normal
    // Nearly always this is enough, and spares two logarithms.
    if (chance < 1 - 0.0331 * squared * squared) return d * cubed
    if (Math.log(chance) < 0.5 * squared + d - d * cubed + d * Math.log(cubed)) return d * cubed
  }
  return d
}

/** A rate that a provider may have, by what is known of it: of Beta(1 + good, 1 + bad). */
function drawRate({ good, bad }: Candidate, random: () => number): number {
  const up = drawGamma(1 + toCount(good), random)
  const down = drawGamma(1 + toCount(bad), random)
  return up / (up + down)
}

/**
 * Thompson sampling: each provider gets a rate that it may have, and the best one is asked first. Whoever is surely best is
 * nearly always first; whoever is little known is tried now and then. No order by hand has a say.
 */
export default {
  order(candidates, random) {
    const drawn = candidates.map((candidate) => ({ name: candidate.name, rate: drawRate(candidate, random) }))
    return drawn.sort((a, b) => b.rate - a.rate).map(({ name }) => name)
  },
} satisfies Routing
