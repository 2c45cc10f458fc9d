import assert from "node:assert/strict"
import { createHmac } from "node:crypto"
import { test } from "node:test"
import * as v from "valibot"
import { loadFile, type Platform } from "../main.ts"
import { message, problem, providers, secret, sign, standing, start, take } from "./lib/world.ts"

const body = JSON.stringify(message)
const bearer = (token: string) => ({ method: "POST", headers: { authorization: `Bearer ${token}` }, body })
const now = () => Math.floor(Date.now() / 1000)
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

const good: [name: string, token: () => Promise<string>, env?: Record<string, string>][] = [
  ["with aud and sub alone", () => sign()],
  ["with aud in a list", () => sign({ claims: { aud: ["urn:other", "urn:smstask"] } })],
  ["that expired less than a minute ago", () => sign({ claims: { exp: now() - 30 } })],
  ["that becomes valid within a minute", () => sign({ claims: { nbf: now() + 30 } })],
  ["with any sub where the setting is any", () => sign({ claims: { sub: "x" } }), { GATEWAY_SUBJECT: "any" }],
  ["without sub where the setting is any", () => sign({ claims: { sub: undefined } }), { GATEWAY_SUBJECT: "any" }],
  ["with the iss that is set", () => sign({ claims: { iss: "Auth0" } }), { GATEWAY_ISSUER: "Auth0" }],
  ["with the aud that is set", () => sign({ claims: { aud: "urn:x" } }), { GATEWAY_AUDIENCE: "urn:x" }],
  ["of the previous secret", () => sign({ key: "the old one" }), { GATEWAY_SECRET_PREVIOUS: "the old one" }],
  ["of a short secret", () => sign({ key: "MySecretToSignTheToken" }), { GATEWAY_SECRET: "MySecretToSignTheToken" }],
]
for (const [name, token, env] of good) {
  test(`a token ${name} is accepted`, async () => {
    const { call } = await start(env)
    assert.equal((await call(bearer(await token()))).status, 200)
  })
}

const none = () =>
  Promise.resolve(`${base64url({ alg: "none" })}.${base64url({ aud: "urn:smstask", sub: "urn:Auth0" })}.`)
const tampered = async () => {
  const [head, , signature] = (await sign()).split(".")
  return `${head}.${base64url({ aud: "urn:smstask", sub: "urn:Auth0", admin: true })}.${signature}`
}
const bad: [name: string, token: () => Promise<string>, detail: RegExp, env?: Record<string, string>][] = [
  ["of another secret", () => sign({ key: "another secret" }), /signature/],
  ["of the previous secret once that is gone", () => sign({ key: "the old one" }), /signature/],
  ["signed with HS512", () => sign({ alg: "HS512" }), /HS256/],
  ["signed with HS384", () => sign({ alg: "HS384" }), /HS256/],
  ["of algorithm none", none, /HS256/],
  ["whose claims were changed", tampered, /signature/],
  ["without aud", () => sign({ claims: { aud: undefined } }), /"aud"/],
  ["with another aud", () => sign({ claims: { aud: "urn:other" } }), /"aud"/],
  ["with an empty list of aud", () => sign({ claims: { aud: [] } }), /"aud"/],
  ["without sub", () => sign({ claims: { sub: undefined } }), /"sub"/],
  ["with another sub", () => sign({ claims: { sub: "urn:other" } }), /"sub"/],
  ["that expired over a minute ago", () => sign({ claims: { exp: now() - 90 } }), /expired/],
  ["whose exp is text", () => sign({ claims: { exp: "tomorrow" } }), /"exp"/],
  ["that becomes valid in two minutes", () => sign({ claims: { nbf: now() + 120 } }), /"nbf"/],
  ["without the iss that is set", () => sign(), /"iss"/, { GATEWAY_ISSUER: "Auth0" }],
  ["with another iss", () => sign({ claims: { iss: "x" } }), /"iss"/, { GATEWAY_ISSUER: "Auth0" }],
  ["that is no token", () => Promise.resolve("abc"), /not a JSON Web Token/],
  ["of five parts", () => Promise.resolve("a.b.c.d.e"), /not a JSON Web Token/],
  ["of two dots", () => Promise.resolve(".."), /not a JSON Web Token/],
]
for (const [name, token, detail, env] of bad) {
  test(`a token ${name} is refused, and no provider is asked`, async () => {
    const { call, calls } = await start(env)
    const response = await call(bearer(await token()))
    assert.equal(response.status, 401)
    assert.equal(response.headers.get("www-authenticate"), 'Bearer error="invalid_token"')
    const { code, detail: told } = await problem(response)
    assert.equal(code, "authentication_failed")
    assert.match(String(told), detail)
    assert.equal(calls.length, 0)
  })
}

