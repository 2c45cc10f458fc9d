/**
 * The seam for platforms: their files with their secrets.
 * @module
 */
import * as v from "valibot"
import {
  type Call,
  type Caller,
  type Complaint,
  type Delivery,
  importFile,
  isPerhapsSent,
  type Log,
  type Outcome,
  type Platform,
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
import { compare, compareToken } from "./proof.ts"

/** Who may call a platform's path: a signature by one of its secrets, one of its tokens, and both where both are set. */
interface Secrets {
  /** The variables, once for each secret. */
  signed: Values<Variables>[]
  tokens: string[]
  /** The variables of a platform that has tokens alone. */
  values: Values<Variables>
}

function prover(platform: Platform, { signed, tokens, values }: Secrets, clock: World["clock"]) {
  const bySignature = async (call: Call): Promise<Proven> => {
    let reason = "the signature cannot be read"
    for (const values of signed) {
      const proof = platform.proof?.(call, values)
      const proven = proof ? await compare(proof, clock()) : { reason }
      if (!("reason" in proven)) return proven
      reason = proven.reason
    }
    return { reason }
  }
  const byToken = (call: Call): Proven => {
    const proof = platform.proof?.(call, values)
    return compareToken(proof && "token" in proof ? proof.token : tokenOf(call.headers), tokens)
  }
  const byBoth = async (call: Call): Promise<Proven> => {
    const proven = signed.length > 0 ? await bySignature(call) : byToken(call)
    if ("reason" in proven || signed.length === 0 || tokens.length === 0) return proven
    const also = byToken(call)
    return "reason" in also ? also : proven
  }
  // What a file throws proves nothing.
  return (call: Call) => byBoth(call).catch((): Proven => ({ reason: "the proof cannot be read" }))
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
  const hasWrongToken = tokens.some((one) => !v.is(secretToken(), one))
  if (hasWrongToken) complaints.push([`${TOKEN} is wrong: expected at least 32 characters, no spaces`, `${TOKEN}=`])
  const read = (secret?: string) =>
    parse({ ...world.env, [SECRET]: secret, [TOKEN]: tokens[0] }, platform.env, complaints)
  if (hasWrongToken || secrets.length + tokens.length === 0) return undefined
  const values = (read(secrets[0]) ?? {}) as Values<Variables>
  const signed = secrets.map((secret) => read(secret) as Values<Variables>)
  const isSigned = signed.length > 0
  const prove = prover(platform, { signed, tokens, values }, world.clock)
  const greet =
    platform.greet &&
    (async (headers: Call["headers"], log: Log) => {
      const call = { headers, text: "" }
      const greeting = "reason" in (await prove(call)) ? undefined : platform.greet?.(call, values)
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
