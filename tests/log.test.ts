import assert from "node:assert/strict"
import { test } from "node:test"
import { stripVTControlCharacters } from "node:util"
import { message, sign, start } from "./world.ts"

const numbers: [recipient: string, masked: string][] = [
  ["+12223334444", "+1•••4444"],
  ["+79161234567", "+7•••4567"],
  ["+442079460958", "+44•••0958"],
  ["+2250712345678", "+225•••5678"],
  ["+998901234567", "+998•••4567"],
  ["+861012345678", "+86•••5678"],
  ["+85212345678", "+852•••5678"],
  ["+4915112345678", "+49•••5678"],
  ["+37061234567", "+370•••4567"],
  ["+201001234567", "+20•••4567"],
  ["+27821234567", "+27•••4567"],
  ["+5511912345678", "+55•••5678"],
  ["+1234567", "+1•••4567"],
]
for (const [recipient, masked] of numbers) {
  test(`${recipient} stands in the log as ${masked}`, async () => {
    const { post, events, lines } = await start()
    await post({ ...message, recipient })
    assert.deepEqual(new Set(events().map((line) => line.recipient)), new Set([masked]))
    assert.ok(!lines.join().includes(recipient.slice(1)))
  })
}

test("json is one object a line, with time, level, event and request first", async () => {
  const { post, lines } = await start({}, undefined, { clock: () => Date.UTC(2026, 0, 31, 12, 17, 23, 5) })
  await post()
  assert.equal(lines.length, 2)
  const [received = "", accepted = ""] = lines
  assert.match(
    received,
    /^\{"time":"2026-01-31T12:17:23\.005Z","level":"info","event":"received","request":"[\da-f-]{36}","recipient":"\+1•••4444"\}$/,
  )
  assert.match(
    accepted,
    /"event":"accepted","request":"[\da-f-]{36}","recipient":"\+1•••4444","provider":"http","receipt":"m-1","ms":0\}$/,
  )
})

test("pretty reads like a console", async () => {
  const { post, lines } = await start({ LOG_FORMAT: "pretty" }, undefined, {
    clock: () => new Date(2026, 0, 31, 12, 17, 23).getTime(),
  })
  await post()
  const plain = lines.map((line) => stripVTControlCharacters(line))
  assert.deepEqual(plain, [
    "12:17:23 PM  received     +1•••4444",
    "12:17:23 PM  accepted     +1•••4444  http  m-1  0 ms",
  ])
})

const recipient = "+12223334444"
const body = "Your code is G-326162, Anna"
const echoes: [name: string, reason: string, told: string][] = [
  ["the number", "to +12223334444 failed", "to • failed"],
  ["the number's digits", "to 12223334444 failed", "to • failed"],
  ["the number with 00", "to 0012223334444 failed", "to • failed"],
  ["the national number", "to 2223334444 failed", "to • failed"],
  ["the national number with a trunk zero", "to 02223334444 failed", "to • failed"],
  ["the number with separators", "to +1 (222) 333-4444 failed", "to • failed"],
  ["the number with dots", "to 222.333.4444 failed", "to • failed"],
  ["the number percent-encoded", "to=%2B12223334444&x", "to=%2B•&x"],
  ["a part of the number", "to +1222333 failed", "to • failed"],
  ["the body", `text "${body}" refused`, 'text "•" refused'],
  ["the code", "code 326162 refused", "code • refused"],
  ["a word of the body that holds the code", "word G-326162 refused", "word • refused"],
  ["a secret", "key canary-secret-1 is wrong", "key • is wrong"],
  ["a secret percent-encoded", "key canary%26secret is wrong", "key • is wrong"],
  ["a part of a longer secret", "token canarytoken99 is wrong", "token • is wrong"],
  ["a short secret", "user ab is wrong, abc is not", "user • is wrong, abc is not"],
  ["control characters", "a\u0000x\u001b[31mc\nd\u202ee", "ax[31mc de"],
  ["a long text", "x".repeat(300), "x".repeat(200)],
  ["an error code", "error 21211 of 2026-01-31", "error 21211 of 2026-01-31"],
]
for (const [name, reason, told] of echoes) {
  test(`of a provider that echoes ${name} the log keeps only what is harmless`, async () => {
    const env = {
      SMS_PROVIDER: "clickatell-legacy",
      CLICKATELL_USER: "ab",
      CLICKATELL_PASSWORD: "canary&secret",
      CLICKATELL_API_ID: "Bearer canarytoken99 canary-secret-1",
    }
    const { post, events } = await start(env, () => new Response(`ERR: 999, ${reason.replaceAll("\n", "\t")}`))
    const response = await post({ recipient, body, code: "326162" })
    assert.equal(response.status, 502)
    assert.equal(events().find(({ event }) => event === "refused")?.reason, told)
  })
}