for (const [name, headers] of [
  ["no Authorization at all", {}],
  ["Basic credentials", { authorization: "Basic dXNlcjpwYXNz" }],
  ["an empty Bearer", { authorization: "Bearer " }],
  ["the token in another header", { "x-authorization": "Bearer x" }],
] as [string, Record<string, string>][]) {
  test(`${name} is answered with 401 and a challenge`, async () => {
    const { call } = await start()
    const response = await call({ method: "POST", headers, body })
    assert.equal(response.status, 401)
    assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/)
  })
}

test("the scheme is read in any case", async () => {
  const { call } = await start()
  const response = await call({ method: "POST", headers: { authorization: `bearer ${await sign()}` }, body })
  assert.equal(response.status, 200)
})

for (const [name, encoded] of [
  ["base64", Buffer.from(secret).toString("base64")],
  ["base64 without padding", Buffer.from(secret).toString("base64").replace(/=+$/, "")],
  ["base64url", Buffer.from("\xfb\xff\xfe secret of these", "latin1").toString("base64url")],
] as const) {
  test(`a secret written as ${name} is decoded`, async () => {
    const { call } = await start({ GATEWAY_SECRET: encoded, GATEWAY_SECRET_BASE64: "true" })
    assert.equal((await call(bearer(await sign({ key: Buffer.from(encoded, "base64") })))).status, 200)
    assert.equal((await call(bearer(await sign({ key: encoded })))).status, 401)
  })
}

test("the static token is accepted whole and in no other form, beside signed tokens", async () => {
  const token = "0123456789abcdef0123456789abcdef"
  const { call } = await start({ GATEWAY_TOKEN: token })
  assert.equal((await call(bearer(token))).status, 200)
  assert.equal((await call(bearer(await sign()))).status, 200)
  for (const wrong of [token.slice(1), `${token}0`, token.toUpperCase()]) {
    assert.equal((await call(bearer(wrong))).status, 401, wrong)
  }
})

const given = "0123456789abcdef0123456789abcdef"
const base64 = (text: string) => Buffer.from(text).toString("base64")
const forms: [name: string, authorization: string, status: number][] = [
  ["Bearer", `Bearer ${given}`, 200],
  ["Bearer and two blanks", `Bearer  ${given}`, 200],
  ["BEARER", `BEARER ${given}`, 200],
  ["Basic's password", `Basic ${base64(`any user:${given}`)}`, 200],
  ["Basic's password with no user", `basic ${base64(`:${given}`)}`, 200],
  ["the bare header", given, 200],
  ["Basic's user", `Basic ${base64(`${given}:`)}`, 401],
  ["Basic's password and more", `Basic ${base64(`user:${given}:`)}`, 401],
  ["Basic with no colon", `Basic ${base64(given)}`, 401],
  ["Basic that is not coded", `Basic user:${given}`, 401],
  ["another scheme", `Token ${given}`, 401],
  ["Digest", `Digest username="${given}"`, 401],
  ["Bearer and more", `Bearer ${given} x`, 401],
  ["the scheme alone", "Bearer", 401],
]
for (const [name, authorization, status] of forms) {
  test(`GATEWAY_TOKEN as ${name} is answered with ${status}`, async () => {
    const { call, calls } = await start({ GATEWAY_SECRET: "", GATEWAY_TOKEN: given })
    assert.equal((await call({ method: "POST", headers: { authorization }, body })).status, status)
    assert.equal(calls.length, status === 200 ? 1 : 0)
  })
}

