/** Connections to providers that close, break and fall silent: what is lost, what is asked twice, and whether it is told. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer, type Socket } from "node:net"
import { after, test } from "node:test"
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from "node:zlib"
import { copy, serving } from "../lib/process.ts"
import { httpEnv, message, secret, sign } from "../lib/world.ts"

const slow = { timeout: 60_000 }
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const accepted = '{"id":"m-1"}'
const sized = (body: string | Buffer, ...lines: string[]) => {
  const head = ["HTTP/1.1 200 OK", `Content-Length: ${Buffer.byteLength(body)}`, ...lines, "", ""].join("\r\n")
  return Buffer.concat([Buffer.from(head), Buffer.from(body)])
}

const closing: (() => void)[] = []
after(() => {
  for (const close of closing) close()
})

/** A provider that is no more than its sockets. `handle` is given each call, and the how manyth of its connection it is. */
async function sockets(handle: (socket: Socket, nth: number, call: number) => void) {
  let [calls, connections] = [0, 0]
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    connections += 1
    open.add(socket)
    let [read, nth] = [Buffer.alloc(0), 0]
    socket.on("data", (bytes) => {
      read = Buffer.concat([read, Buffer.from(bytes)])
      const end = read.indexOf("\r\n\r\n") + 4
      const length = Number(/^content-length: (\d+)/im.exec(read.toString())?.[1])
      if (end < 4 || read.length < end + length) return
      read = read.subarray(end + length)
      calls += 1
      nth += 1
      handle(socket, nth, calls)
    })
    socket.on("close", () => open.delete(socket)).on("error", () => {})
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  closing.push(() => {
    server.close().unref()
    for (const socket of open) socket.destroy()
  })
  const { port } = server.address() as { port: number }
  const url = `http://127.0.0.1:${port}`
  return { url, calls: () => calls, connections: () => connections }
}

const other = `export default {
  docs: "x", url: "https://other.example", env: {},
  request: ({ body }, _, { url }) => new Request(url, { method: "POST", body }),
  receipt: ({ status }) => (status === 200 ? { id: "" } : { code: status }),
}`

type Told = { status: number; attempts: { provider: string; outcome: string; code?: string }[] }

/** A gateway in a folder where its packages are found. `send` posts a text that was not there before. */
async function gatewayOf(env: Record<string, string>, work: (gateway: Gateway) => Promise<void>) {
  await copy({ "providers/other.ts": other }, async (folder) => {
    const limits = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
    const running = await serving({ GATEWAY_SECRET: secret, ...httpEnv, ...limits, ...env }, folder)
    const authorization = `Bearer ${await sign()}`
    let count = 0
    const send = async (recipient?: string): Promise<Told> => {
      count += 1
      const own = recipient ?? `+1222333${String(count).padStart(4, "0")}`
      const body = JSON.stringify({ ...message, recipient: own, body: `code ${count}` })
      const response = await fetch(running.url, { method: "POST", headers: { authorization }, body })
      const { attempts = [] } = (await response.json()) as Partial<Told>
      return { status: response.status, attempts }
    }
    const stop = async () => {
      running.kill()
      assert.equal(await running.ended, 0)
      assert.equal(running.stderr(), "")
      return running.stdout()
    }
    await work({ send, stop, pid: running.child.pid ?? 0 })
  })
}
type Gateway = { send: (recipient?: string) => Promise<Told>; stop: () => Promise<string>; pid: number }

const outcomes = (told: Told) => told.attempts.map(({ outcome, code = "" }) => `${outcome} ${code}`.trim()).join(", ")
const linesOf = (log: string) => log.match(/"event":"(accepted|refused|unreachable|timeout)"/g)?.length ?? 0

/**
 * Resets a connection. Node cannot reset one that is already ending: it answers EINVAL, never closes the handle, and the
 * process of the test then waits for that handle at its end, at full speed and for ever.
 */
const reset = (socket: Socket) => (socket.writableEnded ? socket.destroy() : socket.resetAndDestroy())

