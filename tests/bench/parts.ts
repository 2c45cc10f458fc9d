/**
 * What each part of a message takes, on the runtime that runs this: alone, warm and 64 at a time, in one process without a
 * server. Writes one line of JSON: microseconds of CPU, of all threads together. See profile.ts.
 */
import { createHmac } from "node:crypto"
import { jwtVerify } from "jose/jwt/verify"
import {
  gateway,
  type Inbound,
  loadNumbers,
  once,
  prepare,
  readBytes,
  readMessage,
  readNumber,
  type World,
} from "../../main.ts"
import { clientOfNode } from "../../providers/parts/client.ts"
import { calls, numberOf, secret, signed, token } from "./calls.ts"

const url = "http://127.0.0.1:3000/"
const type = { "content-type": "application/json" }
const rounds = 20_000

/** Microseconds of CPU that one `work` takes; no `n` comes twice. */
async function cost(work: (n: number) => unknown): Promise<number> {
  let next = 0
  const run = async (until: number) => {
    while (next < until) await work(next++)
  }
  const upTo = (until: number) => Promise.all(Array.from({ length: 64 }, () => run(until)))
  await upTo(rounds)
  const before = process.cpuUsage()
  await upTo(2 * rounds)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / rounds
}

const authorizations = Array.from({ length: rounds }, (_, n) => {
  const [, authorization = ""] = signed(calls.auth0, n).headers[0]?.split(": ") ?? []
  return authorization
})
const signedBy = (n: number) => ({ ...type, authorization: authorizations[n % rounds] ?? "" })
const byToken = { ...type, authorization: `Bearer ${token}` }
const jwtOf = (n: number) => signedBy(n).authorization.slice("Bearer ".length)
const recipientOf = (n: number) => `+${numberOf(n)}`
const fieldsOf = (n: number) => ({
  recipient: recipientOf(n),
  body: `Your code is ${100_000 + n}`,
  sender: "+15005550006",
})
const requestOf = (n: number, headers: Record<string, string>) =>
  new Request(url, { method: "POST", headers, body: JSON.stringify(fieldsOf(n)) })

const isNode = !("Bun" in globalThis || "Deno" in globalThis)
const client: World["fetch"] = isNode ? clientOfNode() : (request) => fetch(request)

function worldOf(env: World["env"]): World {
  const clocks = { clock: Date.now, monotonic: () => performance.now() }
  return { ...clocks, env: { LOG_FORMAT: "json", ...env }, fetch: client, print() {} }
}

/** Whole messages, from the Request to the text of the Response. */
async function whole(env: World["env"], headersOf: (n: number) => Record<string, string>): Promise<number> {
  const app = await gateway(worldOf(env))
  return await cost(async (n) => {
    const response = await app.fetch(requestOf(n, headersOf(n)), {})
    const text = await response.text()
    if (response.status !== 200) throw new Error(`${response.status} ${text}`)
  })
}

const claims = { algorithms: ["HS256"], audience: "urn:smstask", subject: "urn:Auth0", clockTolerance: 60 }
const hmac = { name: "HMAC", hash: "SHA-256" }
const key = await crypto.subtle.importKey("raw", Buffer.from(secret), hmac, false, ["verify"])
const numbers = await loadNumbers()
const { gateway: own } = await prepare(worldOf({ GATEWAY_TOKEN: token, SMS_PROVIDER: "none" }), true)
const arrivalOf = (n: number) => ({
  id: `${n}`,
  caller: "",
  about: { request: `${n}` },
  deadline: Number.POSITIVE_INFINITY,
})
const inbounds: Inbound[] = []
for (let n = 0; n < 2 * rounds; n += 1) inbounds.push((await readMessage(fieldsOf(n), arrivalOf(n), own)) as Inbound)

const silent = { SMS_PROVIDER: "none" }
const { PROVIDER_URL: CLICKATELL_URL = "" } = process.env
const calling = { SMS_PROVIDER: "clickatell", CLICKATELL_API_KEY: "a key of 16 bytes", CLICKATELL_URL }
const call = (n: number) =>
  client(new Request(`${CLICKATELL_URL}/v1/message`, requestOf(n, byToken)), { isFresh: false })

const parts: Record<string, () => Promise<number>> = {
  "Request and Response": () =>
    cost(async (n) => [requestOf(n, byToken), await new Response("{}", { headers: type }).text()]),
  "the body's bytes": () => cost((n) => readBytes(requestOf(n, byToken))),
  "the token, by jose": () => cost((n) => jwtVerify(jwtOf(n), key, claims)),
  "its HMAC, by node:crypto": () => cost((n) => createHmac("sha256", secret).update(jwtOf(n)).digest()),
  "the number, by libphonenumber": () => cost((n) => readNumber(recipientOf(n), undefined, numbers)),
  "check, with the number": () => cost((n) => readMessage(fieldsOf(n), arrivalOf(n), own)),
  "once: guard, route, provider's file, log": () => cost((n) => once(inbounds[n] as Inbound, own)),
  "the call": () => cost(async (n) => await (await call(n)).bytes()),
  "a message by GATEWAY_TOKEN": () => whole({ GATEWAY_TOKEN: token, ...silent }, () => byToken),
  "a message by GATEWAY_SECRET": () => whole({ GATEWAY_SECRET: secret, ...silent }, signedBy),
  "the same with the call": () => whole({ GATEWAY_SECRET: secret, ...calling }, signedBy),
}
const found: Record<string, number> = {}
for (const [what, measured] of Object.entries(parts)) found[what] = await measured()
console.log(JSON.stringify(found))
process.exit(0)
