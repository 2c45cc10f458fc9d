import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { after, test } from "node:test"
import { Miniflare } from "miniflare"
import { bundle, testHost, variables } from "../lib/hosts.ts"

const contents = readFileSync(bundle("tests/hosts/workers.ts"), "utf8")
let printed = ""
const start = (bindings: Record<string, string>) => {
  const worker = new Miniflare({
    modules: [{ type: "ESModule", path: "worker.js", contents }],
    compatibilityDate: "2026-07-01",
    compatibilityFlags: ["nodejs_compat"],
    bindings,
    handleRuntimeStdio(...streams) {
      for (const stream of streams) stream.setEncoding("utf8").on("data", (text: string) => (printed += text))
    },
  })
  after(() => worker.dispose())
  return worker
}

const worker = start(variables)
testHost(
  "Cloudflare Workers",
  async (path, init) => {
    const headers = { ...init.headers, "cf-connecting-ip": "203.0.113.7" }
    const response = await worker.dispatchFetch(`http://localhost${path}`, { ...init, headers })
    return new Response(await response.arrayBuffer(), { status: response.status })
  },
  () => printed,
)

test("Cloudflare Workers are told why a gateway does not start, and count as production", async () => {
  const refusals: [name: string, pattern: RegExp][] = [
    ["nowhere", /there is no providers\/nowhere\.ts/],
    ["inbox", /production/],
  ]
  for (const [SMS_PROVIDER, pattern] of refusals) {
    const response = await start({ ...variables, SMS_PROVIDER }).dispatchFetch("http://localhost/health")
    assert.equal(response.status, 500)
    assert.match(await response.text(), pattern)
  }
})
