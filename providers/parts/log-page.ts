/**
 * The page of the log: its style, its script and its HTML, and the headers that let nothing else run. Loads nothing, and keeps
 * its figures itself from the events that it is given.
 * @module
 */
import { createHash } from "node:crypto"
import * as routes from "./log-routes.ts"
import { heading, headingStyle, icon } from "./mark.ts"

const style = `
:root { color-scheme: light dark; --ground: light-dark(#f4f5f7, #0e1013); --card: light-dark(#fff, #191c21);
  --text: light-dark(#1a1d21, #eceef1); --quiet: light-dark(#5b626c, #a0a8b3); --line: light-dark(#e3e6ea, #2b3037);
  --edge: light-dark(#8b929c, #6b737e); --accent: light-dark(#2952cc, #9db7ff); --good: light-dark(#1a7a48, #74d3a0);
  --bad: light-dark(#bd3029, #ff9d93); --warn: light-dark(#8f5500, #f0bd6a); --warm: light-dark(#fff4df, #2c2415) }
html { scroll-padding-top: 76px }
* { box-sizing: border-box; margin: 0 }
[hidden] { display: none !important }
body { background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
  padding: 0 max(24px, 50vw - 560px) 32px; font-variant-numeric: tabular-nums }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 16px; padding: 22px 0 18px }
${headingStyle}
h2 { font-size: 1.0625rem; line-height: 1.4; letter-spacing: -.01em }
h3 { font-size: .8125rem; font-weight: 600; color: var(--quiet) }
#state { color: var(--quiet); font-size: .875rem; display: flex; align-items: center; gap: 8px }
#state::before { content: ""; width: 8px; height: 8px; border-radius: 50%; border: 2px solid var(--quiet) }
.live #state::before { background: var(--accent); border-color: var(--accent) }
#shown { color: var(--quiet); font-size: .875rem; margin-left: auto }
svg.icon { width: 16px; height: 16px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round;
  stroke-linejoin: round; vertical-align: -3px }
#alerts { list-style: none; padding: 0; display: grid; gap: 8px }
#alerts li { display: flex; gap: 12px; align-items: baseline; background: var(--warm); border-radius: 14px; padding: 12px 18px;
  border: 1px solid light-dark(#f0d9a8, #4d3d1c) }
#alerts svg { color: var(--warn); align-self: center }
#alerts li:last-child { margin-bottom: 16px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 18px; padding: 18px 22px }
#tiles { display: grid; grid-template-columns: repeat(5, 1fr); padding: 0 }
#tiles > div { padding: 18px 22px; min-width: 0 }
#tiles > div + div { border-left: 1px solid var(--line) }
dt { font-size: .8125rem; font-weight: 600; color: var(--quiet); display: flex; justify-content: space-between; gap: 0 8px; flex-wrap: wrap;
  overflow-wrap: normal }
dt span { font-weight: 400 }
dd { color: var(--quiet); font-size: .8125rem }
#tiles b { color: var(--text); font-size: 1.875rem; line-height: 1.25; letter-spacing: -.02em; font-weight: 600; margin-right: 4px }
#tiles dd + dd b { font-size: .9375rem; letter-spacing: 0; margin-right: 2px }
#note { color: var(--quiet); font-size: .8125rem; padding: 8px 4px 0 }
.three { display: grid; grid-template-columns: 1.7fr 1.3fr 1fr; gap: 16px; margin-top: 16px }
.three .card { min-width: 0; display: flex; flex-direction: column }
.three .plot { flex: 1 0 88px }
#elsewhere { color: var(--quiet); font-size: .8125rem; padding-top: 6px }
ol + #none + #empty + #overview { padding-top: 14px }
table { width: 100%; border-collapse: collapse; font-size: .875rem; margin-top: 6px }
th { text-align: left; font-weight: 400; padding: 3px 0 }
td, thead th + th { text-align: right; padding: 3px 0 3px 14px; white-space: nowrap }
thead th, thead th + th { color: var(--quiet); font-size: .75rem; padding-top: 0 }
thead th:first-child { width: 99% }
.plot { position: relative; height: 88px; margin-top: 10px }
.scaled { margin-left: 46px }
.scaled + .axis { margin-left: 46px }
.scale { position: absolute; right: 100%; inset-block: -8px; margin-right: 10px; display: flex; flex-direction: column;
  justify-content: space-between; text-align: right; font-size: .6875rem; line-height: 16px; color: var(--quiet); white-space: nowrap }
.plot svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible }
.plot path, .plot line { fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round }
.plot line { stroke: var(--line); stroke-width: 1 }
.rate { stroke: var(--good); stroke-width: 2 }
.plot .lost { fill: var(--bad); opacity: .16 }
.half { stroke: var(--accent); stroke-width: 2 }
.plot .dot { stroke-width: 7 } .rate.dot { stroke: var(--good) }
.tail { stroke: var(--accent); stroke-width: 1.5; opacity: .5 }
.plot .between { fill: var(--accent); opacity: .1 }
.took { fill: var(--accent) }
.fell { fill: var(--bad) }
.away { fill: var(--edge) }
.ground { border-bottom: 1px solid var(--line) }
.axis { display: flex; justify-content: space-between; color: var(--quiet); font-size: .6875rem; padding-top: 5px }
.key { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 14px; font-size: .8125rem; color: var(--quiet) }
.key > span { display: flex; gap: 14px }
.key i { display: inline-block; width: 12px; height: 2px; border-radius: 2px; background: var(--accent); vertical-align: 4px;
  margin-right: 6px }
.key i.pale { opacity: .5 }
.key i.block { height: 8px; width: 8px; vertical-align: 0 }
.key i.red { background: var(--bad) } .key i.grey { background: var(--edge) }
.section { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 12px; padding: 30px 4px 10px }
#providers { display: grid; gap: 12px; list-style: none; padding: 0 }
#providers > li { display: grid; grid-template-columns: 248px 1fr 1fr; gap: 12px 32px }
.name { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 10px }
.name h3 { font-size: 1rem; color: var(--text) }
.chip { display: inline-flex; align-items: center; gap: 5px; color: var(--warn); background: var(--warm); border-radius: 99px;
  font-size: .75rem; font-weight: 600; padding: 1px 10px }
.facts { font-size: .8125rem; margin-top: 2px }
.facts th { color: var(--quiet); padding: 1px 0 1px 12px } .facts th:first-child { padding-left: 0 } .facts td { padding: 1px 0 1px 12px }
.failed th, .facts .failed td { color: var(--bad) }
#bar { position: sticky; top: 0; z-index: 1; background: var(--ground); display: flex; flex-wrap: wrap; align-items: center;
  gap: 10px; padding: 10px 0 }
#bar input { flex: 1 1 220px; max-width: 300px }
#count { color: var(--quiet); font-size: .8125rem; margin-left: auto }
input, select, button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--edge);
  border-radius: 12px; padding: 7px 14px; min-width: 0; min-height: 40px }
select { max-width: 220px; text-overflow: ellipsis }
button { cursor: pointer; font-weight: 600; display: inline-flex; gap: 8px; align-items: center }
::placeholder { color: var(--quiet); opacity: 1 }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
#rows { list-style: none; padding: 0; background: var(--card); border: 1px solid var(--line); border-radius: 18px }
#rows > li { border-top: 1px solid var(--line); content-visibility: auto; contain-intrinsic-size: auto 46px }
#rows > li:first-child, #rows > li.first { border-top: 0 }
summary, .notice { display: grid; grid-template-columns: 96px 88px 118px 1fr auto; gap: 4px 14px; padding: 9px 22px;
  align-items: baseline; list-style: none }
summary { cursor: pointer; border-radius: 17px }
summary::-webkit-details-marker { display: none }
summary:hover { background: light-dark(#f8f9fb, #1e2228) }
summary:focus-visible { outline-offset: -3px }
summary time, .notice time, .from { color: var(--quiet); font-size: .8125rem }
.to { font-weight: 600; font-size: .875rem }
.to span { color: var(--quiet); font-weight: 400 }
.notice { grid-template-columns: 96px 1fr; color: var(--quiet); font-size: .875rem }
.notice.warn span, .notice.error span { color: var(--warn) }
.marks { display: flex; flex-wrap: wrap; gap: 4px 14px }
.mark { display: inline-flex; align-items: baseline; gap: 6px; white-space: nowrap; font-size: .875rem }
.mark svg { align-self: center }
.mark small { color: var(--quiet); font-size: .8125rem }
.accepted svg, .delivered svg { color: var(--good) } .refused svg, .undelivered svg { color: var(--bad) }
.timeout svg, .unreachable svg, .observed svg { color: var(--warn) } .again svg { color: var(--accent) }
.answer { text-align: right; font-size: .875rem; color: var(--quiet) }
.answer::after { content: "›" / ""; display: inline-block; width: 18px; text-align: right; color: var(--quiet); font-weight: 400 }
[open] .answer::after { content: "⌄" / "" }
.answer.bad { color: var(--bad) } .answer.good { color: var(--good) }
.events { padding: 2px 22px 16px 132px; display: grid; gap: 4px; font: .8125rem/1.6 ui-monospace, monospace; list-style: none }
.events b { font-weight: 600 }
.events span { color: var(--quiet) }
#empty, #none { text-align: center; padding: 48px 20px; color: var(--quiet) }
#empty svg { width: 44px; height: 44px; stroke-width: 1.25; color: var(--accent); margin-bottom: 10px }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
footer { color: var(--quiet); font-size: .8125rem; padding: 20px 4px 0 }
@media (max-width: 900px) { #tiles { grid-template-columns: 1fr 1fr } #tiles > :last-child { grid-column: 1 / -1 }
  #tiles > :nth-child(odd) { border-left: 0 } #tiles > :nth-child(n + 3) { border-top: 1px solid var(--line) } .three { grid-template-columns: 1fr 1fr } .three > :first-child { grid-column: 1 / -1 }
  #providers > li { grid-template-columns: 1fr 1fr } #providers > li > :first-child { grid-column: 1 / -1 } }
@media (max-width: 640px) {
  body { padding-inline: 14px }
  #shown { margin-left: 0 }
  #tiles > div { padding: 14px 18px }
  #received dt span { display: none }
  .three, #providers > li { grid-template-columns: 1fr }
  .card { padding: 16px 18px }
  #bar { gap: 8px; position: static } #bar select { flex: 1 1 40%; max-width: none } #bar input { flex: 1 1 55%; max-width: none }
  #count { width: 100%; margin: 0; padding-left: 4px }
  summary { grid-template-columns: auto 1fr auto; padding: 11px 16px; gap: 4px 10px }
  summary time { grid-column: 3; text-align: right; grid-row: 1 } .to { grid-row: 1; grid-column: 1 } .from { grid-row: 1; grid-column: 2 }
  .marks { grid-column: 1 / -1 } .answer { grid-column: 1 / -1; text-align: left }
  .notice { grid-template-columns: 1fr auto; padding: 11px 16px } .notice time { order: 1 }
  .events { padding: 0 16px 14px }
}
#head { grid-template-columns: 96px 88px 118px 1fr auto; display: grid; gap: 14px; padding: 0 41px 6px 23px; font-size: .75rem;
  color: var(--quiet) }
@media (max-width: 640px) { #head { display: none } }
@media (prefers-reduced-motion: no-preference) {
  .new { animation: come .4s ease-out } @keyframes come { from { background: light-dark(#e9effe, #232c42) } } }
${routes.style}`

