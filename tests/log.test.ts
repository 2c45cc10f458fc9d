import assert from "node:assert/strict"
import { test } from "node:test"
import { stripVTControlCharacters } from "node:util"
import * as v from "valibot"
import type { Provider } from "../main.ts"
import { basic } from "../providers/lib.ts"
import { message, route, sign, standing, start } from "./lib/world.ts"

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
  ["+18765551234", "+1•••1234"],
  ["+35318765432", "+353•••5432"],
  ["+2902222", "+290•••22"],
  ["+44 (0) 20 7946 0958", "+44•••0958"],
  ["+٩٦٦٥٠١٢٣٤٥٦٧", "+966•••4567"],
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
  const { post, lines } = await start({}, undefined, standing(Date.UTC(2026, 0, 31, 12, 17, 23, 5)).world)
  await post()
  assert.equal(lines.length, 2)
  const [received = "", accepted = ""] = lines
  assert.match(
    received,
    /^\{"time":"2026-01-31T12:17:23\.005Z","level":"info","event":"received","request":"[\da-f-]{36}","recipient":"\+1•••4444"\}$/,
  )
  assert.match(
    accepted,
    /"event":"accepted","request":"[\da-f-]{36}","recipient":"\+1•••4444","provider":"http","country":"US","receipt":"m-1","ms":0\}$/,
  )
})

test("pretty reads like a console", async () => {
  const { world } = standing(new Date(2026, 0, 31, 12, 17, 23).getTime())
  const { post, lines } = await start({ LOG_FORMAT: "pretty" }, undefined, world)
  await post()
  const plain = lines.map((line) => stripVTControlCharacters(line))
  assert.deepEqual(plain, [
    "12:17:23 PM  received     +1•••4444",
    "12:17:23 PM  accepted     +1•••4444  http  m-1  0 ms",
  ])
})

const recipient = "+12223334444"
const body = "Your code is G-326162, Anna"
/** What a provider says of a refusal that is the provider's own reason, as the log tells it. */
async function toldOf(reason: string, message: object, env: Record<string, string> = {}) {
  const files = { a: { env: echoEnv } }
  const answer = () => Response.json({ code: "c", reason }, { status: 400 })
  const gateway = await route({ a: answer }, { ...echoSecrets, ...env }, files)
  const response = await gateway.post(message)
  assert.equal(response.status, 502)
  return { ...gateway, answer: await response.text(), reason: gateway.line("refused").reason }
}
const variable = v.pipe(v.string(), v.description("a secret"))
const echoEnv = { A_KEY: variable, A_USER: variable, A_PASSWORD: variable }
const echoSecrets = { A_USER: "ab", A_PASSWORD: "canary&secret", A_KEY: "Bearer canarytoken99 canary-Secret-1" }

