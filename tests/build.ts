/**
 * Builds what is shipped, into dist/: one module that holds main.ts, its packages and every provider and needs nothing
 * beside it, the types for the authors of provider files, and executables of the module.
 *
 *     npm run build                dist/smstask.js and dist/main.d.ts
 *     npm run build -- bun|deno    the same, and dist/smstask, an executable with that runtime inside
 */
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type BuildOptions, build, type Plugin } from "esbuild"

const root = fileURLToPath(new URL("../", import.meta.url))
const tools = `${root}tests/node_modules`
const common = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node24",
  minify: true,
  legalComments: "none",
} satisfies BuildOptions

/** Packages that main.ts loads when they are needed, and most starts do not: with what it takes of each. */
const late = { undici: "request, Agent", "@redis/client": "createClient", "rate-limiter-flexible": "RateLimiterRedis" }

/** A package as a module of its own; being CommonJS, it requires Node's modules. */
async function bundlePackage(name: string, exports: string): Promise<string> {
  const stdin = { contents: `export { ${exports} } from "${name}"`, resolveDir: root }
  const banner = { js: "const require = process.getBuiltinModule;" }
  const { outputFiles } = await build({ ...common, stdin, banner, write: false })
  return outputFiles[0]?.text ?? ""
}

/**
 * Fills main.ts's empty map of bundled providers with an import of each, and puts the late packages in as texts that are
 * imported when they are needed: an engine skips over a text much faster than over code.
 */
const inlined: Plugin = {
  name: "inlined",
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]main\.ts$/ }, async () => {
      const names = readdirSync(`${root}providers`).map((file) => file.replace(".ts", ""))
      const entries = names.map((name) => `["${name}", () => import("./providers/${name}.ts")]`)
      const replacements = new Map([["new Map<string, Load>([])", `new Map<string, Load>([${entries}])`]])
      for (const [name, exports] of Object.entries(late)) {
        const text = JSON.stringify(await bundlePackage(name, exports))
        // In base64, since Bun takes what follows a dot in a data: URL for the ending of a file's name.
        const url = `"data:text/javascript;base64," + Buffer.from(${text}).toString("base64")`
        replacements.set(`import("${name}")`, `import(${url})`)
      }
      let contents = readFileSync(`${root}main.ts`, "utf8")
      for (const [before, after] of replacements) {
        if (!contents.includes(before)) throw new Error(`main.ts does not hold ${before}`)
        contents = contents.replace(before, () => after)
      }
      return { contents, loader: "ts", resolveDir: root }
    })
  },
}

function run(command: string, args: string[]) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
  if (status !== 0) throw new Error(`${command} failed`, { cause: error })
}

const outfile = `${root}dist/smstask.js`
const read = (path: string) => readFileSync(`${root}${path}`, "utf8")
const { version, dependencies } = JSON.parse(read("package.json"))

/** What the licenses of the packages inside ask for: their texts. One package brings none, only its name. */
const licenses = Object.keys(dependencies).map((name) => {
  const folder = `node_modules/${name}`
  const { version, license } = JSON.parse(read(`${folder}/package.json`))
  const files = readdirSync(`${root}${folder}`).filter((file) => /^licen[cs]e/i.test(file))
  return [`${name} ${version}, ${license}`, ...files.map((file) => read(`${folder}/${file}`))].join("\n\n")
})
const js = `#!/usr/bin/env node\n// smstask ${version}, MIT: main.ts with its packages and all providers.`
const footer = { js: `/*\n${licenses.join("\n\n")}\n*/` }
await build({ ...common, entryPoints: [`${root}main.ts`], outfile, plugins: [inlined], banner: { js }, footer })
run(`${tools}/.bin/tsc`, ["-p", "tests/types.json"])
const compilers: Record<string, string[]> = {
  bun: [
    `${tools}/bun/bin/bun.exe`,
    "build",
    "--compile",
    "--compile-autoload-package-json",
    outfile,
    "--outfile",
    "dist/smstask",
  ],
  deno: [`${tools}/deno/deno`, "compile", "--allow-all", "--no-check", "--output", "dist/smstask", outfile],
}
const [command, ...args] = compilers[process.argv[2] ?? ""] ?? []
if (command) run(command, args)
