/**
 * Runs all that must hold, several processes at once: types and lint, each test file on each runtime, and what is shipped.
 * A process that is over its limit is killed with all that it started, and named. A test file that fails runs once more when
 * all else has ended: what only a busy machine breaks passes then, and is told.
 *
 *     npm test                     everything; `package` only with CI=true
 *     npm test -- node bundle      types and lint, and these steps alone
 *
 * What needs a program of Debian's is skipped where that is missing, with a line each. With CI=true that is an error.
 */
import { spawn } from "node:child_process"
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { basename, delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"
import { advice, find, type Program } from "../lib/programs.ts"

type Runtime = "node" | "bun" | "deno"
/** A process, and the seconds that it may take. */
interface Job {
  name: string
  command: string[]
  limit: number
  env?: Record<string, string>
  /** Where it is a test file. */
  runtime?: Runtime
  file?: string
}

const root = fileURLToPath(new URL("../../", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "smstask-tests-"))
const environment = {
  ...process.env,
  NO_COLOR: "1",
  PATH: [join(root, "tests/node_modules/.bin"), process.env.PATH].join(delimiter),
  // The tests start Node 200 times: it keeps what it has stripped and compiled.
  NODE_COMPILE_CACHE: join(folder, "compiled"),
}

// ───────────────────────────── The steps ─────────────────────────────

const { tasks } = JSON.parse(readFileSync(`${root}deno.json`, "utf8"))
const commands: Record<Runtime, string[]> = {
  // A handle that was forgotten does not keep it from ending.
  node: [process.execPath, "--test-force-exit", "--test-reporter=spec"],
  // Its own limit for a test is five seconds, which is short where six files run at once.
  bun: ["bun", "test", "--timeout=60000"],
  deno: tasks.test.split(" "),
}

const testOn = (runtime: Runtime, file: string, SMSTASK = ""): Job => ({
  name: `${file}${SMSTASK && ` of ${SMSTASK}`} on ${runtime}`,
  command: [...commands[runtime], `./${file}`],
  limit: 420,
  env: { SMSTASK },
  ...(!SMSTASK && { runtime, file }),
})

/** Those that take longest come first, so that none of them is left over in the end. */
const longest = ["providers", "serve", "platforms", "commands"]
const isLong = (file: string) => longest.includes(basename(file, ".test.ts"))
const filesIn = (...folders: string[]) =>
  folders
    .flatMap((path) => readdirSync(join(root, path)).map((file) => `${path}/${file}`))
    .filter((file) => file.endsWith(".test.ts"))
    .sort((a, b) => Number(isLong(b)) - Number(isLong(a)))
const everyFileOn = (runtime: Runtime) => filesIn("tests", "tests/start").map((file) => testOn(runtime, file))

const sources = ["main.ts", "providers", "tests", "deno.json", "package.json", "tsconfig.json"]
const biome = ["biome", "check", "--config-path=tests/lint.json", "--error-on-warnings", ...sources]
const packing = "tests/start/packing.test.ts"

const steps: Record<string, Job[]> = {
  check: [
    { name: "biome", command: biome, limit: 60 },
    { name: "tsc", command: ["tsc", "-p", "."], limit: 120 },
  ],
  "deno-check": [{ name: "deno check", command: ["deno", "task", "check"], limit: 180 }],
  build: [{ name: "build", command: [process.execPath, "tests/tools/build.ts", "bun"], limit: 120 }],
  node: everyFileOn("node"),
  browser: filesIn("tests/browser").map((file) => testOn("node", file)),
  prometheus: [testOn("node", "tests/outside/prometheus.test.ts")],
  kannel: [testOn("node", "tests/outside/kannel.test.ts")],
  expressions: [testOn("node", "tests/outside/expressions.test.ts")],
  hosts: filesIn("tests/hosts").map((file) => testOn("node", file)),
  bun: everyFileOn("bun"),
  deno: everyFileOn("deno"),
  bundle: [
    testOn("node", packing, "dist/smstask.js"),
    testOn("bun", packing, "dist/smstask.js"),
    testOn("deno", packing, "dist/smstask.js"),
    testOn("node", packing, "dist/smstask"),
  ],
  package: [testOn("node", "tests/outside/package.test.ts"), testOn("node", "tests/outside/image.test.ts")],
}
/** Each after the one before: what is shipped is built before it is tested, and `package` builds it anew. */
const order = [
  ["check", "build"],
  ["bundle"],
  ["deno-check", "node", "browser", "prometheus", "kannel", "expressions", "hosts", "package", "bun", "deno"],
]

/** What is not tested without a program; of the steps of the runtimes all but one file is. */
const needs: [program: Program, what: string, steps: string[]][] = [
  ["redis-server", "STORE=redis", ["node", "bun", "deno"]],
  ["chromium", "the pages in a browser", ["browser"]],
  ["prometheus", "the metrics by Prometheus", ["prometheus"]],
  ["kannel-extras", "a real Kannel", ["kannel"]],
]

// ───────────────────────────── Their processes ─────────────────────────────

const problems: string[] = []
/** What runs now: the name of each group of processes. */
const groups = new Map<number, string>()

/** Ends a process and all that it started. */
function endGroup(group: number) {
  try {
    process.kill(-group, "SIGKILL")
  } catch {
    // All of them have ended.
  }
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    console.log(`${signal} ended: ${[...groups.values()].join(", ")}`)
    for (const group of groups.keys()) endGroup(group)
    process.exit(1)
  })