const echoes: [name: string, reason: string, told: string][] = [
  ["the number", "to +12223334444 failed", "to • failed"],
  ["the number's digits", "to 12223334444 failed", "to • failed"],
  ["the number with 00", "to 0012223334444 failed", "to • failed"],
  ["the national number", "to 2223334444 failed", "to • failed"],
  ["the national number with a trunk zero", "to 02223334444 failed", "to • failed"],
  ["the number with separators", "to +1 (222) 333-4444 failed", "to • failed"],
  ["the number with dots", "to 222.333.4444 failed", "to • failed"],
  ["the number with underscores", "to 222_333_4444 failed", "to • failed"],
  ["the number with dashes", "to 222–333–4444 failed", "to • failed"],
  ["the number in full-width digits", "to ＋１２２２３３３４４４４ failed", "to • failed"],
  ["the number in Arabic digits", "to +١٢٢٢٣٣٣٤٤٤٤ failed", "to • failed"],
  ["the number with marks between", "to +1\u200b222\u00ad333\u202c4444 failed", "to • failed"],
  ["the number percent-encoded", "to=%2B12223334444&x", "to=•&x"],
  ["the number percent-encoded, digit by digit", "to=%31%32%32%32%33%33%33%34%34%34%34&x", "to=•&x"],
  ["the number in entities", "to &#43;1222&#51;334444 failed", "to • failed"],
  ["a part of the number", "to +1222333 failed", "to • failed"],
  ["the last digits of the number", "to ***4444 failed", "to ***• failed"],
  ["the body", `text "${body}" refused`, 'text "•" refused'],
  ["a secret that it cuts", "header Bearer canarytoken99 cana… is wrong", "header •... is wrong"],
  ["the body, cut and in capitals", `spam in "${body.slice(0, 20).toUpperCase()}…"`, 'spam in "•..."'],
  ["the call in base64", `bad ${Buffer.from(`To=%2B12223334444&Body=x`).toString("base64")} here`, "bad • here"],
  ["the text in base64", `bad ${Buffer.from(body).toString("base64url")} here`, "bad • here"],
  ["the body in capitals", `text "${body.toUpperCase()}" refused`, 'text "•" refused'],
  ["the body with other white space", `text "${body.replaceAll(" ", "  \n")}" refused`, 'text "•" refused'],
  ["the body as a form", `text=${new URLSearchParams({ body }).toString().slice(5)}&x`, "text=Your+code+is+•,+Anna&x"],
  ["the body percent-encoded", `text ${encodeURIComponent(body)} refused`, "text • refused"],
  ["the body in JSON", `text ${JSON.stringify(body)} refused`, 'text "•" refused'],
  ["a part of the body", 'Text "Your code is G-326162, A..." refused', 'Text "•..." refused'],
  ["the code", "code 326162 refused", "code • refused"],
  ["the code in two parts", "code 326 162 refused", "code • refused"],
  ["the code with a hyphen", "code 326-162 refused", "code • refused"],
  ["the code with dots", "code 3.2.6.1.6.2 refused", "code • refused"],
  ["the code with blanks", "code 3 2 6 1 6 2 refused", "code • refused"],
  ["the code with commas and blanks", "code 3, 2, 6, 1, 6, 2 refused", "code • refused"],
  ["the code in full-width digits", "code ３２６１６２ refused", "code • refused"],
  ["the code in Arabic digits", "code ٣٢٦١٦٢ refused", "code • refused"],
  ["the code in mathematical digits", "code 𝟑𝟐𝟔𝟏𝟔𝟐 refused", "code • refused"],
  ["the code with zero-width spaces", "code 3\u200b2\u200b6\u200b1\u200b6\u200b2 refused", "code • refused"],
  ["the code with markup's entities", "code 3&nbsp;2&nbsp;6&nbsp;1 refused", "code • refused"],
  ["the code in an array", 'code ["3", "2", "6", "1", "6", "2"] refused', 'code ["•"] refused'],
  ["the code in escapes of bytes", "code \\x33\\x32\\x36\\x31\\x36\\x32 refused", "code • refused"],
  ["the code in dingbats", "code ❸❷❻❶❻❷ refused", "code • refused"],
  ["the code in entities", "code &#51;&#50;6162 refused", "code • refused"],
  ["a word of the body that holds the code", "word G-326162 refused", "word • refused"],
  ["a secret", "key canary-Secret-1 is wrong", "key • is wrong"],
  ["a secret in another case", "key CANARY-SECRET-1 is wrong", "key • is wrong"],
  ["a secret percent-encoded", "key canary%26secret is wrong", "key • is wrong"],
  ["a secret encoded twice", "key canary%2526secret is wrong", "key • is wrong"],
  ["a secret in entities", "key canary&#38;secret is wrong", "key • is wrong"],
  ["a secret in named entities", "key canary&amp;secret is wrong", "key • is wrong"],
  ["a secret in hex", `key ${Buffer.from("canary&secret").toString("hex")} is wrong`, "key • is wrong"],
  ["a secret in base64", `key ${Buffer.from("canary&secret").toString("base64")} is wrong`, "key •== is wrong"],
  ["a part of a longer secret", "token canarytoken99 is wrong", "token • is wrong"],
  ["a short secret", "user ab is wrong, abc is not", "user • is wrong, abc is not"],
  ["control characters", "a\u0000x\u001b[31mc\nd\u202ee", "a x [31mc de"],
  ["a long text", "x".repeat(300), "x".repeat(200)],
  ["nothing of it", "error 212 of 2 days", "error 212 of 2 days"],
  ["a run of digits", "error 21211 of 2026-01-31", "error • of •"],
]
for (const [name, reason, told] of echoes) {
  test(`of a provider that echoes ${name} the log keeps only what is harmless`, async () => {
    const { reason: kept } = await toldOf(reason, { recipient, body, code: "326162" })
    assert.equal(kept, told)
  })
}

