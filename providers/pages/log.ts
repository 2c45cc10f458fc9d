import { randomBytes } from "node:crypto"
import type { LogEvent, Page } from "../../main.ts"
import { headers, page } from "../parts/log-page.ts"
import { createTally } from "../parts/tally.ts"

/** One that reads the stream; the page's events have numbers, so that it misses none when it connects again. */
type Reader = { stream: ReadableStreamDefaultController<Uint8Array>; isNumbered: boolean }
const encoder = new TextEncoder()
/** Of events that are kept, and that a reader has not taken; one that falls further behind is cut. */
const most = 1_000

/**
 * `GET /log`: the log as server-sent events, for at most 20 readers; a page of it for browsers. `GET /log/events`: the last
 * 1,000 events as JSON; `GET /log/state`: how providers and the store are; `GET /log/routes`: who delivered where.
 */
export default {
  env: {},
  routes(app, _, site) {
    /** Every event has a number, and this process a name: a page may reach another instance when it connects again. */
    const instance = randomBytes(4).toString("hex")
    const kept: LogEvent[] = []
    let count = 0
    let storeAway: string | undefined
    const readers = new Set<Reader>()
    const cut = (reader: Reader) => void (readers.delete(reader) && reader.stream.close())
    const send = (text: string, id = "") => {
      for (const reader of readers) {
        if ((reader.stream.desiredSize ?? 0) > 0)
          reader.stream.enqueue(encoder.encode(reader.isNumbered ? id + text : text))
        else cut(reader)
      }
    }
    const idOf = (number: number) => `${instance}-${number}`
    const dataOf = (event: LogEvent) => `data: ${JSON.stringify(event)}\n\n`
    /** The number of the first kept event that whoever has `id` has not. */
    const after = (id: string) => {
      const [name, number] = id.split("-")
      const first = count - kept.length + 1
      return name === instance ? Math.max(first, (parseInt(number ?? "", 10) || 0) + 1) : first
    }
    const tally = createTally(site.clock)
    site.follow(tally.count)
    site.follow((event) => {
      count += 1
      kept.push(event)
      if (kept.length > most) kept.shift()
      if (event.event === "store_away") storeAway = event.time
      if (event.event === "store_back") storeAway = undefined
      if (readers.size > 0) send(dataOf(event), `id: ${idOf(count)}\n`)
    })
    const beat: { unref?(): void } | number = setInterval(send, 15_000, ":\n\n")
    if (typeof beat === "object") beat.unref?.()
    site.stopping?.addEventListener("abort", () => {
      // The last lines are written before the readers are let go.
      setTimeout(() => readers.forEach(cut), 50)
    })
    app.use(async (c, next) => {
      await next()
      for (const [name, value] of Object.entries(headers)) if (!c.res.headers.has(name)) c.header(name, value)
    })
    app.get("/", (c) => {
      // A browser asks for HTML; curl and the page's own EventSource do not.
      if (/\btext\/html\b/.test(c.req.header("accept") ?? "")) return c.html(page)
      const type = { "content-type": "text/event-stream", "x-accel-buffering": "no" }
      if (c.req.method === "HEAD") return c.body(null, 200, type)
      if (readers.size >= 20)
        return site.problem("rate_limited", "20 readers follow the log already", { "retry-after": "60" })
      const before = c.req.header("last-event-id") ?? c.req.query("after")
      let own: Reader | undefined
      const start = (stream: Reader["stream"]) => {
        own = { stream, isNumbered: before !== undefined }
        readers.add(own)
        stream.enqueue(encoder.encode(": following the log\n\n"))
        if (before === undefined) return
        const first = after(before)
        const missed = kept.slice(kept.length - (count - first + 1))
        const texts = missed.map((event, index) => `id: ${idOf(first + index)}\n${dataOf(event)}`)
        stream.enqueue(encoder.encode(`retry: 1000\n\n${texts.join("")}`))
      }
      const cancel = () => void (own && readers.delete(own))
      return c.body(new ReadableStream({ start, cancel }, { highWaterMark: most }), 200, type)
    })
    const state = () => {
      const providers = site.providers().map(({ name, isResting }) => ({ name, isResting }))
      return { instance, now: new Date(site.clock()).toISOString(), storeAway, providers }
    }
    app.get("/state", (c) => c.json(state()))
    app.get("/routes", (c) => c.json({ instance, routes: tally.rows() }))
    app.get("/events", (c) => c.json({ ...state(), first: count - kept.length + 1, events: kept }))
  },
} satisfies Page
