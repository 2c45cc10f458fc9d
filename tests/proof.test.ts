/** What a file names as equal, and what the gateway makes of it: the comparison of platforms and of delivery reports. */
import assert from "node:assert/strict"
import { createHmac, generateKeyPairSync, sign } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { SignJWT } from "jose"
import type { Proof, Provider } from "../main.ts"
import { createKeys } from "../providers/parts/keys.ts"
import { compare } from "../providers/parts/proof.ts"
import { problem, providers, standing, start, take } from "./lib/world.ts"

const now = Date.UTC(2026, 10, 30)
const minute = 60_000
const key = Buffer.from("the key of these tests")
const signed = "what was signed"
const hmac = (hash = "sha256", text = signed) => createHmac(hash, key).update(text).digest()
const own = { key, signed, given: [hmac().toString("hex")] }

const [ed25519, rsa, other] = [
  generateKeyPairSync("ed25519"),
  generateKeyPairSync("rsa", { modulusLength: 2048 }),
  generateKeyPairSync("ed25519"),
]
const pem = ({ publicKey }: typeof ed25519) => publicKey.export({ type: "spki", format: "pem" }) as string
const ed25519Signature = sign(null, Buffer.from(signed), ed25519.privateKey).toString("base64")
const rsaSignature = (hash: string) => sign(hash, Buffer.from(signed), rsa.privateKey).toString("base64")
const owned = { publicKey: pem(ed25519), signed, given: [ed25519Signature] }

const jwt = async (claims: Record<string, unknown>, alg = "HS256", secret = key) =>
  await new SignJWT(claims).setProtectedHeader({ alg }).sign(secret)
const seconds = now / 1_000
const unsignedJwt = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"hash":"x"}').toString("base64url")}.`

const proofs: [title: string, proof: Proof, isProven: boolean][] = [
  ["an HMAC in hex", own, true],
  ["an HMAC in hex of capitals", { ...own, given: [hmac().toString("hex").toUpperCase()] }, true],
  ["an HMAC in base64", { ...own, given: [hmac().toString("base64")] }, true],
  ["an HMAC in base64 without padding", { ...own, given: [hmac().toString("base64").replace(/=+$/, "")] }, true],
  ["an HMAC in base64 of URLs", { ...own, given: [hmac().toString("base64url")] }, true],
  ["an HMAC in base64 of capitals", { ...own, given: [hmac().toString("base64").toUpperCase()] }, false],
  ["an HMAC by SHA-1", { ...own, hash: "sha1", given: [hmac("sha1").toString("base64")] }, true],
  ["an HMAC by SHA-512", { ...own, hash: "sha512", given: [hmac("sha512").toString("hex")] }, true],
  ["an HMAC by SHA-1 in place of SHA-256", { ...own, given: [hmac("sha1").toString("hex")] }, false],
  ["an HMAC of one of several texts", { ...own, signed: ["another", signed] }, true],
  ["an HMAC of another text", { ...own, signed: "another" }, false],
  ["an HMAC by another key", { ...own, key: Buffer.from("another key") }, false],
  [
    "an HMAC by an empty key",
    { key: Buffer.alloc(0), signed, given: [createHmac("sha256", "").update(signed).digest("hex")] },
    false,
  ],
  ["no signature", { ...own, given: [] }, false],
  ["an empty signature", { ...own, given: [""] }, false],
  ["the tenth signature", { ...own, given: [...Array(9).fill("x"), ...own.given] }, true],
  ["the eleventh signature", { ...own, given: [...Array(10).fill("x"), ...own.given] }, false],
  ["a signature of more than 512 characters", { ...own, given: ["x".repeat(513)] }, false],
  ["a time five minutes ago", { ...own, time: now - 5 * minute }, true],
  ["a time in five minutes", { ...own, time: now + 5 * minute }, true],
  ["a time before that", { ...own, time: now - 5 * minute - 1 }, false],
  ["a time after that", { ...own, time: now + 5 * minute + 1 }, false],
  ["a time that is none", { ...own, time: Number.NaN }, false],
  ["a signature of Ed25519", owned, true],
  ["a signature of Ed25519 over another text", { ...owned, signed: "another" }, false],
  ["a signature of Ed25519 by another key", { ...owned, publicKey: pem(other) }, false],
  ["a signature of Ed25519 long ago", { ...owned, time: now - 6 * minute }, false],
  ["a cut signature of Ed25519", { ...owned, given: [ed25519Signature.slice(0, 40)] }, false],
  [
    "a signature of RSA by SHA-256",
    { ...owned, publicKey: pem(rsa), hash: "sha256", given: [rsaSignature("sha256")] },
    true,
  ],
  ["a signature of RSA by SHA-1", { ...owned, publicKey: pem(rsa), hash: "sha1", given: [rsaSignature("sha1")] }, true],
  [
    "a signature of RSA by the other hash",
    { ...owned, publicKey: pem(rsa), hash: "sha1", given: [rsaSignature("sha256")] },
    false,
  ],
  ["a token with its claim", { jwt: await jwt({ hash: "x" }), key, claims: { hash: "x" } }, true],
  ["a token of HS512", { jwt: await jwt({ hash: "x" }, "HS512"), key, claims: { hash: "x" } }, true],
  ["a token with no claims asked", { jwt: await jwt({ hash: "x" }), key, claims: {} }, true],
  ["a token with another claim", { jwt: await jwt({ hash: "y" }), key, claims: { hash: "x" } }, false],
  ["a token without the claim", { jwt: await jwt({}), key, claims: { hash: "x" } }, false],
  ["a token whose claim is no text", { jwt: await jwt({ hash: ["x"] }), key, claims: { hash: "x" } }, false],
  ["a token by another key", { jwt: await jwt({}, "HS256", Buffer.from("another")), key, claims: {} }, false],
  ["a token with no signature", { jwt: unsignedJwt, key, claims: {} }, false],
  ["a token that is none", { jwt: "", key, claims: {} }, false],
  ["a token by an empty key", { jwt: await jwt({}), key: Buffer.alloc(0), claims: {} }, false],
  ["a token that expired half a minute ago", { jwt: await jwt({ exp: seconds - 30 }), key, claims: {} }, true],
  ["a token that expired", { jwt: await jwt({ exp: seconds - 61 }), key, claims: {} }, false],
  ["a token that is not good yet", { jwt: await jwt({ nbf: seconds + 61 }), key, claims: {} }, false],
  ["a static token", { token: "b", expected: ["a", "b"] }, true],
  ["another static token", { token: "c", expected: ["a", "b"] }, false],
  ["a static token with nothing to equal", { token: "a", expected: [] }, false],
  ["an empty static token", { token: "", expected: [""] }, false],
  ["no static token", { token: undefined, expected: ["a"] }, false],
  ["a static token of the platform", { token: "platform" }, true],
  ["a static token of another", { token: "a" }, false],
]
for (const [title, proof, isGood] of proofs) {
  test(`${title} ${isGood ? "proves a call" : "proves nothing"}`, async () => {
    assert.equal(!("problem" in (await compare(proof, now, ["platform"]))), isGood)
  })
}

