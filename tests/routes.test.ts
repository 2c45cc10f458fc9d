import assert from "node:assert/strict"
import { test } from "node:test"
import { httpEnv, message, problem, start } from "./world.ts"

/** Three providers in one route; `answers` says by name what each does, and `asked` keeps who was asked. */
const three = {
  ...httpEnv,
  SMS_PROVIDER: "http, plivo, clickatell-legacy",
  PLIVO_AUTH_ID: "plivo-id",
  PLIVO_AUTH_TOKEN: "plivo-token",
  CLICKATELL_USER: "clickatell-user",
  CLICKATELL_PASSWORD: "clickatell-password",
  CLICKATELL_API_ID: "clickatell-id",
  LIMIT_RECIPIENT: "off",
  LIMIT_PREFIX: "off",
}
const hosts: Record<string, string> = {
  "sms.example.com": "http",
  "api.plivo.com": "plivo",
  "api.clickatell.com": "clickatell-legacy",
}
const accept: Record<string, () => Response> = {
  http: () => Response.json({ id: "h-1" }),
  plivo: () => Response.json({ message_uuid: ["p-1"] }, { status: 202 }),
  "clickatell-legacy": () => new Response("ID: c-1"),
}
type Answers = Record<string, () => Response | Promise<Response>>
const hang = () => new Promise<Response>(() => {})
const reset = () => Promise.reject(Object.assign(new Error("reset"), { code: "ECONNRESET" }))
const status = (code: number) => () => new Response(null, { status: code })

async function route(answers: Answers, env: Record<string, string> = {}, clock = Date.now) {
  const asked: string[] = []
  const gateway = await start(
    { ...three, ...env },
    (request) => {
      const name = hosts[new URL(request.url).host] ?? ""
      asked.push(name)
      return (answers[name] ?? accept[name] ?? status(599))()
    },
    { clock },
  )
  let count = 0
  /** Posts a message of its own, so that it is no duplicate. */
  const send = async (recipient = message.recipient) => {
    count += 1
    const response = await gateway.post({ ...message, recipient, body: `code ${count}` })
    return { status: response.status, answer: await problem(response) }
  }
  return { ...gateway, asked, send }
}

const failovers: [name: string, answers: Answers, asked: string[], status: number, by?: string][] = [
  ["accepted by the first", {}, ["http"], 200, "http"],
  ["refused by fault of the account", { http: status(401) }, ["http", "plivo"], 200, "plivo"],
  ["refused by fault of the provider", { http: status(500) }, ["http", "plivo"], 200, "plivo"],
  [
    "refused by fault of the message",
    { "clickatell-legacy": () => new Response("ERR: 113, x"), http: status(500), plivo: status(500) },
    ["http", "plivo", "clickatell-legacy"],
    502,
  ],
  ["not reached", { http: () => Promise.reject(new TypeError("x")) }, ["http", "plivo"], 200, "plivo"],
  ["cut off", { http: reset, plivo: reset }, ["http", "plivo", "clickatell-legacy"], 200, "clickatell-legacy"],
  [
    "refused by fault of the recipient",
    { http: status(500), plivo: () => Response.json({ error: "'x' is not a valid phone number." }, { status: 400 }) },
    ["http", "plivo"],
    422,
  ],
  [
    "refused by all",
    { http: status(500), plivo: status(402), "clickatell-legacy": () => new Response("ERR: 301, x") },
    ["http", "plivo", "clickatell-legacy"],
    502,
  ],
]
for (const [name, answers, expected, status, by] of failovers) {
  test(`a message that is ${name} is answered with ${status} after ${expected.join(", ")}`, async () => {
    const { send, asked } = await route(answers)
    const { status: told, answer } = await send()
    assert.equal(told, status)
    assert.deepEqual(asked, expected)
    assert.equal(answer.provider, by)
    assert.ok(Array.isArray(answer.attempts))
    assert.deepEqual(
      answer.attempts.map(({ provider }) => provider),
      expected,
    )
  })
}

test("the longest prefix chooses the route", async () => {
  const { send, asked } = await route({}, { SMS_PROVIDER_49: "plivo", SMS_PROVIDER_49151: "clickatell-legacy,plivo" })
  await send("+4915112345678")
  await send("+4917012345678")
  await send("+4412345678")
  assert.deepEqual(asked, ["clickatell-legacy", "plivo", "http"])
})

test("a provider that stands twice in a route does not start", async () => {
  await assert.rejects(start({ ...three, SMS_PROVIDER: "http,plivo,http" }), /SMS_PROVIDER is wrong/)
})