/** What an event brings reaches the page by textContent and attributes alone. */
const script = String.raw`
const find = (id) => document.getElementById(id)
const [span, minute, five, hour, most] = [5000, 60000, 300000, 3600000, 500]
const isAttempt = (event) => /^(accepted|refused|timeout|unreachable)$/.test(event)
const isElsewhere = (code) => code === "not_found" || code === "method_not_allowed"
let instance = "", last = 0, offset = 0, since = "", isWhole = true, storeAway, isStopping = false
let isPaused = false, isLive = false, timer = 0, stream
const buckets = new Map(), asked = new Map(), rows = new Map(), receipts = new Map(), providers = new Map(), dirty = new Set(), others = new Set()
const now = () => Date.now() + offset
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }), short = new Intl.DateTimeFormat(undefined, { timeStyle: "short" })
const whole = (number) => number.toLocaleString()
const percent = (part, all) => all === 0 ? "–" : (part < all ? Math.min(99.9, Math.round(part / all * 1000) / 10) : 100).toLocaleString() + " %"
const lasting = (ms) => ms < 1000 ? ms + " ms" : (Math.round(ms / 100) / 10).toLocaleString() + " s"
const set = (element, text) => { if (element.textContent !== text) element.textContent = text }
const announce = (text) => { find("announcer").textContent = text }
const copyOf = (id) => find(id).content.firstElementChild.cloneNode(true)
function drawing(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  return element
}
function icon(name) {
  const svg = drawing("svg", { class: "icon", "aria-hidden": "true", viewBox: "0 0 16 16" })
  svg.append(drawing("use", { href: "#i-" + name }))
  return svg
}

// Figures: counts and milliseconds in buckets of five seconds, for an hour.
function tally(entry) {
  const index = Math.floor(Date.parse(entry.time) / span)
  const bucket = buckets.get(index) ?? { total: 0, counts: new Map(), times: new Map() }
  buckets.set(index, bucket)
  bucket.total += 1
  const add = (...key) => { const name = JSON.stringify(key); bucket.counts.set(name, (bucket.counts.get(name) ?? 0) + 1) }
  const { event, provider, code = "", reason = "", recipient = "" } = entry
  const to = recipient.split("•")[0]
  if (event === "received" || event === "duplicate") add(event)
  if (event === "received" && to) add("to", to)
  if (event === "accepted" && to) add("toAccepted", to)
  if (event === "received" || event === "duplicate") asked.set(entry.request, event)
  if (asked.size > 4 * most) asked.delete(asked.keys().next().value)
  // A duplicate is told as one, whatever became of its first; a call that was no message is none that was not accepted.
  const before = asked.get(entry.request)
  if (event === "rejected" && before === "received") add("missed")
  if (event === "rejected" && !before && !isElsewhere(code)) add("away")
  if (event === "rejected") add("rejected", code, (/^LIMIT_[A-Z]+/.exec(reason) ?? [""])[0])
  if (event === "observed") add("observed", code, (/^LIMIT_[A-Z]+/.exec(reason) ?? [""])[0])
  if (/^(again|delivered|undelivered)$/.test(event)) add(event, provider)
  // A number abroad is not asked for at all.
  if (isAttempt(event) && code !== "country") {
    add("attempt", provider, event, event === "accepted" ? "" : code)
    const times = bucket.times.get(provider) ?? []
    bucket.times.set(provider, times)
    times.push(entry.ms)
  }
}
function sum(from, until) {
  const counts = new Map(), inside = [], known = new Map()
  for (let index = Math.floor(from / span); index * span < until; index += 1) {
    const bucket = buckets.get(index)
    if (!bucket || (index + 1) * span <= from) continue
    inside.push(bucket)
    for (const [name, count] of bucket.counts) counts.set(name, (counts.get(name) ?? 0) + count)
  }
  const found = [...counts].map(([name, count]) => [...JSON.parse(name), count])
  const of = (...start) => found.filter((row) => start.every((part, at) => part === undefined || row[at] === part))
  const count = (...start) => of(...start).reduce((total, row) => total + row.at(-1), 0)
  /** A provider's p50 and p95, or nothing. */
  const times = (name) => {
    if (!known.has(name)) {
      const sorted = inside.flatMap((bucket) => bucket.times.get(name) ?? []).sort((a, b) => a - b)
      known.set(name, sorted.length > 0 ? [quantile(sorted, .5), quantile(sorted, .95)] : [])
    }
    return known.get(name)
  }
  return { of, count, times }
}
/** The nearest rank: the least value that so many of all are not above. */
const quantile = (sorted, share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
const spans = new Map()
/** The sums of so many minutes, of which the last is index; what lies behind is summed once, unless something came in late. */
function sumOfMinutes(count, index) {
  const key = count + " " + index, start = (index + 1 - count) * minute
  let events = 0
  for (let at = start / span; at < (index + 1) * minute / span; at += 1) events += buckets.get(at)?.total ?? 0
  const before = spans.get(key)
  if (before?.events === events) return before.sums
  const sums = sum(start, (index + 1) * minute)
  spans.set(key, { index, events, sums })
  return sums
}

const path = (points) => points.map((y, x) => y === undefined ? "" : (points[x - 1] === undefined ? "M" : "L") + x + " " + y).join("")
/** A point that stands alone is no line, and the newest one is where one looks. */
function dots(points) {
  const last = points.findLastIndex((y) => y !== undefined)
  return points.map((y, x) => y === undefined || (x < last && (points[x - 1] ?? points[x + 1]) !== undefined) ? "" : "M" + x + " " + y + "h0").join("")
}
/** The area between two lines, over each stretch without a gap. */
function area(upper, lower) {
  let d = "", first = 0
  for (let x = 0; x <= upper.length; x += 1) {
    if (x < upper.length && upper[x] !== undefined) continue
    const at = Array.from({ length: x - first }, (_, index) => first + index)
    if (at.length > 1) d += "M" + at.map((x) => x + " " + upper[x]).join("L") + "L" + at.reverse().map((x) => x + " " + lower[x]).join("L") + "Z"
    first = x + 1
  }
  return d
}
const nice = (most) => [100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 60000].find((top) => top >= most) ?? most

const fill = (id, lines, otherwise) => fillBody(find(id), lines.length > 0 ? lines : [[otherwise, "", ""]])
function fillBody(body, lines) {
  while (body.rows.length > lines.length) body.deleteRow(-1)
  for (const [at, cells] of lines.entries()) {
    const row = body.rows[at] ?? copyOf("line")
    if (!row.parentNode) body.append(row)
    cells.forEach((text, cell) => set(row.cells[cell], text))
  }
}
const told = (code, limit) => isElsewhere(code) ? "elsewhere: " + code : limit ? code + " " + limit : code
function tile(name, near, far, more = "") {
  const [one, other] = find(name).querySelectorAll("b")
  set(one, whole(near))
  set(other, whole(far))
  set(find(name).querySelector("span"), more)
}
function drawFigures() {
  const time = now(), near = sum(time - five, time + hour), far = sum(time - hour, time + hour)
  for (const index of buckets.keys()) if ((index + 13) * span < time - hour) buckets.delete(index)
  for (const [key, { index }] of spans) if (index * minute < time - hour - 2 * minute) spans.delete(key)
  const copies = near.count("duplicate")
  tile("received", near.count("received"), far.count("received"), copies > 0 ? whole(copies) + (copies === 1 ? " duplicate" : " duplicates") : "")
  const accepted = near.count("attempt", undefined, "accepted")
  tile("accepted", accepted, far.count("attempt", undefined, "accepted"), accepted + near.count("missed") > 0 ? percent(accepted, accepted + near.count("missed")) : "")
  tile("missed", near.count("missed"), far.count("missed"))
  tile("away", near.count("away"), far.count("away"))
  tile("again", near.count("again"), far.count("again"))
  const reasons = far.of("rejected").sort((a, b) => isElsewhere(a[1]) - isElsewhere(b[1]) || b.at(-1) - a.at(-1))
  const lines = reasons.map(([, code, limit, count]) => [told(code, limit), whole(near.count("rejected", code, limit)), whole(count)])
  for (const [, code, limit, count] of far.of("observed")) lines.push(["observed: " + (limit || code), whole(near.count("observed", code, limit)), whole(count)])
  fill("reasons", lines, "Nothing was refused")
  find("elsewhere").hidden = !reasons.some(([, code]) => isElsewhere(code))
  const destinations = far.of("to").sort((a, b) => near.count("to", b[1]) - near.count("to", a[1]) || b.at(-1) - a.at(-1)).slice(0, 5)
  fill("destinations", destinations.map(([, to, count]) => [to, whole(near.count("to", to)), whole(count)]), "No messages")
  drawCharts(near, far, Math.floor(time / minute))
  const isShort = since && Date.parse(since) > time - hour
  const why = isWhole ? "when the log of this instance begins" : "since the last 1,000 events are kept"
  const begun = isShort ? "Counted from " + short.format(new Date(since)) + ", " + why + "." : ""
  set(find("note"), far.count("away") > 0 ? (begun + " Refused calls never became messages.").trim() : begun)
}
function drawCharts(near, far, index) {
  const sumsOf = (count) => Array.from({ length: 60 }, (_, at) => sumOfMinutes(count, index - 59 + at))
  // A minute alone holds too few messages for a share or a quantile: each point stands for five.
  const cells = sumsOf(5), volume = sumsOf(1).map((sums) => [sums.count("attempt", undefined, "accepted"), sums.count("missed"), sums.count("away")])
  const totals = volume.map((parts) => parts.reduce((total, part) => total + part)), busiest = Math.max(...totals), top = Math.max(4, busiest)
  const bars = find("volume")
  if (!bars.childElementCount) for (let at = 0; at < 180; at += 1) bars.append(drawing("rect", { class: ["took", "fell", "away"][at % 3], width: ".66", x: Math.floor(at / 3) + .17 }))
  volume.forEach((parts, at) => {
    let y = 100
    parts.forEach((part, which) => {
      const rect = bars.children[at * 3 + which], height = part / top * 100
      y -= height
      rect.setAttribute("y", y)
      rect.setAttribute("height", height)
    })
  })
  // A log that is younger than an hour fills the chart all the same.
  const minutes = since ? Math.min(60, Math.max(10, index + 1 - Math.floor(Date.parse(since) / minute))) : 60
  bars.setAttribute("viewBox", 60 - minutes + " 0 " + minutes + " 100")
  set(find("begin"), minutes === 60 ? "an hour ago" : minutes - 1 + " minutes ago")
  set(find("top"), busiest > 0 ? "peak: " + whole(busiest) + " a minute" : "")
  bars.setAttribute("aria-label", "Messages by minute in the last hour: " + whole(far.count("attempt", undefined, "accepted")) + " accepted, " + whole(far.count("missed")) + " not accepted, and " + whole(far.count("away")) + " refused calls, peak " + whole(busiest) + " a minute")
  for (const [name, { card }] of providers) {
    const part = (selector) => card.querySelector(selector)
    const rate = (sums) => [sums.count("attempt", name, "accepted"), sums.count("attempt", name)]
    const [[took, asked], [tookHour, askedHour]] = [rate(near), rate(far)]
    set(part(".rate5"), percent(took, asked))
    set(part(".rate60"), percent(tookHour, askedHour))
    const fact = (key, near, far, isShown = true) => {
      const row = part("." + key)
      row.hidden = !isShown
      set(row.cells[1], near)
      set(row.cells[2], far)
    }
    fact("asked", whole(asked), whole(askedHour))
    const agains = (sums, took) => { const count = sums.count("again", name); return count > 0 && took > 0 ? whole(count) + " (" + percent(count, took) + ")" : whole(count) }
    fact("agains", agains(near, took), agains(far, tookHour))
    const reported = (sums) => { const came = sums.count("delivered", name), all = came + sums.count("undelivered", name); return all > 0 ? whole(came) + " of " + whole(all) : "–" }
    fact("came", reported(near), reported(far), reported(far) !== "–")
    fillBody(part(".failed"), failuresOf(name, near, far))
    const times = near.times(name)
    set(part(".p50"), times.length > 0 ? lasting(times[0]) : "–")
    set(part(".p95"), times.length > 0 ? lasting(times[1]) : "–")
    const rates = cells.map((sums) => rate(sums)).map(([took, asked]) => asked > 0 ? 100 - took / asked * 100 : undefined)
    part(".rate").setAttribute("d", path(rates))
    part(".rate.dot").setAttribute("d", dots(rates))
    part(".lost").setAttribute("d", area(rates, rates.map(() => 0)))
    const all = cells.map((sums) => sums.times(name)), highest = Math.max(0, ...all.map(([, p95 = 0]) => p95)), ceiling = nice(highest)
    const [half, tail] = [0, 1].map((which) => all.map((pair) => pair.length > 0 ? 100 - pair[which] / ceiling * 100 : undefined))
    part(".half").setAttribute("d", path(half))
    part(".half.dot").setAttribute("d", dots(half))
    part(".tail").setAttribute("d", path(tail))
    part(".between").setAttribute("d", area(tail, half))
    set(card.querySelectorAll(".ceiling")[1], highest > 0 ? lasting(ceiling) : "")
    const [first, second] = card.querySelectorAll(".plot svg")
    first.setAttribute("aria-label", "Acceptance of " + name + " by minute in the last hour: " + percent(tookHour, askedHour) + ", in the last 5 minutes " + percent(took, asked))
    second.setAttribute("aria-label", "Time of " + name + " by minute in the last hour, at most " + lasting(highest) + (times.length > 0 ? "; in the last 5 minutes p50 " + lasting(times[0]) + ", p95 " + lasting(times[1]) : ""))
  }
}
/** Every way in which a provider failed within the hour, the most frequent first; so many of them one by one. */
function failuresOf(name, near, far, listed = 20) {
  const failed = far.of("attempt", name).filter(([, , outcome]) => outcome !== "accepted").sort((a, b) => b[4] - a[4])
  const lines = failed.map(([, , outcome, code, count]) => [code === "timeout" ? marks.timeout : marks[outcome] + ": " + code, near.count("attempt", name, outcome, code), count])
  const others = lines.splice(listed), total = (at) => others.reduce((all, line) => all + line[at], 0)
  if (others.length > 0) lines.push(["with " + whole(others.length) + " other codes", total(1), total(2)])
  return lines.map(([text, five, hour]) => [text, whole(five), whole(hour)])
}
function providerOf(name) {
  if (!name || providers.has(name)) return providers.get(name)
  const card = copyOf("provider")
  card.querySelector("h3").textContent = name
  providers.set(name, { card, isResting: false })
  find("providers").append(card)
  find("none-yet").hidden = true
  find("by-provider").append(new Option(name, name))
  return providers.get(name)
}

// What must be seen at once.
function warn() {
  for (const { card, isResting } of providers.values()) card.querySelector(".chip").hidden = !isResting
  const texts = [...providers].flatMap(([name, { isResting }]) => isResting ? [name + " rests after failures in a row. Others are asked first."] : [])
  if (storeAway) texts.push("The store is away since " + clock.format(new Date(storeAway)) + ". Limits and duplicates are kept in memory.")
  if (isStopping) texts.push("This instance is stopping.")
  if (others.size > 0) texts.push((others.size + 1) + " instances answer at this address. This page shows " + instance + " alone.")
  const list = find("alerts"), shown = [...list.children].map((item) => item.textContent)
  if (JSON.stringify(shown) === JSON.stringify(texts)) return
  list.replaceChildren(...texts.map((text) => {
    const item = document.createElement("li"), words = document.createElement("span")
    words.textContent = text
    item.append(icon("alert"), words)
    return item
  }))
  const resting = [...providers].filter(([, { isResting }]) => isResting).map(([name]) => name + " rests")
  document.title = [...resting, ...(storeAway ? ["store away"] : []), "Log"].join(", ") + " – smstask"
}

// Rows: one for each message, newest first, and a line for what concerns the whole gateway.
function place(entry, number) {
  const { event, provider, receipt } = entry
  const report = /^(un)?delivered$/.test(event)
  if (event === "rejected" && isElsewhere(entry.code)) return
  const key = report ? receipts.get(provider + "\n" + receipt) : entry.request ?? "notice " + number
  if (report && !rows.has(key)) return
  const row = rows.get(key) ?? { id: key, isNotice: !entry.request, events: [] }
  rows.set(key, row)
  row.events.push(entry)
  if (event === "accepted" && receipt) receipts.set(provider + "\n" + receipt, key)
  dirty.add(row)
  timer ||= setTimeout(flush, 150)
}
function trim(limit) {
  for (const [key, row] of rows) {
    if (rows.size <= limit) return
    for (const { provider, receipt } of row.events) if (receipt) receipts.delete(provider + "\n" + receipt)
    rows.delete(key)
    dirty.delete(row)
    row.item?.remove()
  }
}
function flush() {
  timer = 0
  trim(isPaused ? 4 * most : most)
  if (isPaused) return set(find("pause").lastElementChild, "Go on" + ([...dirty].some((row) => !row.item) ? " (" + whole([...dirty].filter((row) => !row.item).length) + " new)" : ""))
  const fresh = []
  for (const row of dirty) {
    if (!row.item) { row.item = copyOf(row.isNotice ? "notice" : "row"); fresh.push(row.item); if (isLive) row.item.classList.add("new") }
    if (row.isNotice) drawNotice(row)
    else drawRow(row)
    sift(row)
  }
  dirty.clear()
  find("rows").prepend(...fresh.reverse())
  arrange()
  count()
}
/** Few rows stand above the overview, which would push them below the fold. It moves when they are more, unless one is being read. */
function arrange() {
  const overview = find("overview"), isBelow = !overview.nextElementSibling, isFresh = rows.size < 10
  if (isFresh && !isBelow) overview.parentNode.append(overview)
  if (!isFresh && isBelow && !find("rows").querySelector("[open]")) find("messages").before(overview)
}
const words = { resting: "rests", store_away: "The store is away", store_back: "The store is back", warning: "", listening: "Listening", stopping: "Stopping", stopped: "Stopped", failure: "Our bug" }
function drawNotice({ item, events: [entry] }) {
  const { time, level, event, provider, reason, address, place } = entry
  timed(item.querySelector("time"), time)
  const start = [provider, words[event] ?? event].filter(Boolean).join(" ")
  set(item.querySelector("span"), [start, [reason, address, place].filter(Boolean).join(" ")].filter(Boolean).join(": "))
  item.firstElementChild.classList.add(level)
}
function timed(element, time) {
  const date = new Date(time)
  element.dateTime = time
  set(element, clock.format(date))
  element.title = date.toLocaleString()
}
const marks = { accepted: "accepted", refused: "refused", timeout: "timed out", unreachable: "unreachable", again: "asked again after", observed: "would be refused", delivered: "delivered", undelivered: "not delivered" }
function mark({ event, provider, code, reason = "", ms }) {
  const element = document.createElement("span"), outcome = document.createElement("span"), about = document.createElement("small")
  element.className = "mark " + event
  const isPlain = isAttempt(event)
  outcome.className = isPlain ? "unseen" : ""
  outcome.textContent = isPlain ? " " + marks[event] : marks[event]
  const isNamed = isPlain || event === "again"
  const about_ = [event === "accepted" || code === "timeout" || event === "observed" ? "" : code, event === "observed" ? (/^LIMIT_[A-Z]+/.exec(reason) ?? [code])[0] : "", ms === undefined ? "" : lasting(ms)]
  about.textContent = about_.filter(Boolean).join(" · ")
  const name = document.createTextNode(isNamed ? provider : "")
  element.append(icon(event), ...(isPlain ? [name, outcome] : [outcome, name]), about)
  return element
}
function answerOf(row) {
  const rejected = row.events.find(({ event }) => event === "rejected"), has = (name) => row.events.some(({ event }) => event === name)
  if (rejected) return ["bad", rejected.status + " " + rejected.code]
  if (has("duplicate")) return ["", "duplicate"]
  if (has("test")) return ["", "test number"]
  return has("accepted") ? ["good", "accepted"] : ["", "under way"]
}
function drawRow(row) {
  const { item, events } = row, part = (selector) => item.querySelector(selector), [first] = events
  timed(part("time"), first.time)
  set(part(".from"), "/" + (first.platform ?? ""))
  const recipient = events.find(({ recipient }) => recipient)?.recipient ?? "", [code, rest = ""] = recipient.split(/(?=•)/)
  set(part(".to").firstChild, code)
  set(part(".to").lastElementChild, recipient.slice(code.length))
  const marked = events.filter(({ event }) => marks[event])
  part(".marks").replaceChildren(...marked.map(mark))
  const [kind, text] = answerOf(row)
  part(".answer").className = "answer " + kind
  set(part(".answer"), text)
  part("details").ontoggle = () => tell(row)
  tell(row)
}
/** Every event of a message, as the log has it. */
function tell({ item, events }) {
  if (!item.querySelector("details").open) return
  item.querySelector(".events").replaceChildren(...events.map(({ time, level, event, recipient, ...fields }) => {
    const line = document.createElement("li"), name = document.createElement("b"), when = document.createElement("span")
    when.textContent = time.slice(11, 23) + "Z  "
    name.textContent = event
    line.append(when, name, ...Object.entries(fields).flatMap(([key, value]) => {
      const label = document.createElement("span")
      label.textContent = "  " + key + "="
      return [label, String(value)]
    }))
    return line
  }))
}

// The filter.
const chosen = () => [find("by-provider").value, find("by-outcome").value, find("by-text").value.trim().toLowerCase()]
function isWanted(row) {
  const [provider, outcome, text] = chosen(), { events } = row
  if (row.isNotice) return !provider && !outcome && !text
  const asked = events.filter((entry) => isAttempt(entry.event) || entry.event === "again")
  const mine = provider ? asked.filter((entry) => entry.provider === provider) : asked
  if (provider && mine.length === 0) return false
  if (outcome) {
    const has = (name) => events.some(({ event }) => event === name)
    const [kind, answer] = answerOf(row)
    const tried = asked.some(({ event }) => isAttempt(event))
    const is = { duplicate: has("duplicate"), observed: has("observed"), pending: answer === "under way", failed: kind === "bad" && tried, stopped: kind === "bad" && !tried }
    if (!(is[outcome] ?? mine.some(({ event }) => event === outcome))) return false
  }
  if (!text) return true
  const tail = text.replace(/[^0-9]/g, "")
  const isTail = /^[+•\d\s]+$/.test(text) && tail && events.some(({ recipient = "" }) => recipient.split("•").at(-1).endsWith(tail.slice(-4)))
  // So few characters are last digits, and by chance the first ones of an id.
  return isTail || text.length > 4 && events.some(({ request = "", trace = "", caller_id: id = "" }) => [request, trace, id].some((name) => name.toLowerCase().startsWith(text)))
}
function sift(row) { if (row.item) row.item.hidden = !isWanted(row) }
function count() {
  const messages = [...rows.values()].filter(({ isNotice, item }) => !isNotice && item)
  const shown = messages.filter(({ item }) => !item.hidden).length
  const isSifted = chosen().some(Boolean), calls = messages.filter(({ events }) => events.every(({ event }) => event === "rejected")).length
  const several = (count, word) => whole(count) + " " + word + (count === 1 ? "" : "s")
  const all = several(messages.length - calls, "message") + (calls > 0 ? ", " + several(calls, "refused call") : "")
  set(find("count"), isSifted ? whole(shown) + " of " + all : all)
  const isEmpty = ![...rows.values()].some(({ item }) => item)
  find("empty").hidden = !isLive || !isEmpty
  find("none").hidden = isEmpty || !isSifted || shown > 0
  find("rows").hidden = isEmpty || (isSifted && shown === 0)
  find("head").hidden = find("rows").hidden
}
function resift() {
  for (const row of rows.values()) sift(row)
  count()
  announce(find("count").textContent)
}

// The gateway: what is kept, then what happens.
function take(entry, number) {
  last = number
  since ||= entry.time
  // The gateway's clock counts, and may have been set forward.
  offset = Math.max(offset, Date.parse(entry.time) - Date.now())
  tally(entry)
  place(entry, number)
  const provider = providerOf(entry.provider)
  if (provider && entry.event === "resting") provider.isResting = true
  if (provider && entry.event === "accepted") provider.isResting = false
  if (entry.event === "store_away") storeAway = entry.time
  if (entry.event === "store_back") storeAway = undefined
  if (entry.event === "stopping") isStopping = true
}
function reset(name) {
  instance = name
  last = 0
  since = ""
  isStopping = false
  storeAway = undefined
  for (const kept of [buckets, asked, spans, rows, receipts, dirty, others]) kept.clear()
  for (const provider of providers.values()) provider.isResting = false
  find("rows").replaceChildren()
  set(find("shown"), "Instance " + name)
}
function know(state) {
  offset = Date.parse(state.now) - Date.now()
  storeAway = state.storeAway
  for (const { name, isResting } of state.providers) providerOf(name).isResting = isResting
  warn()
}
function show(text, live) {
  set(find("state"), text)
  document.body.classList.toggle("live", live)
}
const ask = (path) => fetch(path, { signal: AbortSignal.timeout(10000) })
async function connect() {
  const again = (text, ms) => { show(text, false); setTimeout(connect, ms) }
  const response = await ask("/log/events").catch(() => undefined)
  if (response?.status === 401) return show("Closed. Load the page again, to sign in with LOG_TOKEN.", false)
  if (!response?.ok) return again("Connecting again…", 3000)
  const state = await response.json()
  if (state.instance !== instance) reset(state.instance)
  isWhole = state.first === 1
  state.events.forEach((entry, at) => { if (state.first + at > last) take(entry, state.first + at) })
  know(state)
  clearTimeout(timer)
  flush()
  drawFigures()
  stream = new EventSource("/log?after=" + instance + "-" + last)
  stream.onopen = () => { show("Live", true); isLive = true; count() }
  stream.onmessage = ({ data, lastEventId }) => {
    const [name, number] = lastEventId.split("-")
    if (name !== instance) { reset(name); look() }
    if (Number(number) <= last) return
    take(JSON.parse(data), Number(number))
    warn()
  }
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) again("Connecting again…", 5000)
    else show("Connecting again…", false)
  }
}
/** Who rests no longer, and whether the store is back, stands in no event; and another instance may answer. */
async function look() {
  if (stream?.readyState !== EventSource.OPEN || document.hidden) return
  const response = await ask("/log/state").catch(() => undefined)
  const state = response?.ok ? await response.json() : undefined
  if (state?.instance === instance) know(state)
  else if (state && stream.readyState === EventSource.OPEN) { others.add(state.instance); warn() }
}
for (const id of ["by-provider", "by-outcome", "by-text"]) find(id).oninput = resift
find("pause").onclick = () => {
  isPaused = !isPaused
  find("pause").setAttribute("aria-pressed", isPaused)
  find("pause").firstElementChild.firstElementChild.setAttribute("href", isPaused ? "#i-play" : "#i-pause")
  set(find("pause").lastElementChild, isPaused ? "Go on" : "Pause")
  flush()
}
setInterval(() => { if (!document.hidden && instance) drawFigures() }, 1000)
setInterval(look, 10000)
document.addEventListener("visibilitychange", () => { if (!document.hidden && instance) { drawFigures(); look() } })
arrange()
connect()
${routes.script}`

