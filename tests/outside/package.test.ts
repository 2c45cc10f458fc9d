/**
 * What `npm pack` gives, as somebody elsewhere uses it: installed into a project of its own, with a provider written
 * against its types, and started by npx. Its packages come from the npm registry.
 */
import assert from "node:assert/strict"
import { execFile, execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { promisify } from "node:util"
import { provider, root } from "../lib/process.ts"

const tools = `${root}tests/node_modules`
const folder = mkdtempSync(join(tmpdir(), "smstask-"))
after(() => rmSync(folder, { recursive: true }))
const run = (command: string, args: string[], env = {}, cwd = folder) =>
  execFileSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  })
const packed = () => join(folder, readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? "")

const source = `import * as v from "valibot"
import type { Provider } from "smstask"
import { basic } from "smstask/lib"

const env = { ACME_KEY: v.pipe(v.string(), v.description("the key")) }

export default {
  docs: "https://acme.example",
  env,
  request({ recipient, body }, { ACME_KEY }, { url }) {
    const headers = { authorization: basic("acme", ACME_KEY), "content-type": "application/json" }
    return new Request(url, { method: "POST", headers, body: JSON.stringify({ recipient, body }) })
  },
  receipt: ({ status, text }) => (status === 200 && text ? { id: text } : { code: status }),
} satisfies Provider<typeof env>
`
const tsconfig = {
  compilerOptions: { strict: true, noEmit: true, module: "nodenext", target: "esnext", skipLibCheck: true },
  include: ["providers"],
}

test("the package holds the module and its types, and nothing else", () => {
  run("npm", ["pack", "--silent", "--pack-destination", folder], {}, root)
  const files = run("tar", ["-tf", packed()]).trim().split("\n").sort()
  const names = [
    "LICENSE",
    "README.md",
    "dist/lib.js",
    "dist/main.d.ts",
    "dist/openapi.json",
    "dist/smstask.js",
    "package.json",
  ]
  const others = files.filter((file) => !/^package\/dist\/providers\/[\w/-]+\.d\.ts$/.test(file))
  assert.deepEqual(others, names.map((name) => `package/${name}`).sort())
})

test("the one file is ASCII alone, since Bun reads what it need not transpile as Latin-1", () => {
  assert.match(readFileSync(`${root}dist/smstask.js`, "utf8"), /^#!.*\n\/\/ @bun\n[\t-\r -~]*$/)
})

/** What an older Node links by name before it runs a line: one that it lacks would end it with a SyntaxError. */
const linked: Record<string, string[]> = {
  crypto: ["createHash", "createHmac", "randomBytes", "randomInt", "randomUUID", "verify"],
  fs: ["lstatSync", "readFileSync", "readdirSync", "unlinkSync", "writeFileSync"],
  http: ["Agent", "STATUS_CODES", "ServerResponse", "createServer", "request"],
  https: ["Agent", "request"],
  os: ["tmpdir"],
  stream: ["Readable"],
  "timers/promises": ["setTimeout"],
  url: ["pathToFileURL"],
  util: ["parseArgs"],
}
test("the one file imports by name only what Node 20 has, so that an older Node is told in one sentence", () => {
  const source = readFileSync(`${root}dist/smstask.js`, "utf8")
  const imports = [...source.matchAll(/\bimport\{([^}]+)\}from"node:([a-z_/]+)"/g)]
  assert.ok(imports.length > 0)
  for (const [, names = "", module = ""] of imports)
    for (const name of names.split(",").map((one) => one.split(" as ")[0] ?? ""))
      assert.ok(linked[module]?.includes(name), `see whether Node 20 has ${name} of node:${module}`)
})

test("a Node without what the one file starts with is told so, in one sentence and exit code 1", () => {
  const lacking = "data:text/javascript,delete process.getBuiltinModule"
  const older = spawnSync("node", ["--import", lacking, `${root}dist/smstask.js`], { encoding: "utf8" })
  assert.equal(older.status, 1)
  assert.match(older.stderr, /^smstask needs Node 24\.2, Bun 1\.3 or Deno 2\.5, or newer; this is v[\d.]+\n$/)
  assert.equal(older.stdout, "")
})

test("publint and attw find nothing in it", () => {
  run(`${tools}/.bin/publint`, ["--strict", packed()])
  run(`${tools}/.bin/attw`, ["--profile", "esm-only", packed()])
})

test("a provider of one's own is checked against its types and sends by npx", async () => {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }))
  run("npm", ["install", "--silent", "--ignore-scripts", packed()])
  mkdirSync(join(folder, "providers"))
  writeFileSync(join(folder, "providers", "acme.ts"), source)
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(tsconfig))
  run(`${tools}/.bin/tsc`, ["-p", folder])

  const { url, close } = await provider((request, response, body) => {
    response.end(
      request.headers.authorization === "Basic YWNtZTprLTQ=" && JSON.parse(body).recipient === "+12223334444"
        ? "m-1"
        : "",
    )
  })
  const env = { SMS_PROVIDER: "acme", ACME_KEY: "k-4", ACME_URL: url }
  // Not synchronous: the provider that it calls is in this process.
  const args = ["smstask", "send", "+12223334444", "hello"]
  const { stdout } = await promisify(execFile)("npx", args, { cwd: folder, env: { ...process.env, ...env } })
  assert.equal(JSON.parse(stdout).receipt, "m-1")
  close()

  assert.match(
    run("npx", ["smstask", "providers", "acme"]),
    /^acme .*\n {2}missing {3}ACME_URL.*\n {2}missing {3}ACME_KEY: the key$/m,
  )
})
