/** <ANY>_FILE: any variable may be given as a file that holds its value. And what main.ts alone does with newer settings. */
import assert from "node:assert/strict"
import { mkdirSync, writeFileSync } from "node:fs"
import { test } from "node:test"
import { copy, provider, run, serving, until } from "../lib/process.ts"
import { message, secret, sign } from "../lib/world.ts"

const slow = { timeout: 280_000 }
const token = "0123456789abcdef0123456789abcdef"

async function send(url: string, authorization: string, body: object) {
  return await fetch(url, { method: "POST", headers: { authorization }, body: JSON.stringify(body) })
}

/** Writes files of a folder that Deno may read, and gives the variables that name them. */
function files(folder: string, values: Record<string, string | Uint8Array>): Record<string, string> {
  mkdirSync(`${folder}/providers/values`, { recursive: true })
  const entries = Object.entries(values).map(([name, value]) => {
    writeFileSync(`${folder}/providers/values/${name}`, value)
    return [`${name}_FILE`, `providers/values/${name}`]
  })
  return Object.fromEntries(entries)
}

test("a .env beside main.ts that is not where it starts is told", slow, async () => {
  if (process.env.SMSTASK) return assert.ok(true, "it is not main.ts")
  await copy({ ".env": "GATEWAY_SECRET=short\n" }, async (folder) => {
    const { ended, stderr } = run(["token"], {}, folder, `${folder}/providers`)
    assert.equal(await ended, 1)
    // Deno has no permission to look there.
    if (!("Deno" in globalThis)) assert.match(stderr(), /^\.env beside main\.ts is not read: start in that folder/)
    assert.doesNotMatch(stderr(), /is too short/)
  })
})

test("settings, and the variables of providers, platforms and pages, come as files, from .env too", slow, async () => {
  if (process.env.SMSTASK) return assert.ok(true, "one file has nothing beside it")
  const asked: string[] = []
  const { url, close } = await provider((request, response, body) => {
    asked.push(`${request.headers["x-key"]} ${body}`)
    response.end('{"id":"m-1"}')
  })
  await copy({}, async (folder) => {
    const named = files(folder, {
      GATEWAY_SECRET: `${secret}\n`,
      SMS_PROVIDER: "http\r\n",
      HTTP_HEADERS: '{"x-key": "canary-of-http"}\n',
      HTTP_SENDER_US: "Acme\n",
      PLATFORMS: "logto",
      LOGTO_TOKEN: `logto-canary-${token}\n`,
      LOG_TOKEN: `log-canary-${token}\n`,
      CODE_TEXT_DE: "Ihr Code ist {code}\n",
      LIMIT_RECIPIENT: "1/30s,2/1h\n",
    })
    const { CODE_TEXT_DE_FILE, LOGTO_TOKEN_FILE, ...rest } = named
    writeFileSync(`${folder}/.env`, `CODE_TEXT_DE_FILE=${CODE_TEXT_DE_FILE}\nLOGTO_TOKEN_FILE="${LOGTO_TOKEN_FILE}"\n`)
    const http = {
      HTTP_URL: url,
      HTTP_BODY: '{"to":"{recipient}","from":"{sender}","text":"{body}"}',
      HTTP_SUCCESS: '"id":"([^"]+)"',
    }
    const gateway = await serving({ ...rest, ...http, PAGES: "log", OTHERS_CERT_FILE: "/nowhere/at/all" }, folder)
    const recipient = "+12015550123"
    assert.equal((await send(gateway.url, `Bearer ${await sign()}`, { ...message, recipient })).status, 200)
    assert.equal((await send(gateway.url, `Bearer ${await sign()}`, { ...message, recipient, body: "2" })).status, 429)
    const call = { to: "12015550124", type: "SignIn", payload: { code: "326162", locale: "de" } }
    assert.equal((await send(`${gateway.url}logto`, `Bearer logto-canary-${token}`, call)).status, 200)
    const page = await fetch(`${gateway.url}log/state`, { headers: { authorization: `Bearer log-canary-${token}` } })
    assert.equal(page.status, 200)
    await page.body?.cancel()
    assert.deepEqual(asked, [
      `canary-of-http {"to":"${recipient}","from":"Acme","text":"${message.body}"}`,
      'canary-of-http {"to":"+12015550124","from":"Acme","text":"Ihr Code ist 326162"}',
    ])
    gateway.kill()
    await gateway.ended
    assert.doesNotMatch(gateway.stdout() + gateway.stderr(), /canary|longer than 32 bytes/)
  })
  close()
})

const canary = "canary-0123456789abcdef-0123456789abcdef"
const refused: [title: string, told: RegExp, write: (folder: string) => Record<string, string>][] = [
  [
    "a variable and its file are both set",
    /GATEWAY_TOKEN and GATEWAY_TOKEN_FILE are both set/,
    (folder) => ({ GATEWAY_TOKEN: canary, ...files(folder, { GATEWAY_TOKEN: canary }) }),
  ],
  [
    "there is no such file, whose path may be the secret itself",
    /GATEWAY_TOKEN_FILE is wrong: there is no such file/,
    () => ({ GATEWAY_TOKEN_FILE: `providers/${canary}` }),
  ],
  ["it is a folder", /GATEWAY_TOKEN_FILE is wrong: it must name a file/, () => ({ GATEWAY_TOKEN_FILE: "providers" })],
  [
    "it is too large",
    /GATEWAY_TOKEN_FILE is wrong: it must name a file, of at most 64 KiB/,
    (folder) => files(folder, { GATEWAY_TOKEN: canary.repeat(2_000) }),
  ],
  [
    "it is empty",
    /GATEWAY_ALLOW_IPS_FILE is wrong: its file is empty/,
    (folder) => files(folder, { GATEWAY_ALLOW_IPS: " \n" }),
  ],
  [
    "it is no text",
    /GATEWAY_TOKEN_FILE is wrong: its file holds no UTF-8 text/,
    (folder) => files(folder, { GATEWAY_TOKEN: Buffer.from(`${canary}\xff`, "latin1") }),
  ],
  [
    "its value is wrong",
    /GATEWAY_TOKEN is wrong: expected a static bearer token/,
    (folder) => files(folder, { GATEWAY_TOKEN: "short canary" }),
  ],
  [
    "two faults, of a setting and of a provider",
    /GATEWAY_TOKEN_FILE is wrong: there is no such file[\s\S]*HTTP_HEADERS_FILE is wrong: there is no such file/,
    () => ({ GATEWAY_TOKEN_FILE: "providers/none", SMS_PROVIDER: "http", HTTP_HEADERS_FILE: "providers/none" }),
  ],
  [
    "it stands for no setting",
    /GATEWAY_TOKN_FILE is no setting; did you mean GATEWAY_TOKEN_FILE\?/,
    (folder) => files(folder, { GATEWAY_TOKN: canary }),
  ],
]