/** Drawn on 16 by 16, with a stroke of the text's colour. */
const icons = {
  accepted: "M3 8.5 6.5 12 13 4.5",
  refused: "M4 4l8 8M12 4l-8 8",
  timeout: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2 1.3",
  unreachable: "M1.5 8h4M10.5 8h4M7 5.5 6 10.5M10 5.5 9 10.5",
  again: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v2.8h-2.8",
  observed: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3z",
  delivered: "M1.5 8.5 5 12l5.5-7M7.5 11.5 8 12l6.5-7.5",
  undelivered: "M4.5 1.5h7v13h-7zM6.5 6l3 3M9.5 6l-3 3",
  alert: "M8 2 14.5 13.5h-13zM8 6.5v3M8 11.5v0",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.5v9l7-4.5z",
  pulse: "M1 8.5h3l2-5 3.5 9 2-4H15",
}
const symbols = Object.entries(icons).map(
  ([name, path]) => `<symbol id="i-${name}" viewBox="0 0 16 16"><path d="${path}"/></symbol>`,
)
const iconOf = (name: string) =>
  `<svg class="icon" aria-hidden="true" viewBox="0 0 16 16"><use href="#i-${name}"/></svg>`

const tile = (id: string, title: string) =>
  `<div id="${id}"><dt>${title} <span></span></dt><dd><b>0</b> in 5 minutes</dd><dd><b>0</b> in the hour</dd></div>`
