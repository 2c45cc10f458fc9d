/** What is told of figures: medians, their spread, tables, and whether a target is reached. */

const sorted = (values: number[]) => values.toSorted((a, b) => a - b)
/** The middle one, or what is between the two in the middle. */
export function median(values: number[]): number {
  const all = sorted(values)
  const [low = Number.NaN, high = Number.NaN] = [all[(all.length - 1) >> 1], all[all.length >> 1]]
  return (low + high) / 2
}
export const shuffled = <T>(all: T[]) => all.toSorted(() => Math.random() - 0.5)

/** How far the values lie apart, in parts of their median, without the outer quarters; one alone tells nothing. */
function spreadOf(values: number[]): number {
  if (values.length < 2) return Number.POSITIVE_INFINITY
  const cut = Math.floor(values.length / 4)
  const inner = sorted(values).slice(cut, values.length - cut)
  return ((inner.at(-1) ?? 0) - (inner[0] ?? 0)) / median(values)
}

/** Figures by name, one for each round. */
export function samples<F extends Record<string, number>>() {
  const found = new Map<string, F[]>()
  const values = (name: string, field: keyof F) => (found.get(name) ?? []).map((figures) => Number(figures[field]))
  return {
    add: (name: string, figures: F) => void found.set(name, [...(found.get(name) ?? []), figures]),
    of: (name: string, field: keyof F) => median(values(name, field)),
    spread: (name: string, field: keyof F) => spreadOf(values(name, field)),
  }
}

/** A number with as many digits as can mean something; "" where there is none. */
export function told(value: number | string): string {
  if (typeof value === "string") return value
  if (!Number.isFinite(value)) return ""
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2)
}
export const percent = (part: number) => (Number.isFinite(part) ? `${(part * 100).toFixed(0)} %` : "unknown")

export function table(title: string, head: string[], rows: (string | number)[][]) {
  const line = (cells: (string | number)[]) => `| ${cells.map(told).join(" | ")} |`
  console.log(["", title, "", line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n"))
}

/**
 * A ratio that should be at least or at most so much; `noise` is how far the floor, or one of the two, was apart
 * from itself over the rounds.
 */
export interface Aim {
  what: string
  ratio: number
  least?: number
  most?: number
  noise: number
}

/** A ratio that the noise could have carried over the line is neither reached nor not reached. */
export function verdict({ ratio, least, most, noise }: Aim): string {
  const line = least ?? most ?? Number.NaN
  if (!Number.isFinite(ratio)) return "not measured"
  if (ratio / (1 + noise) <= line && line <= ratio * (1 + noise)) return "inside the noise"
  return (least === undefined ? ratio < line : ratio > line) ? "reached" : "not reached"
}

export function tellAims(aims: Aim[]) {
  const wanted = ({ least, most }: Aim) => (least === undefined ? `at most ${most}` : `at least ${least}`)
  const rows = aims.map((aim) => [aim.what, aim.ratio.toFixed(2), wanted(aim), percent(aim.noise), verdict(aim)])
  table("targets", ["ratio", "measured", "wanted", "noise", "verdict"], rows)
}