test("what is wrong with such a file keeps it from starting, and nothing of the value is told", slow, async () => {
  if (process.env.SMSTASK) return assert.ok(true, "one file has nothing beside it")
  await copy({}, async (folder) => {
    for (const [title, told, write] of refused) {
      const { ended, stdout, stderr } = run([], { GATEWAY_SECRET: secret, ...write(folder) }, folder)
      assert.equal(await ended, 1, title)
      assert.match(stderr(), told, title)
      assert.doesNotMatch(stdout() + stderr(), /canary|listening/, title)
    }
  })
})

test("Deno says so where it may not read the file", slow, async () => {
  if (!process.versions.deno) return assert.ok(true, "the others may read every file of their user")
  await copy({}, async (folder) => {
    const { ended, stderr } = run([], { GATEWAY_TOKEN_FILE: `${folder}/package.json` }, folder)
    assert.equal(await ended, 1)
    assert.match(
      stderr(),
      /GATEWAY_TOKEN_FILE is wrong: Deno has no permission to read its file: add it to --allow-read/,
    )
  })
})

test("a variable whose own name ends in _FILE keeps its meaning", slow, async () => {
  if (process.env.SMSTASK) return assert.ok(true, "one file has nothing beside it")
  const acme = `
    import * as v from "valibot"
    const text = v.pipe(v.optional(v.string(), "none"), v.description("a text"))
    const env = { ACME_KEY: text, ACME_KEY_FILE: text }
    export default { docs: "https://example.com/", url: "https://example.com", env,
      request: (_, { ACME_KEY, ACME_KEY_FILE }) => ({ id: ACME_KEY + " " + ACME_KEY_FILE.length }), receipt: () => ({ code: 0 }) }`
  await copy({ "providers/acme.ts": acme }, async (folder) => {
    const env = { GATEWAY_SECRET: secret, SMS_PROVIDER: "acme", ACME_KEY_FILE: "providers/acme.ts" }
    const gateway = await serving(env, folder)
    const response = await send(gateway.url, `Bearer ${await sign()}`, message)
    assert.match(await response.text(), /"receipt":"none 17"/)
    gateway.kill()
    await gateway.ended
  })
})

test("main.ts alone counts and refuses as at home, and misses loudly what reads files", slow, async () => {
  if (process.env.SMSTASK) return assert.ok(true, "it is not main.ts")
  const start = async (folder: string) => {
    const named = { GATEWAY_TOKEN: token }
    const limits = { LIMIT_RECIPIENT: "1/30s,3/1h", TEST_NUMBERS: "+12015550100", SENTENCE_ACCEPTED_DE: "Ja" }
    const gateway = await serving({ ...named, ...limits, SSL_CERT_FILE: "/nowhere/at/all", PAGER: "less" }, folder)
    const statusOf = async (recipient: string, body: string) =>
      (await send(gateway.url, `Bearer ${token}`, { recipient, body })).status
    for (const recipient of ["+19002345678", "+447012345678", "+881612345678"])
      assert.equal(await statusOf(recipient, "denied"), 422, recipient)
    assert.equal(await statusOf("+12015550100", "a test"), 200)
    assert.equal(await statusOf("+12015550123", "one"), 200)
    assert.equal(await statusOf("+12015550123", "two"), 429)
    await until(gateway.stdout, /"event":"rejected"[^\n]*LIMIT_RECIPIENT/)
    assert.deepEqual(gateway.stdout().match(/To \+\d+/g), ["To +12015550123"])
    assert.match(
      await (await fetch(`${gateway.url}okta`)).text(),
      /"status":404,"detail":"messages are taken by POST \/"/,
    )
    gateway.kill()
    assert.equal(await gateway.ended, 0)
    for (const [wrong, told] of [
      [{ SENTENCE_NOTHING: "x" }, /SENTENCE_NOTHING is no setting/],
      [{ DENY_TYPES: "all" }, /DENY_TYPES is wrong/],
      [{ TEST_NUMBERS: "12015550100" }, /TEST_NUMBERS is wrong/],
      [{ GATEWAY_SECRET_FILE: "providers/x" }, /there is no providers\/parts\/value-files\.ts/],
      [{ CODE_TEXT_DE_FILE: "providers/x" }, /there is no providers\/parts\/value-files\.ts/],
      [{ SMS_PROVIDER: "twilio", TWILIO_SENDER_FILE: "x" }, /there is no providers\/parts\/value-files\.ts/],
    ] as const) {
      const { ended, stderr } = run([], { ...named, ...wrong }, folder)
      assert.equal(await ended, 1, stderr())
      assert.match(stderr(), told)
    }
  }
  await copy({}, start, true)
})
