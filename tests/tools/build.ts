/**
 * Builds what is shipped, into dist/: one module that holds main.ts, its packages and every provider and needs nothing
 * beside it, the helpers and the types for the authors of provider files, and executables of the module.
 *
 *     npm run build                dist/smstask.js, dist/lib.js and dist/main.d.ts
 *     npm run build -- bun|deno    the same, and dist/smstask, an executable with that runtime inside
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type BuildOptions, build, type Plugin } from "esbuild"

const root = fileURLToPath(new URL("../../", import.meta.url))
const tools = `${root}tests/node_modules`
/** What is used of libphonenumber. Of a package that is imported when it is needed, esbuild would keep the whole. */
const used: (keyof typeof import("libphonenumber-js/min"))[] = ["parsePhoneNumberFromString", "getCountries"]
const numbers: Plugin = {
  name: "numbers",
  setup({ onResolve, onLoad }) {
    const [path, namespace] = ["libphonenumber-js/min", "used"]
    onResolve({ filter: /^libphonenumber-js\/min$/ }, ({ kind }) =>
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

/** Packages that few settings need: they stay outside, as dependencies of the package; an executable holds them too. */
const external = ["@redis/client", "rate-limiter-flexible", "prom-client"]

/** The files that main.ts's own import finds in the bundle, for whoever lists them. */
const files = readdirSync(`${root}providers`, { recursive: true, encoding: "utf8" }).filter((path) =>
  path.endsWith(".ts"),
)

function run(command: string, args: string[]) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
  if (status !== 0) throw new Error(`${command} failed`, { cause: error })
}

const outfile = `${root}dist/smstask.js`
const executable = `${root}dist/whole.js`
const read = (path: string) => readFileSync(`${root}${path}`, "utf8")
const { version, dependencies } = JSON.parse(read("package.json"))

/** What the licenses of the packages inside ask for: their texts. One package brings none, only its name. */
const licenses = Object.keys(dependencies).map((name) => {
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
mkdirSync(`${root}dist`)
await bundle(outfile, { ...entry, external, banner: { js } })
await bundle(`${root}dist/lib.js`, { ...common, entryPoints: [`${root}providers/lib.ts`], external: ["valibot"] })
run(`${tools}/.bin/tsc`, ["-p", "tests/types.json"])
const compilers: Record<string, string[]> = {
  bun: [
    `${tools}/bun/bin/bun.exe`,
    "build",
    "--compile",
    "--compile-autoload-package-json",
    executable,
    "--outfile",
    "dist/smstask",
  ],
  deno: [`${tools}/deno/deno`, "compile", "--allow-all", "--no-check", "--output", "dist/smstask", executable],
}
// A CommonJS package requires Node's modules.
const whole = `${js}\nimport { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);`
if ((process.argv[2] ?? "") in compilers) await bundle(executable, { ...entry, banner: { js: whole } })
const [command, ...args] = compilers[process.argv[2] ?? ""] ?? []
if (command) run(command, args)
