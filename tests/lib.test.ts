/** The helpers that the files of providers and platforms import. */
import assert from "node:assert/strict"
import { test } from "node:test"
import * as v from "valibot"
import { variables } from "../main.ts"
import {
  basic,
  basicTime,
  fill,
  hmac,
  isGsm7,
  isoTime,
  language,
  lengthOf,
  readStandardWebhook,
  readTimedSignature,
  readToken,
  secretToken,
  sha256,
  speech,
} from "../providers/lib.ts"
import { message } from "./lib/world.ts"

test("lengthOf counts what a message holds", () => {
  for (const [text, length] of [
    ["", 0],
    ["abc", 3],
    ["[x]", 5],
    ["^{}\\[~]|€\f", 20],
    ["код [1]", 7],
  ] as const)
    assert.equal(lengthOf(text), length, text)
})

test("isGsm7 knows the alphabet and its extension, and nothing else", () => {
  for (const text of ["", "Grüße", "€ [x] {y} ~ ^ | \\", "Å Ø Δ Ω ¡ ¿ Ñ § à", "a\nb\rc", "@£$¥_-+"])
    assert.ok(isGsm7(text), text)
  for (const text of ["Ł", "ç", "`", "код", "验证码", "😀", "á", "\t", "’"]) assert.ok(!isGsm7(text), text)
})