/** How a provider does away with a connection that it was not done with by its own account. */
const ways: Record<string, (socket: Socket, nth: number, call: number) => void> = {
  "with the answer": (socket) => socket.end(sized(accepted)),
  "a moment after the answer": (socket, _, call) => {
    socket.write(sized(accepted))
    setTimeout(() => socket.end(), call % 6)
  },
  "by a reset, a moment after the answer": (socket, _, call) => {
    socket.write(sized(accepted))
    setTimeout(() => reset(socket), call % 6)
  },
  "when a second call has come": (socket, nth) => {
    if (nth === 1) socket.write(sized(accepted))
    else socket.destroy()
  },
}
test("a provider that closes connections loses no message, and every call of it is told", slow, async () => {
  let handle = ways["with the answer"]
  const provider = await sockets((...call) => handle?.(...call))
  await gatewayOf({ HTTP_URL: `${provider.url}/send` }, async ({ send, stop }) => {
    let told = 0
    for (const [way, next] of Object.entries(ways)) {
      handle = next
      const before = provider.calls()
      const answers: Told[] = []
      for (let sent = 0; sent < 60; sent += 1) answers.push(await send())
      for (let sent = 0; sent < 4; sent += 1)
        answers.push(...(await Promise.all(Array.from({ length: 8 }, () => send()))))
      const lost = answers.filter(({ status }) => status !== 200)
      assert.deepEqual(lost, [], way)
      const attempts = answers.map(({ attempts }) => attempts.length)
      assert.ok(Math.max(...attempts) <= 2, `${way}: something was asked a third time`)
      const [sum, calls] = [attempts.reduce((sum, some) => sum + some), provider.calls() - before]
      // A call that broke before the provider read it is told too.
      assert.ok(calls >= answers.length && calls <= sum, `${way}: ${calls} calls, ${sum} of them told`)
      told += sum
    }
    assert.equal(linesOf(await stop()), told)
  })
})

test("connections that died without a word cost ATTEMPT_TIMEOUT, and second tries have fresh ones", slow, async () => {
  // It reads and is silent, or its host is gone and the kernel's buffer takes the call: to the gateway both look the same.
  const provider = await sockets((socket, nth) => nth === 1 && setTimeout(() => socket.write(sized(accepted)), 50))
  const env = { HTTP_URL: `${provider.url}/send`, ATTEMPT_TIMEOUT: "1s" }
  await gatewayOf(env, async ({ send, stop }) => {
    const four = () => Promise.all([send(), send(), send(), send()])
    assert.deepEqual((await four()).map(outcomes), Array(4).fill("accepted"))
    await wait(1_000)
    const before = provider.connections()
    const told = await four()
    assert.deepEqual(told.map(outcomes), Array(4).fill("timeout timeout, accepted"))
    assert.equal(provider.connections(), before + 4)
    assert.equal(provider.calls(), 4 + told.flatMap(({ attempts }) => attempts).length)
    await stop()
  })
})

const dead: [what: string, handle: (socket: Socket) => unknown, status: number, each: string][] = [
  ["cuts every call", (socket) => socket.destroy(), 502, "unreachable reset"],
  ["never answers", () => {}, 504, "timeout timeout"],
]
for (const [what, handle, status, each] of dead) {
  test(`a single provider that ${what} is asked twice, and not a third time`, slow, async () => {
    const provider = await sockets(handle)
    const env = { HTTP_URL: `${provider.url}/send`, ATTEMPT_TIMEOUT: "1s", DEADLINE: "2s" }
    await gatewayOf(env, async ({ send, stop }) => {
      const told = await send()
      assert.equal(told.status, status)
      assert.equal(outcomes(told), `${each}, ${each}`)
      assert.equal(provider.calls(), 2)
      assert.equal(linesOf(await stop()), 2)
    })
  })
}

