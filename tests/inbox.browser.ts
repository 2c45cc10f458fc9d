/**
 * The inbox in a real browser: Debian's chromium or the one that `CHROMIUM` names, on Node alone. `SCREENSHOTS` names a folder for pictures of the page,
 * light and dark, as wide as a phone and as a desktop.
 */
import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { after, before, test } from "node:test"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { serving } from "./process.ts"
import { secret, sign } from "./world.ts"

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium"
const options = {
  timeout: 60_000,
  skip: !existsSync(executablePath) && `there is no ${executablePath}: apt-get install chromium`,
}
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]
const env = { SMS_PROVIDER: "inbox", GATEWAY_SECRET: secret }
const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } }
const folder = process.env.SCREENSHOTS

let browser: Browser | undefined
before(async () => {
  if (!options.skip) browser = await chromium.launch({ executablePath, args })
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

async function post(url: string, recipient: string, body: string, sender = "") {
  const headers = { authorization: `Bearer ${await sign()}` }
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ recipient, body, sender }) })
  assert.equal(response.status, 200)
}

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
const texts: [recipient: string, body: string, sender?: string][] = [
  [numbers[2], "Dein Bestätigungscode lautet: 4821\nGib ihn an niemanden weiter.", "Acme"],
  [numbers[1], "Welcome to Acme. Your account is ready."],
  [numbers[0], "Your verification code is: 326162", "+15005550006"],
]

test("a message appears without reload, as text and with its code; copy and filter work", options, async () => {
  const { url, kill } = await serving(env)
  const { context, page, close } = await open(url)
  await page.getByRole("heading", { name: "No messages yet" }).waitFor()
  assert.match((await page.locator("#command").textContent()) ?? "", new RegExp(`^curl ${new URL(url).origin}/ -H`))
  await picture(page, "empty")

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
  assert.equal(await articles.first().locator("strong").textContent(), "112233")
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
  for (let step = 0; step < 4; step += 1) {
    await page.keyboard.press("Tab")
    reached.push(await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert.equal(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid")
  }
  assert.deepEqual(reached, ["filter", "Copy code 326162", "Copy code 4821", "Numbers that fail on purpose"])
  await page.keyboard.press("Enter")
  await page.getByText("+15005550004").waitFor()
  await page.keyboard.press("Shift+Tab")
  await page.keyboard.press("Space")
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), "4821")
  for (const role of ["banner", "main", "contentinfo", "list", "status"] as const)
    assert.equal(await page.getByRole(role).count(), 1, role)
  await page.keyboard.press("Tab")
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