test("basic is in UTF-8, as RFC 7617 says", () => {
  assert.equal(basic("test", "123\u00a3"), "Basic dGVzdDoxMjPCow==")
  assert.equal(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
})

test("hmac and sha256 give the values of RFC 2202, RFC 4231 and FIPS 180", async () => {
  const text = "what do ya want for nothing?"
  assert.equal((await hmac("SHA-1", "Jefe", text)).toString("hex"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")
  assert.equal(
    (await hmac("SHA-256", Buffer.from("Jefe"), text)).toString("hex"),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  )
  const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
  assert.equal((await sha256("abc")).toString("hex"), digest)
})

test("times are those of ISO 8601, without a fraction", () => {
  assert.equal(isoTime(Date.UTC(2026, 10, 30, 6, 42, 0, 999)), "2026-11-30T06:42:00Z")
  assert.equal(basicTime(Date.UTC(2026, 10, 30, 6, 42, 0, 999)), "20261130T064200Z")
})

const granted: [body: unknown, status: number, read: object][] = [
  [{ access_token: "t", expires_in: 3600 }, 200, { token: "t", expires: 3_540_007 }],
  [{ access_token: "t", expires_in: "3600" }, 200, { token: "t", expires: 3_540_007 }],
  [
    { error: "invalid_client", error_description: "no" },
    401,
    { code: "invalid_client", reason: "no", fault: "account" },
  ],
  [{ error: "server_error" }, 500, { code: "server_error", reason: undefined, fault: "provider" }],
  ...[
    {},
    null,
    "text",
    { access_token: "", expires_in: 9 },
    { access_token: "t" },
    { access_token: "t", expires_in: "x" },
  ].map((body): [unknown, number, object] => [
    body,
    200,
    { code: 200, reason: "the log-in brought no token", fault: "provider" },
  ]),
  [
    { access_token: "t", expires_in: 3600 },
    403,
    { code: 403, reason: "the log-in brought no token", fault: "account" },
  ],
]
for (const [body, status, read] of granted) {
  test(`a token endpoint's ${status} ${JSON.stringify(body)} is read`, async () => {
    assert.deepEqual(await readToken(new Response(JSON.stringify(body), { status }), 7), read)
  })
}

const tags: [tag: string | undefined, known: string[], closest: string][] = [
  ["pt-BR", ["pt", "pt-BR"], "pt-BR"],
  ["pt_br", ["pt-PT", "pt-BR"], "pt-BR"],
  ["zh-Hant-CN-x-private1", ["zh-Hant", "zh"], "zh-Hant"],
  ["de", ["de-AT", "de-DE"], "de-AT"],
  ["de-CH-1996", ["de"], "de"],
  ["deu", ["de"], "-"],
  ["d", ["de"], "-"],
  ["", ["de"], "-"],
  [undefined, ["de"], "-"],
  ["-de", ["de"], "-"],
]
for (const [tag, known, closest] of tags)
  test(`the language ${tag} is ${closest} of ${known}`, () => assert.equal(language(tag, known, "-"), closest))

test("fill fills in every text, however deep, and needs the code only where a text holds it", () => {
  const sent = { ...message, code: "4711", locale: "de" }
  const template = { list: ["{code}", "{locale} {sender}", 3], deep: { to: "{recipient}", other: "{other}" } }
  assert.deepEqual(fill(template, sent), {
    list: ["4711", "de +15005550006", 3],
    deep: { to: "+12223334444", other: "{other}" },
  })
  assert.equal(fill(template, message), undefined)
  assert.deepEqual(fill(["{locale}"], message), [""])
})

test("speech says the code digit by digit, and a text that says it twice only once", () => {
  const said = { ...message, body: "It is 12 <3>", code: "12" }
  assert.equal(speech(said), "It is 1, 2 <3> It is 1, 2 <3>")
  assert.equal(speech(said, { again: undefined, isXml: true }), "It is 1, 2 &#60;3&#62;")
  assert.equal(speech({ ...said, body: "12, again 12" }, { pause: " " }), "1 2, again 1 2")
})

test("a secret token is what GATEWAY_TOKEN is", () => {
  const written = [
    "a".repeat(31),
    "a".repeat(32),
    "!~".repeat(16),
    `${"a".repeat(32)} `,
    "ä".repeat(32),
    "",
    "a b".repeat(20),
  ]
  const taken = written.filter((token) => v.is(secretToken(), token))
  assert.deepEqual(taken, ["a".repeat(32), "!~".repeat(16)])
  assert.deepEqual(
    taken,
    written.filter((token) => v.is(variables.GATEWAY_TOKEN, token)),
  )
})

const many = (count: number, each: string, between: string) => Array(count).fill(each).join(between)
const webhook = (signature: string, id = "msg_1") =>
  readStandardWebhook(
    {
      headers: new Headers({ "svix-id": id, "svix-timestamp": "1700000000", "svix-signature": signature }),
      text: "{}",
    },
    "v1,whsec_c2VjcmV0",
    "svix",
  )

const signatures: [header: string, given: string[]][] = [
  ["v1,AAA=", ["AAA="]],
  ["v1,AAA= v1,BBB=", ["AAA=", "BBB="]],
  ["v1,AAA=,v1,BBB=", ["AAA=", "BBB="]],
  ["v1,AAA=, v1,BBB=,", ["AAA=", "BBB="]],
  ["v1a,AAA= v1,BBB=", ["BBB="]],
  ["AAA= v2,BBB= v1", []],
  ["", []],
]
for (const [header, given] of signatures)
  test(`of the signatures ${JSON.stringify(header)} those of version 1 are read`, () => {
    assert.deepEqual(webhook(header), {
      key: Buffer.from("secret"),
      signed: "msg_1.1700000000.{}",
      given,
      time: 1_700_000_000_000,
    })
  })

test("of a header with signatures the first ten are read, and 4,096 characters", () => {
  for (const between of [" ", ",", ", "]) assert.equal(webhook(many(1_000, "v1,AAA=", between)).given.length, 10)
  assert.deepEqual(webhook(`${",".repeat(5_000)}v1,AAA=`).given, [])
  assert.deepEqual(webhook(`v1,${"A".repeat(5_000)}`).given, ["A".repeat(4_093)])
  const timed = (value: string) =>
    readTimedSignature({ headers: new Headers({ signed: value }), text: "{}" }, "signed", "v1", "key")
  assert.equal(timed(`t=1,${many(1_000, "v1=AAA", ",")}`).given.length, 10)
})

test("a webhook without an id has no signature, and a time that is none is no number", () => {
  assert.deepEqual(webhook("v1,AAA=", "").given, [])
  const timed = (value: string) =>
    readTimedSignature({ headers: new Headers({ signed: value }), text: "{}" }, "signed", "v1", "key")
  assert.deepEqual(timed("v1=AAA,v2=BBB,t=1700000000,v1=CCC"), {
    key: Buffer.from("key"),
    signed: "1700000000.{}",
    given: ["AAA", "CCC"],
    time: 1_700_000_000_000,
  })
  for (const value of ["v1=AAA", "t=,v1=AAA", "t=1e9,v1=AAA", "t=-1,v1=AAA", "at=1,v1=AAA", ""])
    assert.ok(Number.isNaN(timed(value).time), value)
})
