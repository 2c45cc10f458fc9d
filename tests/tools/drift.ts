/**
 * Which provider files want a look: prints every one with its vendor's page, how its contract is known, the day of its last
 * change, and what is thin about it, those first that want it most. It calls nobody.
 *
 *     npm run --prefix tests drift
 */
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import type { Provider } from "../../main.ts"
import type { Fixture } from "../lib/fixture.ts"

const root = new URL("../../", import.meta.url)
const weights = { thin: 100, clients: 50, vendor: 0 }

/** The day of a file's last change, from git; "" where that is not told. */
function dayOf(path: string): string {
  const args = ["log", "-1", "--format=%as", "--", path]
  return spawnSync("git", args, { cwd: root, encoding: "utf8" }).stdout?.trim() ?? ""
}

const found: { weight: number; line: string }[] = []
for (const file of readdirSync(new URL("providers/", root)).filter((file) => file.endsWith(".ts"))) {
  const name = file.replace(/\.ts$/, "")
  if (["contract", "lib", "inbox", "http"].includes(name)) continue
  const provider: Provider = (await import(`../../providers/${file}`)).default
  const fixture: Fixture = (await import(`../fixtures/${file}`)).default
  const faults = new Set(fixture.refused.map(({ fault }) => fault))
  const lacks = (["account", "recipient"] as const).filter((fault) => !faults.has(fault))
  const day = dayOf(`providers/${file}`)
  const months = day ? (Date.now() - Date.parse(day)) / 2_592_000_000 : 0
  const thin = [
    provider.evidence !== "vendor" && `evidence: ${provider.evidence}`,
    fixture.refused.length < 4 && `${fixture.refused.length} refusals known`,
    lacks.length > 0 && `no refusal by fault of ${lacks.join(" or ")}`,
  ].filter(Boolean)
  const weight = weights[provider.evidence ?? "thin"] + thin.length * 10 + months * 5
  found.push({
    weight,
    line: `${name.padEnd(26)} ${day}  ${provider.docs}\n${" ".repeat(27)}${thin.join("; ") || "-"}`,
  })
}
for (const { line } of found.sort((a, b) => b.weight - a.weight)) console.log(line)