const table = (id: string, title: string, what: string, more = "") =>
  `<section class="card" aria-labelledby="${id}-title"><h3 id="${id}-title">${title}</h3>
  <table><thead><tr><th scope="col">${what}</th><th scope="col">5 min</th><th scope="col">hour</th></tr></thead><tbody id="${id}"></tbody></table>${more}</section>`
const grid = [0, 50, 100].map((y) => `<line x1="0" x2="59" y1="${y}" y2="${y}"/>`).join("")
const plot = (names: string[], top: string, bottom: string) => {
  const paths = names.map((name) => `<path class="${name}"/>`).join("")
  return `<div class="plot scaled"><svg role="img" viewBox="0 0 59 100" preserveAspectRatio="none">${grid}${paths}</svg>
  <div class="scale" aria-hidden="true"><span class="ceiling">${top}</span><span>${bottom}</span></div></div>
  <div class="axis" aria-hidden="true"><span>an hour ago</span><span>now</span></div>`
}
const fact = (name: string, title: string) => `<tr class="${name}"><th scope="row">${title}</th><td></td><td></td></tr>`
const outcomes = {
  accepted: "Accepted by a provider",
  refused: "Refused by a provider",
  timeout: "Timed out",
  unreachable: "Unreachable",
  failed: "No provider accepted",
  stopped: "Refused by the gateway",
  observed: "Would be refused",
  duplicate: "Duplicate",
  again: "Asked again",
  pending: "Under way",
}
const options = Object.entries(outcomes).map(([value, text]) => `<option value="${value}">${text}</option>`)

