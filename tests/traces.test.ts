import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import * as v from "valibot"
import { loadFile, type Provider, prepare, type World } from "../main.ts"
import { type Fixture, sample } from "./lib/fixture.ts"
import { httpEnv, secret } from "./lib/world.ts"

/** What the start warns of in an environment. */
async function warningsOf(env: Record<string, string>, load: World["load"] = loadFile): Promise<string[]> {
  const world: World = {
    load,
    env: { GATEWAY_SECRET: secret, ...env },
    fetch: async () => Response.error(),
    clock: Date.now,
    print() {},
  }
  return (await prepare(world, true)).warnings.filter((text) => text.includes("traces"))
}
const traced = { OTEL_DENO: "true" }

const security = readFileSync(new URL("../.github/SECURITY.md", import.meta.url), "utf8")
/** The words of its part about traces, among them the providers that it names. */
const toldOf = new Set(/## Traces\n(.*?)\n## /s.exec(security)?.[1]?.match(/[a-z][\w-]+/g))

/** What stands in the URL that the provider documents, by the fixture alone. */
function standsIn(url: string, { env, recipient = sample.recipient }: Fixture): string[] {
  const plain = decodeURIComponent(url.replaceAll("+", " "))
  const secrets = Object.keys(env).filter((name) => /(KEY|TOKEN|SECRET|PASSWORD|JWT|HASH|API_ID|APP_SID)$/.test(name))
  return [
    ...secrets.filter((name) => plain.includes(env[name] ?? "")),
    ...(plain.includes(recipient.slice(-7)) ? ["the number"] : []),
    ...(plain.includes("326162") ? ["the code"] : []),
  ]
}

const fixtures = readdirSync(new URL("fixtures/", import.meta.url)).filter((file) => /(?<!^http)\.ts$/.test(file))
for (const name of fixtures.map((file) => file.replace(".ts", "")).sort()) {
  test(`the start warns of what ${name} puts into its URL where calls are traced, and of nothing else`, async () => {
    const provider = (await import(`../providers/${name}.ts`)).default
    const fixture: Fixture = (await import(`./fixtures/${name}.ts`)).default
    const [call] = fixture.calls
    const [, url = ""] = call.http.trim().split(/\s+/)
    const expected = standsIn(url, fixture)
    const route = provider.channel === "voice" ? { VOICE_PROVIDER: name } : { SMS_PROVIDER: name }
    const warnings = await warningsOf({ ...traced, ...route, ...fixture.env, ...call.env })
    const told = /^OTEL_DENO traces every call: (\S+) has (.+) in its URL, which traces show$/
    const [, by, list = ""] = told.exec(warnings.join("\n")) ?? []
    assert.equal(by, expected.length > 0 ? name : undefined, warnings.join("\n"))
    assert.deepEqual(list ? list.split(/, | and /).sort() : [], expected.sort())
    assert.equal(toldOf.has(name), expected.length > 0, "SECURITY.md names it")
  })
}

test("a file that makes no call of the sample message is told, too", async () => {
  const odd: Provider = {
    docs: "https://example.com/",
    url: "https://example.com",
    env: { ODD_KEY: v.pipe(v.string(), v.description("a key")) },
    request: () => Promise.reject(new Error("odd")),
    receipt: () => ({ code: 1 }),
  }
  const load = async (path: string) => (path === "odd" ? { default: odd } : await loadFile(path))
  assert.deepEqual(await warningsOf({ ...traced, SMS_PROVIDER: "odd", ODD_KEY: "k" }, load), [
    "OTEL_DENO traces every call, and what odd has in its URL is not known",
  ])
})

test("http is told by what HTTP_URL holds", async () => {
  const get = {
    ...httpEnv,
    HTTP_METHOD: "GET",
    HTTP_URL: "https://sms.example.com/send?key=k-1&to={recipient}&text={body}",
  }
  for (const [env, told] of [
    [get, "the query of HTTP_URL, the number and the code"],
    [{ ...httpEnv, HTTP_URL: "https://sms.example.com/{recipient_digits}/{code}" }, "the number and the code"],
    [{ ...httpEnv, HTTP_URL: "https://sms.example.com/send?key=k-1" }, "the query of HTTP_URL"],
    [httpEnv, undefined],
  ] as const) {
    const warning = `OTEL_DENO traces every call: http has ${told} in its URL, which traces show`
    assert.deepEqual(await warningsOf({ ...traced, ...env }), told ? [warning] : [])
  }
  assert.deepEqual(await warningsOf(get), [])
  assert.deepEqual(await warningsOf({ ...get, OTEL_DENO: "false" }), [])
  for (const name of ["DENO_DEPLOY", "DENO_DEPLOYMENT_ID"])
    assert.match((await warningsOf({ ...get, [name]: "1" })).join(), /^Deno Deploy traces every call: http has /)
})
