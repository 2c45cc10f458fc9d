/**
 * The log for people: `LOG_FORMAT=pretty`. Where this file is not there, each line is JSON.
 * @module
 */
import { styleText } from "node:util"
import type { LogEvent } from "../contract.ts"

const colors = { info: "green", warn: "yellow", error: "red" } as const

/** One event as a line for a terminal: what happened, to whom, by whom, and how long it took. */
export function createLine(): (entry: LogEvent) => string {
  const timeOfDay = new Intl.DateTimeFormat("en-US", { timeStyle: "medium" })
  return ({ time, level, event, request: _, country: __, ...told }) => {
    const { recipient, provider, receipt, code, reason, ms, ...rest } = told
    const when = timeOfDay.format(new Date(time)).replaceAll("\u202f", " ").padStart(11)
    const others = Object.entries(rest).map(([name, value]) => value && `${name}=${value}`)
    const parts = [recipient, provider, receipt, code, reason, ...others, ms !== undefined && `${ms} ms`]
    // Whoever wrote a text, a terminal must obey nothing in it.
    const texts = parts.filter(Boolean).map((part) => String(part).replace(/\p{C}/gu, "•"))
    return [when, styleText(colors[level], event.padEnd(11)), ...texts].join("  ")
  }
}