export const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log – smstask</title>
<link rel="icon" href="${icon}">
<style>${style}</style>
</head>
<body>
<svg hidden>${symbols.join("")}</svg>
<header>
  ${heading("log")}
  <p id="state" role="status">Connecting…</p>
  <p id="shown"></p>
</header>
<main>
  <p id="announcer" class="unseen" aria-live="polite"></p>
  <div role="status"><ul id="alerts" aria-label="What needs a look"></ul></div>
  <section aria-label="Figures">
    <dl id="tiles" class="card">
      ${tile("received", "Messages")}
      ${tile("accepted", "Accepted")}
      ${tile("missed", "Not accepted")}
      ${tile("away", "Refused calls")}
      ${tile("again", "Asked again")}
    </dl>
    <p id="note"></p>
  </section>
  <div id="overview">
    <h2 class="unseen">Overview</h2>
    <div class="three">
      <section class="card" aria-labelledby="volume-title">
        <div class="key"><h3 id="volume-title">By minute</h3><span id="top"></span></div>
        <div class="plot ground"><svg id="volume" role="img" viewBox="0 0 60 100" preserveAspectRatio="none"></svg></div>
        <div class="axis" aria-hidden="true"><span id="begin">an hour ago</span><span>now</span></div>
        <div class="key"><span><span><i class="block"></i>accepted</span><span><i class="block red"></i>not accepted</span><span><i class="block grey"></i>refused calls</span></span></div>
      </section>
      ${table("reasons", "Refused, by reason", "Reason", '<p id="elsewhere" hidden>elsewhere: calls of what is not served here, as scanners make them. They count in no other figure.</p>')}
      ${table("destinations", "Where to", "Calling code")}
    </div>
  <div class="section"><h2 id="providers-title">Providers</h2></div>
  <p id="none-yet" class="card">No provider was asked yet.</p>
  <ul id="providers" aria-labelledby="providers-title"></ul>
  </div>
  ${routes.html}
  <div class="section" id="messages"><h2 id="rows-title">Messages</h2></div>
  <div id="bar" role="search" aria-label="Filter">
    <label for="by-provider" class="unseen">Provider</label>
    <select id="by-provider"><option value="">All providers</option></select>
    <label for="by-outcome" class="unseen">Outcome</label>
    <select id="by-outcome"><option value="">All outcomes</option>${options.join("")}</select>
    <label for="by-text" class="unseen">Request id or last digits</label>
    <input id="by-text" type="search" autocomplete="off" spellcheck="false" placeholder="Request id or last digits">
    <button id="pause" type="button" aria-pressed="false">${iconOf("pause")}<span>Pause</span></button>
    <span id="count"></span>
  </div>
  <div id="head" aria-hidden="true" hidden><span>Time</span><span>Path</span><span>To</span><span>Attempts</span><span>Answer</span></div>
  <ol id="rows" aria-label="Messages, newest first" hidden></ol>
  <p id="none" class="card" hidden>No message fits the filter.</p>
  <section id="empty" class="card" hidden aria-label="Nothing yet">
    ${iconOf("pulse")}
    <h2>Nothing yet</h2>
    <p>A message shows up here as it arrives.</p>
  </section>
