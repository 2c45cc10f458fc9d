import { createHash, randomInt, randomUUID } from "node:crypto"
import * as v from "valibot"
import { type LogEvent, type Message, type Provider, problems, type Receipt, type Site } from "../main.ts"
import { secretToken, speech } from "./lib.ts"
import { doorOf } from "./parts/door.ts"
import { drawn, heading, headingStyle, icon, mark } from "./parts/mark.ts"

const env = {
  INBOX_TOKEN: v.optional(secretToken("no spaces, that opens the inbox from elsewhere")),
}

/** Of the range that Twilio sets aside for tests, where nobody has a telephone. */
const magic: Record<string, [told: string, receipt?: Receipt]> = {
  "+15005550001": ["is refused as invalid: 422", { code: 400, reason: "an invalid number", fault: "recipient" }],
  "+15005550002": ["is refused for the account: 502", { code: 401, reason: "a wrong key", fault: "account" }],
  "+15005550003": ["is throttled: 502", { code: 429, reason: "too many messages", fault: "provider" }],
  "+15005550004": ["never gets an answer: 504 after DEADLINE"],
  "+15005550005": ["is answered 500: 502", { code: 500, reason: "an error of the server", fault: "provider" }],
}

/** A message as it is kept and told; `time` is ISO 8601, `speech` what a call says. */
type Kept = Message & { id: string; time: string; speech?: string }
/** A call that brought no message, or with GUARD=observe would have brought none, in the log's words. */
interface Refused {
  id: string
  time: string
  /** Masked; undefined where the call was refused before its number was read. */
  recipient?: string
  code: string
  title: string
  reason: string
  /** Both in a sentence that says where to look. */
  text: string
  isObserved: boolean
}
type Entry = Kept | Refused
const isMessage = (entry: Entry): entry is Kept => "body" in entry

/** Messages and refusals, oldest first. Listeners are told each as it comes, and `undefined` when all are cleared. */
interface Inbox {
  entries: Entry[]
  listeners: Set<(entry: Entry | undefined) => void>
}

/** One inbox for each gateway, found by the values that `request` and `routes` are both given. */
const inboxes = new WeakMap<object, Inbox>()
function inboxOf(env: object): Inbox {
  const inbox = inboxes.get(env) ?? { entries: [], listeners: new Set() }
  inboxes.set(env, inbox)
  return inbox
}

/** Keeps the last 500 messages, and apart from them the last 100 refusals, so that no flood of these hides a code. */
function keep<E extends Entry>({ entries, listeners }: Inbox, entry: E): E {
  const isAlike = (other: Entry) => isMessage(other) === isMessage(entry)
  entries.push(entry)
  if (entries.filter(isAlike).length > (isMessage(entry) ? 500 : 100)) entries.splice(entries.findIndex(isAlike), 1)
  for (const listener of listeners) listener(entry)
  return entry
}

const keepMessage = (inbox: Inbox, message: Message & { speech?: string }, now: number): Kept =>
  keep(inbox, { id: randomUUID(), time: new Date(now).toISOString(), ...message })

/** Keeps an event of the log that tells why no message came. A request for a page that is not there brought none. */
function keepRefusal(inbox: Inbox, { time, event, recipient, code, reason = "" }: LogEvent) {
  if (event !== "rejected" && event !== "observed") return
  const known = Object.entries(problems).find(([name]) => name === code)
  if (!known || (!recipient && /^(not_found|method_not_allowed)$/.test(known[0]))) return
  const [name, [, title]] = known
  const number = recipient ? { recipient: String(recipient) } : {}
  const isObserved = event === "observed"
  const text = explain(name, title, String(reason))
  keep(inbox, { id: randomUUID(), time, ...number, code: name, title, reason: String(reason), text, isObserved })
}

const limits: Record<string, string> = {
  LIMIT_RECIPIENT: "This number got",
  LIMIT_VOICE: "This number got as calls",
  LIMIT_PREFIX: "Numbers alike but for the last four digits got",
  LIMIT_IP: "The end user's address asked for",
  LIMIT_TOTAL: "All numbers together got",
}
/** Says in a sentence why a message was refused. The settings that it names decide. */
function explain(code: string, title: string, reason: string): string {
  const [, limit = ""] = /^(LIMIT_[A-Z]+) is used up/.exec(reason) ?? []
  if (limits[limit]) return `${limits[limit]} as many messages as ${limit} allows for now.`
  if (code === "destination_not_allowed")
    return "No message goes to this number: ALLOW_DESTINATIONS does not name it, or DENY_DESTINATIONS does."
  if (code === "unsupported_channel") return "Nobody is set to make calls: VOICE_PROVIDER names who does."
  if (code === "authentication_failed") return `The caller did not prove who it is: ${reason}.`
  if (code === "invalid_message") return `The call holds no message that can be sent: ${reason}.`
  // Nothing but such a number makes the inbox refuse.
  if (/\binbox\b/.test(reason)) return `${title}, on purpose: see the numbers at the end of this page.`
  return reason ? `${title}: ${reason}.` : `${title}.`
}

