/**
 * The seam for platforms: their files with their secrets, and the comparison of what each says must be equal. A file never
 * says yes; this does, in constant time, and refuses where anything is missing.
 * @module
 */
import { createHash, createHmac } from "node:crypto"
import * as v from "valibot"
import {
  attempt,
  type Call,
  type Caller,
  type Complaint,
  complaint,
  type Delivery,
  importFile,
  isPerhapsSent,
  isSame,
  type Log,
  type Outcome,
  type Platform,
  type Proof,
  type Proven,
  parse,
  problems,
  refuse,
  tokenOf,
  type Values,
  type Variables,
  variablePrefix,
  type World,
} from "../../main.ts"
import { secretToken } from "../lib.ts"

/** Milliseconds that the clock of a signature may be off. */
const tolerance = 300_000

/** Whether `given` holds the HMAC-SHA256 of something signed, in hex or in base64 with its variants. */
function compareSignature({ key, signed, given, time }: Extract<Proof, { key: unknown }>, now: number): Proven {
  if (given.length === 0 || key.length === 0) return { reason: "the signature is missing" }
  if (time !== undefined && !(Math.abs(now - time) <= tolerance))
    return { reason: "the signature's time is more than 5 minutes off" }
  for (const text of [signed].flat()) {
    const digest = createHmac("sha256", key).update(text).digest()
    const base64 = digest.toString("base64")
    const forms = [digest.toString("hex"), base64, base64.replace(/=+$/, ""), digest.toString("base64url")]
    if (given.some((one) => forms.some((form) => isSame(one, form))))
      return { mark: createHash("sha256").update(text).digest("base64url") }
  }
  return { reason: "the signature does not match the secret" }
}

function compareToken(given: string | undefined, known: string[]): Proven {
  if (!given) return { reason: "the token is missing" }
  return known.some((one) => isSame(given, one)) ? {} : { reason: "the token does not match" }
}

/** Who may call a platform's path: a signature by one of its secrets, one of its tokens, and both where both are set. */
interface Secrets {
  /** The variables, once for each secret. */
  signed: Values<Variables>[]
  tokens: string[]
  /** The variables of a platform that has tokens alone. */
  values: Values<Variables>
}

function prover(platform: Platform, { signed, tokens, values }: Secrets, clock: World["clock"]) {
  const proofOf = (call: Call, values: Values<Variables>) => attempt(() => platform.proof?.(call, values), undefined)
  const bySignature = (call: Call): Proven => {
    let reason = "the signature cannot be read"
    for (const values of signed) {
      const proof = proofOf(call, values)
      const proven = proof && "key" in proof ? compareSignature(proof, clock()) : { reason }
      if (!("reason" in proven)) return proven
      reason = proven.reason
    }
    return { reason }
  }
  const byToken = (call: Call): Proven => {
    const proof = proofOf(call, values)
    return compareToken(proof && "token" in proof ? proof.token : tokenOf(call.headers), tokens)
  }
  return (call: Call): Proven => {
    const proven = signed.length > 0 ? bySignature(call) : byToken(call)
    if ("reason" in proven || signed.length === 0 || tokens.length === 0) return proven
    const also = byToken(call)
    return "reason" in also ? also : proven
  }
}

/** What a platform may know of a delivery. */
function outcomeOf(delivery: Delivery, id: string): Outcome {
  if ("receipt" in delivery)
    return { code: "accepted", status: 200, id: delivery.id, sentence: "The code was sent.", isPerhapsSent: false }
  const { problem: code, attempts = [], retryAfter: wait } = delivery
  const [status, , sentence] = problems[code]
  const retryAfter = wait && Math.ceil(wait / 1_000)
  return { code, status, id, sentence, isPerhapsSent: attempts.some(isPerhapsSent), retryAfter }
}

async function loadPlatform(name: string, world: World, complaints: Complaint[]): Promise<Caller | undefined> {
  const platform = await importFile("platforms/", name, world)
  if (typeof platform === "string") return void complaints.push([platform])
  const [SECRET, TOKEN] = ["SECRET", "TOKEN"].map((rest) => `${variablePrefix(name)}_${rest}`) as [string, string]
  // Standard Webhooks write a secret as v1,whsec_…
  const listOf = (key: string) => (world.env[key] ?? "").split(/(?<!\bv1)[,|]/).flatMap((part) => part.trim() || [])
  const [secrets, tokens] = [listOf(SECRET), listOf(TOKEN)]
  const isEither = SECRET in platform.env && TOKEN in platform.env
  const needed = isEither ? `${SECRET} or ${TOKEN}` : SECRET in platform.env ? SECRET : TOKEN
  const line = `${needed.split(" ")[0]}=`
  const expected =
    v.getDescription(platform.env[needed.split(" ")[0] ?? ""] ?? secretToken()) ?? "the secret of its calls"
  if (secrets.length + tokens.length === 0)
    complaints.push([
      `${needed} is missing: PLATFORMS names ${name}, whose calls must be proven: expected ${expected}`,
      line,
    ])
  for (const secret of secrets)
    if (Buffer.byteLength(secret) < 16) complaints.push([`${SECRET} is too short: expected at least 16 bytes`, line])
  for (const one of tokens) {
    const own = platform.env[TOKEN] ?? secretToken()
    const schema = v.is(own, one) ? secretToken() : own
    if (!v.is(schema, one)) complaints.push(complaint(TOKEN, one, schema))
  }
  const read = (secret?: string) =>
    parse({ ...world.env, [SECRET]: secret, [TOKEN]: tokens[0] }, platform.env, complaints)
  if (secrets.length + tokens.length === 0) return undefined
  const values = (read(secrets[0]) ?? {}) as Values<Variables>
  const signed = secrets.map((secret) => read(secret) as Values<Variables>)
  const isSigned = signed.length > 0
  const prove = prover(platform, { signed, tokens, values }, world.clock)
  const greet =
    platform.greet &&
    ((headers: Headers, log: Log) => {
      const call = { headers, text: "" }
      const greeting = "reason" in prove(call) ? undefined : platform.greet?.(call, values)
      return greeting ?? refuse(log, "authentication_failed", "the token is wrong")
    })
  const answer = (delivery: Delivery, id: string) => platform.answer?.(outcomeOf(delivery, id))
  return { name, platform, isSigned, prove, greet, answer }
}

/** The platforms that PLATFORMS names; what is missing or wrong goes to `complaints`. */
export async function loadPlatforms(
  names: string[],
  world: World,
  providers: string[],
  complaints: Complaint[],
): Promise<Caller[]> {
  const callers: Caller[] = []
  for (const name of names) {
    if (providers.includes(name))
      complaints.push([`PLATFORMS names ${name}, which is a provider in use: both would be served at /${name}`])
    const caller = await loadPlatform(name, world, complaints)
    if (caller) callers.push(caller)
  }
  return callers
}
