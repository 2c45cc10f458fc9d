import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import * as v from "valibot"
import type { Message, Provider, Receipt } from "../main.ts"

const env = {
  INBOX_TOKEN: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\S{32,}$/),
      v.description("a token of at least 32 characters, no spaces, that opens the inbox from elsewhere"),
    ),
  ),
}

/** Of the range that Twilio sets aside for tests, where nobody has a telephone. */
const magic: Record<string, [told: string, receipt?: Receipt]> = {
  "+15005550001": ["is refused as invalid: 422", { code: 400, reason: "an invalid number", fault: "recipient" }],
  "+15005550002": ["is refused for the account: 502", { code: 401, reason: "a wrong key", fault: "account" }],
  "+15005550003": ["is throttled: 502", { code: 429, reason: "too many messages", fault: "provider" }],
  "+15005550004": ["never gets an answer: 504 after DEADLINE"],
  "+15005550005": ["is answered 500: 502", { code: 500, reason: "an error of the server", fault: "provider" }],
}

/** A message as it is kept and told; `time` is ISO 8601. */
type Kept = Message & { id: string; time: string }
interface Inbox {
  messages: Kept[]
  listeners: Set<(message: Kept) => void>
}

/** One inbox for each gateway, found by the values that `request` and `routes` are both given. */
const inboxes = new WeakMap<object, Inbox>()
function inboxOf(env: object): Inbox {
  const inbox = inboxes.get(env) ?? { messages: [], listeners: new Set() }
  inboxes.set(env, inbox)
  return inbox
}

/** Those after a message's id (all, where it is not kept any more), or from a time in milliseconds on; oldest first. */
function since(messages: Kept[], after: string): Kept[] {
  if (/^\d+$/.test(after)) return messages.filter(({ time }) => Date.parse(time) >= Number(after))
  return messages.slice(messages.findIndex(({ id }) => id === after) + 1)
}

const digitsOf = (written: string) => written.replace(/\D/g, "").replace(/^00/, "")
const Query = v.object({
  recipient: v.optional(v.pipe(v.string(), v.regex(/\d/), v.transform(digitsOf))),
  after: v.optional(v.pipe(v.string(), v.regex(/^(\d{1,15}|[\da-f-]{36})$/))),
  wait: v.optional(v.pipe(v.string(), v.regex(/^\d{1,2}$/), v.transform(Number), v.maxValue(30)), "0"),
})

const hash = (text: string) => createHash("sha256").update(text).digest()
const isSame = (one: string, other: string) => timingSafeEqual(hash(one), hash(other))

/** A tunnel's or a proxy's connections come from loopback too, and a rebound name's from the developer's own browser. */
function isLocal(peer: string, headers: Headers): boolean {
  const isProxied = [...headers.keys()].some((name) => /^(forwarded|x-forwarded-.*|cf-.*|via)$/.test(name))
  const isHere = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(headers.get("host") ?? "")
  return isHere && !isProxied && /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/i.test(peer)
}

const problem = (status: number, code: string, title: string, detail: string) =>
  JSON.stringify({ type: `urn:smstask:${code}`, title, status, detail, code })
const problemType = { "content-type": "application/problem+json" }