/** Those after an entry's id (all, where it is not kept any more), or from a time in milliseconds on; oldest first. */
function since(entries: Entry[], after: string): Entry[] {
  if (/^\d+$/.test(after)) return entries.filter(({ time }) => Date.parse(time) >= Number(after))
  return entries.slice(entries.findIndex(({ id }) => id === after) + 1)
}

const digitsOf = (written: string) => written.replace(/\D/g, "").replace(/^00/, "")
const Query = v.object({
  recipient: v.optional(v.pipe(v.string(), v.regex(/\d/), v.transform(digitsOf))),
  after: v.optional(v.pipe(v.string(), v.regex(/^(\d{1,15}|[\da-f-]{36})$/))),
  wait: v.optional(v.pipe(v.string(), v.regex(/^\d{1,2}$/), v.transform(Number), v.maxValue(30)), "0"),
})
const invalidQuery = {
  type: "urn:smstask:invalid_query",
  title: "The query is not valid",
  status: 400,
  detail: "recipient is a number, after a message's id or milliseconds since 1970, wait 0 to 30 seconds",
  code: "invalid_query",
}

/** What a proxy or a tunnel adds. */
const proxied = /^(forwarded|x-forwarded-.*|x-real-ip|true-client-ip|cf-.*|via)$/
/** A tunnel's or a proxy's connections come from loopback too, and a rebound name's from the developer's own browser. */
function isLocal(peer: string, headers: Headers): boolean {
  const isProxied = [...headers.keys()].some((name) => proxied.test(name))
  const isHere = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(headers.get("host") ?? "")
  return isHere && !isProxied && /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/i.test(peer)
}

/** Whether a page of another origin has no part in it: every browser tells one or the other, and no program needs to. */
function isSameOrigin(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site")
  const origin = headers.get("origin")
  if (site) return site === "same-origin"
  return !origin || URL.parse(origin)?.host === headers.get("host")?.toLowerCase()
}

type Body = ReadableStreamDefaultController<Uint8Array>
const encoder = new TextEncoder()

/**
 * Writes `answer()` once `isReady`, after so many milliseconds, or when the gateway stops. It is a stream since that is told
 * on every runtime when its reader has left.
 */
function answerLater(milliseconds: number, isReady: () => boolean, answer: () => string, inbox: Inbox, site: Site) {
  let release = () => {}
  const start = (body: Body) => {
    const end = () => {
      release()
      body.enqueue(encoder.encode(answer()))
      body.close()
    }
    const listener = () => isReady() && end()
    const timer = setTimeout(end, milliseconds)
    release = () => {
      clearTimeout(timer)
      inbox.listeners.delete(listener)
      site.stopping?.removeEventListener("abort", end)
    }
    inbox.listeners.add(listener)
    site.stopping?.addEventListener("abort", end)
  }
  return new ReadableStream({ start, cancel: () => release() })
}

/** One entry as a server-sent event. */
function eventOf(entry: Entry | undefined): string {
  if (!entry) return "event: cleared\ndata: cleared\n\n"
  return `id: ${entry.id}\n${isMessage(entry) ? "" : "event: refused\n"}data: ${JSON.stringify(entry)}\n\n`
}

/** What is kept after the entry `last`, then each as it comes, until the reader leaves or the gateway stops. */
function streamOf(last: string, { entries, listeners }: Inbox, { stopping }: Site) {
  let release = () => {}
  const start = (body: Body) => {
    const close = () => {
      release()
      body.close()
    }
    const send = (text: string) => {
      // Who has not read the last thousand is cut; the browser connects again.
      if ((body.desiredSize ?? 0) < -1_000) close()
      else body.enqueue(encoder.encode(text))
    }
    const tell = (entry: Entry | undefined) => send(eventOf(entry))
    const beat = setInterval(() => send(":\n\n"), 15_000)
    release = () => {
      clearInterval(beat)
      listeners.delete(tell)
      stopping?.removeEventListener("abort", close)
    }
    listeners.add(tell)
    stopping?.addEventListener("abort", close)
    send("retry: 1000\n\n")
    for (const entry of since(entries, last)) tell(entry)
    send("event: live\ndata: live\n\n")
    if (stopping?.aborted) close()
  }
  return new ReadableStream({ start, cancel: () => release() })
}

