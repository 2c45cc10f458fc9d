/**
 * The page of the log in a real browser: Debian's chromium or the one that `CHROMIUM` names, on Node alone. `SCREENSHOTS`
 * names a folder for pictures of the page, light and dark, as wide as a phone and as a desktop.
 */
import assert from "node:assert/strict"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import { after, before, test } from "node:test"
import { isDeepStrictEqual } from "node:util"
import { serve } from "@hono/node-server"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import type { LogEvent } from "../../main.ts"
import { requireAccessible } from "../lib/axe.ts"
import { history, logToken } from "../lib/history.ts"
import { serving } from "../lib/process.ts"
import { find, whySkipped } from "../lib/programs.ts"
import { httpEnv, secret, sign } from "../lib/world.ts"

const options = { timeout: 60_000, skip: whySkipped("chromium") }
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]
const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1200, height: 900 } }
const folder = process.env.SCREENSHOTS

let browser: Browser | undefined
const servers: Server[] = []
before(async () => {
  if (!options.skip) browser = await chromium.launch({ executablePath: find("chromium") ?? "chromium", args })
})
after(async () => {
  await browser?.close()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

/** Serves a gateway of this process, whose clock the test moves. */
async function served({ app }: Awaited<ReturnType<typeof history>>): Promise<string> {
  const server = serve({ fetch: (request) => app.fetch(request, { address: () => "127.0.0.1" }), port: 0 }) as Server
  servers.push(server)
  if (!server.listening) await new Promise((resolve) => server.once("listening", resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** Opens the page; what it logs and asks of other origins is kept. */
async function open(url: string, more: BrowserContextOptions = {}) {
  assert.ok(browser)
  const context = await browser.newContext({ viewport: sizes.desktop, ...more })
  const page = await context.newPage()
  const { origin } = new URL(url)
  const errors: string[] = []
  const elsewhere: string[] = []
  page.on("console", (line) => line.type() !== "log" && errors.push(line.text()))
  page.on("pageerror", (error) => errors.push(error.message))
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith("data:")) elsewhere.push(request.url())
  })
  await page.goto(`${url}log?token=${logToken}`)
  await page.getByText("Live", { exact: true }).waitFor()
  const close = async () => {
    assert.deepEqual([errors, elsewhere], [[], []])
    await context.close()
  }
  return { context, page, close }
}

async function picture(page: Page, name: string, height?: number) {
  if (!folder) return
  await page.evaluate("scrollTo(0, 0)")
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" })
    for (const [size, viewport] of Object.entries(sizes)) {
      await page.setViewportSize({ ...viewport, ...(height && { height }) })
      await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${size}.png` })
    }
  }
  await page.setViewportSize(sizes.desktop)
}

const isElsewhere = ({ code }: LogEvent) => /^(not_found|method_not_allowed)$/.test(`${code}`)
const isAttempt = ({ event }: LogEvent) => /^(accepted|refused|timeout|unreachable)$/.test(event)
const quantile = (values: number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length) - 1)] ?? Number.NaN
const lasting = (ms: number) => (ms < 1_000 ? `${ms} ms` : `${Math.round(ms / 100) / 10} s`)
const percent = (part: number, all: number) =>
  `${part < all ? Math.min(99.9, Math.round((part / all) * 1_000) / 10) : 100} %`

/** What the page must show, counted from the log. */
function counted(events: LogEvent[], now: number) {
  const within = (milliseconds: number) => {
    // The page counts by five seconds.
    const found = events.filter(({ time }) => Math.floor(Date.parse(time) / 5_000 + 1) * 5_000 > now - milliseconds)
    const count = (test: (event: LogEvent) => unknown) => found.filter(test).length
    /** Whether it ended a message, or a call that was none. */
    const ended = (entry: LogEvent) => {
      if (entry.event !== "rejected" || isElsewhere(entry)) return undefined
      const before = events.filter(({ request }) => request === entry.request).map(({ event }) => event)
      if (before.includes("duplicate")) return "copy"
      return before.includes("received") ? "message" : "call"
    }
    return {
      found,
      count,
      tiles: [
        count(({ event }) => event === "received"),
        count(({ event }) => event === "accepted"),
        count((entry) => ended(entry) === "message"),
        count((entry) => ended(entry) === "call"),
        count(({ event }) => event === "again"),
      ].map(String),
    }
  }
  return { near: within(300_000), far: within(3_600_000) }
}

/** What the page shows: tiles, reasons and providers. */
async function shown(page: Page) {
  const tiles = await page.locator("#tiles b").allTextContents()
  const reasons = await page
    .locator("#reasons tr")
    .evaluateAll((rows) =>
      rows.map((row) =>
        [...(row as unknown as { cells: Iterable<{ textContent: string }> }).cells].map((cell) => cell.textContent),
      ),
    )
  const providers = await page.locator("#providers > li").evaluateAll((cards) =>
    cards.map((card) => {
      const text = (name: string) => card.querySelector(name)?.textContent
      const both = (name: string) => ["td:nth-child(2)", "td:nth-child(3)"].map((cell) => text(`${name} ${cell}`))
      type Row = { cells: Iterable<{ textContent: string }> }
      const failures = [...(card.querySelectorAll(".failed tr") as unknown as Iterable<Row>)]
      const failed = failures.map(({ cells }) => [...cells].map(({ textContent }) => textContent).join(" "))
      const rates = [".rate5", ".rate60", ".p50", ".p95"].map(text)
      return [text("h3"), ...both(".asked"), ...both(".agains"), ...rates, failed.sort().join()]
    }),
  )
  const [near, far] = [0, 1].map((which) => tiles.filter((_, at) => at % 2 === which))
  return { near, far, reasons: reasons.sort(), providers: providers.sort() }
}

/** Every way in which a provider failed, with its counts, as its card lists them. */
function failuresIn(near: LogEvent[], far: LogEvent[]): string {
  const wayOf = ({ event, code }: LogEvent) => (event === "timeout" ? "timed out" : `${event}: ${code}`)
  const count = (events: LogEvent[], way: string) => events.filter((entry) => wayOf(entry) === way).length
  const ways = new Set(far.filter(({ event }) => event !== "accepted").map(wayOf))
  return [...ways]
    .map((way) => `${way} ${count(near, way)} ${count(far, way)}`)
    .sort()
    .join()
}

function expected(events: LogEvent[], now: number, names: string[]) {
  const { near, far } = counted(events, now)
  const providers = names.map((name) => {
    const asked = ({ found }: typeof near) => found.filter((entry) => entry.provider === name && isAttempt(entry))
    const took = (window: typeof near) => asked(window).filter(({ event }) => event === "accepted").length
    const times = asked(near).map(({ ms }) => Number(ms))
    const [p50, p95] = [0.5, 0.95].map((share) => (times.length > 0 ? lasting(quantile(times, share)) : "–"))
    const rate = (window: typeof near) => (asked(window).length > 0 ? percent(took(window), asked(window).length) : "–")
    const again = (window: typeof near) => {
      const count = window.count(({ event, provider }) => event === "again" && provider === name)
      return count > 0 && took(window) > 0 ? `${count} (${percent(count, took(window))})` : `${count}`
    }
    return [
      name,
      `${asked(near).length}`,
      `${asked(far).length}`,
      again(near),
      again(far),
      rate(near),
      rate(far),
      p50,
      p95,
      failuresIn(asked(near), asked(far)),
    ]
  })
  const reasonOf = (entry: LogEvent) => {
    const { code, reason = "" } = entry
    const told = [code, /^LIMIT_[A-Z]+/.exec(`${reason}`)?.[0]].filter(Boolean).join(" ")
    return isElsewhere(entry) ? `elsewhere: ${told}` : told
  }
  const reasons = new Set(far.found.flatMap((entry) => (entry.event === "rejected" ? reasonOf(entry) : [])))
  const rows = [...reasons].map((reason) => {
    const count = (window: typeof near) =>
      window.count((entry) => entry.event === "rejected" && reasonOf(entry) === reason)
    return [reason, String(count(near)), String(count(far))]
  })
  return { near: near.tiles, far: far.tiles, reasons: rows.sort(), providers }
}

/** The page's figures are those of the log's events, as soon as it has drawn them. */
async function same(page: Page, events: () => unknown[], clock: () => number) {
  for (let tries = 0; ; tries += 1) {
    const found = await shown(page)
    const wanted = expected(events() as LogEvent[], clock(), ["plivo", "twilio", "vonage"])
    if (tries < 50 && !isDeepStrictEqual(found, wanted)) await page.waitForTimeout(100)
    else return assert.deepEqual(found, wanted)
  }
}

test("who has no token signs in at the door", options, async () => {
  const gateway = await history(0)
  const url = await served(gateway)
  assert.ok(browser)
  const context = await browser.newContext({ viewport: sizes.desktop })
  const page = await context.newPage()
  await page.goto(`${url}log/state`)
  assert.equal(await page.evaluate("document.activeElement.id"), "token")
  await requireAccessible(page)
  await picture(page, "door")
  await page.keyboard.type("something else")
  await page.keyboard.press("Enter")
  await page.getByRole("alert").getByText("This is not LOG_TOKEN.").waitFor()
  await requireAccessible(page)
  await picture(page, "refused")
  await page.getByLabel("LOG_TOKEN", { exact: true }).fill(logToken)
  await page.getByRole("button", { name: "Open" }).click()
  await page.getByText("Live", { exact: true }).waitFor()
  assert.equal(page.url(), `${url}log`)
  await page.setViewportSize({ width: 320, height: 640 })
  assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 320)
  await context.close()
})

test("a message, a refusal and calls that are none are told apart, and one point is seen", options, async () => {
  const gateway = await history(0)
  const { page, close } = await open(await served(gateway))
  const body = (code: number) => ({ recipient: "+4915112345678", body: `Your code is ${code}` })
  await gateway.post(body(1111))
  await gateway.post(body(1111))
  await gateway.post({ ...body(2222), recipient: "+79161234599" })
  for (let calls = 0; calls < 2; calls += 1) await gateway.call({ method: "POST", body: "{}" })
  await page.getByText("3 messages, 2 refused calls", { exact: true }).waitFor()
  const tile = async (id: string) => (await page.locator(`#${id} b`).allTextContents()).join()
  await page.locator("#away").getByText("2", { exact: true }).first().waitFor()
  assert.deepEqual(await Promise.all(["received", "accepted", "missed", "away", "again"].map(tile)), [
    ...["3,3", "1,1", "1,1", "2,2", "0,0"],
  ])
  assert.match((await page.locator("#received").textContent()) ?? "", /1 duplicate/)
  assert.match((await page.locator("#note").textContent()) ?? "", /Refused calls never became messages\.$/)
  const plivo = page.locator("#providers > li", { hasText: "plivo" })
  for (const name of ["rate", "half"])
    assert.match((await plivo.locator(`.${name}.dot`).getAttribute("d")) ?? "", /^M59 [\d.]+h0$/)
  await close()
})

test("nothing yet is said, and the first message appears without reload", options, async () => {
  const gateway = await history(0)
  const { page, close } = await open(await served(gateway))
  await page.getByRole("heading", { name: "Nothing yet" }).waitFor()
  await requireAccessible(page)
  await picture(page, "empty")
  await gateway.post({ recipient: "+4915112345678", body: "Your code is 326162" })
  const row = page.locator("#rows > li").first()
  await row.getByText("+49•••5678").waitFor()
  assert.match((await row.textContent()) ?? "", /plivo accepted\d+ ms\s*accepted\s*$/)
  for (let sent = 0; sent < 7; sent += 1)
    await gateway.post({ recipient: `+491511234567${sent}`, body: "Your code is 326162" })
  await rows(page).nth(7).waitFor()
  assert.ok((await top(page, "#rows > li:nth-child(8)")) < sizes.desktop.height, "few rows stand above the figures")
  assert.ok((await top(page, "#overview")) > (await top(page, "#messages")))
  assert.equal(await page.getByText("Nothing yet").isVisible(), false)
  await close()
})

/** Where a part of the page begins, in pixels from its top. */
async function top(page: Page, selector: string): Promise<number> {
  const box = await page.locator(selector).boundingBox()
  return box?.y ?? Number.NaN
}
const rows = (page: Page) => page.locator("#rows > li")

test("with 1,000 events, and with those that arrive, its figures are the log's", options, async () => {
  const gateway = await history(60, { LIMIT_PREFIX: "30/10m" })
  await gateway.past(4_200)
  assert.ok(gateway.events().length > 1_000)
  const kept = gateway.events().length - 1_000
  const events = () => gateway.events().slice(kept)
  const { page, close } = await open(await served(gateway))
  await same(page, events, gateway.clock)
  const first = Date.parse(String(events()[0]?.time))
  assert.match(
    (await page.locator("#note").textContent()) ?? "",
    /^Counted from .*, since the last 1,000 events are kept\. Refused calls never became messages\.$/,
  )
  assert.ok(first < gateway.clock() - 1_800_000)
  await page.getByText(/^elsewhere: calls of what is not served here/).waitFor()
  assert.match((await page.locator("#top").textContent()) ?? "", /^peak: \d+ a minute$/)
  assert.ok((await top(page, "#overview")) < (await top(page, "#messages")), "the figures stand above many rows")
  await picture(page, "busy", 1_800)
  for (let sent = 0; sent < 20; sent += 1) await gateway.step()
  await same(page, events, gateway.clock)
  await close()
})

test("who rests, and a store that is away, are seen at once, and rows say what happened", options, async () => {
  const gateway = await history(60, { LIMIT_PREFIX: "30/10m", STORE: "gone:" }, {}, 0)
  await gateway.past(4_200)
  const { page, close } = await open(await served(gateway))
  const alerts = page.locator("#alerts li")
  const isResting = () =>
    gateway
      .events()
      .slice(-12)
      .some(({ event }) => event === "resting")
  for (let tries = 0; tries < 200 && !isResting(); tries += 1) await gateway.step()
  await alerts.getByText("twilio rests after failures in a row").waitFor()
  await alerts.getByText(/^The store is away since/).waitFor()
  assert.match(await page.title(), /^twilio rests, store away, Log/)
  assert.equal(await page.locator("#providers > li", { hasText: "twilio" }).locator(".chip").isVisible(), true)
  await page.locator("#rows .notice", { hasText: "twilio rests: 3 failures in a row" }).first().waitFor()
  await gateway.post({ recipient: "+79161234599", body: "Your code is 326162" })
  const row = page.locator("#rows > li", { hasText: "+7•••4599" }).first()
  await row.getByText("422 destination_not_allowed").waitFor()
  await row.locator("summary").click()
  await row.locator(".events li").nth(1).waitFor()
  assert.match(
    (await row.locator(".events").textContent()) ?? "",
    /rejected {2}request=[\da-f-]{36} .*reason=see ALLOW_DEST/,
  )
  await picture(page, "failing", 1_800)
  await close()
})

test("axe finds nothing on a log with rows, failures and alerts", options, async () => {
  const gateway = await history(10, { LIMIT_PREFIX: "4/10m", STORE: "gone:" }, {}, 0)
  await gateway.past(24_000)
  const { page, close } = await open(await served(gateway))
  await page
    .locator("#alerts li")
    .getByText(/^The store is away since/)
    .waitFor()
  await page.locator(".failed tr").first().waitFor()
  await page.locator("#rows > li").first().locator("summary").click()
  await page.locator(".events li").first().waitFor()
  await requireAccessible(page)
  await picture(page, "short", 1_800)
  await close()
})

test("rows are found by provider, outcome, request id and last digits", options, async () => {
  const gateway = await history(20, { LIMIT_PREFIX: "30/10m" }, {}, 0)
  await gateway.past(4_200)
  const { page, close } = await open(await served(gateway))
  const rows = page.locator("#rows > li:visible")
  const found = async (test: (message: LogEvent[]) => boolean) => {
    const messages = Map.groupBy(gateway.events() as unknown as LogEvent[], ({ request }) => request)
    messages.delete(undefined)
    const wanted = [...messages.values()].filter((events) => events[0]?.code !== "not_found" && test(events)).length
    assert.ok(wanted > 0)
    const told = await page.locator("#count").textContent()
    assert.equal(Number(/^\d+/.exec(told ?? "")?.[0]), wanted)
    assert.match(told ?? "", /^[\d,]+ of [\d,]+ messages(, \d+ refused calls?)?$/)
    assert.equal(await page.locator("#announcer").textContent(), told)
  }
  const has = (events: LogEvent[], fields: Partial<LogEvent>) =>
    events.some((event) => Object.entries(fields).every(([key, value]) => event[key] === value))
  await page.getByLabel("Provider", { exact: true }).selectOption("twilio")
  await found((events) =>
    events.some((entry) => entry.provider === "twilio" && (isAttempt(entry) || entry.event === "again")),
  )
  await page.getByLabel("Outcome").selectOption("Timed out")
  await found((events) => has(events, { event: "timeout", provider: "twilio" }))
  await page.getByLabel("Provider", { exact: true }).selectOption("All providers")
  await page.getByLabel("Outcome").selectOption("Refused by the gateway")
  await found((events) => has(events, { event: "rejected" }) && !events.some(isAttempt))
  await page.getByLabel("Outcome").selectOption("Asked again")
  await found((events) => has(events, { event: "again" }))
  await page.getByLabel("Outcome").selectOption("All outcomes")
  const text = page.getByLabel("Request id or last digits")
  const known = (gateway.events() as unknown as LogEvent[]).findLast(({ event, code }) => event === "accepted" && !code)
  for (const written of [`${known?.recipient}`.slice(-4), `${known?.recipient}`.slice(-2), `${known?.recipient}`]) {
    await text.fill(written)
    await found((events) => events.some(({ recipient = "" }) => `${recipient}`.endsWith(written.slice(-4))))
  }
  await text.fill(`${known?.request}`)
  assert.equal(await rows.count(), 1)
  await text.fill(`${known?.request}`.slice(0, 8).toUpperCase())
  assert.equal(await rows.count(), 1)
  await text.fill("zzz")
  await page.getByText("No message fits the filter.").waitFor()
  await text.fill("")
  assert.ok((await rows.count()) > 50)
  await close()
})

test("pausing holds the rows while the figures go on", options, async () => {
  const gateway = await history(0)
  const { page, close } = await open(await served(gateway))
  const rows = page.locator("#rows > li")
  await gateway.post({ recipient: "+4915112345678", body: "Your code is 1111" })
  await rows.first().waitFor()
  await page.getByRole("button", { name: "Pause" }).click()
  await gateway.post({ recipient: "+4915112345679", body: "Your code is 2222" })
  await page.getByRole("button", { name: "Go on (1 new)" }).waitFor()
  await page.locator("#received").getByText("2", { exact: true }).first().waitFor()
  assert.equal(await rows.count(), 1)
  await page.getByRole("button", { name: /^Go on/ }).click()
  await rows.nth(1).waitFor()
  assert.match((await rows.first().textContent()) ?? "", /5679/)
  await close()
})

test("everything is reached by the keyboard, named, and seen when it has the focus", options, async () => {
  const gateway = await history(0)
  await gateway.post({ recipient: "+4915112345678", body: "Your code is 1111" })
  const { page, close } = await open(await served(gateway))
  await page.locator("#rows > li").first().waitFor()
  const reached: unknown[] = []
  for (let step = 0; step < 5; step += 1) {
    await page.keyboard.press("Tab")
    reached.push(await page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert.equal(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid")
  }
  assert.deepEqual(reached, ["by-provider", "by-outcome", "by-text", "pause", "SUMMARY"])
  await page.keyboard.press("Enter")
  await page.locator(".events").getByText("request=").first().waitFor()
  for (const role of ["banner", "main", "contentinfo", "search"] as const)
    assert.equal(await page.getByRole(role).count(), 1, role)
  for (const name of [
    /^Acceptance of plivo by minute.*100 %/,
    /^Time of plivo by minute.*p50 \d+ ms/,
    /^Messages by minute/,
  ])
    assert.equal(await page.getByRole("img", { name }).count(), 1, `${name}`)
  assert.equal(
    await page.getByRole("list", { name: "Messages, newest first" }).getByRole("listitem").first().isVisible(),
    true,
  )
  await close()
})

test("on a phone nothing scrolls sideways, and what an event holds is never run", options, async () => {
  const code = `<img/src=x/onerror=document.title=1>${"x".repeat(150)}`
  const gateway = await history(0, httpEnv, {
    fetch: async () => Response.json({ message: code, id: 0 }, { status: 400 }),
  })
  const { page, close } = await open(await served(gateway), { viewport: { width: 320, height: 640 } })
  await gateway.post({ recipient: "+4915112345678", body: "Your code is 1111", sender: code.slice(0, 11) })
  const row = page.locator("#rows > li").first()
  await row.locator("summary").click()
  await row.getByText("502").first().waitFor()
  assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 320)
  assert.equal(await page.locator("img").count(), 0)
  assert.match(await page.title(), /smstask$/)
  await close()
})

test("it connects again, and after a restart shows the new instance alone", options, async () => {
  const env = { ...httpEnv, SMS_PROVIDER: "console", GATEWAY_SECRET: secret, PAGES: "log", LOG_TOKEN: logToken }
  const post = async (url: string, recipient: string) => {
    const headers = { authorization: `Bearer ${await sign()}` }
    const body = JSON.stringify({ recipient, body: "Your code is 326162", sender: "" })
    assert.equal((await fetch(url, { method: "POST", headers, body })).status, 200)
  }
  const { url, kill } = await serving(env)
  const { context, page } = await open(url)
  await post(url, "+4915112345671")
  await page.getByText("+49•••5671").waitFor()
  await context.setOffline(true)
  await post(url, "+4915112345672")
  await context.setOffline(false)
  await page.getByText("+49•••5672").waitFor()
  assert.equal(await page.getByText("+49•••5671").count(), 1)
  const before = await page.locator("#shown").textContent()
  kill("SIGKILL")
  await page.getByText("Connecting again…").waitFor()
  const again = await serving({ ...env, PORT: new URL(url).port })
  await page.getByText("Live", { exact: true }).waitFor({ timeout: 15_000 })
  await post(url, "+4915112345673")
  await page.getByText("+49•••5673").waitFor()
  assert.equal(await page.getByText("+49•••5671").count(), 0)
  assert.notEqual(await page.locator("#shown").textContent(), before)
  await context.close()
  again.kill()
})

test("where two instances answer, it says that it shows one", options, async () => {
  const [one, other] = [await history(0), await history(0)]
  let turn = 0
  const app = {
    fetch: (request: Request, peer: object) =>
      (/state$/.test(request.url) && ++turn ? other : one).app.fetch(request, peer),
  }
  const { page, close } = await open(await served({ ...one, app } as typeof one))
  const shown = /Instance ([\da-f]{8})/.exec((await page.locator("#shown").textContent()) ?? "")?.[1]
  await page
    .getByText(`2 instances answer at this address. This page shows ${shown} alone.`)
    .waitFor({ timeout: 20_000 })
  assert.ok(turn > 0)
  await close()
})
