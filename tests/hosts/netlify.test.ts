import assert from "node:assert/strict"
import { test } from "node:test"
import { bundle, catchLog, testHost } from "../lib/hosts.ts"

const printed = catchLog()
const { default: answer, config } = await import(bundle("tests/hosts/netlify.ts"))

testHost(
  "Netlify",
  async (path, init) => await answer(new Request(`https://my-sms.netlify.app${path}`, init), { ip: "203.0.113.7" }),
  printed,
)

test("Netlify sends every path to it", () => {
  assert.deepEqual(config, { path: "/*" })
})
