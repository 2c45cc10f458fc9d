/**
 * The inbox in a real browser: Debian's chromium or the one that `CHROMIUM` names, on Node alone. `SCREENSHOTS` names a folder for pictures of the page,
 * light and dark, as wide as a phone and as a desktop.
 */
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { requireAccessible } from "../lib/axe.ts"
import { serving } from "../lib/process.ts"
import { find, whySkipped } from "../lib/programs.ts"
import { secret, sign } from "../lib/world.ts"

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
const env = { SMS_PROVIDER: "inbox", VOICE_PROVIDER: "inbox", GATEWAY_SECRET: secret }
const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } }
const folder = process.env.SCREENSHOTS

let browser: Browser | undefined
before(async () => {
  if (!options.skip) browser = await chromium.launch({ executablePath: find("chromium") ?? "chromium", args })
})
after(() => browser?.close())

/** Opens the page; what it logs and asks of other origins is kept. */
async function open(url: string, path = "inbox", more: BrowserContextOptions = {}) {
  assert.ok(browser)
  const context = await browser.newContext(more)
  const page = await context.newPage()
  const { origin } = new URL(url)
  const errors: string[] = []
  const elsewhere: string[] = []
  page.on("console", (line) => line.type() !== "log" && errors.push(line.text()))
  page.on("pageerror", (error) => errors.push(error.message))
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith("data:")) elsewhere.push(request.url())
  })
  await page.goto(url + path)
  await page.getByText("Live", { exact: true }).waitFor()
  const close = async () => {
    assert.deepEqual([errors, elsewhere], [[], []])
    await context.close()
  }
  return { context, page, close }
}

async function send(url: string, message: object, key = secret) {
  const headers = { authorization: `Bearer ${await sign({ key })}` }
  return (await fetch(url, { method: "POST", headers, body: JSON.stringify(message) })).status
}
async function post(url: string, recipient: string, body: string, sender = "", channel = "sms") {
  assert.equal(await send(url, { recipient, body, sender, channel }), 200)
}

/** Makes the page believe that its tab is looked at, or is not. */
const look = (page: Page, isHidden: boolean) =>
  page.evaluate(`Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true })
document.dispatchEvent(new Event("visibilitychange"))`)

