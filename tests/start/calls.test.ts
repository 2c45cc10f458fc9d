/** The client that calls a provider, node:http on Node and fetch elsewhere, against whatever a server may answer. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { after, test } from "node:test"
import { gzipSync } from "node:zlib"
import { createClient } from "../../main.ts"
import { copy, root, serving } from "../lib/process.ts"
import { httpEnv, message, secret, sign } from "../lib/world.ts"

const accepted = '{"id":"m-1"}'
const padded = `{"id":"m-1","padding":"${"x".repeat(70_000)}"}`
const head = (...lines: string[]) => ["HTTP/1.1 200 OK", ...lines, "", ""].join("\r\n")
const sized = (text: string, ...lines: string[]) =>
  `${head(`Content-Length: ${Buffer.byteLength(text)}`, ...lines)}${text}`
const chunk = (part: string) => `${part.length.toString(16)}\r\n${part}\r\n`
const chunked = (...parts: string[]) => head("Transfer-Encoding: chunked") + [...parts, ""].map(chunk).join("")
const packed = gzipSync(accepted)
const bomb = gzipSync(padded)

type Answers = Record<string, [bytes: string | Buffer, outcome: RegExp, ends?: boolean]>
/** What the server answers to a text, and what the gateway makes of that. */
const answers: Answers = {
  plain: [sized(accepted), /^200 .*"receipt":"m-1"/],
  "in parts": [chunked('{"id":', '"m-1"}'), /^200 .*"receipt":"m-1"/],
  "after a hint": [`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${sized(accepted)}`, /^200 .*"receipt":"m-1"/],
  "with cookies": [sized(accepted, "Set-Cookie: a=1", "Set-Cookie: b=2"), /^200 .*"receipt":"m-1"/],
  "with a mark": [sized(`\ufeff${accepted}`), /^200 .*"receipt":"m-1"/],
  "up to the end": [`${head("Connection: close")}${accepted}`, /^200 .*"receipt":"m-1"/, true],
  nothing: ["HTTP/1.1 204 No Content\r\n\r\n", /^502 .*"outcome":"refused","code":"204"/],
  "too much": [sized(padded), /^502 .*"outcome":"refused","code":"200"/],
  "too much in parts": [chunked(padded), /^502 .*"outcome":"refused","code":"200"/],
  "an odd status": ["HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nno", /^502 .*"code":"(999|answer)"/],
  "broken off": [`${head("Content-Length: 400")}{"id":`, /^502 .*"outcome":"unreachable","code":"reset"/, true],
  garbage: ["it is no HTTP\r\n\r\n", /^502 .*"outcome":"unreachable","code":"answer"/, true],
  // Not asked for, and understood all the same.
  packed: [
    Buffer.concat([Buffer.from(head(`Content-Length: ${packed.length}`, "Content-Encoding: gzip")), packed]),
    /^200 .*"receipt":"m-1"/,
  ],
  "too much, packed": [
    Buffer.concat([Buffer.from(head(`Content-Length: ${bomb.length}`, "Content-Encoding: gzip")), bomb]),
    /^502 .*"outcome":"refused","code":"200"/,
  ],
  "after an unasked 100": [`HTTP/1.1 100 Continue\r\n\r\n${sized(accepted)}`, /^200 .*"receipt":"m-1"/],
  "with long headers": [sized(accepted, `X-Long: ${"x".repeat(20_000)}`), /^200 .*"receipt":"m-1"/],
}

/** What never becomes an answer. */
const silences: Answers = {
  "another protocol": ["HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: acme\r\n\r\n", /^50[24] /],
  "nothing yet": ["", /^504 .*"outcome":"timeout"/],
  "only a beginning": [`${head("Content-Length: 400")}{"id":`, /^504 .*"outcome":"timeout"/],
}