/** Shows the message on a page of this gateway instead of sending it: for development, never for production. */
export default {
  docs: "README.md",
  url: "",
  env,
  request(message, env, { clock }): Receipt | Promise<Receipt> {
    const [told, refusal] = magic[message.recipient] ?? []
    if (told) return refusal ?? new Promise(() => {})
    const { messages, listeners } = inboxOf(env)
    const kept = { id: crypto.randomUUID(), time: new Date(clock()).toISOString(), ...message }
    messages.push(kept)
    if (messages.length > 500) messages.shift()
    for (const listener of listeners) listener(kept)
    return { id: kept.id }
  },
  receipt: ({ status }) => ({ code: status }),
  routes(app, env, { stopping }) {
    const { INBOX_TOKEN } = env
    const { messages, listeners } = inboxOf(env)
    const session = randomBytes(32).toString("base64url")

    app.use(async (c, next) => {
      for (const [name, value] of Object.entries(headers)) c.header(name, value)
      if (!INBOX_TOKEN) {
        if (isLocal(c.env.address?.() ?? "", c.req.raw.headers)) return await next()
        const detail = "Without INBOX_TOKEN the inbox opens only on this machine, at localhost and through no proxy"
        return c.body(problem(403, "forbidden_address", "The inbox is closed", detail), 403, problemType)
      }
      const bearer = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? ""
      const cookie = /(?:^|; *)smstask_inbox=([\w-]+)/.exec(c.req.header("cookie") ?? "")?.[1] ?? ""
      const query = (c.req.method === "GET" && c.req.path === "/inbox" && c.req.query("token")) || ""
      // An unencoded "+" of a query is read as a space, which no token holds.
      if (isSame(query.replaceAll(" ", "+"), INBOX_TOKEN)) {
        const isHttps = /^https/.test(c.req.header("x-forwarded-proto") ?? c.req.url)
        const attributes = `Path=/inbox; HttpOnly; SameSite=Strict${isHttps ? "; Secure" : ""}`
        c.header("set-cookie", `smstask_inbox=${session}; ${attributes}`)
        return c.redirect("/inbox", 303)
      }
      if (isSame(bearer, INBOX_TOKEN) || isSame(cookie, session)) return await next()
      const detail = "Open /inbox?token=<INBOX_TOKEN>, or send the header Authorization: Bearer <INBOX_TOKEN>"
      const challenge = { ...problemType, "www-authenticate": bearer ? 'Bearer error="invalid_token"' : "Bearer" }
      return c.body(problem(401, "authentication_failed", "The inbox is closed", detail), 401, challenge)
    })

    app.get("/", (c) => c.html(page))

    app.get("/messages", async (c) => {
      const query = v.safeParse(Query, c.req.query())
      if (!query.success) {
        const detail = "recipient is a number, after a message's id or milliseconds since 1970, wait 0 to 30 seconds"
        return c.body(problem(400, "invalid_query", "The query is not valid", detail), 400, problemType)
      }
      const { recipient, after = "", wait } = query.output
      const found = () =>
        since(messages, after).filter((message) => !recipient || digitsOf(message.recipient) === recipient)
      if (wait > 0 && found().length === 0 && !stopping?.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        const listener = () => found().length > 0 && resolve()
        const end = () => resolve()
        const timer = setTimeout(resolve, wait * 1_000)
        listeners.add(listener)
        stopping?.addEventListener("abort", end)
        await promise
        clearTimeout(timer)
        listeners.delete(listener)
        stopping?.removeEventListener("abort", end)
      }
      return c.json(found().reverse())
    })

    app.get("/events", (c) => {
      const type = { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" }
      if (c.req.method === "HEAD") return c.body(null, 200, type)
      const encoder = new TextEncoder()
      let release = () => {}
      const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        const close = () => {
          release()
          controller.close()
        }
        const send = (text: string) => {
          // Who has not read the last thousand is cut; the browser connects again.
          if ((controller.desiredSize ?? 0) < -1_000) close()
          else controller.enqueue(encoder.encode(text))
        }
        const tell = (message: Kept) => send(`id: ${message.id}\ndata: ${JSON.stringify(message)}\n\n`)
        const beat = setInterval(() => send(":\n\n"), 15_000)
        release = () => {
          clearInterval(beat)
          listeners.delete(tell)
          stopping?.removeEventListener("abort", close)
        }
        listeners.add(tell)
        stopping?.addEventListener("abort", close)
        send("retry: 1000\n\n")
        for (const message of since(messages, c.req.header("last-event-id") ?? "")) tell(message)
        send("event: live\ndata: live\n\n")
        if (stopping?.aborted) close()
      }
      return c.body(new ReadableStream({ start, cancel: () => release() }), 200, type)
    })
  },
} satisfies Provider<typeof env>