/** Test files that failed, or told other tests on one runtime, while others ran beside them. */
const again = new Set<Job>()

/** Runs a process to its end or its limit; what it said is told where it failed. */
async function run(job: Job, isLast = false) {
  const { name, command, limit, env, runtime, file } = job
  const log = join(folder, `${name.replace(/[^\w.]+/g, "-")}.log`)
  const out = openSync(log, "w")
  const [program = "", ...args] = command
  const options = { cwd: root, env: { ...environment, ...env }, detached: true }
  const child = spawn(program, args, { ...options, stdio: ["ignore", out, out] })
  const { pid: group = 0 } = child
  if (group) groups.set(group, name)
  let isOver = false
  const timer = setTimeout(() => {
    isOver = true
    endGroup(group)
  }, limit * 1_000)
  const code = await new Promise((resolve) => {
    child.on("exit", resolve).on("error", ({ message }) => resolve(message))
  })
  clearTimeout(timer)
  if (group) endGroup(group)
  groups.delete(group)
  closeSync(out)
  const text = readFileSync(log, "utf8")
  if (code === 0) {
    if (runtime && file) count(text, runtime, file)
    return
  }
  const what = isOver ? `did not end within ${limit} s and was killed` : `failed with ${code}`
  if (env && !isLast) again.add(job)
  else problems.push(`${name} ${what}`)
  const passed = /^\s*(\(pass\)|✔|▶)|\.\.\. ok( \(|$)/
  const lines = text.split("\n").filter((line) => isOver || !passed.test(line))
  console.log(`\n${name} ${what}. Of ${log}:\n\n${lines.slice(isOver ? -20 : -200).join("\n")}\n`)
}

/** Runs the jobs of these steps, some at once, and tells each step when its last job has ended. */
async function runAll(names: string[]) {
  const queue = names.flatMap((step) => (steps[step] ?? []).map((job) => ({ step, job })))
  const began = new Map<string, number>()
  const ended = new Map<string, number>()
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { step, job } = next
      if (!began.has(step)) began.set(step, performance.now())
      await run(job)
      ended.set(step, (ended.get(step) ?? 0) + 1)
      if (ended.get(step) === steps[step]?.length) tell(step, performance.now() - (began.get(step) ?? 0))
    }
  }
  await Promise.all(Array.from({ length: Math.min(24, 2 * availableParallelism()) }, work))
}

