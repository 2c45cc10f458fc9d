/** Gateways that are told to end while messages come: each is gone in time, and its log is whole. ENDS=100 starts a hundred. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { Agent, request } from "node:http"
import { test } from "node:test"
import { provider, serving } from "../lib/process.ts"
import { httpEnv, message } from "../lib/world.ts"

const all = Number(process.env.ENDS ?? 32)
const atOnce = 8
const token = "a-token-of-more-than-32-characters-01234"
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The status of a message, or 0 where the connection was closed before its answer. */
async function post(url: string, agent: Agent, text: string): Promise<number> {
  const body = JSON.stringify({ ...message, body: text })
  const headers = { authorization: `Bearer ${token}`, "content-length": Buffer.byteLength(body) }
  const asked = request(url, { method: "POST", headers, agent })
  asked.end(body)
  try {
    const [answer] = await once(asked, "response")
    answer.resume()
    await once(answer, "end")
    return answer.statusCode
  } catch {
    return 0
  }
}

/** Starts a gateway, ends it while four callers send, and gives the milliseconds from the signal to its end. */
async function startAndEnd(url: string): Promise<number> {
  const limits = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off", DEADLINE: "20s" }
  const gateway = await serving({ ...httpEnv, ...limits, GATEWAY_TOKEN: token, HTTP_URL: `${url}/send` })
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  let isOver = false
  let accepted = 0
  const sender = async (name: number) => {
    for (let count = 0; !isOver; count += 1) {
      if ((await post(gateway.url, agent, `code ${name}-${count}`)) === 200) accepted += 1
      else await wait(20)
    }
  }
  const senders = [0, 1, 2, 3].map(sender)
  while (accepted < 20) await wait(10)
  const told = performance.now()
  gateway.kill()
  const code = await gateway.ended
  const milliseconds = performance.now() - told
  isOver = true
  await Promise.all(senders)
  agent.destroy()
  assert.equal(code, 0, gateway.stderr())
  assert.equal(gateway.stderr(), "")
  const lines = gateway.stdout().trimEnd().split("\n")
  const events = lines.map((line): { event: string } => JSON.parse(line)).map(({ event }) => event)
  assert.equal(events.at(-1), "stopped")
  const count = (name: string) => events.filter((event) => event === name).length
  assert.equal(count("stopping"), 1)
  // Who was answered stands in the log, and whom the log has, it has to the end.
  assert.ok(count("accepted") >= accepted, `${count("accepted")} lines for ${accepted} messages`)
  assert.equal(count("received"), count("accepted"))
  return milliseconds
}

test("starts and ends under traffic: each is gone within its time, and no line is lost", {
  timeout: 600_000,
}, async () => {
  const { url } = await provider((_, response) => setTimeout(() => response.end('{"id":"m-1"}'), 20))
  const times: number[] = []
  let left = all
  const worker = async () => {
    while (left-- > 0) times.push(await startAndEnd(url))
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  assert.equal(times.length, all)
  // What ends it by force comes a second after DEADLINE.
  assert.ok(Math.max(...times) < 20_000, `${Math.round(Math.max(...times))} ms`)
})