const address = "https://keys.example.com/.well-known/jwks.json"
const jwkOf = ({ publicKey }: typeof ed25519, kid: string) => ({ ...publicKey.export({ format: "jwk" }), kid })
/** A detached signature (RFC 7515, appendix F); `header` goes before the usual members. */
function detached(text = signed, { privateKey } = ed25519, header: object = {}) {
  const encode = (part: string) => Buffer.from(part).toString("base64url")
  const first = encode(JSON.stringify({ alg: "EdDSA", kid: "one", ...header }))
  return `${first}..${sign(null, Buffer.from(`${first}.${encode(text)}`), privateKey).toString("base64url")}`
}

/** What finds keys at `address`, of which `answer` gives the text; `asked` counts, `pass` moves its clock. */
function keyServer(answer: () => Response) {
  const time = standing()
  const asked: string[] = []
  const findKeys = createKeys({
    ...time.world,
    env: {},
    print: () => {},
    fetch: async ({ url }, { redirect }) => {
      assert.equal(redirect, "manual")
      asked.push(url)
      return answer()
    },
  })
  const prove = async (given: string, at = address) =>
    await compare({ jwks: at, signed, given: [given], time: now }, now, [], findKeys)
  return { asked, prove, pass: time.pass }
}
const keySet = (...keys: object[]) => Response.json({ keys })
const isProven = (result: object) => !("problem" in result)