const seconds = (milliseconds: number) => `${Math.round(milliseconds / 1_000)} s`.padStart(6)

function tell(step: string, milliseconds: number) {
  const sizes = [...counts.values()].flatMap(({ runtime, file, tests }) =>
    runtime === step && isOfStep(file) ? tests : [],
  )
  const sum = sizes.reduce((sum, tests) => sum + tests, 0)
  console.log(`${step.padEnd(12)}${seconds(milliseconds)}${sum ? `  ${sizes.length} files, ${sum} tests` : ""}`)
}

// ───────────────────────────── Their counts ─────────────────────────────

/** How many tests a file had on a runtime, without suites, which Deno counts as tests. */
interface Counted {
  runtime: Runtime
  file: string
  tests: number
  suites: number
}
const counts = new Map<string, Counted>()
const isOfStep = (file: string) => steps.node?.some((job) => job.file === file) ?? false

function count(text: string, runtime: Runtime, file: string) {
  const numberOf = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0)
  const tests = {
    node: () => numberOf(/^ℹ tests (\d+)$/m),
    bun: () => numberOf(/^Ran (\d+) tests? across/m),
    deno: () => numberOf(/(\d+) passed/) + numberOf(/ passed \((\d+) steps?\)/) + numberOf(/(\d+) ignored/),
  }[runtime]()
  counts.set(`${runtime} ${file}`, { runtime, file, tests, suites: numberOf(/^ℹ suites (\d+)$/m) })
}

/** Files with other tests on other runtimes: what was registered too late, or on one alone, is missing without a word. */
function listUneven(): string[] {
  return [...new Set([...counts.values()].map(({ file }) => file))].filter((file) => {
    const [node, bun, deno] = (["node", "bun", "deno"] as const).map((runtime) => counts.get(`${runtime} ${file}`))
    const isSame =
      (!node || !bun || node.tests === bun.tests) && (!node || !deno || node.tests + node.suites === deno.tests)
    return !isSame || [node, bun, deno].some((one) => one?.tests === 0)
  })
}

/** Runs once more what failed, and what Node told too few tests of, which its forced exit may do on a busy machine. */
async function runAgain() {
  const uneven = listUneven()
  for (const job of steps.node ?? []) if (job.file && uneven.includes(job.file)) again.add(job)
  for (const job of again) {
    console.log(`\n${job.name}: once more, alone`)
    await run(job, true)
  }
  for (const file of listUneven()) problems.push(`${file} has other tests on other runtimes`)
  const isMended = ({ name }: Job) => !problems.some((problem) => problem.startsWith(`${name} `))
  for (const job of again) if (isMended(job)) console.log(`${job.name} passed alone, and not beside others`)
}

// ───────────────────────────── All of it ─────────────────────────────

const started = performance.now()
const asked = process.argv.slice(2)
const isCI = process.env.CI === "true"
const usual = Object.keys(steps).filter((name) => isCI || name !== "package")
const names = asked.length > 0 ? ["check", "deno-check", ...asked] : usual
if (names.includes("bundle")) names.push("build")
for (const name of names)
  if (!steps[name]) problems.push(`there is no step ${name}, only ${Object.keys(steps).join(", ")}`)

const skipped = new Set<string>()
for (const [program, what, of] of needs) {
  if (find(program) || !of.some((step) => names.includes(step))) continue
  if (isCI) problems.push(`${what} cannot be tested: ${advice(program)}`)
  else console.log(`skipped: ${what}: ${advice(program)}`)
  if (program !== "redis-server") for (const step of of) skipped.add(step)
}

for (const group of order)
  if (problems.length === 0) await runAll(group.filter((step) => names.includes(step) && !skipped.has(step)))
await runAgain()
for (const problem of problems) console.log(problem)
if (problems.length === 0) rmSync(folder, { recursive: true })
console.log(`${problems.length === 0 ? "all well" : "not well"}${seconds(performance.now() - started)}`)
process.exitCode = problems.length === 0 ? 0 : 1
