/**
 * The table of providers in providers/README.md, made from the files. `npm run --prefix tests tables` writes it.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import * as v from "valibot"
import type { Provider } from "../../main.ts"

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

/** What stands between the marks. */
export async function tables(): Promise<string> {
  const [text, voice] = [await tableOf(undefined), await tableOf("voice")]
  return [marks[0], "", "### Text", "", ...text, "", "### Voice", "", ...voice, "", marks[1]].join("\n")
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
