/** What a host, a reader and a caller may do to a gateway without ending it, and what does end it. */
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs"
import { Agent, request } from "node:http"
import { connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { copy, holdAnswer, provider, type Run, run, serving, until } from "../lib/process.ts"
import { httpEnv, message, secret, sign } from "../lib/world.ts"

const slow = { timeout: 120_000 }
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const token = "a-token-of-more-than-32-characters-01234"

const folder = mkdtempSync(join(tmpdir(), "smstask-"))
const servers = new Set<{ close(): unknown }>()
after(() => {
  rmSync(folder, { recursive: true })
  for (const server of servers) server.close()
})

async function post(url: string, text: string, more: Record<string, string> = {}): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, ...more }
  const body = JSON.stringify({ ...message, body: text })
  const response = await fetch(url, { method: "POST", headers, body })
  await response.arrayBuffer()
  return response.status
}

/** `count` messages, so many at a time. */
async function burst(url: string, count: number, more: Record<string, string> = {}, atOnce = 20) {
  const statuses = new Map<number, number>()
  let next = 0
  const worker = async () => {
    while (next < count) {
      next += 1
      const status = await post(url, `code ${next} ${Math.random()}`, more)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return Object.fromEntries(statuses)
}

async function isWell(url: string) {
  const response = await fetch(`${url}health`, { signal: AbortSignal.timeout(20_000) })
  return response.status === 200 && (await response.text()) === "ok\n"
}

/** Resident memory of a process in MiB (Linux). */
const memory = ({ child }: Run) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024

let pipes = 0
/** A gateway whose standard output is a pipe that is read by `drain` and `drained` alone. */
async function unread(env: Record<string, string>) {
  const path = join(folder, `log-${pipes++}`)
  execFileSync("mkfifo", [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const around = ["sh", "-c", 'out=$1; shift; exec "$@" > "$out"', "sh", path]
  const own = { PORT: "0", HOST: "127.0.0.1", LOG_FORMAT: "json", GATEWAY_TOKEN: token, ...env }
  const gateway = run([], own, undefined, undefined, around)
  const chunk = Buffer.alloc(65_536)
  let text = ""
  /** Reads what is there now; undefined at the end. */
  const drain = () => {
    for (;;) {
      try {
        const size = readSync(reader, chunk)
        if (size === 0) return undefined
        text += chunk.toString("utf8", 0, size)
      } catch (error) {
        assert.equal((error as { code?: string }).code, "EAGAIN")
        return text
      }
    }
  }
  const drained = async (pattern: RegExp) => {
    return await until(() => {
      drain()
      return text
    }, pattern)
  }
  /** Reads until the process has ended and everything is read. */
  const atEnd = async () => {
    const reading = setInterval(drain, 20)
    const code = await gateway.ended
    clearInterval(reading)
    drain()
    closeSync(reader)
    return code
  }
  const [, url = ""] = await drained(/"address":"([^"]+)"/)
  return { ...gateway, url, drained, atEnd, text: () => text }
}

test("a log that nobody reads stops no message, fills no memory, and says later what it lacks", slow, async () => {
  // What is over a limit that is only observed has one more line.
  const env = {
    LIMIT_RECIPIENT: "off",
    LIMIT_PREFIX: "off",
    LIMIT_TOTAL: "1/1h",
    GUARD: "observe",
    RESEND_WINDOW: "off",
  }
  const gateway = await unread(env)
  const messages = 2_000
  assert.deepEqual(await burst(gateway.url, messages, { "x-request-id": "x".repeat(100) }), { 200: messages })
  assert.ok(await isWell(gateway.url))
  assert.ok(memory(gateway) < 400, `${memory(gateway)} MiB`)
  const unreadSoFar = gateway.text().length
  const [, dropped = ""] = await gateway.drained(/"event":"dropped","lines":(\d+)/)
  const size = gateway.text().length - unreadSoFar
  assert.ok(size > 1_000_000 && size < 1_400_000, `${size} bytes were kept`)
  const count = (pattern: RegExp) => gateway.text().match(pattern)?.length ?? 0
  const told = count(/"event":"(received|observed|accepted)"/g) + count(/^ {2}To \+/gm)
  assert.equal(told + Number(dropped), 4 * messages - 1)
  // With a reader again, every line is there again.
  assert.deepEqual(await burst(gateway.url, 50, { "x-request-id": "again" }), { 200: 50 })
  gateway.kill()
  assert.equal(await gateway.atEnd(), 0)
  assert.equal(count(/"caller_id":"again"/g), 50)
  assert.equal(count(/"event":"dropped"/g), 1)
  assert.match(gateway.text(), /"event":"stopped"}\n$/)
  assert.equal(gateway.stderr(), "")
})

test("on a regular end the log waits for a reader that is late", slow, async () => {
  const gateway = await unread({ LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" })
  assert.deepEqual(await burst(gateway.url, 600), { 200: 600 })
  gateway.kill()
  await wait(1_000)
  assert.equal(await gateway.atEnd(), 0)
  assert.equal(gateway.text().match(/"event":"(received|accepted)"/g)?.length, 1_200)
  assert.match(gateway.text(), /"event":"stopped"}\n$/)
})

test("a log that nobody will ever read does not keep it from ending", slow, async () => {
  const gateway = await unread({ LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off", DEADLINE: "1s" })
  assert.deepEqual(await burst(gateway.url, 600), { 200: 600 })
  gateway.kill()
  // It ends itself by SIGKILL, since a write that is stuck lets go of no thread.
  await gateway.ended
  assert.equal(gateway.child.signalCode, "SIGKILL")
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, "close")
  return port
}

test("a full disk under the log costs no message", slow, async () => {
  const PORT = String(await freePort())
  const env = { PORT, HOST: "127.0.0.1", LOG_FORMAT: "json", GATEWAY_TOKEN: token, LIMIT_RECIPIENT: "off" }
  const gateway = run([], env, undefined, undefined, ["sh", "-c", 'exec "$@" > /dev/full', "sh"])
  const url = `http://127.0.0.1:${PORT}/`
  for (let waited = 0; waited < 20_000 && !(await isWell(url).catch(() => false)); waited += 50) await wait(50)
  assert.deepEqual(await burst(url, 40), { 200: 40 })
  assert.ok(await isWell(url))
  gateway.kill()
  assert.equal(await gateway.ended, 0)
  assert.equal(gateway.stderr(), "")
})

test("600 silent connections over 400 descriptors end nothing: when they leave, it serves again", slow, async () => {
  const env = { GATEWAY_TOKEN: token, LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
  const gateway = await serving(env, undefined, ["prlimit", "--nofile=400:400"])
  const { hostname, port } = new URL(gateway.url)
  const sockets = Array.from({ length: 600 }, () => connect(Number(port), hostname).on("error", () => {}))
  await wait(2_000)
  assert.equal(gateway.child.exitCode, null)
  for (const socket of sockets) socket.destroy()
  let status = 0
  for (let tries = 0; status !== 200 && tries < 20; tries += 1) {
    const sent = post(gateway.url, `code ${tries}`).catch(() => 0)
    status = await Promise.race([sent, wait(2_000).then(() => 0)])
    if (status !== 200) await wait(50)
  }
  assert.equal(status, 200)
  assert.deepEqual(await burst(gateway.url, 40), { 200: 40 })
  gateway.kill()
  assert.equal(await gateway.ended, 0)
})

test("a first message that finds no descriptor left is answered, and ends nothing", slow, async () => {
  const { url, close } = await provider((_, response) => response.end('{"id":"m-1"}'))
  await copy({}, async (folder) => {
    const env = { ...httpEnv, HTTP_URL: `${url}/send`, GATEWAY_TOKEN: token, DEADLINE: "5s" }
    const gateway = await serving(env, folder, ["prlimit", "--nofile=1024:1024"])
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ask = async (method: string, path: string, body = "") => {
      const headers = { authorization: `Bearer ${token}`, "content-length": Buffer.byteLength(body) }
      const asked = request(`${gateway.url}${path}`, { method, headers, agent })
      asked.end(body)
      const [response] = await once(asked, "response")
      response.resume()
      await once(response, "end")
      return response.statusCode
    }
    // A connection that is there before all the others.
    assert.equal(await ask("GET", "health"), 200)
    const { hostname, port } = new URL(gateway.url)
    const sockets = Array.from({ length: 1_300 }, () => connect(Number(port), hostname).on("error", () => {}))
    await wait(1_500)
    const first = await ask("POST", "", JSON.stringify({ ...message, body: "code 1" }))
    assert.ok([200, 502].includes(first), String(first))
    if (first === 502) await until(gateway.stdout, /"code":"refused","reason":"no file descriptor is left"/)
    for (const socket of sockets) socket.destroy()
    await wait(500)
    assert.equal(await ask("POST", "", JSON.stringify({ ...message, body: "code 2" })), 200)
    agent.destroy()
    gateway.kill()
    assert.equal(await gateway.ended, 0)
  })
  close()
})

test("SIGHUP lets the messages under way finish, as SIGTERM does", slow, async () => {
  const { url, close, answer } = await holdAnswer()
  await copy({}, async (folder) => {
    const gateway = await serving({ ...httpEnv, GATEWAY_TOKEN: token, HTTP_URL: `${url}/send` }, folder)
    const pending = post(gateway.url, "code 1")
    await until(gateway.stdout, /"received"/)
    gateway.kill("SIGHUP")
    await until(gateway.stdout, /"stopping"/)
    await answer()
    assert.equal(await pending, 200)
    assert.equal(await gateway.ended, 0)
    assert.match(gateway.stdout(), /"event":"stopping","signal":"SIGHUP"/)
    assert.match(gateway.stdout(), /"event":"stopped"/)
  })
  close()
})

test(
  "a throw in a timer of a provider file ends it with 1, and the log has its name and never its text",
  slow,
  async () => {
    const source = `export default {
    docs: "x", url: "https://timer.example", env: {},
    request() {
      setTimeout(() => { throw new RangeError("the password is hunter2") }, 50)
      return { id: "m-1" }
    },
    receipt: ({ status }) => ({ code: status }),
  }`
    await copy({ "providers/timer.ts": source }, async (folder) => {
      const gateway = await serving({ SMS_PROVIDER: "timer", GATEWAY_TOKEN: token }, folder)
      assert.equal(await post(gateway.url, "code 1"), 200)
      assert.equal(await gateway.ended, 1)
      const last = JSON.parse(gateway.stdout().trim().split("\n").at(-1) ?? "")
      assert.deepEqual([last.level, last.event, last.reason], ["error", "failure", "RangeError"])
      assert.match(last.place, /^timer\.ts:\d+/)
      assert.doesNotMatch(gateway.stdout() + gateway.stderr(), /hunter2/)
    })
  },
)

/** Writes these bytes to the gateway; gives what comes back until the connection ends, or for 20 seconds. */
async function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket: Socket = connect(Number(port), hostname).on("error", () => {})
  let text = ""
  let timer: ReturnType<typeof setTimeout> | undefined
  const ended = new Promise((resolve) => {
    timer = setTimeout(resolve, 20_000)
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part
      if (/\r\n\r\n/.test(text)) setTimeout(resolve, 100)
    })
    socket.on("close", resolve)
  })
  socket.write(bytes)
  await ended
  clearTimeout(timer)
  socket.destroy()
  return text
}

test("callers that leave, name no host or only look cost nothing", slow, async () => {
  const env = { GATEWAY_TOKEN: token, PAGES: "log", LOG_TOKEN: token.toUpperCase() }
  const gateway = await serving(env)
  const { host } = new URL(gateway.url)
  const authorization = `Authorization: Bearer ${token}`
  const body = JSON.stringify({ ...message, body: "code 1" })
  const length = `Content-Length: ${Buffer.byteLength(body)}`

  for (const wrong of ["a b", "a/b", "[::1", "a:b:c", "user@a", "<a>", "a?b"]) {
    const answer = await raw(gateway.url, `GET /health HTTP/1.1\r\nHost: ${wrong}\r\nConnection: close\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 400 /, wrong)
  }
  for (const none of ["GET /health HTTP/1.0\r\n\r\n", "GET /health HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"])
    assert.match(await raw(gateway.url, none), /^HTTP\/1\.[01] 200 [\s\S]*ok\n/)
  const sent = await raw(gateway.url, `POST / HTTP/1.0\r\n${authorization}\r\n${length}\r\n\r\n${body}`)
  assert.match(sent, /^HTTP\/1\.[01] 200 /)

  const [hostname, port] = host.split(":")
  const leaver = connect(Number(port), hostname).on("error", () => {})
  leaver.write(`POST / HTTP/1.1\r\nHost: ${host}\r\n${authorization}\r\nContent-Length: 400\r\n\r\n{"recipient":`)
  await wait(200)
  leaver.destroy()
  const [left] = await until(gateway.stdout, /.*"reason":"the body broke off".*/)
  const line = JSON.parse(left)
  assert.deepEqual([line.level, line.event, line.status], ["warn", "rejected", 400])

  const headers = { authorization: `Bearer ${env.LOG_TOKEN}` }
  for (let times = 0; times < 25; times += 1)
    assert.equal((await fetch(`${gateway.url}log`, { method: "HEAD", headers })).status, 200)
  const follower = await fetch(`${gateway.url}log`, { headers })
  assert.equal(follower.status, 200)
  await follower.body?.cancel()

  assert.doesNotMatch(gateway.stdout(), /"level":"error"/)
  gateway.kill()
  assert.equal(await gateway.ended, 0)
  assert.equal(gateway.stderr(), "")
})

test("TLS against a port that speaks none is told as tls", slow, async () => {
  const greetings: ((socket: Socket) => unknown)[] = [
    (socket) => socket.write("220 mail.example ESMTP\r\n"),
    (socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")),
  ]
  let greet = greetings[0]
  const server = createServer((socket) => greet?.(socket.on("error", () => {}))).listen(0, "127.0.0.1")
  servers.add(server)
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  await copy({}, async (folder) => {
    const env = { ...httpEnv, GATEWAY_SECRET: secret, HTTP_URL: `https://127.0.0.1:${port}/send` }
    const gateway = await serving(env, folder)
    for (const next of greetings) {
      greet = next
      const headers = { authorization: `Bearer ${await sign()}` }
      const body = JSON.stringify({ ...message, body: `code ${greetings.indexOf(next)}` })
      const response = await fetch(gateway.url, { method: "POST", headers, body })
      assert.match(
        await response.text(),
        /"attempts":\[\{"provider":"http","outcome":"unreachable","code":"tls","ms":\d+\}\]/,
      )
    }
    gateway.kill()
    assert.equal(await gateway.ended, 0)
  })
})