test("a signed token is taken as Basic's password and as the bare header, too", async () => {
  const { call } = await start()
  const token = await sign()
  for (const authorization of [`Basic ${base64(`user:${token}`)}`, token])
    assert.equal((await call({ method: "POST", headers: { authorization }, body })).status, 200)
})

const own = "the-token-of-auth0-0123456789abcdef-0123"
const paths: [name: string, env: Record<string, string>, token: string, path: string, status: number][] = [
  ["the platform's token at its path", {}, own, "/auth0", 200],
  ["the platform's token at POST /", {}, own, "/", 401],
  ["GATEWAY_TOKEN at the platform's path", { GATEWAY_TOKEN: given }, given, "/auth0", 401],
  ["GATEWAY_TOKEN at POST /", { GATEWAY_TOKEN: given }, given, "/", 200],
  [
    "no token at the platform's path of an open gateway",
    { GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "127.0.0.1" },
    "",
    "/auth0",
    401,
  ],
  ["no token at POST / of an open gateway", { GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "127.0.0.1" }, "", "/", 200],
  ["the platform's token from elsewhere", { GATEWAY_ALLOW_IPS: "10.0.0.1" }, own, "/auth0", 403],
  ["the platform's token where PLATFORMS does not name it", { PLATFORMS: "" }, own, "/auth0", 404],
]
for (const [name, env, token, path, status] of paths) {
  test(`${name} is answered with ${status}`, async () => {
    const { call } = await start({ PLATFORMS: "auth0", AUTH0_TOKEN: own, ...env })
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
    assert.equal((await call({ method: "POST", headers, body }, path)).status, status)
  })
}

test("a signed token does not open a platform's path", async () => {
  const { post } = await start({ PLATFORMS: "auth0", AUTH0_TOKEN: own })
  assert.equal((await post(message, {}, "/auth0")).status, 401)
})

test("a platform's greeting is behind its proof and the addresses that may call", async () => {
  const platform: Platform = {
    docs: "https://example.com/",
    env: {},
    read: () => undefined,
    greet: ({ headers }) => new Response(headers.get("x-challenge")),
    setup: () => "",
  }
  const load = async (path: string) => (path === "platforms/mine" ? { default: platform } : await loadFile(path))
  const env = { PLATFORMS: "mine", MINE_TOKEN: own, GATEWAY_ALLOW_IPS: "127.0.0.1" }
  const { call } = await start(env, undefined, { load })
  const headers = { authorization: `Bearer ${own}`, "x-challenge": "canary" }
  const greeted = await call({ headers }, "/mine")
  assert.deepEqual([greeted.status, await greeted.text()], [200, "canary"])
  assert.equal((await call({ method: "POST", headers, body: "{}" }, "/mine")).status, 204)
  assert.equal((await call({ method: "PUT", headers }, "/mine")).headers.get("allow"), "GET, POST")
  assert.equal((await call({ headers }, "/mine", "203.0.113.8")).status, 403)
  assert.equal((await call({ headers: { "x-challenge": "canary" } }, "/mine")).status, 401)
})

