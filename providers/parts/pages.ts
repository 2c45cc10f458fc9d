/**
 * Pages: the files that PAGES names, and what providers serve of their own, each under its name.
 * @module
 */
import { Hono, type MiddlewareHandler } from "hono"
import {
  type Bindings,
  createCollector,
  importFile,
  isBreakerOpen,
  type Page,
  type Prepared,
  parseVariables,
  refuse,
  type Site,
  StartError,
  type Values,
  type Variables,
  variablePrefix,
  type World,
} from "../../main.ts"
import { secretToken } from "../lib.ts"
import { doorOf } from "./door.ts"
import { mountReports } from "./reports.ts"

/** A page with its variables, and the token that opens it. */
export interface LoadedPage {
  name: string
  page: Page
  values: Values<Variables>
  token: string
}
type App = Hono<{ Bindings: Bindings }>
const pageToken = secretToken()

/** Loads the pages that PAGES names, each with its token. Throws a StartError that lists what is missing or wrong. */
export async function loadPages(names: string[], world: World): Promise<LoadedPage[]> {
  const { complaints, collect } = createCollector()
  const pages: LoadedPage[] = []
  for (const name of names) {
    const loaded = await collect(() => loadPage(name, world))
    if (loaded) pages.push(loaded)
  }
  if (complaints.length > 0) throw new StartError(complaints)
  return pages
}

async function loadPage(name: string, world: World): Promise<LoadedPage> {
  const page = await importFile("pages/", name, world)
  const variable = `${variablePrefix(name)}_TOKEN`
  const values = parseVariables<Variables>(world.env, { ...page.env, [variable]: pageToken })
  return { name, page, values, token: String(values[variable]) }
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
      [...providers.values()].map((loaded) => ({
        name: loaded.name,
        isResting: isBreakerOpen(loaded, clocks.monotonic()),
        faults: loaded.provider.faults,
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
  for (const loaded of providers.values()) {
    const { name, provider, values } = loaded
    const key = world.env[`${variablePrefix(name)}_REPORT_KEY`]
    const routes: App = new Hono()
    if (provider.report && key) mountReports(routes, loaded, key, site, gateway)
    provider.routes?.(routes, values, site)
    app.route(`/${name}`, routes)
  }
}