const asked: string[] = []
let connections = 0
const server = createServer((socket) => {
  connections += 1
  let read = Buffer.alloc(0)
  socket.on("data", (bytes) => {
    read = Buffer.concat([read, Buffer.from(bytes)])
    const end = read.indexOf("\r\n\r\n") + 4
    const length = Number(/^content-length: (\d+)/im.exec(read.toString())?.[1])
    if (end < 4 || read.length < end + length) return
    const request = read.toString()
    asked.push(request)
    read = Buffer.alloc(0)
    const { text } = JSON.parse(request.split("\r\n\r\n")[1] ?? "")
    const [answer = sized(accepted), , ends] = answers[text] ?? silences[text] ?? []
    socket.write(typeof answer === "string" ? Buffer.from(answer) : answer)
    if (ends) socket.end()
  })
  socket.on("error", () => {})
})
after(() => server.close())

test("a provider's answer, whatever its bytes, has its outcome and ends nothing", { timeout: 60_000 }, async () => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  const HTTP_URL = `http://127.0.0.1:${port}/send?from=smstask`
  const env = { GATEWAY_SECRET: secret, ...httpEnv, HTTP_URL, LIMIT_RECIPIENT: "off" }
  const paths = ["providers/http.ts", "providers/lib.ts"]
  const files = Object.fromEntries(paths.map((path) => [path, readFileSync(root + path, "utf8")]))
  await copy(files, async (folder) => {
    await callsOf(await serving(env, folder), port)
    await silencesOf(await serving({ ...env, DEADLINE: "1s" }, folder))
  })
})

type Gateway = Awaited<ReturnType<typeof serving>>

const sendTo = (gateway: Gateway) => async (body: string) => {
  const headers = { authorization: `Bearer ${await sign()}` }
  const response = await fetch(gateway.url, { method: "POST", headers, body: JSON.stringify({ ...message, body }) })
  return `${response.status} ${await response.text()}`
}

async function stop(gateway: Gateway) {
  gateway.kill()
  assert.equal(await gateway.ended, 0)
  assert.equal(gateway.stderr(), "")
}

async function silencesOf(gateway: Gateway) {
  const send = sendTo(gateway)
  for (const [text, [, outcome]] of Object.entries(silences)) assert.match(await send(text), outcome, text)
  await stop(gateway)
}

async function callsOf(gateway: Gateway, port: number) {
  const send = sendTo(gateway)
  for (const [text, [, outcome]] of Object.entries(answers)) assert.match(await send(text), outcome, text)

  const before = connections
  const text = "Grüße 🎉, \u00ff\u20ac: 326162"
  assert.match(await send(text), /^200 /)
  assert.match(await send(`${text} again`), /^200 /)
  assert.ok(connections <= before + 1, "a connection serves several messages")
  const request = asked.at(-2) ?? ""
  assert.match(request, /^POST \/send\?from=smstask HTTP\/1\.1\r\n/)
  assert.match(request, new RegExp(`\r\nhost: 127\\.0\\.0\\.1:${port}\r\n`, "i"))
  assert.match(request, /\r\ncontent-type: application\/json\r\n/i)
  assert.doesNotMatch(request, /transfer-encoding/i)
  assert.equal(JSON.parse(request.split("\r\n\r\n")[1] ?? "").text, text)
  await stop(gateway)
}

test("a GET is asked once, also where a connection that was kept dies with it", { timeout: 60_000 }, async () => {
  const requests: number[] = []
  let connections = 0
  const dying = createServer((socket) => {
    connections += 1
    const connection = connections
    socket.on("data", () => {
      requests.push(connection)
      // The first one of a connection is answered, and the next one dies with it.
      if (requests.filter((one) => one === connection).length > 1) socket.destroy()
      else socket.write(sized(accepted))
    })
    socket.on("error", () => {})
  })
  dying.listen(0, "127.0.0.1")
  await once(dying, "listening")
  const url = `http://127.0.0.1:${Object(dying.address()).port}/`
  const client = await createClient()
  for (const _ of [1, 2, 3]) {
    const signal = AbortSignal.timeout(10_000)
    await client(new Request(url), { redirect: "manual", signal }).then(
      (reply) => reply.bytes(),
      () => {},
    )
  }
  assert.equal(requests.length, 3)
  dying.close()
})