async function picture(page: Page, name: string) {
  if (!folder) return
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" })
    for (const [size, viewport] of Object.entries(sizes)) {
      await page.setViewportSize(viewport)
      await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${size}.png` })
    }
  }
}

const numbers = ["+12223334444", "+447700900123", "+4915112345678"] as const
const hebrew = "קוד האימות שלך הוא 905172"
const texts: [recipient: string, body: string, sender?: string][] = [
  [numbers[2], "Dein Bestätigungscode lautet: 4821\nGib ihn an niemanden weiter.", "Acme"],
  [numbers[1], "Welcome to Acme. Your account is ready."],
  [numbers[0], "Your verification code is: 326162", "+15005550006"],
]

test("a message appears without reload, as text and with its code; copy and filter work", options, async () => {
  const { url, kill } = await serving(env)
  const { context, page, close } = await open(url)

  for (const text of texts) await post(url, ...text)
  const articles = page.getByRole("article")
  await articles.nth(2).waitFor()
  assert.equal(await page.getByText("No messages yet").isVisible(), false)
  assert.equal(await articles.first().locator("strong").textContent(), "326162")
  assert.equal(await articles.first().getByRole("heading").textContent(), numbers[0])
  assert.equal(await articles.nth(1).getByRole("button").count(), 0, "a text without a code has nothing to copy")
  assert.equal(await articles.nth(2).locator(".body").textContent(), texts[0]?.[1])
  const whiteSpace = await page.evaluate("getComputedStyle(document.querySelector('.body')).whiteSpace")
  assert.equal(whiteSpace, "pre-wrap", "line breaks stay")
  assert.match((await page.locator("#announcer").textContent()) ?? "", /New message to \+12223334444: .*326162/)
  await requireAccessible(page)
  await picture(page, "messages")

  await context.grantPermissions(["clipboard-read", "clipboard-write"])
  const button = page.getByRole("button", { name: "Copy code 326162" })
  await button.click()
  await page.getByRole("button", { name: "Copied code 326162" }).waitFor()
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), "326162")
  assert.equal(await page.locator("#announcer").textContent(), "Copied")
  await button.waitFor()

  const filter = page.getByLabel("Filter by number")
  await filter.fill("+44 7700")
  assert.equal(await articles.count(), 1)
  assert.equal(await articles.getByRole("heading").textContent(), numbers[1])
  await post(url, numbers[1], "Your code is 778899")
  await page.getByText("778899", { exact: true }).waitFor()
  await post(url, numbers[0], "Your code is 112233")
  await filter.fill("999999")
  await page.getByText("No message to this number.").waitFor()
  await picture(page, "filtered")
  await filter.fill("")
  await page.getByText("112233", { exact: true }).waitFor()
  assert.equal(await articles.count(), 5)

  await page.reload()
  await articles.nth(4).waitFor()
  assert.equal(page.url(), `${url}inbox`)
  assert.equal(await articles.first().locator("strong").textContent(), "112233")
  await close()
  kill()
})

test("the empty page sends a test message at the press of its one button", options, async () => {
  const { url, kill } = await serving(env)
  const { page, close } = await open(url)
  await page.getByRole("heading", { name: "No messages yet" }).waitFor()
  await page.getByRole("heading", { name: "smstask inbox" }).waitFor()
  await page.getByText(url, { exact: true }).waitFor()
  assert.equal(await page.getByRole("button").count(), 1)
  await requireAccessible(page)
  await picture(page, "empty")
  await page.getByRole("button", { name: "Send a test message" }).click()
  const article = page.getByRole("article")
  await article.waitFor()
  assert.equal(await article.getByRole("heading").textContent(), "+12223334444")
  const code = (await article.locator("strong").textContent()) ?? ""
  assert.match(code, /^\d{6}$/)
  assert.equal(await article.locator(".body").textContent(), `Your code is ${code}`)
  assert.match((await page.evaluate("document.activeElement.textContent")) as string, /^Copy/, "the focus moves on")
  assert.equal(await page.getByText("No messages yet").isVisible(), false)
  await close()
  kill()
})

test("clear empties every page and the tab's title", options, async () => {
  const { url, kill } = await serving(env)
  const { context, page, close } = await open(url)
  for (const text of texts) await post(url, ...text)
  const other = await context.newPage()
  await other.goto(`${url}inbox`)
  await other.getByText("3 messages", { exact: true }).waitFor()
  await look(other, true)
  await post(url, numbers[0], "Your code is 112233")
  await other.getByText("4 messages", { exact: true }).waitFor()
  assert.equal(await other.title(), "(1) Inbox – smstask")
  await page.getByRole("button", { name: "Clear all" }).click()
  for (const one of [page, other]) {
    await one.getByRole("heading", { name: "No messages yet" }).waitFor()
    assert.equal(await one.getByRole("article").count(), 0)
    assert.equal(await one.locator("datalist option").count(), 0)
    assert.equal(await one.title(), "Inbox – smstask")
  }
  assert.equal(await page.evaluate("document.activeElement.id"), "send", "the focus moves on")
  assert.equal(await page.locator("#announcer").textContent(), "Cleared")
  assert.deepEqual(await (await fetch(`${url}inbox/messages`)).json(), [])
  await close()
  kill()
})

test("a press that does not reach the gateway says so", options, async () => {
  const { url, kill } = await serving(env)
  const { context, page } = await open(url)
  await context.route("**/inbox/test", (route) => route.abort())
  await page.getByRole("button", { name: "Send a test message" }).click()
  await page.getByRole("alert").getByText("The message could not be sent.").waitFor()
  await context.unroute("**/inbox/test")
  await page.getByRole("button", { name: "Send a test message" }).click()
  await page.getByRole("article").waitFor()
  assert.equal(await page.getByRole("alert").textContent(), "")
  await context.close()
  kill()
})

test("the tab's title counts what came while nobody looked", options, async () => {
  const { url, kill } = await serving(env)
  await post(url, numbers[0], "Your code is 326162")
  const { page, close } = await open(url)
  const arrived = (count: number) => page.getByText(`${count} messages`, { exact: true }).waitFor()
  assert.equal(await page.title(), "Inbox – smstask")
  await post(url, numbers[0], "Your code is 111111")
  await arrived(2)
  assert.equal(await page.title(), "Inbox – smstask")
  await look(page, true)
  await post(url, numbers[0], "Your code is 222222")
  await post(url, numbers[1], "Your code is 333333")
  await arrived(4)
  assert.equal(await page.title(), "(2) Inbox – smstask")
  await look(page, false)
  assert.equal(await page.title(), "Inbox – smstask")
  await close()
  kill()
})

test("the filter stands in the address, and is taken from there", options, async () => {
  const { url, kill } = await serving(env)
  for (const text of texts) await post(url, ...text)
  const { page, close } = await open(url)
  const entries = await page.evaluate("history.length")
  await page.getByLabel("Filter by number").fill("+44 7700")
  assert.equal(await page.evaluate("location.href"), `${url}inbox?recipient=%2B44%207700`)
  assert.equal(await page.evaluate("history.length"), entries)
  await page.getByText("1 of 3 messages", { exact: true }).waitFor()
  const articles = page.getByRole("article")
  for (const query of ["%2B44%207700", "+447700", "447700"]) {
    await page.goto(`${url}inbox?recipient=${query}`)
    await articles.first().waitFor()
    assert.equal(await articles.count(), 1, query)
    assert.equal(await articles.getByRole("heading").textContent(), numbers[1])
  }
  await page.getByLabel("Filter by number").fill("")
  assert.equal(await page.evaluate("location.href"), `${url}inbox`)
  assert.equal(await articles.count(), 3)
  await close()
  kill()
})

test("one button is loud: that of the newest code in sight", options, async () => {
  const { url, kill } = await serving(env)
  for (const text of texts) await post(url, ...text)
  await post(url, numbers[0], "Your account is ready.")
  const { page, close } = await open(url)
  const loud = page.locator("button.loud:visible")
  const isLoud = async (code: string) => {
    await page
      .locator("article", { has: page.getByText(code, { exact: true }) })
      .locator("button.loud")
      .waitFor()
    assert.equal(await loud.count(), 1)
  }
  await isLoud("326162")
  await page.getByLabel("Filter by number").fill("+49")
  await isLoud("4821")
  await page.getByLabel("Filter by number").fill("")
  await isLoud("326162")
  await post(url, numbers[1], "Your code is 112233")
  await isLoud("112233")
  await close()
  kill()
})

test("refused messages are quiet rows with the reason, and the filter knows their numbers", options, async () => {
  const { url, kill } = await serving({ ...env, LIMIT_RECIPIENT: "1/10m", DENY_DESTINATIONS: "RU" })
  assert.equal(await send(url, { recipient: "+79161234567", body: "Your code is 771204" }), 422)
  await post(url, numbers[1], "Your code is 998877")
  await post(url, numbers[0], "Your code is 326162", "Acme")
  const { page, close } = await open(url)
  assert.equal(await send(url, { recipient: numbers[0], body: "Your code is 771204" }), 429)
  assert.equal(await send(url, { recipient: "+15005550001", body: "Your code is 771204" }), 422)
  assert.equal(await send(url, { recipient: numbers[0], body: "Your code is 771204" }, `${secret}x`), 401)
  await page.getByText("2 messages, 4 refused", { exact: true }).waitFor()
  const rows = page.locator(".refused")
  const told = (await rows.allTextContents()).map((text) =>
    text
      .replace(/\d+:\d+\s[AP]M/, "")
      .replace(/\s+/g, " ")
      .trim(),
  )
  assert.deepEqual(told, [
    "Refused The caller did not prove who it is: the token's signature does not match GATEWAY_SECRET. authentication_failed",
    "Refused +1•••0001 The number cannot be reached, on purpose: see the numbers at the end of this page. invalid_recipient",
    "Refused +1•••4444 This number got as many messages as LIMIT_RECIPIENT allows for now. rate_limited",
    "Refused +7•••4567 No message goes to this number: ALLOW_DESTINATIONS does not name it, or DENY_DESTINATIONS does. destination_not_allowed",
  ])
  assert.match((await page.locator("#announcer").textContent()) ?? "", /^Refused: The caller did not prove who it is: /)
  assert.ok(!(await page.content()).includes("771204"))
  assert.equal(await page.getByRole("article").count(), 2)
  await requireAccessible(page)
  await picture(page, "refused")
  for (const [wanted, shown] of [
    ["+12223334444", "1 of 2 messages, 1 of 4 refused"],
    ["4567", "0 of 2 messages, 1 of 4 refused"],
    ["+447700900123", "1 of 2 messages, 0 of 4 refused"],
    ["", "2 messages, 4 refused"],
  ] as const) {
    await page.getByLabel("Filter by number").fill(wanted)
    await page.getByText(shown, { exact: true }).waitFor()
  }
  await close()
  kill()
})

test("with GUARD=observe a row says what would be refused", options, async () => {
  const { url, kill } = await serving({ ...env, LIMIT_RECIPIENT: "1/10m", GUARD: "observe" })
  const { page, close } = await open(url)
  await post(url, numbers[0], "Your code is 326162")
  await post(url, numbers[0], "Your code is 112233")
  await page.getByText("Would be refused", { exact: true }).waitFor()
  assert.equal(await page.getByRole("article").count(), 2)
  await close()
  kill()
})

test("a call is shown as one with what it says, and a text in its own direction", options, async () => {
  const { url, kill } = await serving(env)
  await post(url, numbers[1], hebrew, "Acme")
  await post(url, numbers[0], "Your code is 771204", "+15005550006", "voice")
  const { page, close } = await open(url)
  const [call, text] = [page.getByRole("article").first(), page.getByRole("article").nth(1)]
  await call.getByText("A call that says").waitFor()
  const said = "Your code is 7, 7, 1, 2, 0, 4"
  assert.equal(await call.locator(".body").textContent(), `${said}\n${said}`)
  await call.getByRole("button", { name: "Copy code 771204" }).waitFor()
  assert.equal(await text.getByText("A call that says").isVisible(), false)
  const directions = "Array.from(document.querySelectorAll('.body'), (one) => getComputedStyle(one).direction)"
  assert.deepEqual(await page.evaluate(directions), ["ltr", "rtl"])
  await close()
  kill()
})

test("a message of another day has its date, also once the day is over", options, async () => {
  const { url, kill } = await serving(env)
  await post(url, numbers[0], "Your code is 326162")
  const { page, close } = await open(url)
  const time = page.locator("time")
  const day = /^[A-Z][a-z]{2} \d{1,2}, \d{1,2}:\d\d/
  assert.match((await time.textContent()) ?? "", /^\d{1,2}:\d\d/)
  await page.clock.setFixedTime(Date.now() + 86_400_000)
  await look(page, false)
  assert.match((await time.textContent()) ?? "", day)
  await page.reload()
  await time.waitFor()
  assert.match((await time.textContent()) ?? "", day)
  await close()
  kill()
})

test("on a phone the sender stands beside the number", options, async () => {
  const { url, kill } = await serving(env)
  await post(url, numbers[0], "Your code is 326162", "+15005550006")
  const { page, close } = await open(url, "inbox", { viewport: sizes.phone })
  const boxes = await Promise.all(["h2", "span", "time"].map((part) => page.locator(`.about ${part}`).boundingBox()))
  const [number, from, time] = boxes.map((box) => box ?? { x: 0, y: 0, width: 0, height: 0 })
  assert.ok(number && from && time)
  assert.ok(Math.abs(number.y + number.height / 2 - from.y - from.height / 2) < 6, "on one line")
  assert.ok(from.x >= number.x + number.width && time.x >= from.x + from.width)
  await close()
  kill()
})

test("what a message holds is never run", options, async () => {
  const { url, kill } = await serving(env)
  const { page, close } = await open(url)
  const body = '<img src=x onerror="document.title=1"><script>document.title=1</script> & &lt;b&gt; 1234'
  await post(url, numbers[0], body, "<b>Acme</b>")
  assert.equal(await page.locator(".body").textContent(), body)
  assert.equal(await page.locator("article img, article b, article script").count(), 0)
  assert.match(await page.title(), /^Inbox/)
  await close()
  kill()
})

test("everything is reached by the keyboard, named, and seen when it has the focus", options, async () => {
  const { url, kill } = await serving(env)
  for (const text of texts) await post(url, ...text)
  const { context, page, close } = await open(url)
  await context.grantPermissions(["clipboard-read", "clipboard-write"])
  const reached: unknown[] = []
  for (let step = 0; step < 5; step += 1) {
    await page.keyboard.press("Tab")
    reached.push(await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert.equal(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid")
  }
  assert.deepEqual(reached, ["filter", "clear", "Copy code 326162", "Copy code 4821", "Numbers that fail on purpose"])
  await page.keyboard.press("Enter")
  await page.getByText("+15005550004").waitFor()
  await page.keyboard.press("Shift+Tab")
  await page.keyboard.press("Space")
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), "4821")
  for (const role of ["banner", "main", "contentinfo", "list", "status", "alert"] as const)
    assert.equal(await page.getByRole(role).count(), 1, role)
  await page.keyboard.press("Tab")
  await requireAccessible(page)
  await picture(page, "numbers")
  await close()
  kill()
})

test("copy works where there is no clipboard to write to, as over plain http from elsewhere", options, async () => {
  const { url, kill } = await serving(env)
  await post(url, numbers[0], "Your code is 326162")
  const { page, close } = await open(url)
  await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
  await page.getByRole("button", { name: "Copy code 326162" }).click()
  await page.getByRole("button", { name: "Copied code 326162" }).waitFor()
  await page.getByLabel("Filter by number").press("Control+v")
  assert.equal(await page.getByLabel("Filter by number").inputValue(), "326162")
  await close()
  kill()
})

test("a message wider than a phone does not make the page scroll sideways", options, async () => {
  const { url, kill } = await serving(env)
  const { page, close } = await open(url, "inbox", { viewport: { width: 320, height: 640 } })
  await post(url, numbers[2], `https://acme.example/${"x".repeat(200)} 1234567890`, "LONGSENDERX")
  await page.getByRole("article").waitFor()
  assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 320)
  await close()
  kill()
})

