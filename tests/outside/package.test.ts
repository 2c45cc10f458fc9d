/**
 * What `npm pack ./dist/package` gives, as somebody elsewhere uses it: installed into a project of its own, with a provider written
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
  run("npm", ["run", "--silent", "build"], {}, root)
  run("npm", ["pack", "--silent", "--pack-destination", folder, "./dist/package"], {}, root)
  const files = run("tar", ["-tf", packed()]).trim().split("\n").sort()
  const names = [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "lib.js",
    "main.d.ts",
    "openapi.json",
    "package.json",
    "smstask.js",
  ]
  const others = files.filter((file) => !/^package\/providers\/[\w/-]+\.d\.ts$/.test(file))
  assert.deepEqual(others, names.map((name) => `package/${name}`).sort())
})

test("the repository itself is never published", () => {
  assert.equal(JSON.parse(readFileSync(`${root}package.json`, "utf8")).private, true)
})

test("the one file is ASCII alone, since Bun reads what it need not transpile as Latin-1", () => {
  assert.match(readFileSync(`${root}dist/smstask.js`, "utf8"), /^#!.*\n\/\/ @bun\n[\t-\r -~]*$/)
})

/** What an older Node links by name before it runs a line: one that it lacks would end it with a SyntaxError. */
const linked: Record<string, string[]> = {
  crypto: ["createHash", "createHmac", "randomBytes", "randomInt", "randomUUID", "verify"],
  fs: ["closeSync", "lstatSync", "openSync", "readFileSync", "readdirSync", "statSync", "unlinkSync", "writeFileSync"],
  http2: ["Http2ServerRequest", "constants"],
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

const start = (command: string[], env: Record<string, string>) => {
  const [program = "", ...args] = command
  const options = { cwd: folder, encoding: "utf8", env: { ...process.env, ...env }, timeout: 60_000 } as const
  const { stderr, stdout } = spawnSync(program, args, options)
  return stderr + stdout
}
const shared = { GATEWAY_TOKEN: "a-token-of-more-than-32-characters-01234", STORE: "redis://127.0.0.1:9" }
const installed = () => readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith("."))

test("npx from its cache asks for the package, too, since it would find no other", () => {
  const told = start(["npx", "--yes", "--package", packed(), "smstask"], shared)
  assert.match(told, /npm install smstask @redis\/client rate-limiter-flexible/)
})

test("it brings no other package, and a start that needs one asks for it by name", () => {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }))
  run("npm", ["install", "--silent", "--ignore-scripts", packed()])
  assert.deepEqual(installed(), ["smstask"])
  const told = start(["npx", "smstask", "check"], shared)
  assert.match(told, /STORE needs a package: npm install @redis\/client rate-limiter-flexible/)
  run("npm", ["install", "--silent", "--ignore-scripts", "@redis/client", "rate-limiter-flexible"])
  assert.match(start(["npx", "smstask", "check"], shared), /store {6}redis[\s\S]*It would start/)
})

test("Deno fetches what it runs, and what a setting asks for once it is set", () => {
  const cache = join(folder, "deno")
  const env = { ...shared, DENO_DIR: cache, PORT: "0", HOST: "127.0.0.1" }
  const fetched = (more: Record<string, string>) => {
    const task = ["task", "--cwd", root, "start", "check"]
    run(`${tools}/.bin/deno`, task, { ...env, ...more })
    const packages = join(cache, "npm/registry.npmjs.org")
    return readdirSync(packages).filter((name) => !["typescript", "@node-rs"].includes(name))
  }
  const own = ["@hono", "aws4fetch", "hono", "jose", "libphonenumber-js", "valibot"]
  assert.deepEqual(fetched({ STORE: "" }).sort(), own)
  assert.ok(["@redis", "rate-limiter-flexible"].every((name) => fetched({}).includes(name)))
})

test("a provider of one's own is checked against its types and sends by npx", async () => {
  run("npm", ["install", "--silent", "--ignore-scripts", "valibot", "hono"])
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