const signing = "a platform's secret of some length"
const signature = (text: string) => createHmac("sha256", signing).update(text).digest("hex")
const signed: Platform = {
  docs: "https://example.com/",
  env: { MINE_SECRET: v.pipe(v.string(), v.description("the secret of its calls")) },
  proof: ({ headers, text }, env) => ({
    key: Buffer.from(String(env.MINE_SECRET)),
    signed: `${headers.get("x-time")}.${text}`,
    given: headers.get("x-signature")?.split(" ") ?? [],
    time: Number(headers.get("x-time")),
  }),
  read: (fields) => fields,
  setup: () => "",
}
/** A gateway that one platform calls with signatures; `call` signs what it sends, `off` milliseconds ago. */
async function signedGateway(env: Record<string, string> = {}) {
  const time = standing()
  const load = async (path: string) => (path === "platforms/mine" ? { default: signed } : await loadFile(path))
  const given = { PLATFORMS: "mine", MINE_SECRET: signing, DUPLICATE_WINDOW: "off", ...env }
  const gateway = await start(given, undefined, { ...time.world, load })
  const send = async (text = body, headers: Record<string, string> = {}, off = 0) => {
    const at = String(time.world.clock() - off)
    const all = { "x-time": at, "x-signature": signature(`${at}.${text}`), ...headers }
    return await gateway.call({ method: "POST", headers: all, body: text }, "/mine")
  }
  return { ...gateway, send, time }
}

const signatures: [name: string, headers: Record<string, string>, off: number, status: number][] = [
  ["that is good", {}, 0, 200],
  ["of five minutes ago", {}, 300_000, 200],
  ["of over five minutes ago", {}, 300_001, 401],
  ["of five minutes from now", {}, -300_000, 200],
  ["of over five minutes from now", {}, -300_001, 401],
  ["that is missing", { "x-signature": "" }, 0, 401],
  ["of another text", { "x-signature": signature("x") }, 0, 401],
  ["beside which another one stands", { "x-signature": `${signature("x")} ${signature("y")}` }, 0, 401],
  ["whose time is none", { "x-time": "soon" }, 0, 401],
  ["whose time was changed", { "x-time": "1" }, 0, 401],
  ["beside the gateway's own token", { "x-signature": "", authorization: `Bearer ${given}` }, 0, 401],
]
for (const [name, headers, off, status] of signatures) {
  test(`a signature ${name} is answered with ${status}`, async () => {
    const { send, calls } = await signedGateway({ GATEWAY_TOKEN: given })
    assert.equal((await send(body, headers, off)).status, status)
    assert.equal(calls.length, status === 200 ? 1 : 0)
  })
}

test("a signature is taken in hex and in base64 of every kind, and of every secret that is set", async () => {
  const other = "another secret of some length"
  const { call, time } = await signedGateway({ MINE_SECRET: `${other},${signing}` })
  for (const key of [other, signing]) {
    for (const coding of ["hex", "base64", "base64url"] as const) {
      const at = String(time.world.clock())
      const digest = createHmac("sha256", key).update(`${at}.${body}`).digest(coding)
      for (const form of [digest, digest.replace(/=+$/, "")]) {
        const headers = { "x-time": at, "x-signature": form }
        assert.equal((await call({ method: "POST", headers, body }, "/mine")).status, 200, `${key} ${coding}`)
      }
    }
  }
})

test("a signed call that was accepted gets the first answer for ten minutes, whoever brings it", async () => {
  const { send, calls, time } = await signedGateway()
  const at = String(time.world.clock())
  const headers = { "x-time": at, "x-signature": signature(`${at}.${body}`) }
  const first = await (await send(body, headers)).text()
  time.pass(299_999)
  assert.equal(await (await send(body, headers)).text(), first)
  assert.equal(calls.length, 1)
  assert.notEqual(await (await send()).text(), first)
  assert.equal(calls.length, 2)
})

test("a platform whose secret is short or missing, or whose name is a provider's, does not start", async () => {
  await assert.rejects(
    signedGateway({ MINE_SECRET: "short-canary" }),
    /MINE_SECRET is too short: expected at least 16 bytes/,
  )
  await assert.rejects(signedGateway({ MINE_SECRET: "" }), /MINE_SECRET is missing/)
  const { load, answer, env } = providers({ mine: () => take() })
  const both = async (path: string) => (path === "platforms/mine" ? { default: signed } : await load(path))
  const given = { ...env, PLATFORMS: "mine", MINE_SECRET: signing }
  await assert.rejects(start(given, answer, { load: both }), /PLATFORMS names mine, which is a provider in use/)
})

