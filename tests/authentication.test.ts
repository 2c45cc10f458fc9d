import assert from "node:assert/strict"
import { test } from "node:test"
import { accepted, httpEnv, message, problem, secret, sign, start } from "./world.ts"

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
  ["base64url", Buffer.from("\xfb\xff\xfe secret", "latin1").toString("base64url")],
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
  ["203.0.113.7", "", 403],
  ["203.0.113.7", "unix", 403],
]
for (const [rules, address, status] of addresses) {
  test(`of the addresses ${rules} is "${address}" answered with ${status}`, async () => {
    const { call } = await start({ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: rules, GATEWAY_SECRET: "" })
    const response = await call({ method: "POST", body }, "/", address)
    assert.equal(response.status, status)
    if (status === 403) assert.equal((await problem(response)).code, "forbidden_address")
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

test("the address is checked before the token", async () => {
  const { call } = await start({ GATEWAY_ALLOW_IPS: "203.0.113.7" })
  assert.equal((await call({ method: "POST", body }, "/", "203.0.113.7")).status, 401)
  assert.equal((await call(bearer("x"), "/", "203.0.113.8")).status, 403)
})

test("a gateway that nobody could call does not start", async () => {
  const world = { env: httpEnv, fetch: async () => accepted(), clock: Date.now, print: () => {} }
  const { gateway } = await import("../main.ts")
  await assert.rejects(gateway(world), /GATEWAY_SECRET, GATEWAY_TOKEN or GATEWAY_AUTH=none/)
})
