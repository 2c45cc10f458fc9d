import assert from "node:assert/strict"
import { test } from "node:test"
import { patient, serving } from "../lib/process.ts"
import { message, problem, secret, sign, start } from "../lib/world.ts"

const token = "the-token-that-reads-the-log-0123456789"
const headers = { authorization: `Bearer ${token}` }

/** Reads from a stream until the text holds `word`. */
async function readUntil(
  reader: { read(): Promise<{ value?: Uint8Array; done: boolean }> },
  word: string,
): Promise<string> {
  const decoder = new TextDecoder()
  let text = ""
  while (!text.includes(word)) {
    const { value, done } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
  }
  return text
}

test("GET /log is not there unless PAGES names it, and takes that token alone", async () => {
  const { call: without } = await start()
  assert.equal((await without({ headers }, "/log")).status, 404)
  await assert.rejects(start({ PAGES: "log" }), /LOG_TOKEN is missing/)
  const { call } = await start({ PAGES: "log", LOG_TOKEN: token })
  for (const wrong of [{}, { authorization: `Bearer ${token}x` }, { authorization: `Bearer ${await sign()}` }]) {
    const response = await call({ headers: wrong }, "/log")
    assert.equal(response.status, 401)
    assert.equal((await problem(response)).code, "authentication_failed")
  }
  await assert.rejects(start({ PAGES: "log", LOG_TOKEN: "short" }), /LOG_TOKEN is wrong/)
})

test("it streams the masked lines of the log as they happen, and no message of the console provider", async () => {
  const { call, post, lines } = await start({ PAGES: "log", LOG_TOKEN: token, SMS_PROVIDER: "console" })
  const response = await call({ headers }, "/log")
  assert.equal(response.status, 200)
  assert.equal(response.headers.get("content-type"), "text/event-stream")
  const reader = response.body?.getReader()
  assert.ok(reader)
  await post()
  const text = await readUntil(reader, '"accepted"')
  const logged = lines.filter((line) => line.startsWith("{"))
  for (const line of logged) assert.ok(text.includes(`data: ${line}\n\n`))
  assert.doesNotMatch(text, /2223334444|326162/)
  await reader.cancel()
})

test("the twenty-first reader is sent away, and one that leaves makes room", async () => {
  const { call } = await start({ PAGES: "log", LOG_TOKEN: token })
  const open = await Promise.all(Array.from({ length: 20 }, () => call({ headers }, "/log")))
  assert.deepEqual(new Set(open.map(({ status }) => status)), new Set([200]))
  assert.equal((await call({ headers }, "/log")).status, 429)
  await open[0]?.body?.cancel()
  assert.equal((await call({ headers }, "/log")).status, 200)
})

test("a reader that falls a thousand lines behind is cut, and the others go on", async () => {
  const { call } = await start({ PAGES: "log", LOG_TOKEN: token })
  const slow = (await call({ headers }, "/log")).body?.getReader()
  for (let asked = 0; asked < 1_100; asked += 1) await call({}, "/nothing")
  const quick = (await call({ headers }, "/log")).body?.getReader()
  assert.ok(slow && quick)
  const text = await readUntil(slow, "never")
  const count = text.split("data: ").length - 1
  assert.ok(count >= 990 && count < 1_050, `${count} lines`)
  await call({}, "/nothing")
  assert.match(await readUntil(quick, "not_found"), /not_found/)
  await quick.cancel()
})

test("it ends when the gateway stops, on a real connection", { timeout: 30_000 }, async () => {
  const gateway = await serving({ GATEWAY_SECRET: secret, PAGES: "log", LOG_TOKEN: token, ...patient })
  const reader = (await fetch(`${gateway.url}log`, { headers })).body?.getReader()
  assert.ok(reader)
  const posted = { authorization: `Bearer ${await sign()}` }
  await fetch(gateway.url, { method: "POST", headers: posted, body: JSON.stringify(message) })
  assert.match(await readUntil(reader, '"accepted"'), /"received"/)
  gateway.kill("SIGTERM")
  assert.match(await readUntil(reader, "never"), /"event":"stopping"/)
  assert.equal(await gateway.ended, 0)
})
