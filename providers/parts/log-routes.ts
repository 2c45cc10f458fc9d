/**
 * A block of the page of the log: who delivers where, over the day. Its style, its script and its HTML, which stand apart from
 * those of the rest; it asks `/log/routes` for its figures.
 * @module
 */

export const style = `
#routes-card { overflow-x: auto }
#routes td { min-width: 64px }
#routes svg { width: 120px; height: 24px; overflow: visible; vertical-align: middle }
#routes path { fill: none; stroke: var(--accent); stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round;
  stroke-linecap: round }
#routes tr.next th, #routes tr.next td { border-top: 1px solid var(--line) }
`

/** What the gateway brings reaches the page by textContent and attributes alone. */
export const script = String.raw`
// Who delivers where, over the day.
{
  const body = document.getElementById("routes"), card = document.getElementById("routes-card")
  const percentOf = (part) => Math.round(100 * part).toLocaleString() + " %"
  const lineOf = (points) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path")
    const known = points.filter((point) => point !== null)
    svg.setAttribute("viewBox", "0 0 " + (points.length - 1) + " 100")
    svg.setAttribute("preserveAspectRatio", "none")
    svg.setAttribute("role", "img")
    svg.setAttribute("aria-label", "arrived, by hour: " + known.map(percentOf).join(", "))
    // A point that stands alone is drawn as a dot.
    path.setAttribute("d", points.map((point, x) => point === null ? "" : (points[x - 1] === null || x === 0 ? "M" : "L") + x + " " + (100 - 100 * point) + "h0").join(""))
    svg.append(path)
    return svg
  }
  const draw = (routes) => {
    card.hidden = routes.length === 0
    document.getElementById("routes-head").hidden = card.hidden
    body.replaceChildren(...routes.map(({ country, provider, share, sent, verified, again, undelivered, line }, at) => {
      const row = document.createElement("tr"), name = document.createElement("th"), chart = document.createElement("td")
      name.scope = "row"
      name.textContent = (/^\d/.test(country) ? "+" + country : country) + " " + provider
      if (at > 0 && routes[at - 1].country !== country) row.className = "next"
      const texts = [percentOf(share), sent, verified, again, undelivered].map((text) => text.toLocaleString())
      chart.append(lineOf(line))
      row.append(name, ...texts.map((text) => Object.assign(document.createElement("td"), { textContent: text })), chart)
      return row
    }))
  }
  const refresh = async () => {
    if (document.hidden) return
    const response = await fetch("/log/routes", { signal: AbortSignal.timeout(10000) }).catch(() => undefined)
    if (response?.ok) draw((await response.json()).routes)
  }
  setInterval(refresh, 10000)
  document.addEventListener("visibilitychange", refresh)
  refresh()
}
`

const heads = ["First calls", "Sent", "Verified", "Asked again", "Undelivered", "Arrived, by hour"]
export const html = `<div class="section" id="routes-head" hidden><h2 id="routes-title">Routes, last 24 hours</h2></div>
  <div id="routes-card" class="card" hidden><table aria-labelledby="routes-title">
    <thead><tr><th scope="col">Country, provider</th>${heads.map((head) => `<th scope="col">${head}</th>`).join("")}</tr></thead>
    <tbody id="routes"></tbody></table></div>`