/** Two providers of one route: `http` by configuration, and `other`, which takes every 200 as an acceptance. */
async function two(first: Parameters<typeof sockets>[0], second: Parameters<typeof sockets>[0]) {
  const [one, other] = [await sockets(first), await sockets(second)]
  return { one, other, env: { SMS_PROVIDER: "http,other", HTTP_URL: `${one.url}/send`, OTHER_URL: other.url } }
}
const take = (socket: Socket) => socket.write(sized(accepted))

test(
  "where a rival is left, a connection that breaks is the rival's turn; with none left each of them is asked once more",
  slow,
  async () => {
    const { one, other, env } = await two(
      (socket) => socket.destroy(),
      (socket, _, call) => (call === 1 ? take(socket) : socket.destroy()),
    )
    await gatewayOf({ ...env, RESEND_WINDOW: "off" }, async ({ send, stop }) => {
      assert.equal(outcomes(await send()), "unreachable reset, accepted")
      assert.deepEqual([one.calls(), other.calls()], [1, 1])
      const told = await send()
      assert.equal(told.status, 502)
      assert.deepEqual(
        told.attempts.map(({ provider }) => provider),
        ["http", "other", "http", "other"],
      )
      assert.deepEqual([one.calls(), other.calls()], [3, 3])
      await stop()
    })
  },
)

test("a rival that keeps silent leaves time for the other", slow, async () => {
  const { env } = await two(() => {}, take)
  await gatewayOf({ ...env, ATTEMPT_TIMEOUT: "1s" }, async ({ send, stop }) => {
    assert.equal(outcomes(await send()), "timeout timeout, accepted")
    await stop()
  })
})

test("who asks again gets the next provider, and the log says which one was before", slow, async () => {
  const { one, other, env } = await two(take, take)
  await gatewayOf(env, async ({ send, stop }) => {
    const asked: (string | undefined)[] = []
    for (let times = 0; times < 3; times += 1) asked.push((await send("+12223334444")).attempts[0]?.provider)
    assert.equal((await send("+12223330000")).attempts[0]?.provider, "http")
    assert.deepEqual(asked, ["http", "other", "http"])
    assert.deepEqual([one.calls(), other.calls()], [3, 1])
    const log = await stop()
    assert.deepEqual(
      [...log.matchAll(/"event":"again".*"provider":"(\w+)"/g)].map(([, provider]) => provider),
      ["http", "other"],
    )
  })
})

test("an acceptance that comes compressed is read, in one piece and in parts", slow, async () => {
  const packed = gzipSync(accepted)
  const provider = await sockets((socket, _, call) => {
    if (call === 1) return socket.write(sized(packed, "Content-Encoding: gzip"))
    socket.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    for (const part of [packed.subarray(0, 5), packed.subarray(5)])
      socket.write(Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]))
    return socket.write("0\r\n\r\n")
  })
  await gatewayOf({ HTTP_URL: `${provider.url}/send` }, async ({ send, stop }) => {
    assert.equal(outcomes(await send()), "accepted")
    assert.equal(outcomes(await send()), "accepted")
    assert.equal(provider.calls(), 2)
    // Its connection serves again, though what came over it was coded.
    assert.equal(provider.connections(), 1)
    await stop()
  })
})

const inChunk = (bytes: Buffer) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n0\r\n\r\n")])
const chunked = (...lines: string[]) =>
  ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", ...lines, "", "0", "", ""].join("\r\n")
const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
const headed = (line: string) => Buffer.from(sized(accepted, line).toString(), "latin1")