const texts: [body: string, reason: string][] = [
  ["Line one\nYour code: 326162\n\nBye", "text Line one Your code: 326162 Bye refused"],
  ["Line one\nYour code: 326162\n\nBye", "text Line one\r\nYour code: 326162\r\n\r\nBye refused"],
  ["Two  blanks,  AB-12", "text Two blanks, AB-12 refused"],
  ["Two  blanks,  AB-12", "text Two  blanks,  AB-12 refused"],
  ["Sayın İpek, giriş şifreniz KXQWTZ", "text Sayın İpek, giriş şifreniz KXQWTZ refused"],
  ["Grüße an Anna: KXQWTZ", "text GRÜSSE AN ANNA: KXQWTZ refused"],
  ["Anna & Bob: KXQWTZ", "text Anna &amp; Bob: KXQWTZ refused"],
  ["Your code is KXQWTZ", "text Your code is kxqwtz refused"],
  ["Code “326162” für Jörg", `text ${encodeURIComponent("Code “326162” für Jörg")} refused`],
  ["Code “326162” für Jörg", `text ${"Code “326162” für Jörg".normalize("NFD")} refused`],
]
for (const [body, reason] of texts) {
  test(`the text ${JSON.stringify(body)} is hidden in ${JSON.stringify(reason)}`, async () => {
    assert.equal((await toldOf(reason, { recipient, body })).reason, "text • refused")
  })
}

const lettered: [reason: string, told: string][] = [
  ["code TF33K9 refused", "code • refused"],
  ["code tf33k9 refused", "code • refused"],
  ["code ＴＦ３３Ｋ９ refused", "code • refused"],
  ["code=TF33K9&x", "code=•&x"],
  ["code TF%33%33K9 refused", "code • refused"],
  ["code \u200bTF3\u00ad3K9 refused", "code • refused"],
  ['Text "Your code is TF33K9. Do n..."', 'Text "•..."'],
  ["said: T, F, 3, 3, K, 9. Bye", "said: •. Bye"],
  ["code TF-33-K9 or TF3 3K9 refused", "code • or • refused"],
]
for (const [reason, told] of lettered) {
  test(`of a code with letters ${JSON.stringify(reason)} keeps only what is harmless`, async () => {
    const sent = { recipient, body: "Your code is TF33K9. Do not share it.", code: "TF33K9" }
    assert.equal((await toldOf(reason, sent)).reason, told)
  })
}

test("the Authorization header of a call is a secret, whole, and its account and key", async () => {
  const seen: string[] = []
  const request: Provider["request"] = (message, _, { url }) => {
    const headers = { authorization: basic("account-7", "kéy-of-ours") }
    seen.push(headers.authorization)
    return new Request(url, { method: "POST", headers, body: JSON.stringify(message) })
  }
  for (const echo of [(header: string) => header, (header: string) => header.slice(6), encodeURIComponent]) {
    const answer = () =>
      Response.json({ code: "c", reason: `header <${echo(seen.at(-1) ?? "")}> is bad` }, { status: 400 })
    const { send, lines, line } = await route({ a: answer }, {}, { a: { request } })
    const { answer: told } = await send()
    assert.match(String(line("refused").reason), /^header <(Basic )?•?.*•=*> is bad$/)
    assert.doesNotMatch(lines.join() + JSON.stringify(told), new RegExp(seen.at(-1)?.slice(6, 20) ?? ""))
  }
})

const ids: [id: string, told: string][] = [
  ["SM0123456789abcdef", "SM0123456789abcdef"],
  ["99326162-1", "99326162-1"],
  ["2026013112345678", "2026013112345678"],
  ["a326162b", "a326162b"],
  ["code:326162", "code:•"],
  ["{'otp': '326162'}", "{'otp': '•'}"],
  ["326162", "•"],
  ["３２６１６２", "•"],
  ["12223334444", "•"],
  ["id-12223334444", "id-•"],
  ["to:2223334444", "to:•"],
  ["canarytoken99", "•"],
]
for (const [id, told] of ids) {
  test(`the receipt ${id} is told as ${told}, since an id is needed to find the message`, async () => {
    const gateway = await route({ a: () => Response.json({ id }) }, echoSecrets, { a: { env: echoEnv } })
    const { receipt } = JSON.parse(await (await gateway.post({ recipient, body, code: "326162" })).text())
    assert.equal(receipt, told)
    assert.equal(gateway.line("accepted").receipt, told)
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
