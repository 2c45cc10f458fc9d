/**
 * Builds what is shipped, into dist/: one module that holds main.ts, its packages and every provider and needs nothing
 * beside it; the package for npm, which has the module, and helpers and types for the authors of provider files; and
 * executables of the module. It needs the packages of the project alone; an executable needs its runtime, from
 * tests/node_modules or installed.
 *
 *     npm run build                dist/smstask.js, and dist/package for npm publish ./dist/package
 *     npm run build -- bun|deno    the same, and dist/smstask, an executable with that runtime inside
 */
import { spawnSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { type BuildOptions, build, type Plugin } from "esbuild"

const root = fileURLToPath(new URL("../../", import.meta.url))
/** What is used of libphonenumber. Of a package that is imported when it is needed, esbuild would keep the whole. */
const used: (keyof typeof import("libphonenumber-js/max"))[] = ["parsePhoneNumberFromString", "getCountries"]
const numbers: Plugin = {
  name: "numbers",
  setup({ onResolve, onLoad }) {
    const [path, namespace] = ["libphonenumber-js/max", "used"]
    onResolve({ filter: /^libphonenumber-js\/max$/ }, ({ kind }) =>
      kind === "dynamic-import" ? { path, namespace, sideEffects: false } : undefined,
    )
    onLoad({ filter: /(?:)/, namespace }, () => ({ contents: `export { ${used} } from "${path}"`, resolveDir: root }))
  },
}

const common = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node24",
  minify: true,
  legalComments: "none",
  plugins: [numbers],
} satisfies BuildOptions

/** Packages that few settings need: they stay outside of the module, and a start that needs one names it. An executable holds them. */
const external = ["@redis/client", "rate-limiter-flexible", "prom-client"]

/** The files that main.ts's own import finds in the bundle, for whoever lists them. */
const files = readdirSync(`${root}providers`, { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith(".ts"),
)

const [runtime = ""] = process.argv.slice(2)
if (!["", "bun", "deno"].includes(runtime)) {
  console.error(`An executable is made with bun or with deno, not with ${runtime}.`)
  process.exit(1)
}

/** Runs a program to its end and gives what it printed. */
function run(command: string, args: string[], env = process.env): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: "utf8", env })
  if (status === 0) return stdout
  rmSync(whole, { force: true })
  console.error(error ? `There is no ${command} here: npm ci --prefix tests brings it.` : stdout + stderr)
  process.exit(1)
}

const outfile = `${root}dist/smstask.js`
/** What an executable is made from. */
const whole = `${root}dist/whole.js`
const read = (path: string) => readFileSync(`${root}${path}`, "utf8")
const manifest = JSON.parse(read("package.json"))
const { version, dependencies } = manifest

/** What the licenses of the packages inside ask for: their texts. One package brings none, only its name. */
const licenses = [...Object.keys(dependencies), "@valibot/to-json-schema"].map((name) => {
  const folder = `node_modules/${name}`
  const { version, license } = JSON.parse(read(`${folder}/package.json`))
  const files = readdirSync(`${root}${folder}`).filter((file) => /^licen[cs]e/i.test(file))
  return [`${name} ${version}, ${license}`, ...files.map((file) => read(`${folder}/${file}`))].join("\n\n")
})
// The second line tells Bun that there is nothing left to transpile, which takes it longer than all else at its start.
const js = `#!/usr/bin/env node
// @bun
// smstask ${version}, MIT: main.ts with its packages and all files of providers/.
globalThis.smstaskFiles = ${JSON.stringify(files)};`
const footer = { js: `/*\n${licenses.join("\n\n")}\n*/` }
const entry = { ...common, entryPoints: [`${root}main.ts`], footer }

/** What Bun need not transpile it reads as Latin-1, and esbuild leaves patterns and raw texts as they stand: all is ASCII. */
async function bundle(file: string, options: BuildOptions) {
  const { outputFiles = [] } = await build({ ...options, write: false })
  const unicode = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
  const text = `${outputFiles[0]?.text}`.replace(/[^\n -~\t\r\f\v]/g, unicode)
  writeFileSync(file, text)
}

rmSync(`${root}dist`, { recursive: true, force: true })
mkdirSync(`${root}dist/package`, { recursive: true })
await bundle(outfile, { ...entry, external, banner: { js } })
await bundle(`${root}dist/package/lib.js`, { ...common, entryPoints: [`${root}providers/lib.ts`] })
// The types are checked elsewhere, with those of the runtimes.
const tsc = join(dirname(fileURLToPath(import.meta.resolve("typescript/package.json"))), "bin", "tsc")
run(process.execPath, [tsc, "-p", "tests/types.json"])
// The address of this machine's gateway, if it has one, is nobody else's.
const openapi = run(process.execPath, [outfile, "openapi"], { ...process.env, GATEWAY_URL: " " })
writeFileSync(`${root}dist/package/openapi.json`, openapi)
writePackage()

/**
 * Writes what npm publishes. It depends on nothing, since the module holds its packages. Those that it does not hold are
 * optional, and so are those that the types name.
 */
function writePackage() {
  for (const file of ["LICENSE", "README.md", "CHANGELOG.md", "dist/smstask.js"])
    copyFileSync(`${root}${file}`, `${root}dist/package/${basename(file)}`)
  const { name, description, keywords, homepage, bugs, repository, license, type, engines } = manifest
  const optional = [...external, "hono", "valibot"]
  const published = {
    ...{ name, version, description, keywords, homepage, bugs, repository, license, type },
    bin: { smstask: "smstask.js" },
    exports: {
      ".": { types: "./main.d.ts", default: "./smstask.js" },
      "./lib": { types: "./providers/lib.d.ts", default: "./lib.js" },
    },
    engines,
    peerDependencies: Object.fromEntries(optional.map((name) => [name, `^${dependencies[name]}`])),
    peerDependenciesMeta: Object.fromEntries(optional.map((name) => [name, { optional: true }])),
  }
  writeFileSync(`${root}dist/package/package.json`, `${JSON.stringify(published, null, 2)}\n`)
}

const programOf = (name: string, path: string) => {
  const own = `${root}tests/node_modules/${path}`
  return existsSync(own) ? own : name
}
const bun = ["build", "--compile", "--compile-autoload-package-json", whole, "--outfile", "dist/smstask"]
const deno = ["compile", "--allow-all", "--no-check", "--output", "dist/smstask", whole]
if (runtime) {
  // A CommonJS package requires Node's modules.
  const required = `${js}\nimport { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);`
  await bundle(whole, { ...entry, banner: { js: required } })
  if (runtime === "bun") run(programOf("bun", "bun/bin/bun.exe"), bun)
  else run(programOf("deno", "deno/deno"), deno)
  rmSync(whole)
}

const made: [file: string, what: string][] = [
  ["dist/smstask.js", "the gateway in one file"],
  ["dist/package/lib.js", "the helpers for provider files, in the package for npm"],
  ["dist/package/main.d.ts", "the types for them, in the package for npm"],
  ["dist/package/openapi.json", "what can be called, as OpenAPI 3.1"],
  ["dist/smstask", `an executable with ${runtime} inside`],
]
for (const [file, what] of made.slice(0, runtime ? 5 : 4))
  console.log(`${file.padEnd(25)} ${sizeOf(file).padStart(8)}  ${what}`)

/** In MB, or in kB where that would be next to nothing. */
function sizeOf(file: string): string {
  const { size } = statSync(root + file)
  return size < 100_000 ? `${(size / 1_000).toFixed(1)} kB` : `${(size / 1_000_000).toFixed(2)} MB`
}
