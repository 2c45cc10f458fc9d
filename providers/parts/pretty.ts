/**
 * The log for people: one line an event, on a terminal.
 * @module
 */
import { styleText } from "node:util"
import type { LogEvent } from "../../main.ts"

/** One line for a terminal: what happened, to whom, by whom, and how long it took. */
export function prettyLine() {
  const timeOfDay = new Intl.DateTimeFormat("en-US", { timeStyle: "medium" })
  const colors = { info: "green", warn: "yellow", error: "red" } as const
  return (entry: LogEvent, now: number) => {
    const { time: _, level, event, request: __, recipient, provider, receipt, code, reason, ms, ...rest } = entry
    const time = timeOfDay.format(now).replaceAll("\u202f", " ").padStart(11)
    const others = Object.entries(rest).map(([name, value]) => value && `${name}=${value}`)
    const parts = [recipient, provider, receipt, code, reason, ...others, ms !== undefined && `${ms} ms`]
    // Whoever wrote a text, a terminal must obey nothing in it.
    const told = parts.filter(Boolean).map((part) => String(part).replace(/\p{C}/gu, "•"))
    return [time, styleText(colors[level], event.padEnd(11)), ...told].join("  ")
  }
}
