/**
 * Delivery reports, for the figures alone: a provider's webhook at `/<provider>/report/<NAME>_REPORT_KEY` is read, logged and
 * forgotten. Nothing is sent again: who asks again gets the next provider anyway.
 * @module
 */
import type { Hono } from "hono"
import {
  type Bindings,
  type Gateway,
  isSame,
  type LoadedProvider,
  limitHeaders,
  type Report,
  type ReportCall,
  readBytes,
  redact,
  type Site,
  variablePrefix,
  withTimeout,
} from "../../main.ts"
import { compare } from "./proof.ts"

/** Acceptances whose reports can be told with the time that they took. */
const most = 10_000
/** A number that stands in no id: "" would stand in all. */
const nobody = { recipient: "+", body: "", sender: "" }

/** Serves the reports of a provider. `key` is the part of the path that cannot be guessed. */
export function mountReports(
  app: Hono<{ Bindings: Bindings }>,
  { name, provider, values, hidden }: LoadedProvider,
  key: string,
  site: Site,
  { world, settings, learning }: Pick<Gateway, "world" | "settings" | "learning">,
) {
  const { report: file } = provider
  if (!file) return
  const { log, problem, clock } = site
  const safe = (foreign: unknown) => redact(foreign, hidden, nobody, "id")
  const channel = provider.channel ?? "sms"
  const acceptances = new Map<unknown, { at: number; country: string }>()
  // Vendors repeat their reports, and a call that was overheard can be repeated too.
  const final = new Set<string>()
  site.follow(({ event, provider, receipt, country }) => {
    if (event !== "accepted" || provider !== name || !receipt) return
    acceptances.set(receipt, { at: clock(), country: `${country}` })
    if (acceptances.size > most) acceptances.delete(acceptances.keys().next().value)
  })
  const tell = ({ id, state, code, fault }: Report) => {
    const receipt = safe(id)
    if (state === "pending" || final.has(receipt)) return
    final.add(receipt)
    if (final.size > most) final.delete(final.values().next().value ?? "")
    const before = acceptances.get(receipt)
    acceptances.delete(receipt)
    const told = {
      provider: name,
      receipt,
      ...(code !== undefined && { code: redact(code, hidden, nobody, "code") }),
      ...(fault && { fault }),
      ...(before && { country: before.country, ms: Math.round(clock() - before.at) }),
    }
    const isDelivered = state === "delivered"
    // A number that does not exist says nothing of its provider.
    if (before && !isDelivered && fault !== "recipient")
      learning?.count({ provider: name, country: before.country, channel }, "bad", "report")
    log(isDelivered ? "info" : "warn", isDelivered ? "delivered" : "undelivered", told)
  }
  /** A file that a proof needs, such as a certificate. */
  const fetch = async (url: string, init?: RequestInit) => {
    const signal = AbortSignal.timeout(5_000)
    const reply = await world.fetch(new Request(url, init), { redirect: "manual", signal })
    const bytes = await readBytes(reply)
    if (reply.status !== 200 || !bytes) throw new Error(`${name} answered ${reply.status}`)
    return new Response(new Uint8Array(bytes))
  }
  /** Whether the vendor's own proof holds, where it gives one beside the key in the path. */
  const isProven = async (call: ReportCall) => {
    const proof = file.proof ? await file.proof(call, values, { fetch }) : "unsigned"
    if (proof === "unsigned") return true
    return proof !== undefined && !("problem" in (await compare(proof, clock())))
  }
  app.on(["GET", "POST"], "/report/:key", async (c) => {
    if (!isSame(c.req.param("key"), key))
      return problem("authentication_failed", `the path must end in ${variablePrefix(name)}_REPORT_KEY`)
    const read = async () => ({ bytes: await readBytes(c.req.raw).catch(() => undefined) })
    const body = await withTimeout(settings.DEADLINE, site, read())
    if (!body) return problem("invalid_message", "the body did not arrive within the deadline")
    const { bytes } = body
    if (!bytes) return problem("message_too_large", "at most 64 KiB are read")
    const text = new TextDecoder().decode(bytes)
    // A vendor signs the address that it called, which a proxy may have changed.
    const { pathname, search } = new URL(c.req.url)
    const { href } = new URL(pathname + search, settings.GATEWAY_URL ?? c.req.url)
    const call = { method: c.req.method, url: href, headers: limitHeaders(c.req.raw.headers), text }
    let reports: Report[] | Response
    try {
      if (!(await isProven(call)))
        return problem("authentication_failed", `the report is not proven as ${name} proves it`)
      reports = await file.read(call, values, { fetch })
    } catch {
      return problem("invalid_message", `the report is not what ${name} sends`)
    }
    if (reports instanceof Response) return reports
    for (const report of reports) tell(report)
    return c.body(null, 200)
  })
}