test("proof or read that throws is a 401 or a 400", async () => {
  for (const [broken, status] of [
    [
      {
        ...signed,
        proof: () => {
          throw new Error("canary")
        },
      },
      401,
    ],
    [
      {
        ...signed,
        read: () => {
          throw new Error("canary")
        },
      },
      400,
    ],
  ] as [Platform, number][]) {
    const load = async (path: string) => (path === "platforms/mine" ? { default: broken } : await loadFile(path))
    const { call, lines } = await start({ PLATFORMS: "mine", MINE_SECRET: signing }, undefined, { load })
    const at = String(Date.now())
    const headers = { "x-time": at, "x-signature": signature(`${at}.${body}`) }
    const response = await call({ method: "POST", headers, body }, "/mine")
    assert.equal(response.status, status)
    assert.doesNotMatch((await response.text()) + lines.join(), /canary/)
  }
})

test("with PLATFORMS alone POST / is closed, and nobody is let in", async () => {
  const { post, call } = await start({ PLATFORMS: "auth0", AUTH0_TOKEN: own, GATEWAY_SECRET: "" })
  for (const response of [await post(), await call(bearer(own)), await call(bearer(await sign({ key: "undefined" })))])
    assert.ok([401, 404, 405].includes(response.status), String(response.status))
  assert.equal((await call(bearer(own), "/auth0")).status, 200)
})

for (const [env, told] of [
  [{ PLATFORMS: "auth0" }, /AUTH0_TOKEN is missing: PLATFORMS names auth0/],
  [{ PLATFORMS: "auth0", AUTH0_TOKEN: "short-canary" }, /AUTH0_TOKEN is wrong: expected at least 32/],
  [{ PLATFORMS: "auth0", AUTH0_TOKEN: " " }, /AUTH0_TOKEN is missing/],
  [{ PLATFORMS: "auht0", AUTH0_TOKEN: own }, /there is no providers\/platforms\/auht0\.ts.*did you mean auth0\?/],
  [{ PLATFORMS: "auth0,auth0", AUTH0_TOKEN: own }, /PLATFORMS is wrong/],
] as [Record<string, string>, RegExp][]) {
  test(`a platform does not start with ${JSON.stringify(env)}`, async () => {
    await assert.rejects(start(env), (error: Error) => told.test(error.message) && !/canary/.test(error.message))
  })
}

test("with the static token alone a signed token is refused", async () => {
  const { call } = await start({ GATEWAY_SECRET: "", GATEWAY_TOKEN: "0123456789abcdef0123456789abcdef" })
  assert.equal((await call(bearer(await sign()))).status, 401)
  assert.equal((await call(bearer(await sign({ key: "undefined" })))).status, 401)
})

