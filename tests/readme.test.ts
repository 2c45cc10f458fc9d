import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import * as v from "valibot"
import { type Provider, problems, variables } from "../main.ts"

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")
const readme = read("../README.md")
const rows = readme.split("\n").filter((line) => line.startsWith("|"))

test("the table of settings has every setting, with its default", () => {
  for (const [name, schema] of Object.entries(variables)) {
    const row = rows.find((line) => line.split("|")[1]?.includes(`\`${name}\``))
    assert.ok(row, `${name} is missing in the README`)
    const fallback = "default" in schema.pipe[0] ? schema.pipe[0].default : undefined
    if (typeof fallback === "string")
      assert.ok(row.includes(`\`${fallback}\``), `${name}: the README does not say ${fallback}`)
  }
})

test("the table of answers has every code, with its status", () => {
  for (const [code, [status]] of Object.entries(problems)) {
    assert.ok(
      rows.some((line) => line.includes(`\`${code}\``) && line.split("|")[1]?.includes(String(status))),
      code,
    )
  }
})

test("the table of providers is what the provider files say", async () => {
  const table = ["| name | region | variables | contract |", "| --- | --- | --- | --- |"]
  const files = readdirSync(new URL("../providers/", import.meta.url))
  for (const name of files.map((file) => file.replace(/\.ts$/, "")).sort()) {
    const provider: Provider = (await import(`../providers/${name}.ts`)).default
    const names = Object.entries(provider.env).map(([key, schema]) => (v.is(schema, undefined) ? `*${key}*` : key))
    if (provider.url === undefined) names.push(`${name.toUpperCase().replaceAll("-", "_")}_URL`)
    const link = provider.docs.startsWith("https:") ? `[${name}](${provider.docs})` : name
    table.push(
      `| ${link} | ${provider.region ?? ""} | ${[...new Set(names)].join(", ")} | ${provider.evidence ?? ""} |`,
    )
  }
  const text = `<!-- providers -->\n${table.join("\n")}\n\nOptional variables in italics.\n<!-- /providers -->`
  assert.ok(readme.includes(text), `the README should hold:\n${text}`)
})