for (const [title, given] of [
  ["of another text", detached("another")],
  ["by another key", detached(signed, other)],
  ["with its text inside", detached().replace("..", `.${Buffer.from(signed).toString("base64url")}.`)],
  ["of no algorithm", detached(signed, ed25519, { alg: "none" })],
  ["of HMAC, with the public key as its key", detached(signed, ed25519, { alg: "HS256" })],
  ["that names its own key", detached(signed, other, { jwk: jwkOf(other, "one"), jku: "https://evil.example.com/" })],
  ["with an unknown extension that must be understood", detached(signed, ed25519, { crit: ["x"], x: 1 })],
  ["that is cut", detached().slice(0, -4)],
  ["without a header", detached().replace(/^[^.]+/, "")],
  ["that is none", "x"],
  ["that is empty", ""],
] as const)
  test(`a detached signature ${title} proves nothing, and no address but the setting's is asked`, async () => {
    const { asked, prove } = keyServer(() => keySet(jwkOf(ed25519, "one"), jwkOf(rsa, "two")))
    assert.ok(!isProven(await prove(given)))
    assert.ok(asked.every((url) => url === address))
  })

test("keys are fetched once in an hour, and anew for a key that is not among them, not at once again", async () => {
  let keys = [jwkOf(ed25519, "one")]
  const { asked, prove, pass } = keyServer(() => keySet(...keys))
  assert.deepEqual(await Promise.all([prove(detached()), prove(detached())]).then((all) => all.map(isProven)), [
    true,
    true,
  ])
  pass(3_599_999)
  assert.ok(isProven(await prove(detached())))
  assert.equal(asked.length, 1)
  keys = [jwkOf(other, "two")]
  const changed = detached(signed, other, { kid: "two" })
  assert.ok(isProven(await prove(changed)))
  assert.ok(!isProven(await prove(detached())))
  assert.equal(asked.length, 2)
  pass(10_000)
  assert.ok(!isProven(await prove(detached())))
  assert.equal(asked.length, 3)
})

for (const [title, answer] of [
  ["fails", () => new Response(null, { status: 500 })],
  ["redirects", () => new Response(null, { status: 302, headers: { location: "https://evil.example.com/" } })],
  ["brings no JSON", () => new Response("<html>")],
  ["brings no keys", () => Response.json({})],
  ["brings too much", () => keySet(jwkOf(ed25519, "one"), { x: "x".repeat(65_536) })],
  ["brings a key that is none", () => keySet({ kty: "OKP", crv: "Ed25519", kid: "one", x: "x" })],
  ["finds nobody", () => Promise.reject(new Error("connect ECONNREFUSED")) as never],
] as [string, () => Response][])
  test(`whoever is to be proven by keys is refused where their fetch ${title}, and proven once it works`, async () => {
    let isBroken = true
    const { asked, prove, pass } = keyServer(() => (isBroken ? answer() : keySet(jwkOf(ed25519, "one"))))
    assert.ok(!isProven(await prove(detached())))
    isBroken = false
    pass(3_600_000)
    assert.ok(isProven(await prove(detached())))
    assert.equal(asked.length, 2)
  })

test("keys that worked and cannot be fetched any more prove nothing when their hour is over", async () => {
  let isBroken = false
  const { asked, prove, pass } = keyServer(() =>
    isBroken ? new Response(null, { status: 503 }) : keySet(jwkOf(ed25519, "one")),
  )
  assert.ok(isProven(await prove(detached())))
  isBroken = true
  pass(3_600_000)
  assert.ok(!isProven(await prove(detached())))
  isBroken = false
  assert.ok(!isProven(await prove(detached())))
  pass(10_000)
  assert.ok(isProven(await prove(detached())))
  assert.equal(asked.length, 3)
})

test("a stranger's call with an unknown key takes good keys from nobody while the key server is away", async () => {
  let isBroken = false
  const { prove, pass } = keyServer(() =>
    isBroken ? new Response(null, { status: 503 }) : keySet(jwkOf(ed25519, "one")),
  )
  assert.ok(isProven(await prove(detached())))
  isBroken = true
  assert.ok(!isProven(await prove(detached(signed, other, { kid: "unknown" }))))
  for (const milliseconds of [0, 10_000, 300_000]) {
    pass(milliseconds)
    assert.ok(isProven(await prove(detached())), `${milliseconds}`)
  }
  pass(3_600_000)
  assert.ok(!isProven(await prove(detached())))
})

test("a call whose time is off is refused before any key is fetched", async () => {
  const findKeys = () => assert.fail("keys were fetched")
  const proof = { jwks: address, signed, given: [detached()], time: now - 6 * minute }
  assert.ok(!isProven(await compare(proof, now, [], findKeys)))
  assert.ok(!isProven(await compare({ ...proof, time: now }, now)))
})