/** What must never be seen, and where it goes in. */
const canaries = [
  "canary-secret-of-the-gateway-32-bytes-long",
  "canary-token-0123456789abcdef0123456789",
  "canarykey",
  "canary-old",
  "4711471147",
]

test("no code, secret, token or whole number reaches log or answers, over every route and outcome", async () => {
  const env = {
    GATEWAY_SECRET: "canary-secret-of-the-gateway-32-bytes-long",
    GATEWAY_SECRET_PREVIOUS: "canary-old",
    GATEWAY_TOKEN: "canary-token-0123456789abcdef0123456789",
    HTTP_HEADERS: '{"authorization":"Bearer canarykey"}',
  }
  const sent = { recipient: "+4915112345678", body: "Ihr Code: 4711471147", sender: "Acme", code: "4711471147" }
  const echo = JSON.stringify({ key: "canarykey", ...sent, digits: "4915112345678", national: "015112345678" })
  const outcomes: (() => Response | Promise<Response>)[] = [
    () => new Response(`"id":"${echo.replaceAll('"', "'")}"`),
    () => new Response(echo, { status: 400 }),
    () => new Response(echo, { status: 500, headers: { "x-echo": "canarykey" } }),
    () => new Response(null, { status: 302, headers: { location: "https://canarykey/4711471147" } }),
    () => Promise.reject(new Error(echo)),
    () => Promise.reject(new TypeError("fetch failed", { cause: new Error(echo) })),
  ]
  for (const format of ["json", "pretty"]) {
    for (const outcome of outcomes) {
      const { call, lines } = await start({ ...env, LOG_FORMAT: format }, outcome)
      const told: string[] = []
      const token = await sign({ key: env.GATEWAY_SECRET })
      for (const method of ["GET", "POST", "PUT", "OPTIONS"]) {
        for (const path of ["/", "/health", "/http", "/4711471147?token=canarykey", "/inbox", "/log"]) {
          for (const bearer of [token, env.GATEWAY_TOKEN, `${token}canarykey`, "canarykey"]) {
            for (const text of [
              JSON.stringify(sent),
              JSON.stringify({ ...sent, recipient: "x4915112345678" }),
              JSON.stringify({ canarykey: "4711471147" }),
              `4711471147${"canarykey".repeat(2000)}`,
              JSON.stringify({ ...sent, channel: "canarykey", code: "4711471147".repeat(9) }),
            ]) {
              const response = await call(
                {
                  method,
                  headers: { authorization: `Bearer ${bearer}`, "x-forwarded-for": "canarykey" },
                  ...(method !== "GET" && { body: text }),
                },
                path,
              )
              told.push(await response.text(), ...[...response.headers].flat())
            }
          }
        }
      }
      const all = [...lines, ...told].join("\n")
      for (const canary of [...canaries, token, sent.body, "4915112345678", "15112345678"]) {
        assert.ok(
          !all.includes(canary),
          `${canary} is told: ${all.slice(Math.max(0, all.indexOf(canary) - 300), all.indexOf(canary) + 60)}`,
        )
      }
    }
  }
})