test("attempts share the deadline, and the last may use what is left", async () => {
  const { send, asked } = await route(
    { http: hang, plivo: hang, "clickatell-legacy": hang },
    { DEADLINE: "3s", ATTEMPT_TIMEOUT: "8s" },
  )
  const started = Date.now()
  const { status, answer } = await send()
  const took = Date.now() - started
  assert.ok(took > 2_800 && took < 3_500, `${took} ms`)
  assert.equal(status, 504)
  assert.deepEqual(asked, ["http", "plivo", "clickatell-legacy"])
  assert.ok(Array.isArray(answer.attempts))
  for (const { ms, outcome } of answer.attempts) assert.ok(outcome === "timeout" && ms > 800 && ms < 1_400, `${ms} ms`)
})

test("an attempt ends after ATTEMPT_TIMEOUT while others are left, and a late code is sent by the next", async () => {
  const { send, events } = await route({ http: hang }, { DEADLINE: "10s", ATTEMPT_TIMEOUT: "1s" })
  const { status, answer } = await send()
  assert.equal(status, 200)
  assert.equal(answer.provider, "plivo")
  const timeout = events().find(({ event }) => event === "timeout")
  assert.equal(timeout?.reason, "it may have been sent")
  assert.ok(Math.abs(Number(timeout?.ms) - 1_000) < 300)
})

test("after three failures in a row a provider rests for 30 s, is probed once, and comes back", async () => {
  let now = Date.UTC(2026, 0, 1)
  let http: () => Response | Promise<Response> = status(503)
  const { send, asked, events } = await route({ http: () => http() }, {}, () => now)
  for (let sent = 0; sent < 5; sent += 1) await send()
  assert.deepEqual(asked.splice(0), ["http", "plivo", "http", "plivo", "http", "plivo", "plivo", "plivo"])
  assert.equal(events().filter(({ event }) => event === "resting").length, 1)
  now += 30_001
  await send()
  await send()
  assert.deepEqual(asked.splice(0), ["http", "plivo", "plivo"])
  now += 30_001
  http = () => Response.json({ id: "h-2" })
  await send()
  await send()
  assert.deepEqual(asked.splice(0), ["http", "http"])
})

test("while one message probes a provider the others go past it", async () => {
  let now = Date.UTC(2026, 0, 1)
  let http: () => Response | Promise<Response> = status(503)
  const { send, asked } = await route({ http: () => http() }, {}, () => now)
  for (let sent = 0; sent < 3; sent += 1) await send()
  now += 30_001
  let release: (response: Response) => void = () => {}
  http = () => new Promise((resolve) => (release = resolve))
  asked.splice(0)
  const probe = send()
  while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await send()
  assert.deepEqual(asked, ["http", "plivo"])
  release(Response.json({ id: "h-3" }))
  assert.equal((await probe).answer.provider, "http")
})

test("refusals by fault of account, message or recipient neither count nor reset", async () => {
  const answers = [status(503), status(503), status(401), status(503), status(401)]
  const { send, asked } = await route({ http: () => (answers.shift() ?? status(503))() })
  for (let sent = 0; sent < 6; sent += 1) await send()
  assert.equal(asked.filter((name) => name === "http").length, 4)
})

test("refusals that may be about one number do not rest a provider, throttling does", async () => {
  const { send, asked } = await route({ http: status(400) })
  for (let sent = 0; sent < 5; sent += 1) await send()
  assert.equal(asked.filter((name) => name === "http").length, 5)
  const { send: more, asked: then } = await route({ http: status(429) })
  for (let sent = 0; sent < 5; sent += 1) await more()
  assert.equal(then.filter((name) => name === "http").length, 3)
})

test("an acceptance between two failures starts the count anew", async () => {
  const answers = [status(503), status(503), accept.http, status(503), status(503), accept.http]
  const { send, asked } = await route({ http: () => (answers.shift() ?? status(503))() })
  for (let sent = 0; sent < 6; sent += 1) assert.equal((await send()).status, 200)
  assert.equal(asked.filter((name) => name === "http").length, 6)
})

test("the last hope is always tried, and among resting providers the order stays", async () => {
  const { send, asked } = await route({ http: status(500), plivo: status(500), "clickatell-legacy": status(500) })
  for (let sent = 0; sent < 4; sent += 1) assert.equal((await send()).status, 502)
  assert.deepEqual(asked.slice(-3), ["http", "plivo", "clickatell-legacy"])
})
