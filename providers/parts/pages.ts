/**
 * Pages: the files that PAGES names, and what providers serve of their own, each under its name.
 * @module
 */
import { Hono, type MiddlewareHandler } from "hono"
import {
  type Bindings,
  type Complaint,
  importFile,
  isResting,
  type LoadedPage,
  type Prepared,
  parse,
  refuse,
  type Site,
  variablePrefix,
  type World,
} from "../../main.ts"
import { secretToken } from "../lib.ts"
import { doorOf } from "./door.ts"
import { mountReports } from "./reports.ts"

type App = Hono<{ Bindings: Bindings }>
const pageToken = secretToken()

/** The pages that PAGES names, each with its token; what is missing or wrong goes to `complaints`. */
export async function loadPages(names: string[], world: World, complaints: Complaint[]): Promise<LoadedPage[]> {
  const pages: LoadedPage[] = []
  for (const name of names) {
    const page = await importFile("pages/", name, world)
    if (typeof page === "string") {
      complaints.push([page])
      continue
    }
    const variable = `${variablePrefix(name)}_TOKEN`
    const values = parse(world.env, { ...page.env, [variable]: pageToken }, complaints)
    if (values) pages.push({ name, page, values, token: values[variable] as string })
  }
  return pages
}

/** What an answer of a page has where the page sets nothing else: it is not kept, framed or sniffed, and loads nothing. */
const safeHeaders = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
}
const addSafeHeaders: MiddlewareHandler = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(safeHeaders)) if (!c.res.headers.has(name)) c.header(name, value)
}

/** Serves each page under `/<name>`. */
export function mountPages(app: App, { gateway, providers, pages, followers }: Prepared) {
  const { world, settings, log, clocks } = gateway
  const site: Site = {
    ...clocks,
    url: settings.GATEWAY_URL,
    clock: world.clock,
    ...(world.stopping && { stopping: world.stopping }),
    log,
    problem: (code, detail, headers = {}) => refuse(log, code, detail, { headers }),
    follow: (follower) => void followers.push(follower),
    providers: () =>
      [...providers.values()].map((ready) => ({
        name: ready.name,
        isResting: isResting(ready, clocks.monotonic()),
        faults: ready.provider.faults,
      })),
  }
  for (const { name, page, values, token } of pages) {
    const routes: App = new Hono()
    routes.use(addSafeHeaders)
    // No page is served without its door, whatever its file does.
    routes.use(doorOf(name, token, site))
    page.routes(routes, values, site)
    app.route(`/${name}`, routes)
  }
  for (const ready of providers.values()) {
    const { name, provider, values } = ready
    const key = world.env[`${variablePrefix(name)}_REPORT_KEY`]
    const routes: App = new Hono()
    if (provider.report && key) mountReports(routes, ready, key, site, gateway)
    provider.routes?.(routes, values, site)
    app.route(`/${name}`, routes)
  }
}
