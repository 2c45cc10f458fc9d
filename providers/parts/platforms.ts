/**
 * The seam for platforms: their files with their secrets, and the proof of each call. A file never says yes: it names what must
 * equal what, and parts/proof.ts compares.
 * @module
 */
import * as v from "valibot"
import {
  type Call,
  type Caller,
  type Complaint,
  chooseText,
  createCollector,
  type Delivery,
  type Environment,
  importFile,
  type Log,
  type Outcome,
  type Platform,
  type Problem,
  type Proven,
  parseVariables,
  problems,
  readTexts,
  readToken,
  refuse,
  StartError,
  type Targeted,
  unproven,
  type Values,
  type Variables,
  variablePrefix,
  type World,
} from "../../main.ts"
import { secretToken } from "../lib.ts"
import { createKeys, type FindKeys } from "./keys.ts"
import { compare, compareToken } from "./proof.ts"

/** Who may call a platform's path: a signature by one of its secrets, one of its tokens, and both where both are set. */
interface Secrets {
  /** The variables, once for each secret. */
  signed: Values<Variables>[]
  tokens: string[]
  /** The variables of a platform that has tokens alone. */
  values: Values<Variables>
}

type Prove = (call: Call) => Promise<Proven | Problem>

function createProof(
  platform: Pick<Platform, "proof">,
  { signed, tokens, values }: Secrets,
  clock: World["clock"],
  findKeys: FindKeys,
): Prove {
  const proveSignature = async (call: Call): Promise<Proven | Problem> => {
    let last: Proven | Problem = unproven("the signature cannot be read")
    for (const values of signed) {
      const proof = platform.proof?.(call, values)
      if (proof) last = await compare(proof, clock(), [], findKeys)
      if (!("problem" in last)) return last
    }
    return last
  }
  const proveToken = (call: Call): Proven | Problem => {
    const proof = platform.proof?.(call, values)
    return compareToken(proof && "token" in proof ? proof.token : readToken(call.headers), tokens)
  }
  const prove = async (call: Call): Promise<Proven | Problem> => {
    if (signed.length === 0) return proveToken(call)
    const proven = await proveSignature(call)
    if ("problem" in proven || tokens.length === 0) return proven
    const byToken = proveToken(call)
    return "problem" in byToken ? byToken : proven
  }
  // What a file throws proves nothing.
  return (call: Call) => prove(call).catch(() => unproven("the proof cannot be read"))
}

/** What each outcome tells the person who logs in, by language: SENTENCE_RATE_LIMITED, SENTENCE_RATE_LIMITED_PT_BR. */
type Sentences = Map<Outcome["code"], Targeted<string>[]>

/** Throws a StartError where one is wrong. */
function readSentences(env: Environment): Sentences {
  const read = (code: string, english: string) => readTexts(env, `SENTENCE_${code.toUpperCase()}`, english)
  const sentences: Sentences = new Map([["accepted", read("accepted", "The code was sent.")]])
  for (const [code, [, , english]] of Object.entries(problems))
    sentences.set(code as Outcome["code"], read(code, english))
  return sentences
}

/** What a platform may know of what came of its call. */
function describeOutcome(
  result: Delivery | Problem,
  id: string,
  sentences: Sentences,
  language: string | undefined,
): Outcome {
  const choose = (code: Outcome["code"]) => chooseText(sentences.get(code) ?? [], language)
  if ("receipt" in result)
    return { code: "accepted", status: 200, id: result.id, sentence: choose("accepted"), isPerhapsSent: false }
  const { problem: code, isPerhapsSent = false, retryAfter: wait, sentenceOf = code } = result
  const [status] = problems[code]
  const sentence = choose(sentenceOf)
  // A bad number is no fault of the call's fields.
  const detail = code === "invalid_message" && sentenceOf === code ? result.detail : undefined
  return { code, status, id, sentence, isPerhapsSent, detail, retryAfter: wait && Math.ceil(wait / 1_000) }
}

/** The secrets in a variable; Standard Webhooks write one as v1,whsec_… */
const splitSecrets = (text = "") => text.split(/(?<!\bv1)[,|]/).flatMap((part) => part.trim() || [])

/** Whether a secret is a key of less than 16 bytes: of Standard Webhooks' secrets that is what their base64 means. */
function isShort(secret: string): boolean {
  const [, coded] = /^(?:v1,)?whsec_(.*)$/.exec(secret) ?? []
  return Buffer.from(coded ?? secret, coded === undefined ? "utf8" : "base64").length < 16
}