/** Shows the message on a page of this gateway instead of sending it: for development, never for production. */
export default {
  docs: "README.md",
  url: "",
  env,
  request(message, env, { clock }): Receipt | Promise<Receipt> {
    const [told, refusal] = magic[message.recipient] ?? []
    if (told) return refusal ?? new Promise(() => {})
    const spoken = message.channel === "voice" ? { speech: speech(message, { again: "\n" }) } : {}
    return { id: keepMessage(inboxOf(env), { ...message, ...spoken }, clock()).id }
  },
  receipt: ({ status }) => ({ code: status }),
  routes(app, env, site) {
    const inbox = inboxOf(env)
    const { entries, listeners } = inbox
    let isOwn = false
    site.follow((event) => isOwn || keepRefusal(inbox, event))
    /** The page's own refusals are no news of a message. */
    const problem: Site["problem"] = (...told) => {
      isOwn = true
      const refusal = site.problem(...told)
      isOwn = false
      return refusal
    }

    app.use(async (c, next) => {
      await next()
      // The door has a policy of its own.
      for (const [name, value] of Object.entries(headers)) if (!c.res.headers.has(name)) c.res.headers.set(name, value)
    })
    if (env.INBOX_TOKEN) app.use(doorOf("inbox", env.INBOX_TOKEN, { ...site, problem }))
    else
      app.use(async (c, next) => {
        if (isLocal(c.env.address?.() ?? "", c.req.raw.headers)) return await next()
        return problem("forbidden_address", "without INBOX_TOKEN the inbox opens only at localhost, through no proxy")
      })
    app.on(["POST", "DELETE"], "*", async (c, next) => {
      if (isSameOrigin(c.req.raw.headers)) return await next()
      return problem("forbidden_address", "only the inbox's own page may ask for that, or a program that is no browser")
    })

    app.get("/", (c) => c.html(page))

    app.get("/messages", (c) => {
      const query = v.safeParse(Query, c.req.query())
      if (!query.success) return c.json(invalidQuery, 400, { "content-type": "application/problem+json" })
      const { recipient, after = "", wait } = query.output
      const isWanted = (entry: Entry): entry is Kept =>
        isMessage(entry) && (!recipient || digitsOf(entry.recipient) === recipient)
      const found = () => since(entries, after).filter(isWanted)
      const answer = () => JSON.stringify(found().reverse())
      const isReady = () => found().length > 0
      const isAtOnce = wait === 0 || isReady() || site.stopping?.aborted || c.req.method === "HEAD"
      const body = isAtOnce ? answer() : answerLater(wait * 1_000, isReady, answer, inbox, site)
      return c.body(body, 200, { "content-type": "application/json" })
    })

    app.delete("/messages", (c) => {
      entries.length = 0
      for (const listener of listeners) listener(undefined)
      return c.body(null, 204)
    })

    app.post("/test", (c) => {
      const code = String(randomInt(100_000, 1_000_000))
      const message: Message = { recipient: "+12223334444", body: `Your code is ${code}`, sender: "smstask", code }
      return c.json(keepMessage(inbox, { ...message, channel: "sms" }, site.clock()), 201)
    })

    app.get("/events", (c) => {
      const type = { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" }
      if (c.req.method === "HEAD") return c.body(null, 200, type)
      return c.body(streamOf(c.req.header("last-event-id") ?? "", inbox, site), 200, type)
    })
  },
} satisfies Provider<typeof env>

const style = `
:root { color-scheme: light dark; --ground: light-dark(#f4f5f7, #0e1013); --card: light-dark(#fff, #191c21);
  --text: light-dark(#1a1d21, #eceef1); --quiet: light-dark(#5b626c, #a0a8b3); --line: light-dark(#e3e6ea, #2b3037);
  --accent: light-dark(#2952cc, #9db7ff); --on-accent: light-dark(#fff, #10182b); --soft: light-dark(#eef1f8, #242a35) }
html { scroll-padding-top: 96px }
*, ::before { box-sizing: border-box; margin: 0 }
[hidden] { display: none !important }
body { background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; min-height: 100dvh;
  display: flex; flex-direction: column; overflow-wrap: anywhere }
.column { width: 100%; max-width: 680px; margin: 0 auto; padding: 0 20px }
header { position: sticky; top: 0; z-index: 1; background: var(--ground); border-bottom: 1px solid var(--line) }
header .column { display: flex; flex-wrap: wrap; align-items: center; gap: 10px 16px; padding-block: 14px }
${headingStyle}
#state { color: var(--quiet); font-size: .875rem; display: flex; align-items: center; gap: 8px }
#state::before { content: ""; width: 10px; height: 10px; border-radius: 50%; border: 2px solid var(--quiet) }
.live #state::before { background: var(--accent); border-color: var(--accent) }
#filter { flex: 1 1 150px; max-width: 240px; margin-left: auto }
::placeholder { color: var(--quiet); opacity: 1 }
::-webkit-calendar-picker-indicator { display: none !important }
input { font: inherit; color: inherit; background: var(--card); border: 1px solid light-dark(#8b929c, #6b737e);
  border-radius: 12px; padding: 8px 14px; min-width: 0 }
main { flex: 1; padding-block: 16px 12px !important }
#bar { display: flex; align-items: center; justify-content: space-between; gap: 16px; padding: 0 6px; min-height: 44px;
  margin-bottom: 8px; color: var(--quiet); font-size: .875rem; font-variant-numeric: tabular-nums }
ol { list-style: none; padding: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: 24px }
.about { display: flex; align-items: baseline; gap: 10px; padding: 0 6px 6px; white-space: nowrap }
h2 { font-size: 1rem; font-weight: 600; font-variant-numeric: tabular-nums }
.about span, time { color: var(--quiet); font-size: .875rem }
.about span { flex: 0 1 auto; min-width: 0; overflow: hidden; text-overflow: ellipsis }
time { margin-left: auto; font-variant-numeric: tabular-nums; white-space: nowrap }
.bubble { background: var(--card); border: 1px solid var(--line); border-radius: 22px 22px 22px 6px; overflow: hidden }
.body { padding: 14px 20px; white-space: pre-wrap }
.said { display: flex; align-items: center; gap: 8px; padding: 12px 20px 0; color: var(--quiet); font-size: .875rem }
.said svg { width: 18px }
.said:not([hidden]) + .body { padding-top: 4px }
.code { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 8px 16px;
  padding: 10px 12px 12px 20px; border-top: 1px solid var(--line) }
strong { font-size: 2rem; line-height: 1.2; font-weight: 600; letter-spacing: .08em; font-variant-numeric: tabular-nums }
button { font: inherit; font-weight: 600; color: var(--accent); background: var(--soft); border: 0;
  border-radius: 999px; min-height: 44px; min-width: 104px; padding: 0 20px; cursor: pointer }
button.loud { color: var(--on-accent); background: var(--accent) }
button:hover { filter: brightness(1.08) }
#clear { font-size: inherit; font-weight: 500; color: inherit; background: none; min-width: 0; padding: 0 10px;
  margin-right: -10px }
#clear:hover { color: var(--text); text-decoration: underline; text-underline-offset: 3px }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
.refused { display: flex; align-items: flex-start; gap: 12px; padding: 0 6px; color: var(--quiet); font-size: .875rem }
.refused + .refused { margin-top: -8px }
.refused svg { width: 20px; flex: none }
.refused div { flex: 1; min-width: 0 }
.refused p:first-child { display: flex; gap: 8px; font-variant-numeric: tabular-nums }
.refused b { font-weight: 600 }
.refused code { color: inherit; }
#empty, #none { text-align: center; padding: 10vh 0 8vh; color: var(--quiet) }
#empty svg { width: 56px; color: var(--accent); margin-bottom: 16px }
#empty h2 { font-size: 1.25rem; color: var(--text); margin-bottom: 8px }
#empty p { max-width: 27em; margin: 0 auto; text-wrap: balance }
#failed { text-align: center }
#send { margin-top: 28px; padding: 0 26px }
code { font: .875em/1.6 ui-monospace, monospace; color: var(--text) }
footer { padding-block: 24px 32px !important; font-size: .875rem }
details { border-top: 1px solid var(--line); padding-top: 16px; color: var(--quiet) }
summary { cursor: pointer; padding: 4px 6px; margin: 0 0 10px -6px; width: fit-content; border-radius: 6px }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 8px 20px; padding: 12px 0 }
dt { color: var(--text); font-variant-numeric: tabular-nums }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
@media (max-width: 560px) { html { scroll-padding-top: 130px } #state { margin-left: auto }
  #filter { flex-basis: 100%; max-width: none } main { padding-block-start: 8px !important }
  .about { gap: 8px; padding-inline: 2px } .about h2 { font-size: .9375rem } .about span, time { font-size: .8125rem }
  #bar, .refused { padding-inline: 2px } }
@media (prefers-reduced-motion: no-preference) {
  .new { animation: come .35s ease-out } @keyframes come { from { opacity: 0; transform: translateY(-8px) } } }
`

/** What a message brings reaches the page by textContent alone. */
const script = String.raw`
const find = (id) => document.getElementById(id)
const digits = (text) => text.replace(/\D/g, "").replace(/^00/, "")
const items = new Map(), numbers = new Set()
let isLive = false, unseen = 0, today = ""
const announce = (text) => { find("announcer").textContent = text }
const retitle = () => { document.title = (unseen > 0 ? "(" + unseen + ") " : "") + "Inbox – smstask" }
// A refusal tells the first and the last digits of its number alone: "1•4444" is of every number that has both.
function isOf(wanted, known) {
  const ends = known.split("•")
  return ends.some((end) => end.includes(wanted)) ||
    (ends.length > 1 && wanted.startsWith(ends[0]) && wanted.endsWith(ends[1]))
}
function sift() {
  const wanted = digits(find("filter").value), hadFocus = find("empty").contains(document.activeElement)
  const messages = [0, 0], refused = [0, 0]
  let loud
  for (const item of items.values()) {
    const isShown = !wanted || isOf(wanted, item.dataset.digits), counted = item.matches(".refused") ? refused : messages
    item.hidden = !isShown
    counted[0] += isShown ? 1 : 0
    counted[1] += 1
    item.querySelector(".loud")?.classList.remove("loud")
    if (isShown) loud = item.querySelector(".code:not([hidden]) button") ?? loud
  }
  loud?.classList.add("loud")
  const counts = ([shown, all], what) => shown < all ? shown + " of " + all + what : all + what
  const told = counts(messages, messages[1] === 1 ? " message" : " messages")
  find("count").textContent = told + (refused[1] > 0 ? ", " + counts(refused, " refused") : "")
  find("bar").hidden = items.size === 0
  find("empty").hidden = !isLive || items.size > 0
  find("none").hidden = items.size === 0 || messages[0] + refused[0] > 0
  if (hadFocus && items.size > 0) loud?.focus()
}
function stamp(time) {
  const date = new Date(time.dateTime), clock = { hour: "numeric", minute: "2-digit" }
  const day = date.toDateString() === today ? {} : { month: "short", day: "numeric" }
  time.textContent = date.toLocaleString([], { ...day, ...clock })
  time.title = date.toLocaleString([], { dateStyle: "full", timeStyle: "long" })
}
// Yesterday's messages say so on a page that stays open.
function turn() {
  if (today === new Date().toDateString()) return
  today = new Date().toDateString()
  document.querySelectorAll("time").forEach(stamp)
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
function show(entry, template, fill) {
  if (items.has(entry.id)) return
  const item = find(template).content.firstElementChild.cloneNode(true)
  const part = (name) => item.querySelector(name)
  turn()
  item.dataset.digits = (entry.recipient ?? "").replace(/•+/, "•").replace(/[^\d•]/g, "")
  part("time").dateTime = entry.time
  stamp(part("time"))
  const told = fill(part)
  if (isLive) {
    item.classList.add("new")
    announce(told)
  }
  items.set(entry.id, item)
  find("messages").prepend(item)
  if (items.size > 600) {
    const [[oldest, last]] = items
    items.delete(oldest)
    last.remove()
  }
  if (isLive) sift()
}
function showMessage(message) {
  const isCall = message.channel === "voice", known = items.size
  show(message, "message", (part) => {
    part("h2").textContent = message.recipient
    part(".about span").textContent = part(".about span").title = message.sender ? "from " + message.sender : ""
    part(".said").hidden = !isCall
    part(".body").textContent = message.speech ?? message.body
    part(".code").hidden = !message.code
    part("strong").textContent = message.code ?? ""
    part(".code .unseen").textContent = "code " + (message.code ?? "")
    part("button").onclick = (event) => copy(message.code, event.currentTarget, part("strong"))
    return "New " + (isCall ? "call" : "message") + " to " + message.recipient + ": " + message.body
  })
  if (isLive && document.hidden && items.size > known) unseen += 1
  retitle()
  if (numbers.has(message.recipient)) return
  numbers.add(message.recipient)
  find("numbers").append(new Option("", message.recipient))
}
const showRefused = ({ isObserved, ...refused }) => show(refused, "refused", (part) => {
  const what = isObserved ? "Would be refused" : "Refused"
  part("b").textContent = what
  part("span").textContent = refused.recipient ?? ""
  part("code").textContent = refused.code
  part(".why").textContent = refused.text
  return what + ": " + refused.text
})
function clear() {
  const hadFocus = document.activeElement === find("clear")
  items.clear()
  numbers.clear()
  find("messages").replaceChildren()
  find("numbers").replaceChildren()
  unseen = 0
  retitle()
  sift()
  announce("Cleared")
  if (hadFocus) find("send").focus()
}
async function ask(method, path, failed) {
  const answer = await fetch("/inbox" + path, { method }).catch(() => undefined)
  find("failed").textContent = answer?.ok ? "" : failed
}
function connect() {
  const events = new EventSource("/inbox/events")
  const state = (text, live) => { find("state").textContent = text; document.body.classList.toggle("live", live) }
  events.onmessage = ({ data }) => showMessage(JSON.parse(data))
  events.addEventListener("refused", ({ data }) => showRefused(JSON.parse(data)))
  events.addEventListener("cleared", clear)
  events.addEventListener("live", () => { state("Live", true); isLive = true; sift() })
  events.onerror = () => {
    state("Connecting again…", false)
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 3000)
  }
}
// A "+" that nobody encoded is read as a blank.
find("filter").value = (new URLSearchParams(location.search).get("recipient") ?? "").replace(/^ /, "+")
find("filter").oninput = ({ target }) => {
  history.replaceState(null, "", location.pathname + (target.value ? "?recipient=" + encodeURIComponent(target.value) : ""))
  sift()
}
find("clear").onclick = () => ask("DELETE", "/messages", "The inbox could not be cleared.")
find("send").onclick = () => ask("POST", "/test", "The message could not be sent.")
find("address").textContent = location.origin + "/"
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return
  unseen = 0
  retitle()
  turn()
})
connect()
`

const telephone = drawn(
  "M5 4h3l1.5 4.5-2 1.5a12 12 0 0 0 6.5 6.5l1.5-2L20 16v3a2 2 0 0 1-2 2A15 15 0 0 1 3 6a2 2 0 0 1 2-2zM15 4a5 5 0 0 1 5 5",
)
const barred = drawn("M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18zM5.7 5.7l12.6 12.6")
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
  ${heading("inbox")}
  <p id="state" role="status">Connecting…</p>
  <label for="filter" class="unseen">Filter by number</label>
  <input id="filter" type="search" inputmode="tel" autocomplete="off" list="numbers" placeholder="Filter by number">
  <datalist id="numbers"></datalist>
</div></header>
<main class="column">
  <p id="announcer" class="unseen" aria-live="polite"></p>
  <div id="bar" hidden><p id="count"></p><button id="clear" type="button">Clear all</button></div>
  <ol id="messages" aria-label="Messages, newest first"></ol>
  <p id="none" hidden>No message to this number.</p>
  <section id="empty" hidden aria-labelledby="first">
    ${mark}
    <h2 id="first">No messages yet</h2>
    <p>Let your app send to <code id="address"></code> and log in: its message appears here at once.</p>
    <button id="send" class="loud" type="button">Send a test message</button>
  </section>
  <p id="failed" role="alert"></p>
</main>
<footer class="column"><details>
  <summary>Numbers that fail on purpose</summary>
  <p>A message to one of these is shown as refused. The gateway answers its caller as if a provider had failed.</p>
  <dl>${numbers.join("")}</dl>
</details></footer>
<template id="message"><li><article>
  <div class="about"><h2></h2><span dir="auto"></span><time></time></div>
  <div class="bubble">
    <p class="said">${telephone}A call that says</p>
    <p class="body" dir="auto"></p>
    <div class="code"><strong></strong><button type="button"><span>Copy</span> <span class="unseen"></span></button></div>
  </div>
</article></li></template>
<template id="refused"><li class="refused">
  ${barred}
  <div><p><b></b> <span></span> <time></time></p><p><span class="why"></span> <code></code></p></div>
</li></template>
<script>${script}</script>
</body>
</html>
`

const source = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`
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
