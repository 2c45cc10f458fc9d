import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { describe, test } from "node:test"
import type { Provider } from "../main.ts"
import { sample as anySample, type Fixture } from "./lib/fixture.ts"
import { type Line, start } from "./lib/world.ts"

/** PROVIDER=name proves that one alone. */
const only = process.env.PROVIDER
const key = "sampleReportKey0001"
const files = readdirSync(new URL("./fixtures/", import.meta.url)).filter((file) => file.endsWith(".ts"))
const names = files.map((file) => file.replace(/\.ts$/, "")).filter((name) => !only || only === name)
/** Loaded before the first test: a run that is forced to end, and Deno in a describe, miss what is registered after a wait. */
const loaded: [name: string, provider: Provider, fixture: Fixture][] = []
for (const name of names)
  loaded.push([
    name,
    (await import(`../providers/${name}.ts`)).default,
    (await import(`./fixtures/${name}.ts`)).default,
  ])

/** The parts of HTTP text: a request line, headers, an empty line, a body. */
function partsOf(http: string) {
  const [head = "", ...rest] = http.trim().split("\n\n")
  const [line = "", ...headers] = head.split("\n")
  const [method = "", url = ""] = line.split(" ")
  const pairs = headers.map((header): [string, string] => {
    const [, name = "", value = ""] = /^([^:]+): (.*)$/.exec(header) ?? []
    return [name.toLowerCase(), value]
  })
  return { method, url, headers: new Headers(pairs), body: rest.join("\n\n") }
}
type Parts = ReturnType<typeof partsOf>

const told = (lines: Line[]) => lines.filter(({ event }) => event === "delivered" || event === "undelivered")
const refusals = (lines: Line[]) => lines.filter(({ code }) => code === "authentication_failed")