const style = `
:root { color-scheme: light dark; --ground: light-dark(#f4f5f7, #0e1013); --card: light-dark(#fff, #191c21);
  --text: light-dark(#1a1d21, #eceef1); --quiet: light-dark(#5b626c, #a0a8b3); --line: light-dark(#e3e6ea, #2b3037);
  --accent: light-dark(#2952cc, #9db7ff); --on-accent: light-dark(#fff, #10182b) }
html { scroll-padding-top: 96px }
* { box-sizing: border-box; margin: 0 }
[hidden] { display: none !important }
body { background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; min-height: 100dvh;
  display: flex; flex-direction: column; overflow-wrap: anywhere }
.column { width: 100%; max-width: 640px; margin: 0 auto; padding: 0 20px }
header { position: sticky; top: 0; z-index: 1; background: var(--ground); border-bottom: 1px solid var(--line) }
header .column { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 16px; padding-block: 16px }
h1 { font-size: 1.5rem; line-height: 1.2; letter-spacing: -.02em }
#state { color: var(--quiet); font-size: .875rem; display: flex; align-items: center; gap: 8px }
#state::before { content: ""; width: 8px; height: 8px; border-radius: 50%; border: 2px solid var(--quiet) }
.live #state::before { background: var(--accent); border-color: var(--accent) }
#filter { flex: 1 1 150px; max-width: 260px; margin-left: auto }
::placeholder { color: var(--quiet); opacity: 1 }
::-webkit-calendar-picker-indicator { display: none !important }
input { font: inherit; color: inherit; background: var(--card); border: 1px solid light-dark(#8b929c, #6b737e);
  border-radius: 12px; padding: 8px 14px; min-width: 0 }
main { flex: 1; padding-block: 28px 12px !important }
ol { list-style: none; padding: 0; display: grid; gap: 28px }
.about { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 10px; padding: 0 6px 6px }
h2 { font-size: 1rem; font-weight: 600; font-variant-numeric: tabular-nums }
.about span, time { color: var(--quiet); font-size: .875rem }
time { margin-left: auto; font-variant-numeric: tabular-nums }
.bubble { background: var(--card); border: 1px solid var(--line); border-radius: 22px 22px 22px 6px; overflow: hidden }
.body { padding: 14px 20px; white-space: pre-wrap }
.code { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 8px 16px;
  padding: 10px 12px 12px 20px; border-top: 1px solid var(--line) }
strong { font-size: 2rem; line-height: 1.2; font-weight: 600; letter-spacing: .08em; font-variant-numeric: tabular-nums }
button { font: inherit; font-weight: 600; color: var(--on-accent); background: var(--accent); border: 0;
  border-radius: 999px; min-height: 44px; min-width: 104px; padding: 0 20px; cursor: pointer }
button:hover { filter: brightness(1.08) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
#empty, #none { text-align: center; padding: 8vh 0; color: var(--quiet) }
#empty svg { width: 56px; color: var(--accent); margin-bottom: 16px }
#empty h2 { font-size: 1.25rem; color: var(--text); margin-bottom: 8px }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 16px; margin: 20px 0;
  text-align: left; white-space: pre-wrap; color: var(--text) }
pre, code { font: .875rem/1.6 ui-monospace, monospace }
footer { padding-block: 24px 32px !important; font-size: .875rem }
details { border-top: 1px solid var(--line); padding-top: 16px; color: var(--quiet) }
summary { cursor: pointer; padding: 4px 6px; margin: 0 0 10px -6px; width: fit-content; border-radius: 6px }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 8px 20px; padding: 12px 0 }
dt { color: var(--text); font-variant-numeric: tabular-nums }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
@media (max-width: 480px) { #filter { max-width: none } .about span { order: 1; width: 100% } }
@media (prefers-reduced-motion: no-preference) {
  .new { animation: come .35s ease-out } @keyframes come { from { opacity: 0; transform: translateY(-8px) } } }
`

