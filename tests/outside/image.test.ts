/**
 * Dockerfile and compose.yaml without an engine: every instruction is run by hand, each stage in a clean folder. Its packages
 * come from the npm registry.
 */
import assert from "node:assert/strict"
import { execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { after, test } from "node:test"
import { root, until } from "../lib/process.ts"

const folder = mkdtempSync(join(tmpdir(), "smstask-"))
after(() => rmSync(folder, { recursive: true }))

const text = readFileSync(`${root}Dockerfile`, "utf8")
  .replace(/^#.*\n/gm, "")
  .replaceAll("\\\n", " ")
const instructions = text.match(/^[A-Z]+ .+$/gm) ?? []

interface Stage {
  /** What is "/" in its container. */
  base: string
  workdir: string
  env: Record<string, string>
  user: string
  command: string[]
  healthcheck: string[]
}
const stages = new Map<string, Stage>()
let stage: Stage = startStage("none")

function startStage(name: string): Stage {
  const base = join(folder, name)
  mkdirSync(base)
  const made: Stage = { base, workdir: "/", env: {}, user: "root", command: [], healthcheck: [] }
  stages.set(name, made)
  return made
}

const where = () => join(stage.base, stage.workdir)
const parse = (list: string): string[] => JSON.parse(list)

function copy(words: string[]) {
  const from = /^--from=(\w+)$/.exec(words[0] ?? "")?.[1]
  const sources = from ? words.slice(1, -1) : words.slice(0, -1)
  const target = join(where(), words.at(-1) ?? "")
  for (const source of sources) {
    const path = from ? join(stages.get(from)?.base ?? "", source) : join(root, source)
    cpSync(path, words.at(-1)?.endsWith("/") ? join(target, basename(path)) : target, { recursive: true })
  }
}

const run: Record<string, (rest: string) => void> = {
  FROM(rest) {
    const [image, name] = rest.split(" AS ")
    assert.match(image ?? "", /^node:24-slim$/)
    stage = startStage(name ?? "last")
  },
  WORKDIR(rest) {
    stage.workdir = rest
    mkdirSync(where(), { recursive: true })
  },
  ENV(rest) {
    const [name = "", value = ""] = rest.split("=")
    stage.env[name] = value
  },
  COPY: (rest) => copy(rest.split(" ")),
  RUN(rest) {
    const [command = "", ...args] = parse(rest)
    execFileSync(command, args, { cwd: where(), stdio: "pipe", env: { ...process.env, ...stage.env } })
  },
  USER(rest) {
    stage.user = rest
  },
  EXPOSE: (rest) => assert.equal(rest, "3000"),
  HEALTHCHECK(rest) {
    stage.healthcheck = parse(rest.slice(rest.indexOf("[")))
  },
  CMD(rest) {
    stage.command = parse(rest)
  },
}

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  return typeof address === "object" ? `${address?.port}` : ""
}

test("the image's instructions can be run, and leave the gateway with its packages alone", () => {
  for (const instruction of instructions) {
    const [, name = "", rest = ""] = /^([A-Z]+) +(.+)$/.exec(instruction) ?? []
    assert.ok(run[name], name)
    run[name](rest)
  }
  assert.equal(stage.user, "node")
  const inside = readdirSync(where()).sort()
  assert.deepEqual(inside, ["LICENSE", "main.ts", "node_modules", "package.json", "providers"])
  assert.ok(!existsSync(join(where(), "node_modules/typescript")))
})

test("its container is healthy while it serves, is not while it does not, and stops when it is told to", async () => {
  const PORT = await freePort()
  const PATH = process.env.PATH ?? ""
  const options = {
    cwd: where(),
    env: { PATH, ...stage.env, PORT, SMS_PROVIDER: "console", GATEWAY_TOKEN: "x".repeat(32) },
  }
  const call = ([command = "", ...args]: string[]): SpawnSyncReturns<Buffer> => spawnSync(command, args, options)
  assert.equal(call(stage.healthcheck).status, 1)
  const [command = "", ...args] = stage.command
  const gateway = spawn(command, args, options)
  let printed = ""
  gateway.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text))
  await until(() => printed, /"listening"/)
  assert.equal(call(stage.healthcheck).status, 0)
  gateway.kill("SIGTERM")
  assert.deepEqual(await once(gateway, "exit"), [0, null])
})

test("compose.yaml names no variable that is a secret, and each secret that it names", () => {
  const compose = readFileSync(`${root}compose.yaml`, "utf8")
  const files = [...compose.matchAll(/^ +[A-Z_]+_FILE: \/run\/secrets\/(\w+)$/gm)].map(([, name]) => name)
  assert.deepEqual(files, ["gateway_secret", "twilio_auth_token"])
  for (const name of files) assert.match(compose, new RegExp(`^  ${name}:\\n {4}file: \\./secrets/${name}$`, "m"))
  assert.doesNotMatch(compose, /^ +\w*(SECRET|TOKEN|KEY|PASSWORD): /m)
})