/** Complains of secrets that are missing, and of those that can be guessed. */
function listWeak(name: string, platform: Platform, secrets: string[], tokens: string[]): Complaint[] {
  const SECRET = `${variablePrefix(name)}_SECRET`
  const TOKEN = `${variablePrefix(name)}_TOKEN`
  const setting = SECRET in platform.env ? SECRET : TOKEN
  const complaints: Complaint[] = []
  if (secrets.length + tokens.length === 0) {
    const needed = SECRET in platform.env && TOKEN in platform.env ? `${SECRET} or ${TOKEN}` : setting
    const expected = v.getDescription(platform.env[setting] ?? secretToken()) ?? "the secret of its calls"
    const text = `${needed} is missing: PLATFORMS names ${name}, whose calls must be proven: expected ${expected}`
    const usual = platform.usual ? "; where it calls POST / leave PLATFORMS unset" : ""
    complaints.push({ text: text + usual, setting })
  }
  if (secrets.some(isShort))
    complaints.push({ text: `${SECRET} is too short: expected at least 16 bytes`, setting: SECRET })
  if (secrets.some((secret) => /[\r\n]/.test(secret)))
    complaints.push({ text: `${SECRET} holds a line break: write the secret in one line`, setting: SECRET })
  if (tokens.some((one) => !v.is(secretToken(), one)))
    complaints.push({ text: `${TOKEN} is wrong: expected at least 32 characters, no spaces`, setting: TOKEN })
  return complaints
}

/** Throws a StartError that lists what is missing or wrong. */
async function loadPlatform(name: string, world: World, sentences: Sentences, findKeys: FindKeys): Promise<Caller> {
  const platform = await importFile("platforms/", name, world)
  const SECRET = `${variablePrefix(name)}_SECRET`
  const TOKEN = `${variablePrefix(name)}_TOKEN`
  // Keys at an address take the place of secrets; without its variable parseVariables complains.
  const hasKeys = `${variablePrefix(name)}_JWKS` in platform.env
  const secrets = splitSecrets(world.env[SECRET])
  const tokens = splitSecrets(world.env[TOKEN])
  const weak = hasKeys ? [] : listWeak(name, platform, secrets, tokens)
  if (weak.length > 0) throw new StartError(weak)
  const parse = (secret?: string) =>
    parseVariables({ ...world.env, [SECRET]: secret, [TOKEN]: tokens[0] }, platform.env)
  const values = parse(secrets[0])
  const signed = hasKeys ? [values] : secrets.map(parse)
  const prove = createProof(platform, { signed, tokens, values }, world.clock, findKeys)
  const { greet } = platform
  const greetProven = async (headers: Call["headers"], log: Log) => {
    const call = { headers, text: "" }
    if (greet && !("problem" in (await prove(call)))) return greet(call, values)
    return refuse(log, "authentication_failed", "the token is wrong")
  }
  const answer = (result: Delivery | Problem, id: string, language?: string) =>
    platform.answer?.(describeOutcome(result, id, sentences, language))
  const caller = { name, platform, isSigned: signed.length > 0, prove }
  const verified = createVerified(caller, world, parse, findKeys)
  return { ...caller, greet: greet && greetProven, answer, verified }
}

/** The platform's hook that tells of entered codes. It is served where its secret is set, if it has one of its own. */
function createVerified(
  caller: Caller,
  world: World,
  parse: () => Values<Variables>,
  findKeys: FindKeys,
): Caller | undefined {
  const { name, platform } = caller
  const { verified } = platform
  const SECRET = `${variablePrefix(name)}_VERIFIED_SECRET`
  if (!verified || !(SECRET in platform.env)) return verified && caller
  const secrets = splitSecrets(world.env[SECRET])
  if (secrets.length === 0) return undefined
  if (secrets.some(isShort))
    throw new StartError([{ text: `${SECRET} is too short: expected at least 16 bytes`, setting: SECRET }])
  const signed = secrets.map((secret) => ({ ...parse(), [SECRET]: secret }))
  const prove = createProof(verified, { signed, tokens: [], values: {} }, world.clock, findKeys)
  return { name, platform, isSigned: true, prove }
}

/** Loads the platforms that PLATFORMS names. Throws a StartError that lists what is missing or wrong. */
export async function loadPlatforms(names: string[], world: World, providers: { name: string }[]): Promise<Caller[]> {
  const { complaints, collect } = createCollector()
  const callers: Caller[] = []
  const findKeys = createKeys(world)
  const sentences = (await collect(() => readSentences(world.env))) ?? new Map()
  for (const name of names) {
    const text = `PLATFORMS names ${name}, which is a provider in use: both would be served at /${name}`
    if (providers.some((provider) => provider.name === name)) complaints.push({ text })
    const caller = await collect(() => loadPlatform(name, world, sentences, findKeys))
    if (caller) callers.push(caller)
  }
  if (complaints.length > 0) throw new StartError(complaints)
  return callers
}
