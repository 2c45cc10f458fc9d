/** What axe-core finds wrong with a page for people who see, hear or move otherwise. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Page } from "playwright-core"

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

interface Finding {
  id: string
  help: string
  nodes: { target: unknown; failureSummary: string }[]
}
const run = 'axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)'

/** Fails where axe finds anything on the page as it is now, light and dark. */
export async function requireAccessible(page: Page) {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(source)
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" })
    const found = (await page.evaluate(run)) as Finding[]
    const told = found.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ target }) => `${target}`) }))
    assert.deepEqual(told, [], colorScheme)
  }
}