for (const [name, provider, fixture] of loaded) {
  const { reports: given } = fixture
  test(`${name}: has fixtures for its reports, where it reads any`, () => assert.equal(!given, !provider.report))
  if (!given) continue

  describe(name, () => {
    const NAME = name.toUpperCase().replaceAll("-", "_")
    const env = {
      SMS_PROVIDER: name,
      GATEWAY_URL: "https://otp.example.com",
      [`${NAME}_REPORT_KEY`]: key,
      ...fixture.env,
      ...given.env,
    }
    const recipient = fixture.recipient ?? anySample.recipient
    const sample = { ...anySample, recipient, ...(provider.channel && { channel: provider.channel }) }

    /** A gateway that can send, and whose clock stands still until it is told to go on. */
    const open = async (more: Record<string, string> = {}, replies: Partial<Fixture["accepted"][number]>[] = []) => {
      let now = given.clock ?? fixture.clock ?? Date.now()
      const left = [...(fixture.logins ?? []), ...replies]
      const answer = ({ url }: Request) => {
        const file = given.files?.[url]
        if (file !== undefined) return new Response(file)
        const { status = 599, headers = {}, body = "" } = left.shift() ?? {}
        return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers })
      }
      const world = await start({ ...env, ...more }, answer, {
        clock: () => now,
        ...(fixture.nonce && { nonce: () => fixture.nonce ?? "" }),
      })
      const report = async ({ method, url, headers, body }: Parts) => {
        const { pathname, search } = new URL(url)
        return await world.call({ method, headers, ...(method === "POST" && { body }) }, pathname + search)
      }
      return { ...world, report, pass: (milliseconds: number) => (now += milliseconds) }
    }

    for (const { title = "the sample message", message, env: more, http } of given.calls ?? []) {
      test(`${title} asks for reports`, async () => {
        const { post, calls } = await open(more, [fixture.accepted[0]])
        await post({ ...sample, ...message })
        const call = calls.at(-1)
        assert.ok(call, "no call was made")
        const { method, url, headers } = call.request
        const shown = [...headers].map(([name, value]) => `${name}: ${value.replace(/;\s*charset=utf-8$/i, "")}`)
        assert.equal([`${method} ${url}`, ...shown.sort(), "", call.text].join("\n"), http.trim())
      })
    }

    test("the first report is of the first acceptance, and tells the time that it took", async () => {
      const [{ http, reports, env: more }] = given.list
      // Where the vendor gives no id, its reports have the one that the request drew, and nothing tells the time.
      const { id } = fixture.accepted[0]
      assert.equal(reports?.[0]?.id, id || fixture.nonce)
      const { post, report, pass, events } = await open(more, [fixture.accepted[0]])
      assert.equal((await post(sample)).status, 200)
      pass(1234)
      await report(partsOf(http))
      assert.deepEqual(
        told(events()).map(({ ms }) => ms),
        [id ? 1234 : undefined],
      )
    })

    for (const { title, http, reports, fetched, answer = "", env: more } of given.list) {
      test(`${title} is ${reports ? "read" : "refused"}`, async () => {
        const { report, events, lines, calls } = await open(more)
        const before = events().length
        for (const _ of [1, 2]) {
          const response = await report(partsOf(http))
          assert.equal(response.status, reports ? 200 : 401)
          if (reports) assert.equal(await response.text(), answer)
        }
        if (fetched) assert.equal(calls.at(-1)?.request.url, fetched)
        for (const { request } of calls) assert.ok(given.files?.[request.url], `fetches ${request.url}`)
        const final = (reports ?? []).filter(({ state }) => state !== "pending")
        assert.deepEqual(
          told(events()).map(({ event, provider, receipt, code, fault }) => ({
            event,
            provider,
            receipt,
            code,
            fault,
          })),
          final.map(({ id, state, code, fault }) => ({
            event: state === "delivered" ? "delivered" : "undelivered",
            provider: name,
            receipt: id,
            code: code === undefined ? undefined : String(code),
            fault,
          })),
          "a report that comes twice is told once",
        )
        if (reports) assert.equal(events().length - before, final.length)
        const secrets = Object.entries({ ...env, ...more }).flatMap(([key, value]) =>
          /URL|SENDER|REGION|PROVIDER/.test(key) || value.length < 8 ? [] : value,
        )
        for (const word of [sample.code ?? "", sample.recipient.slice(1), key, ...secrets])
          assert.ok(!lines.join("\n").includes(word), `${word} stands in ${lines.join("\n")}`)
      })

      if (!reports) continue
      test(`${title} is refused with another key, and where it is not proven`, async () => {
        const parts = partsOf(http)
        const { report, events } = await open(more)
        const forged: [string, Parts][] = [
          ["another key", { ...parts, url: parts.url.replace(key, `${key}0`) }],
          ["a part of the key", { ...parts, url: parts.url.replace(key, key.slice(1)) }],
        ]
        const { header = "authorization", signed } = given.proof ?? {}
        const signature = parts.headers.get(header)
        if (signature) {
          const headersWith = (value?: string) => {
            const headers = new Headers(parts.headers)
            headers.delete(header)
            if (value !== undefined) headers.set(header, value)
            return headers
          }
          const half = signature.length >> 1
          const changed = signature.slice(0, half) + (signature[half] === "a" ? "b" : "a") + signature.slice(half + 1)
          for (const value of [undefined, "x", "Bearer a.b.c", changed])
            forged.push([`${header}: ${value}`, { ...parts, headers: headersWith(value) }])
          if (signed === "body" && parts.method === "POST")
            forged.push(["another body", { ...parts, body: `${parts.body} ` }])
        }
        for (const [what, forgery] of forged) {
          const before = events().length
          assert.equal((await report(forgery)).status, 401, what)
          assert.deepEqual(refusals(events().slice(before)).length, 1, what)
          assert.equal(events().length - before, 1, what)
        }
      })
    }

    test("junk is no report, and no failure", async () => {
      const [{ http, env: more }] = given.list
      const parts = partsOf(http)
      // Without the variables of the proof, where they are optional, it comes as far as the reading.
      const unproven = Object.fromEntries(Object.keys({ ...given.env, ...more }).map((name) => [name, ""]))
      const worlds = [await open(more), await open(unproven)]
      const bodies = [
        "",
        "null",
        "[]",
        "{}",
        '"OK"',
        "<html>",
        "0",
        "[[]]",
        '[{"status":{}}]',
        "a=b&a=c",
        "\u0000",
        "%%%",
      ]
      const bare = parts.url.replace(/\?.*/, "")
      for (const url of [parts.url, bare, `${bare}?status=delivered&id=`])
        for (const headers of [given.proof?.signed === "header" ? new Headers() : parts.headers, new Headers()])
          for (const body of bodies) {
            if (url === parts.url && parts.method === "GET") continue
            for (const { report } of worlds) {
              const { status } = await report({ ...parts, url, headers, body })
              assert.ok([200, 400, 401].includes(status), `${status} for ${JSON.stringify(body)}`)
            }
          }
      const all = worlds.flatMap(({ events }) => events())
      assert.deepEqual(told(all), [])
      assert.ok(!all.some(({ event }) => event === "failure"))
    })
  })
}