const addresses: [rules: string, address: string, status: number][] = [
  ["203.0.113.7", "203.0.113.7", 200],
  ["203.0.113.7", "203.0.113.8", 403],
  ["203.0.113.0/24, 2001:db8::/32", "203.0.113.99", 200],
  ["203.0.113.0/24, 2001:db8::/32", "2001:db8::1", 200],
  ["203.0.113.0/24, 2001:db8::/32", "2001:db9::1", 403],
  ["203.0.113.7", "::ffff:203.0.113.7", 200],
  ["203.0.113.0/24", "::ffff:203.0.113.9", 200],
  ["203.0.113.0/24", "::ffff:cb00:7109", 200],
  ["203.0.113.0/24", "::ffff:203.0.114.9", 403],
  ["::1", "0:0:0:0:0:0:0:1", 200],
  ["::ffff:203.0.113.7", "203.0.113.7", 200],
  ["::ffff:203.0.113.7", "::ffff:cb00:7107", 200],
  ["::ffff:203.0.113.0/120", "203.0.113.9", 200],
  ["::ffff:203.0.113.0/120", "203.0.114.9", 403],
  ["2001:db8::/32", "2001:DB8:0:0:0:0:0:1%eth0", 200],
  ["0.0.0.0/8", "", 403],
  ["::/16", "", 403],
  ["203.0.113.7", "", 403],
  ["203.0.113.7", "unix", 403],
]
for (const [rules, address, status] of addresses) {
  test(`of the addresses ${rules} is "${address}" answered with ${status}`, async () => {
    const { call, line } = await start({ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: rules, GATEWAY_SECRET: "" })
    const response = await call({ method: "POST", body }, "/", address)
    assert.equal(response.status, status)
    if (status === 200) return
    assert.equal(response.headers.get("content-type"), "application/problem+json")
    assert.equal((await problem(response)).code, "forbidden_address")
    assert.equal(line("rejected").code, "forbidden_address")
  })
}

const proxied: [hops: string, header: string | undefined, status: number][] = [
  ["1", "203.0.113.7", 200],
  ["1", "203.0.113.7:51234", 200],
  ["1", "6.6.6.6, 203.0.113.7", 200],
  ["1", "203.0.113.7, 6.6.6.6", 403],
  ["2", "203.0.113.7, 10.0.0.1", 200],
  ["2", "203.0.113.7", 403],
  ["1", "[2001:db8::1]:443", 200],
  ["1", "[2001:db8::1]", 200],
  ["1", "::ffff:203.0.113.7", 200],
  ["1", "[::ffff:cb00:7107]:443", 200],
  ["1", " 203.0.113.7 ", 200],
  ["3", "203.0.113.7, 10.0.0.1, 10.0.0.2", 200],
  ["2", "203.0.113.7, 6.6.6.6, 10.0.0.1", 403],
  ["1", "2001:db8::1", 200],
  ["1", "junk", 403],
  ["1", "203.0.113.7.evil", 403],
  ["1", "", 403],
  ["1", undefined, 403],
  ["0", "203.0.113.7", 403],
]
for (const [hops, header, status] of proxied) {
  test(`behind ${hops} proxies X-Forwarded-For ${header} is answered with ${status}`, async () => {
    const env = { GATEWAY_ALLOW_IPS: "203.0.113.7,2001:db8::/32", GATEWAY_TRUST_PROXY: hops }
    const { post, call } = await start(env)
    const forwarded = header === undefined ? {} : { "x-forwarded-for": header }
    assert.equal((await post(message, forwarded)).status, status)
    assert.equal((await call({}, "/health")).status, 200)
  })
}

test("a caller whose address nobody knows is in no list but in one of all", async () => {
  for (const [rules, status] of [
    ["203.0.113.7", 403],
    ["*", 200],
  ] as const) {
    const { post, events } = await start({ GATEWAY_ALLOW_IPS: rules, GATEWAY_TRUST_PROXY: "1" })
    const response = await post()
    assert.equal(response.status, status)
    if (status === 403) assert.match(await response.text(), /"code":"forbidden_address"/)
    assert.equal(events().filter(({ event }) => event === "rejected").length, status === 403 ? 1 : 0)
  }
})

test("the address is checked before the token", async () => {
  const { call } = await start({ GATEWAY_ALLOW_IPS: "203.0.113.7" })
  assert.equal((await call({ method: "POST", body }, "/", "203.0.113.7")).status, 401)
  assert.equal((await call(bearer("x"), "/", "203.0.113.8")).status, 403)
})

test("a gateway that nobody could call does not start", async () => {
  await assert.rejects(start({ GATEWAY_SECRET: "" }), /nobody could call: GATEWAY_SECRET, GATEWAY_TOKEN or PLATFORMS/)
})
