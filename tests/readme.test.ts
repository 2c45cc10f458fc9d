import assert from "node:assert/strict"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { families, problems, variables } from "../main.ts"
import { tables, written } from "./tools/tables.ts"

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

test("families of settings stand in the table too", () => {
  for (const name of Object.keys(families))
    assert.ok(
      rows.some((line) => line.split("|")[1]?.includes(`\`${name}\``)),
      name,
    )
})

test("the first page has at most 10 KB", () => {
  assert.ok(Buffer.byteLength(readme) <= 10_240, `${Buffer.byteLength(readme)} bytes`)
})

test("the first page counts the files of providers and platforms", () => {
  const filesIn = (folder: string) =>
    readdirSync(new URL(folder, import.meta.url)).filter((file) => file.endsWith(".ts"))
  const providers = filesIn("../providers/").filter((file) => !/^(contract|lib|http|inbox)\.ts$/.test(file))
  const voices = providers.filter((file) => file.endsWith("-voice.ts"))
  const configured = read("../providers/platforms/configured.md").match(/^## /gm) ?? []
  const callers = `${filesIn("../providers/platforms/").length} platforms in their own words`
  const texts = `${providers.length - voices.length} files for texts and ${voices.length} for calls`
  for (const count of [callers, `${configured.length} more by configuration`, texts])
    assert.ok(readme.includes(count), `the README does not say: ${count}`)
})

test("every relative link of the pages leads to a file, and to a heading of it", () => {
  const pages = ["", "providers/", "providers/platforms/", "providers/pages/", "tests/"].map(
    (one) => `../${one}README.md`,
  )
  for (const page of [...pages, "../.github/DEPLOY.md", "../.github/SECURITY.md"]) {
    const here = new URL(page, import.meta.url)
    for (const [, path = "", anchor] of readFileSync(here, "utf8").matchAll(/\]\(([\w./-]*)(?:#([\w-]+))?\)/g)) {
      const file = path === "" ? here : new URL(path, here)
      assert.ok(existsSync(file), `${page}: there is no ${path}`)
      if (anchor === undefined) continue
      const headings = readFileSync(file, "utf8").match(/^#+ .+$/gm) ?? []
      const anchors = headings.map((heading) =>
        heading
          .replace(/^#+ /, "")
          .toLowerCase()
          .replace(/[^\w -]/g, "")
          .replaceAll(" ", "-"),
      )
      assert.ok(anchors.includes(anchor), `${page}: ${path} has no heading #${anchor}`)
    }
  }
})

test("the tables of providers are what the files say: npm run --prefix tests tables writes them", async () => {
  assert.equal(written(), await tables())
})

test("the newest heading of CHANGELOG.md is the version, or says that it is not out", () => {
  const { version } = JSON.parse(read("../package.json"))
  const [, newest = ""] = /^## (.+)$/m.exec(read("../CHANGELOG.md")) ?? []
  assert.ok([version, "Unreleased"].includes(newest), newest)
})

test("Deno is told the versions of package.json, since its task does not read that", () => {
  const { dependencies, devDependencies } = JSON.parse(read("../package.json"))
  // What `openapi` alone needs is there for development.
  const converter = "@valibot/to-json-schema"
  const all: Record<string, string> = { ...dependencies, [converter]: devDependencies[converter] }
  const imports = Object.entries(all).map(([name, version]) => [name, `npm:${name}@${version}`])
  assert.deepEqual(JSON.parse(read("../deno.json")).imports, Object.fromEntries(imports))
})

test("a package that both package.json name has one version", () => {
  const versionsOf = (path: string): Record<string, string> => {
    const { dependencies, devDependencies } = JSON.parse(read(path))
    return { ...dependencies, ...devDependencies }
  }
  const [own, others] = [versionsOf("../package.json"), versionsOf("./package.json")]
  const shared = Object.keys(own).filter((name) => name in others)
  assert.ok(shared.includes("typescript"), "tsc would be the one that another package brings")
  for (const name of shared) assert.equal(others[name], own[name], name)
})