/** Answers that a client may stumble over; `undefined` is told of those that some runtime's client never hands over. */
const hostile: [what: string, answer: string | Buffer, told?: string | undefined][] = [
  ["a coding that is called constructor", sized(accepted, "Content-Encoding: constructor"), "accepted"],
  ["a coding that is called __proto__", sized(accepted, "Content-Encoding: __proto__"), "accepted"],
  ["headers of such names", headed("__proto__: a\r\nconstructor: b\r\ntoString: c"), "accepted"],
  ["letters beyond ASCII in a header", headed("X-A: caf\u00e9"), "accepted"],
  ["gzip of no bytes, with its length", sized("", "Content-Encoding: gzip"), "refused 200"],
  ["gzip of no bytes, in chunks", chunked("Content-Encoding: gzip"), "refused 200"],
  ["gzip that is none", sized(accepted, "Content-Encoding: gzip"), "refused 200"],
  ["another protocol", switching, process.versions.bun ? undefined : "refused 101"],
  ["a control character in a header", headed("X-A: a\u0001b")],
  ["a header with no name", headed(": a")],
  ["a folded header", headed("X-A: a\r\n b")],
  ["two lengths", headed("Content-Length: 3")],
  ["3,000 headers", headed(Array.from({ length: 3_000 }, (_, at) => `X-${at}: a`).join("\r\n"))],
  ["a header of 100,000 characters", headed(`X-A: ${"a".repeat(100_000)}`)],
  ["no HTTP at all", "220 mail.example ESMTP\r\n"],
]
test("an answer that a client stumbles over costs no other message its answer", { timeout: 120_000 }, async () => {
  let answer: string | Buffer = ""
  const { one, other, env } = await two(
    (socket) => socket.end(answer),
    (socket) => setTimeout(() => socket.writable && take(socket), 300),
  )
  const routes = { ...env, SMS_PROVIDER: "http", SMS_PROVIDER_49: "other" }
  await gatewayOf(routes, async ({ send, stop }) => {
    for (const [what, next, expected] of hostile) {
      answer = next
      const [before, beside] = [one.calls(), other.calls()]
      const others = Array.from({ length: 20 }, (_, at) => send(`+49151123456${at + 10}`))
      const told = outcomes(await send())
      const calls = one.calls() - before
      if (expected) assert.deepEqual([told, calls], [expected, 1], what)
      else assert.match(told, /^(accepted|unreachable answer)$/, what)
      assert.equal(calls, told.split(", ").length, `${what}: a call that is not told`)
      const lost = (await Promise.all(others)).filter(({ status }) => status !== 200)
      assert.deepEqual(lost, [], what)
      assert.equal(other.calls() - beside, 20, what)
    }
    await stop()
  })
})

/** The most that the process has held in memory, in MiB, since it was last asked (Linux). */
function peakOf(pid: number): number {
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024
  writeFileSync(`/proc/${pid}/clear_refs`, "5")
  return peak
}

test("200 MB that come as a few bytes are refused, and held by nobody", slow, async () => {
  const zeros = Buffer.alloc(200_000_000)
  const bombs: [coding: string, packed: Buffer][] = [
    ["gzip", gzipSync(zeros)],
    ["gzip", gzipSync(zeros.subarray(0, 60_000_000))],
    ["deflate", deflateSync(zeros.subarray(0, 60_000_000))],
    ["br", brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
    ["zstd", zstdCompressSync(zeros)],
  ]
  let answer = Buffer.alloc(0)
  const provider = await sockets((socket) => socket.end(answer))
  await gatewayOf({ HTTP_URL: `${provider.url}/send` }, async ({ send, stop, pid }) => {
    answer = sized(accepted)
    for (let sent = 0; sent < 20; sent += 1) assert.equal(outcomes(await send()), "accepted")
    peakOf(pid)
    const before = peakOf(pid)
    const calls = provider.calls()
    for (const [coding, packed] of bombs) {
      answer = sized(packed, `Content-Encoding: ${coding}`)
      assert.equal(outcomes(await send()), "refused 200", `${coding} of ${packed.length} bytes`)
      answer = Buffer.concat([Buffer.from(chunked(`Content-Encoding: ${coding}`).slice(0, -5)), inChunk(packed)])
      assert.equal(outcomes(await send()), "refused 200", `${coding} of ${packed.length} bytes, in chunks`)
      const grown = peakOf(pid) - before
      assert.ok(grown < 60, `${coding} of ${packed.length} bytes: ${Math.round(grown)} MiB`)
    }
    assert.equal(provider.calls() - calls, 2 * bombs.length)
    await stop()
  })
})