test("it connects again, and shows what came meanwhile once", options, async () => {
  const { url, kill } = await serving(env)
  const { context, page } = await open(url)
  await post(url, numbers[0], "Your code is 111111")
  await page.getByText("111111", { exact: true }).waitFor()
  await context.setOffline(true)
  await post(url, numbers[0], "Your code is 222222")
  await context.setOffline(false)
  await page.getByText("222222", { exact: true }).waitFor()
  kill()
  await page.getByText("Connecting again…").waitFor()
  const again = await serving({ ...env, PORT: new URL(url).port })
  await page.getByText("Live", { exact: true }).waitFor({ timeout: 10_000 })
  await post(url, numbers[0], "Your code is 333333")
  await page.getByText("333333", { exact: true }).waitFor()
  assert.equal(await page.getByRole("article").count(), 3)
  await context.close()
  again.kill()
})

test("with INBOX_TOKEN the token opens it once, and leaves the address and no script a trace", options, async () => {
  const INBOX_TOKEN = "an-inbox-token-of-32-characters+/="
  const { url, kill } = await serving({ ...env, INBOX_TOKEN })
  const { context, page, close } = await open(url, `inbox?token=${INBOX_TOKEN}`)
  assert.equal(page.url(), `${url}inbox`)
  assert.equal(await page.evaluate("document.cookie"), "")
  const [cookie] = await context.cookies()
  assert.deepEqual([cookie?.httpOnly, cookie?.sameSite, cookie?.path], [true, "Strict", "/inbox"])
  await post(url, numbers[0], "Your code is 326162")
  await page.getByText("326162", { exact: true }).waitFor()
  await close()
  kill()
})