/** What a message brings reaches the page by textContent alone. */
const script = String.raw`
const find = (id) => document.getElementById(id)
const digits = (text) => text.replace(/\D/g, "").replace(/^00/, "")
const items = new Map(), numbers = new Set()
let isLive = false
const announce = (text) => { find("announcer").textContent = text }
function sift() {
  const wanted = digits(find("filter").value)
  let shown = 0
  for (const item of items.values()) shown += (item.hidden = !item.dataset.digits.includes(wanted)) ? 0 : 1
  find("empty").hidden = !isLive || items.size > 0
  find("none").hidden = items.size === 0 || shown > 0
}
async function copy(text, button, source) {
  try { await navigator.clipboard.writeText(text) } catch {
    getSelection().selectAllChildren(source)
    document.execCommand("copy")
  }
  const label = button.firstElementChild, was = button.dataset.label ??= label.textContent
  label.textContent = "Copied"
  announce("Copied")
  clearTimeout(button.timer)
  button.timer = setTimeout(() => { label.textContent = was }, 2000)
}
function show(message) {
  if (items.has(message.id)) return
  const item = find("message").content.firstElementChild.cloneNode(true)
  const part = (name) => item.querySelector(name)
  const time = new Date(message.time), isToday = time.toDateString() === new Date().toDateString()
  item.dataset.digits = digits(message.recipient)
  part("h2").textContent = message.recipient
  part(".about span").textContent = message.sender ? "from " + message.sender : ""
  part("time").textContent = isToday ? time.toLocaleTimeString() : time.toLocaleString()
  part("time").dateTime = message.time
  part(".body").textContent = message.body
  part(".code").hidden = !message.code
  part("strong").textContent = message.code ?? ""
  part(".unseen").textContent = "code " + (message.code ?? "")
  part("button").onclick = (event) => copy(message.code, event.currentTarget, part("strong"))
  if (isLive) item.classList.add("new")
  if (isLive) announce("New message to " + message.recipient + ": " + message.body)
  items.set(message.id, item)
  find("messages").prepend(item)
  if (items.size > 500) {
    const [[oldest, last]] = items
    items.delete(oldest)
    last.remove()
  }
  if (!numbers.has(message.recipient)) {
    numbers.add(message.recipient)
    find("numbers").append(new Option("", message.recipient))
  }
  if (isLive) sift()
}
function connect() {
  const events = new EventSource("/inbox/events")
  const state = (text, live) => { find("state").textContent = text; document.body.classList.toggle("live", live) }
  events.onmessage = ({ data }) => show(JSON.parse(data))
  events.addEventListener("live", () => { state("Live", true); isLive = true; sift() })
  events.onerror = () => {
    state("Connecting again…", false)
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 3000)
  }
}
find("filter").oninput = sift
find("command").textContent = find("command").textContent.replace("ORIGIN", location.origin)
find("copy").onclick = (event) => copy(find("command").textContent, event.currentTarget, find("command"))
connect()
`

const bubble = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M7 4h10a4 4 0 0 1 4 4v5a4 4 0 0 1-4 4h-6l-4 3.5V17a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4zM8 10.5h0M12 10.5h0M16 10.5h0"/></svg>`
const icon = `data:image/svg+xml,${encodeURIComponent(bubble.replace("currentColor", "#2952cc"))}`
const numbers = Object.entries(magic).map(([number, [told]]) => `<dt>${number}</dt><dd>${told}</dd>`)

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Inbox – smstask</title>
<link rel="icon" href="${icon}">
<style>${style}</style>
</head>
<body>
<header><div class="column">
  <h1>Inbox</h1>
  <p id="state" role="status">Connecting…</p>
  <label for="filter" class="unseen">Filter by number</label>
  <input id="filter" type="search" inputmode="tel" autocomplete="off" list="numbers" placeholder="Filter by number">
  <datalist id="numbers"></datalist>
</div></header>
<main class="column">
  <p id="announcer" class="unseen" aria-live="polite"></p>
  <ol id="messages" aria-label="Messages, newest first"></ol>
  <p id="none" hidden>No message to this number.</p>
  <section id="empty" hidden aria-labelledby="first">
    ${bubble}
    <h2 id="first">No messages yet</h2>
    <p>Log in to your app, or paste the curl command that smstask printed at its start. With a GATEWAY_SECRET of your own:</p>
    <pre id="command">curl ORIGIN/ -H "Authorization: Bearer $(bun main.ts token)" -d '{"recipient": "+12223334444", "body": "Your code is 326162"}'</pre>
    <button id="copy" type="button"><span>Copy</span> <span class="unseen">the command</span></button>
  </section>
</main>
<footer class="column"><details>
  <summary>Numbers that fail on purpose</summary>
  <p>A message to one of these is not shown. The gateway answers its caller as if a provider had failed.</p>
  <dl>${numbers.join("")}</dl>
</details></footer>
<template id="message"><li><article>
  <div class="about"><h2></h2><span></span><time></time></div>
  <div class="bubble">
    <p class="body"></p>
    <div class="code"><strong></strong><button type="button"><span>Copy</span> <span class="unseen"></span></button></div>
  </div>
</article></li></template>
<script>${script}</script>
</body>
</html>
`

const source = (text: string) => `'sha256-${hash(text).toString("base64")}'`
const headers = {
  "cache-control": "no-store",
  "content-security-policy": [
    "default-src 'none'",
    `script-src ${source(script)}`,
    `style-src ${source(style)}`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; "),
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
}
