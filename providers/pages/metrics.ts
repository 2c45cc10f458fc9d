import type { LogEvent, Page, Site } from "../../main.ts"
import { missingPackage } from "../lib.ts"
import { installLine } from "../parts/packages.ts"
import { createReader } from "../parts/tally.ts"

/** Codes that main.ts itself gives where no answer of a provider is there; each other one must stand in its file. */
const ownCodes = ["dns", "refused", "tls", "answer", "reset", "timeout", "exception", "country", "no_code"]
const limits = [
  "LIMIT_VOICE",
  "LIMIT_RECIPIENT",
  "LIMIT_IP",
  "LIMIT_PREFIX",
  "LIMIT_TOTAL",
  "LIMIT_UNVERIFIED",
  "destinations",
]
const isAttempt = (event: string) => /^(accepted|refused|timeout|unreachable)$/.test(event)
/** Seconds: a call that is quick, one that a person notices, and up to the usual deadline. */
const buckets = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 16]

/** The guard's limit that an event speaks of; a page's own 429 speaks of none. */
function limitOf({ code, reason = "" }: LogEvent): string | undefined {
  if (code === "destination_not_allowed") return "destinations"
  return code === "rate_limited" ? /^(LIMIT_[A-Z]+) is used up$/.exec(`${reason}`)?.[1] : undefined
}

/** What is counted, and the function that counts one event. prom-client is outside of the bundle: who has no metrics needs none. */
async function counting(site: Site) {
  // Deno would fetch it at every start, were its name a plain text.
  const { Counter, Gauge, Histogram, Registry } = (await import(
    "prom-client" as string
  )) as typeof import("prom-client")
  const { default: own } = await import("../../package.json", { with: { type: "json" } })
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `smstask_${name}_total`, help, labelNames, registers })
  const received = counter("received", "Messages that were proven and read, by platform.", ["platform"])
  const messages = counter("messages", "Messages and refused calls, by platform and answer.", ["platform", "code"])
  const duplicates = counter("duplicates", "Messages that got the answer of their first.", ["platform"])
  const attempts = counter("attempts", "Calls to providers, by outcome and the provider's code.", [
    "provider",
    "outcome",
    "code",
  ])
  const again = counter("again", "Messages to a number that asked again, by the provider before.", ["provider"])
  const refusals = counter("guard_refusals", "Messages that a limit refused, or would have.", ["limit", "guard"])
  const reports = counter("reports", "Delivery reports, by what became of the message.", ["provider", "state"])
  const routes = counter(
    "routes",
    "What became of messages, by country: sent, first calls, verified, again, undelivered.",
    ["provider", "country", "outcome"],
  )
  const read = createReader()
  const seconds = new Histogram({
    name: "smstask_attempt_seconds",
    help: "Seconds until a provider answered, or was no longer waited for.",
    labelNames: ["provider"],
    buckets,
    registers,
  })
  const resting = new Gauge({
    name: "smstask_provider_resting",
    help: "1 while a provider rests after failures in a row.",
    labelNames: ["provider"],
    registers,
    collect() {
      for (const { name, isResting } of site.providers()) this.set({ provider: name }, Number(isResting))
    },
  })
  const storeAway = new Gauge({ name: "smstask_store_away", help: "1 while the store does not answer.", registers })
  const build = { name: "smstask_build_info", help: "The version of smstask.", labelNames: ["version"], registers }
  new Gauge(build).set({ version: own.version }, 1)

  const codes = new Map<string, Set<string>>()
  for (const { name, faults = {} } of site.providers()) {
    codes.set(name, new Set([...ownCodes, ...Object.values(faults).flat().map(String)]))
    // A rate needs a first value before the first event.
    attempts.inc({ provider: name, outcome: "accepted", code: "" }, 0)
    again.inc({ provider: name }, 0)
    seconds.zero({ provider: name })
    resting.set({ provider: name }, 0)
  }
  for (const limit of limits) refusals.inc({ limit, guard: "enforce" }, 0)
  messages.inc({ platform: "/", code: "accepted" }, 0)
  received.inc({ platform: "/" }, 0)

  const count = (entry: LogEvent) => {
    const { event, code } = entry
    // POST / is nobody's by name.
    const platform = String(entry.platform ?? "/")
    const known = codes.get(String(entry.provider))
    // What a shared store brings may be a provider of another instance.
    const provider = known ? String(entry.provider) : "other"
    for (const { country, outcome } of read(entry)) routes.inc({ provider, country, outcome })
    if (event === "received") received.inc({ platform })
    else if (event === "duplicate") duplicates.inc({ platform })
    else if (event === "again") again.inc({ provider })
    else if (event === "rejected") messages.inc({ platform, code: String(code) })
    else if (event === "delivered" || event === "undelivered") reports.inc({ provider, state: event })
    else if (event === "store_away" || event === "store_back") storeAway.set(Number(event === "store_away"))
    if (event === "accepted" || event === "test") messages.inc({ platform, code: event })
    if (isAttempt(event)) {
      const told = code === undefined ? "" : known?.has(String(code)) ? String(code) : "other"
      attempts.inc({ provider, outcome: event, code: told })
      // A number abroad is not asked for at all, and took no time.
      if (code !== "country") seconds.observe({ provider }, Number(entry.ms) / 1_000)
    }
    const limit = event === "rejected" || event === "observed" ? limitOf(entry) : undefined
    if (limit) refusals.inc({ limit, guard: event === "observed" ? "observe" : "enforce" })
  }
  return { registry, count }
}

/** `GET /metrics` for Prometheus: figures of the log's events, with no number, no text and no id in a label. */
export default {
  env: {},
  routes(app, _, site) {
    let early: LogEvent[] = []
    let count: (entry: LogEvent) => void = (entry) => early.push(entry)
    site.follow((entry) => count(entry))
    const loading = counting(site).then((counted) => {
      count = counted.count
      early.forEach(count)
      early = []
      return counted.registry
    })
    loading.catch((error: Error) => {
      const lacking = missingPackage(error)
      const reason = lacking ? `PAGES=metrics needs a package: ${installLine([lacking])}` : `no metrics: ${error.name}`
      count = () => {}
      early = []
      site.log("error", "warning", { reason })
    })
    app.get("/", async (c) => {
      const registry = await loading.catch(() => undefined)
      if (!registry) return site.problem("internal_error", "the log says why")
      return c.body(await registry.metrics(), 200, {
        "content-type": registry.contentType,
        "cache-control": "no-store",
      })
    })
  },
} satisfies Page
