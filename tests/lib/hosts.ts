/** What the tests of tests/hosts share: an entry bundled as its head says, and what each host must do with a message. */
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import type { ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { after, test } from "node:test"
import { gzipSync } from "node:zlib"
import { provider, root, until } from "./process.ts"
import { httpEnv, problem, secret, sign } from "./world.ts"

/** Runs the command in the head of an entry, and gives the file that it makes. */
export function bundle(entry: string): string {
  const folder = mkdtempSync(join(tmpdir(), "smstask-"))
  after(() => rmSync(folder, { recursive: true }))
  const head = readFileSync(join(root, entry), "utf8").split("*/")[0] ?? ""
  const [, command = ""] = /npx esbuild ((?:.*\\\n)*.*)/.exec(head) ?? []
  const words = command.replaceAll("\\\n *", "").trim().split(/\s+/)
  const [, made = ""] = /--outfile=(\S+)/.exec(command) ?? []
  const outfile = join(folder, basename(made))
  const args = words.map((word) => (word.startsWith("--outfile=") ? `--outfile=${outfile}` : word))
  execFileSync(join(root, "node_modules/.bin/esbuild"), [...args, "--log-level=error"], { cwd: root })
  return outfile
}

const silent = "+12223330009"
const refused = "+12223330004"
/** A provider on this machine. It accepts numbers, and packs its answer as vendors do; it refuses one, and is silent about one. */
async function startProvider() {
  const taken: string[] = []
  const answer = (response: ServerResponse, number: string) => {
    taken.push(number)
    if (number === silent) return
    response.statusCode = number === refused ? 403 : 200
    response.setHeader("content-encoding", "gzip")
    response.end(gzipSync(number === refused ? '{"error":"no balance"}' : '{"id":"m-1"}'))
  }
  const { url } = await provider((_, response, body) => answer(response, JSON.parse(body).to))
  return { url, taken }
}

const token = "a-token-of-more-than-32-characters-01234"
const { url, taken } = await startProvider()
/** The variables of each host's gateway. A real time is a subject here: no clock can be handed into a host. */
export const variables = {
  ...httpEnv,
  HTTP_URL: `${url}/send`,
  GATEWAY_SECRET: secret,
  ALLOW_DESTINATIONS: "US",
  // Each host must say where a call comes from.
  GATEWAY_ALLOW_IPS: "203.0.113.7",
  DEADLINE: "5s",
  PLATFORMS: "auth0",
  AUTH0_TOKEN: token,
  PAGES: "log",
  LOG_TOKEN: `${token}-log`,
  SMS_PROVIDER_KE: "africas-talking",
  AT_USERNAME: "smstask",
  AT_API_KEY: "k-4",
  AFRICAS_TALKING_REPORT_KEY: `${token}-report`,
}

/** Sets the variables for an entry that reads process.env, and gives what it prints. */
export function catchLog(): () => string {
  Object.assign(process.env, variables)
  const lines: string[] = []
  console.log = (line: string) => lines.push(line)
  return () => lines.join("\n")
}

/** Calls the entry as its host does. */
export type Call = (
  path: string,
  init: { method: string; headers: Record<string, string>; body?: string },
) => Promise<Response>

/** Registers the tests that every host must pass. `printed` gives the log so far. */
export function testHost(host: string, call: Call, printed: () => string) {
  const send = async (recipient: string) => {
    const headers = { authorization: `Bearer ${await sign()}`, "content-type": "application/json" }
    const body = JSON.stringify({ recipient, body: "Your code is 326162", sender: "" })
    return await call("/", { method: "POST", headers, body })
  }
  testMessages(host, call, send, printed)
  testRoutes(host, call, printed)
}

type Send = (recipient: string) => Promise<Response>

function testMessages(host: string, call: Call, send: Send, printed: () => string) {
  test(`${host} delivers a message, and says at start that each instance counts by itself`, async () => {
    const response = await send("+12223330001")
    assert.equal(response.status, 200, printed())
    assert.equal((await problem(response)).receipt, "m-1")
    await until(printed, /"warning","reason":"without STORE each instance/)
    await until(printed, /"accepted".*"recipient":"\+1•••0001"/)
    assert.equal((await call("/health", { method: "GET", headers: {} })).status, 200)
  })

  test(`${host} refuses who proves nothing, a country that is not allowed, and what its provider refuses`, async () => {
    const unproven = await call("/", { method: "POST", headers: {}, body: "{}" })
    assert.deepEqual([unproven.status, (await problem(unproven)).code], [401, "authentication_failed"])
    assert.equal((await problem(await send("+4915112345678"))).code, "destination_not_allowed")
    const rejected = await send(refused)
    assert.deepEqual([rejected.status, (await problem(rejected)).code], [502, "delivery_rejected"])
    await until(printed, /"refused".*"code":"403".*"fault":"account"/)
  })

  test(`${host} answers at its deadline`, async () => {
    const response = await send(silent)
    assert.deepEqual([response.status, (await problem(response)).code], [504, "delivery_timeout"])
  })

  test(`${host} sends once what comes twice, at the same time or later`, async () => {
    const number = "+12223330002"
    const both = await Promise.all([send(number), send(number)])
    const answers = await Promise.all([...both, await send(number)].map(problem))
    assert.equal(new Set(answers.map(({ id }) => id)).size, 1)
    assert.equal(taken.filter((one) => one === number).length, 1)
  })
}

function testRoutes(host: string, call: Call, printed: () => string) {
  test(`${host} serves a platform at its path`, async () => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
    const body = JSON.stringify({ recipient: "+12223330003", body: "Your code is 326162", sender: "" })
    assert.equal((await call("/auth0", { method: "POST", headers, body })).status, 200)
    assert.equal((await call("/auth0", { method: "POST", headers: {}, body })).status, 401)
  })

  test(`${host} shows the log and takes delivery reports`, async () => {
    const authorization = `Bearer ${variables.LOG_TOKEN}`
    const page = await call("/log", { method: "GET", headers: { authorization, accept: "text/html" } })
    assert.match(await page.text(), /<html[\s\S]*<\/html>/)
    const path = `/africas-talking/report/${variables.AFRICAS_TALKING_REPORT_KEY}`
    const headers = { "content-type": "application/x-www-form-urlencoded" }
    assert.ok((await call(path, { method: "POST", headers, body: "id=m-1&status=Success" })).ok)
    await until(printed, /"event":"delivered".*"receipt":"m-1"/)
  })
}