</main>
<footer><p>This page shows one instance of the gateway, from its last 1,000 events on. Each other instance has a log of its own.</p></footer>
<template id="line"><tr><th scope="row"></th><td></td><td></td></tr></template>
<template id="provider"><li class="card">
  <div>
    <div class="name"><h3></h3><span class="chip" hidden>${iconOf("pause")}rests</span></div>
    <table class="facts"><thead><tr><th><span class="unseen">What</span></th><th scope="col">5 min</th><th scope="col">hour</th></tr></thead>
      <tbody>${fact("asked", "asked")}${fact("agains", "asked again")}${fact("came", "delivered")}</tbody><tbody class="failed"></tbody></table>
  </div>
  <div>
    <div class="key"><span>Accepted</span><span><span>5 min <b class="rate5"></b></span><span>hour <b class="rate60"></b></span></span></div>
    ${plot(["lost", "rate", "rate dot"], "100 %", "0 %")}
  </div>
  <div>
    <div class="key"><span>Time</span><span><span><i></i>p50 <b class="p50"></b></span><span><i class="pale"></i>p95 <b class="p95"></b></span></span></div>
    ${plot(["between", "tail", "half", "half dot"], "", "0 ms")}
  </div>
</li></template>
<template id="row"><li><details>
  <summary><time></time><span class="from"></span><span class="to"><b></b><span></span></span><span class="marks"></span><span class="answer"></span></summary>
  <ol class="events" aria-label="Events"></ol>
</details></li></template>
<template id="notice"><li><div class="notice"><time></time><span></span></div></li></template>
<script>${script}</script>
</body>
</html>
`

const source = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`
/** The page may run its own script and style, and talk to the gateway it came from. */
export const headers = {
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
