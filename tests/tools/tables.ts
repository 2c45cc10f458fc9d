/**
 * The tables of providers/README.md, made from the files of providers, and from the samples of platforms and what is told of
 * each. `npm run --prefix tests tables` writes them.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import * as v from "valibot"
import type { Provider } from "../../main.ts"
import * as configured from "../lib/configured.ts"
import type { PlatformFixture } from "../lib/platform.ts"

const page = new URL("../../providers/README.md", import.meta.url)
const marks = ["<!-- providers -->", "<!-- /providers -->"] as const

async function tableOf(channel: "voice" | undefined): Promise<string[]> {
  const table = ["| name | region | serves | variables | contract |", "| --- | --- | --- | --- | --- |"]
  const files = readdirSync(new URL("../../providers/", import.meta.url)).filter((file) => /^[a-z].*\.ts$/.test(file))
  for (const name of files.map((file) => file.replace(/\.ts$/, "")).sort()) {
    if (name === "contract" || name === "lib") continue
    const provider: Provider = (await import(`../../providers/${name}.ts`)).default
    if (provider.channel !== channel) continue
    const NAME = name.toUpperCase().replaceAll("-", "_")
    const names = Object.entries(provider.env).map(([key, schema]) => (v.is(schema, undefined) ? `*${key}*` : key))
    if (provider.url === undefined) names.push(`${NAME}_URL`)
    const sender = `${NAME}_SENDER`
    if (provider.needsSender) names.push(provider.needsSender === true ? sender : `*${sender}*`)
    const link = provider.docs.startsWith("https:") ? `[${name}](${provider.docs})` : name
    const serves = provider.countries?.join(" ") ?? ""
    const variables = [...new Set(names)].join(", ")
    table.push(`| ${link} | ${provider.region ?? ""} | ${serves} | ${variables} | ${provider.evidence ?? ""} |`)
  }
  return table
}

/** How a platform's calls are known: by a version that was run, or from documents. */
function describeEvidence(samples: readonly { seen?: string }[]): string {
  const versions = new Set(samples.flatMap(({ seen }) => seen ?? []))
  return versions.size > 0 ? `seen running, ${[...versions].sort().join(" and ")}` : "from its documents"
}

/** Platforms with a file, and those of configured.md, whose samples stand in tests/lib/configured.ts under the same name. */
async function tableOfPlatforms(): Promise<string[]> {
  const folder = new URL("../../providers/platforms/", import.meta.url)
  const rows = new Map<string, string>()
  for (const file of readdirSync(folder).filter((file) => file.endsWith(".ts"))) {
    const fixture: PlatformFixture = (await import(`../fixtures/platforms/${file}`)).default
    const name = file.replace(/\.ts$/, "")
    rows.set(name, `| [${name}](platforms/${file}) | ${describeEvidence(fixture.samples)} |`)
  }
  const page = readFileSync(new URL("configured.md", folder), "utf8")
  for (const [, name = ""] of page.matchAll(/^## (.+)$/gm)) {
    const samples: unknown = Reflect.get(
      configured,
      name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
    )
    const evidence = describeEvidence(Array.isArray(samples) ? samples : [])
    rows.set(name, `| [${name}](platforms/configured.md#${name}) | ${evidence} |`)
  }
  const sorted = [...rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row)
  return ["| platform | its calls are known |", "| --- | --- |", ...sorted]
}

/** What stands between the marks. */
export async function tables(): Promise<string> {
  const text = ["### Text", "", ...(await tableOf(undefined))]
  const voice = ["### Voice", "", ...(await tableOf("voice"))]
  const platforms = ["### Platforms", "", ...(await tableOfPlatforms())]
  return [marks[0], "", ...text, "", ...voice, "", ...platforms, "", marks[1]].join("\n")
}

/** What providers/README.md holds between the marks now. */
export function written(): string {
  const text = readFileSync(page, "utf8")
  return text.slice(text.indexOf(marks[0]), text.indexOf(marks[1]) + marks[1].length)
}

if (import.meta.main) {
  const made = await tables()
  writeFileSync(
    page,
    readFileSync(page, "utf8").replace(written(), () => made),
  )
}
