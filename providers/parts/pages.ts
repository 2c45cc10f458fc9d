/**
 * Pages: the files that PAGES names, and what providers serve of their own, each under its name.
 * @module
 */
import { Hono } from "hono"
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
import { mountReports } from "./reports.ts"

type App = Hono<{ Bindings: Bindings }>

/** The pages that PAGES names; what is missing or wrong goes to `complaints`. */
export async function loadPages(names: string[], world: World, complaints: Complaint[]): Promise<LoadedPage[]> {
  const pages: LoadedPage[] = []
  for (const name of names) {
    const page = await importFile("pages/", name, world)
    const values = typeof page === "string" ? void complaints.push([page]) : parse(world.env, page.env, complaints)
    if (typeof page !== "string" && values) pages.push({ name, page, values })
  }
  return pages
}

/** Serves each page under `/<name>`. */
export function mountPages(app: App, { gateway, providers, pages, followers }: Prepared) {
  const { world, log, clocks } = gateway
  const site: Site = {
    ...clocks,
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
  for (const { name, page, values } of pages) {
    const routes: App = new Hono()
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