test("what was signed tells one call from another", async () => {
  const marks = await Promise.all(
    [own, { ...own, signed: ["x", signed] }, { ...own, signed: "x", given: [hmac("sha256", "x").toString("hex")] }].map(
      async (proof) => Object(await compare(proof, now)).proofId,
    ),
  )
  assert.match(String(marks[0]), /^[\w-]{43}$/)
  assert.equal(marks[0], marks[1])
  assert.notEqual(marks[0], marks[2])
  // The last sign of a token's signature has two spare bits.
  const token = await jwt({ hash: "x" })
  const last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".indexOf(token.at(-1) ?? "")
  const other = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
  const idOf = async (jwt: string) => Object(await compare({ jwt, key, claims: { hash: "x" } }, now)).proofId
  const id = await idOf(token)
  assert.match(String(id), /^[\w-]{43}$/)
  for (const written of [`${token.slice(0, -1)}${other}`, `${token}=`])
    assert.ok([id, undefined].includes(await idOf(written)), "one token is one call, however it is written")
})

const reportKey = "sampleReportKey0001"
/** A gateway whose provider reads each call as a delivery, and the status of a report to it. */
async function statusOf(
  report: NonNullable<Provider["report"]>,
  method = "POST",
): Promise<[status: number, delivered: number]> {
  const { load, answer, env } = providers({ acme: () => take() }, { acme: { report } })
  const { call, events } = await start({ ...env, ACME_REPORT_KEY: reportKey }, answer, { load })
  const { status } = await call({ method, ...(method === "POST" && { body: "{}" }) }, `/acme/report/${reportKey}`)
  return [status, events().filter(({ event }) => event === "delivered").length]
}
const read = () => [{ id: "x-1", state: "delivered" as const }]

const reports: [title: string, report: NonNullable<Provider["report"]>, status: number, delivered: number][] = [
  ["with no proof is read by the key in its path alone", { read }, 200, 1],
  ["that is unsigned is read by the key in its path alone", { proof: () => "unsigned", read }, 200, 1],
  ["that is signed is read", { proof: async () => own, read }, 200, 1],
  ["that nothing can prove is refused", { proof: () => undefined, read }, 401, 0],
  ["whose signature does not match is refused", { proof: () => ({ ...own, signed: "another" }), read }, 401, 0],
  ["whose token has nothing to equal is refused", { proof: () => ({ token: "a" }), read }, 401, 0],
  ["whose key is none is refused", { proof: () => ({ ...owned, publicKey: "no key" }), read }, 401, 0],
  ["whose proof is none is refused", { proof: () => null as never, read }, 400, 0],
  ["whose proof is a yes is refused", { proof: () => true as never, read }, 400, 0],
  [
    "whose proof throws is refused",
    {
      proof() {
        throw new Error("junk")
      },
      read,
    },
    400,
    0,
  ],
  [
    "that cannot be read is refused",
    {
      read() {
        throw new Error("junk")
      },
    },
    400,
    0,
  ],
]
for (const [title, report, status, delivered] of reports)
  test(`a report ${title}`, async () => assert.deepEqual(await statusOf(report), [status, delivered]))

test("a report whose body never ends is refused at DEADLINE", async () => {
  const { load, answer, env } = providers({ acme: () => take() }, { acme: { report: { read } } })
  const time = standing()
  const settings = { ...env, ACME_REPORT_KEY: reportKey, DEADLINE: "7s" }
  const { call, line } = await start(settings, answer, { load, ...time.world })
  const body = new ReadableStream({ pull: () => time.silence().then(() => {}) })
  const response = await call({ method: "POST", body, duplex: "half" } as RequestInit, `/acme/report/${reportKey}`)
  const { status, code, detail } = await problem(response)
  assert.deepEqual([status, code], [400, "invalid_message"])
  assert.equal(detail, "the body did not arrive within the deadline")
  assert.equal(time.world.monotonic(), 7_000)
  assert.equal(line("rejected").reason, detail)
})

test("no file of a provider or a platform compares by itself", () => {
  for (const folder of ["../providers/", "../providers/platforms/"])
    for (const file of readdirSync(new URL(folder, import.meta.url)).filter((file) => file.endsWith(".ts"))) {
      const source = readFileSync(new URL(folder + file, import.meta.url), "utf8")
      assert.doesNotMatch(source, /timingSafeEqual|[vV]erify\(|isSame\b/, `${folder}${file}: a proof names it`)
    }
})

test("a file whose reports are a function, as they once were, does not start", async () => {
  await assert.rejects(statusOf((() => []) as never), /acme\.ts does not export what contract\.ts asks for: report/)
})
