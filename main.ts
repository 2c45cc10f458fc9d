/**
 * smstask, the gateway between identity platforms and SMS providers, in one file: a platform (Auth0, Supabase, Okta and
 * their like) POSTs a login code, and the provider that `SMS_PROVIDER` names delivers it.
 *
 *     bun main.ts        deno task start        node main.ts        (add --help for the other commands)
 *
 * It reads downward. A message goes take → prove → check → once → guard → deliver → ask → the provider's file, and what came
 * of it goes back as a value. What every gateway needs stands here; what a setting or a command names is a file in providers/,
 * as providers/contract.ts says. Importing this file starts nothing.
 * @module
 */
import { Hono, type Context as HonoContext } from "hono"
import * as ip from "hono/utils/ipaddr"
import * as v from "valibot"
import type * as contract from "./providers/contract.ts"

export type * from "./providers/contract.ts"

type Complaint = contract.Complaint
type Environment = contract.Environment
type Fields = contract.Fields
type Gateway = contract.Gateway
type Inbound = contract.Inbound
type Message = contract.Message
type ProblemCode = contract.ProblemCode
type Ready = contract.Ready
type Refused = contract.Refused
type Targeted<T> = contract.Targeted<T>
type World = contract.World

/** Node's own modules, and packages that few settings need, are loaded where they are used: a cold start waits for each. */
const builtin = process.getBuiltinModule

// ───────────────────────────── Numbers and texts: what people write, and what it means ─────────────────────────────

/** What `look` gives, or `otherwise` where it throws. */
export function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look()
  } catch {
    return otherwise
  }
}

/** A load that is done once; where it failed, whoever comes next tries again. */
function loadedOnce<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined
  const forget = (error: unknown) => {
    loaded = undefined
    throw error
  }
  return () => (loaded ??= load().catch(forget))
}
export const loadNumbers = loadedOnce(() => import("libphonenumber-js/min"))
type Numbers = Awaited<ReturnType<typeof loadNumbers>>

/** What a decimal digit of any script is worth: a script's ten stand in a row, and several rows may follow each other. */
function asciiDigit(digit: string): string {
  let worth = 0
  while (/\p{Nd}/u.test(String.fromCodePoint((digit.codePointAt(0) ?? 0) - worth - 1))) worth += 1
  return String(worth % 10)
}
/** One writing for what looks the same (Unicode NFKC), ASCII digits, and no characters that only format. */
export function folded(text: string): string {
  if (/^[ -~\n]*$/.test(text)) return text
  const digits = text.normalize("NFKC").replace(/[^\P{Nd}0-9]/gu, asciiDigit)
  return digits.replace(/\p{Cf}/gu, "")
}

/**
 * The one number that is meant, as libphonenumber reads it from `country` (ISO 3166), or what is wrong with it. Where several
 * countries share its calling code and none is sure, the first of them is its country.
 */
export function readNumber(written: string, country: string | undefined, numbers: Numbers) {
  const text = folded(written).replace(/^\s*(?:\((\+\d{1,3})\))?|\s+$/g, "$1")
  if (/\p{Cc}/u.test(text)) return "must not hold control characters"
  const options = { extract: false, ...(country && { defaultCountry: country as "US" }) }
  const read = (text: string) => {
    const parsed = numbers.parsePhoneNumberFromString(text, options)
    return parsed?.isPossible() && !parsed.ext && parsed.number.length <= 16 ? parsed : undefined
  }
  const national = read(text)
  // Not every possible number exists: digits that are a valid one behind a plus mean that.
  const isSure = text.startsWith("+") || national?.isValid()
  const [, outside] = /^(?:00\s*)?([1-9].*)$/s.exec(text) ?? []
  const abroad = isSure || !outside ? undefined : read(`+${outside}`)
  let parsed = abroad && (text.startsWith("00") || (national && abroad.isValid())) ? abroad : national
  // The library drops one trunk zero at a time: a number reads as itself, or it would have several limits.
  while (parsed?.nationalNumber.startsWith("0")) {
    const again = read(parsed.number)
    if (!again || again.number === parsed.number) break
    parsed = again
  }
  if (!parsed && !country && /^[\d(]/.test(text)) return "must begin with +, or DEFAULT_COUNTRY must be set"
  if (!parsed) return "must be a phone number: +, the calling code and the number"
  const { number: recipient, countryCallingCode } = parsed
  const masked = `+${countryCallingCode}•••${recipient.slice(-4)}`
  return { recipient: `${recipient}`, country: parsed.country ?? parsed.getPossibleCountries()[0] ?? "", masked }
}

/** Digits that may stand in one telephone's number or be left out, by calling code, as networks take both. */
const optionalDigits: readonly [written: RegExp, code: string][] = [
  // Argentina's 9 of mobiles, and Gabon's 0.
  [/^549(?=\d{10}$)/, "54"],
  [/^2410(?=\d{7,8}$)/, "241"],
]
/** The digits by which a telephone is counted, however its number is written. */
export function lineOf(recipient: string): string {
  const digits = recipient.slice(1)
  // Brazil's ninth digit stands before mobiles, which began with 6 to 9 without it.
  if (digits.startsWith("55")) return digits.replace(/^(55\d\d)9(?=[6-9]\d{7}$)/, "$1")
  const [written = /^/, code = ""] = optionalDigits.find(([written]) => written.test(digits)) ?? []
  return digits.replace(written, code)
}

/** A sender that looks like a number loses its separators; an alphanumeric one stays as it is. */
const asSender = v.transform((written: string) => {
  const bare = folded(written).replace(/[\p{Z}\p{Pd}\p{Ps}\p{Pe}\u2212./]/gu, "")
  return /^(\+|00)?\d{3,15}$/.test(bare) ? bare.replace(/^00/, "+") : written.trim().toWellFormed()
})
const anySender = "a number, a short code or an alphanumeric id of up to 11 characters"
const uncontrolled = v.regex(/^\P{Cc}*$/u, "must not hold control characters")
/** In the path of a URL dots alone would name another path. */
const fitting = v.regex(/^(\+?\d{3,15}|(?!\.+$).{0,11})$/u, `must be ${anySender}`)
const sender = v.pipe(v.string(), v.maxLength(200, `must be ${anySender}`), uncontrolled, asSender, fitting)

const lacking = (part: string) => () => {
  throw new Error(`a setting or a file needs providers/parts/${part}.ts beside main.ts, and it is not there`)
}
/** What few messages ask for, in parts/helpers.ts. Where main.ts is alone, only those fail that cannot do without. */
const missing = lacking("helpers")
const unasked = {
  findCode: () => undefined,
  traceOf: () => ({}),
  loginOf: () => ({ fetch: missing, session: missing }),
}
const noHelpers: contract.Helpers = { ...unasked, told: String, textOf: (code) => `Your code is ${code}` }

// ───────────────────────────── Settings: environment variables, parsed once ─────────────────────────────

export type Variable<T = unknown> = v.GenericSchema<string | undefined, T>
type Parser<T> = v.GenericSchema<string, T>

/** Everything that keeps the gateway from starting, told at once. */
export class StartError extends Error {
  override name = "StartError"
  constructor(complaints: Complaint[]) {
    const texts = new Set(complaints.map(([text]) => `  ${text}`))
    const lines = new Set(complaints.flatMap(([, line]) => (line ? `  ${line}` : [])))
    const cure = lines.size > 0 ? ["Set in the environment or in .env:", ...lines] : []
    super(["smstask cannot start:", ...texts, ...cure].join("\n"))
  }
}

const like = (pattern: RegExp) => v.pipe(v.string(), v.regex(pattern))
const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 }
const milliseconds = (written: string) => (parseInt(written, 10) || 0) * (units[written.slice(-1)] ?? 0)
export const duration = v.pipe(like(/^[1-9]\d{0,3}[smh]$/), v.transform(milliseconds))
const durationOrOff = v.pipe(like(/^(off|[1-9]\d{0,3}[smh])$/), v.transform(milliseconds))
const asLimit = v.transform((written: string) => {
  const [count, period] = written.split("/")
  return period ? { count: Number(count), period: milliseconds(period) } : undefined
})
const limit = v.pipe(like(/^(off|[1-9]\d{0,8}\/[1-9]\d{0,3}[smh])$/), asLimit)
const wholeNumber = (most: number) => v.pipe(like(/^\d{1,5}$/), v.transform(Number), v.maxValue(most))
const asList = v.transform((written: string) => written.split(",").flatMap((item) => item.trim() || []))
const listOf = <T>(item: Parser<T>) => v.pipe(v.string(), asList, v.array(item), v.minLength(1))
const isDistinct = v.check((names: string[]) => new Set(names).size === names.length)

const asPattern = v.transform((written: string) => attempt(() => new RegExp(written, "mu"), undefined))
const pattern = v.pipe(v.string(), asPattern, v.instance(RegExp))
export const country = like(/^[A-Z]{2}$/)
const withoutPlus = v.transform((written: string) => written.replace("+", ""))
const digits = v.pipe(like(/^\+?[1-9]\d{0,14}$/), withoutPlus)
const destinations = v.optional(listOf(v.union([country, digits])))

/** A name is its file's and no other way to write that: this stands between a variable and an import. */
export const fileName = v.pipe(like(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/), v.maxLength(40))
/** `console` and `inbox` show the message to the developer; beside a provider that sends they would hide it. */
const standAlone = v.check((names: string[]) => names.length === 1 || !/\b(console|inbox)\b/.test(names.join()))
const free = v.regex(/^(?!(sms|voice|gateway|limit|log|metrics|health|store|default|code|contract|lib)$)/)
const nameList = v.pipe(listOf(v.pipe(fileName, free)), standAlone, isDistinct)
const fileNames = v.optional(v.pipe(listOf(fileName), isDistinct))

/** A setting with what is expected of it: told by the error at start and checked against the README. */
const set = <const S extends Variable>(schema: S, expected: string) => v.pipe(schema, v.description(expected))
const text = v.optional(v.string())
const flag = v.optional(v.picklist(["true", "false"]), "false")
/** What `secretToken` of providers/lib.ts takes, too. */
const token = like(/^[!-~]{32,}$/)
const webAddress = v.pipe(like(/^https?:\/\/[^/?#@\s]+\/?$/), v.url(), v.maxLength(255))

/** Every setting but the families. */
export const variables = {
  DEFAULT_COUNTRY: set(v.optional(country), "the country of numbers without +, in two letters (ISO 3166), as US"),
  CODE_PATTERN: set(v.optional(pattern), "a regular expression; its group, or else its match, is the code in a text"),
  PLATFORMS: set(fileNames, "names of platforms in lower case, separated by commas"),
  PAGES: set(fileNames, "names of pages in lower case, separated by commas"),
  GATEWAY_SECRET: set(text, "the secret that signs the callers' tokens (HS256)"),
  GATEWAY_SECRET_PREVIOUS: set(text, "the secret before that, while it is being changed"),
  GATEWAY_SECRET_BASE64: set(flag, "true where the secrets are base64 or base64url, else false"),
  GATEWAY_AUDIENCE: set(v.optional(v.string(), "urn:smstask"), "the aud that tokens must have"),
  GATEWAY_SUBJECT: set(v.optional(v.string(), "urn:Auth0"), "the sub that tokens must have, or any"),
  GATEWAY_ISSUER: set(text, "the iss that tokens must have"),
  GATEWAY_TOKEN: set(v.optional(token), "a static bearer token of at least 32 characters, no spaces"),
  GATEWAY_AUTH: set(v.optional(v.picklist(["required", "none"]), "required"), "required, or none beside allowed IPs"),
  GATEWAY_ALLOW_IPS: set(v.optional(listOf(v.string())), "addresses and CIDR ranges, separated by commas"),
  GATEWAY_TRUST_PROXY: set(v.optional(wholeNumber(20), "0"), "the number of proxies in front, 0 to 20"),
  GATEWAY_URL: set(v.optional(webAddress), "the public address of this gateway, https://host with no path behind it"),
  DEADLINE: set(v.optional(duration, "16s"), "a duration such as 16s, for everything that one request may take"),
  ATTEMPT_TIMEOUT: set(v.optional(duration, "8s"), "a duration such as 8s, for one call while another can follow"),
  DUPLICATE_WINDOW: set(v.optional(durationOrOff, "15s"), "a duration such as 15s, or off"),
  SMS_TTL: set(v.optional(duration), "a duration such as 5m, after which a text is worthless"),
  RESEND_WINDOW: set(v.optional(durationOrOff, "5m"), "a duration such as 5m, or off"),
  GUARD: set(v.optional(v.picklist(["enforce", "observe"]), "enforce"), "enforce, or observe to log and let through"),
  LIMIT_RECIPIENT: set(v.optional(limit, "5/10m"), "count/period such as 5/10m for one number, or off"),
  LIMIT_VOICE: set(v.optional(limit, "3/10m"), "count/period such as 3/10m for the calls to one number, or off"),
  LIMIT_PREFIX: set(v.optional(limit, "50/10m"), "count/period for numbers alike but for four digits, or off"),
  LIMIT_IP: set(v.optional(limit, "off"), "count/period for an end user's address, or off"),
  LIMIT_TOTAL: set(v.optional(limit, "off"), "count/period for all messages together, or off"),
  ALLOW_DESTINATIONS: set(destinations, "countries and +digits, separated by commas, as US,CA,+4479"),
  DENY_DESTINATIONS: set(destinations, "countries and +digits, separated by commas, as US,CA,+4479"),
  STORE: set(v.optional(like(/^[a-z][a-z-]*:/)), "a URL: redis://host:6379, or deno-kv:"),
  PORT: set(v.optional(wholeNumber(65_535), "3000"), "a port, 0 to 65535"),
  HOST: set(v.optional(like(/^[\w.:-]+$/), "0.0.0.0"), "an address to listen on"),
  LOG_FORMAT: set(v.optional(v.picklist(["pretty", "json"]), "json"), "pretty or json"),
}
const names = set(nameList, "a provider's name in lower case, or several and commas; console and inbox stand alone")
/** Settings that stand for all numbers, or behind a `_` for some. */
export const families = { SMS_PROVIDER: names, VOICE_PROVIDER: names, SMS_SENDER: set(sender, anySender) }

/** What marks a deployment platform, where a laptop's defaults would be an open door. */
const hosts = ["DENO_DEPLOY", "DENO_DEPLOYMENT_ID", "DYNO", "FLY_APP_NAME", "K_SERVICE", "RAILWAY_PROJECT_ID", "RENDER"]
export const isProduction = (env: Environment) => env.NODE_ENV === "production" || hosts.some((name) => env[name])
/** Whether anyone at all could prove who they are at `POST /`. */
const isOpen = (env: Environment) => Boolean(env.GATEWAY_SECRET || env.GATEWAY_TOKEN || env.GATEWAY_AUTH === "none")
export const isFirstRun = (env: Environment) => !isOpen(env) && !env.PLATFORMS && !isProduction(env)

/** Values without the white space and the one pair of quotes around them (Docker's --env-file keeps both), no empty ones. */
export function clean(env: Environment): Record<string, string> {
  const bare = (value = "") => /^\s*(["'])((?:(?!\1).)*|\1.*\1)\1\s*$/s.exec(value)?.[2] ?? value.trim()
  return Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (bare(value) ? [[name, bare(value)]] : [])))
}

// ───────────────────────────── Reading settings: what is set, missing or wrong ─────────────────────────────

/** What valibot found, field by field, without its own texts, which hold the values. */
export function wrongFields(issues: readonly v.BaseIssue<unknown>[]): string {
  const told = issues.map((issue) => {
    const field = v.getDotPath(issue) ?? "it"
    if (issue.received === "undefined") return `${field} is missing`
    if (issue.kind !== "schema" || issue.type === "custom") return `${field} ${issue.message}`
    return `${field} must be ${issue.type === "string" ? "text" : issue.expected}`
  })
  return told.join("; ")
}

export function describe(schema: Variable): string | undefined {
  return v.getDescription(schema) ?? ("wrapped" in schema ? describe(schema.wrapped as Variable) : undefined)
}

export function complaint(name: string, value: string | undefined, schema: Variable): Complaint {
  return [`${name} is ${value === undefined ? "missing:" : "wrong: expected"} ${describe(schema)}`, `${name}=`]
}

/** Parses `variables` out of the environment; what is missing or wrong goes to `complaints`, each with its description. */
export function parse<E extends contract.Variables>(env: Environment, variables: E, complaints: Complaint[]) {
  const result = v.safeParse(v.object(variables), env)
  if (result.success) return result.output as contract.Values<E>
  for (const name of new Set(result.issues.map((issue) => String(issue.path?.[0]?.key)))) {
    const schema = variables[name]
    if (schema) complaints.push(complaint(name, env[name], schema))
  }
  return undefined
}

/** The value for the longest digits that fit, else for the country, else for all. */
export function closest<T>(all: Targeted<T>[], recipient: string, country: string): T | undefined {
  const isDigits = (target: string) => /^\d/.test(target)
  const isOf = (target: string) => (isDigits(target) ? recipient.startsWith(target, 1) : !target || target === country)
  const weight = ({ target }: Targeted<T>) => (isDigits(target) ? target.length + 1 : Math.sign(target.length))
  const found = all.length === 1 && all[0]?.target === "" ? all : all.filter(({ target }) => isOf(target))
  return found.toSorted((a, b) => weight(b) - weight(a))[0]?.value
}

type Behind = readonly [RegExp, string]
const numbers: Behind = [/^([1-9]\d{0,14}|[A-Z]{2})$/, "the digits of numbers, or a country in two letters"]
/** `NAME` and every `NAME_<what stands behind>`, which matches `behind[0]`. */
export function family<T>(env: Environment, name: string, schema: Parser<T>, told: Complaint[], behind = numbers) {
  const found: Targeted<T>[] = []
  for (const [key, written = ""] of Object.entries(env)) {
    if (key !== name && (!key.startsWith(`${name}_`) || key in variables)) continue
    const target = key.slice(name.length + 1)
    const parsed = v.safeParse(schema, written)
    if (target && !behind[0].test(target)) told.push([`${key} is wrong: after ${name}_ stand ${behind[1]}`])
    else if (parsed.success) found.push({ target, value: parsed.output })
    else told.push(complaint(key, written, schema))
  }
  return found
}

/** The names of the providers for each number, in order of preference, by channel. */
function readRoutes(env: Environment, complaints: Complaint[]) {
  const sms = family(env, "SMS_PROVIDER", names, complaints)
  const voice = family(env, "VOICE_PROVIDER", names, complaints)
  if (isProduction(env) && [...sms, ...voice].some(({ value }) => value.includes("inbox")))
    complaints.push(["SMS_PROVIDER=inbox shows every code to whoever opens it: it does not start in production"])
  if (!env.SMS_PROVIDER && isProduction(env)) complaints.push(complaint("SMS_PROVIDER", undefined, names))
  if (!env.SMS_PROVIDER) sms.push({ target: "", value: ["console"] })
  return { sms, voice }
}

/** Every setting but routes and texts, with the keys that verify tokens. */
export function readSettings(env: Environment, complaints: Complaint[]) {
  const senders = family(env, "SMS_SENDER", families.SMS_SENDER, complaints)
  const settings = parse(env, variables, complaints)
  if (!settings) return undefined
  const secrets = (["GATEWAY_SECRET", "GATEWAY_SECRET_PREVIOUS"] as const).filter((name) => settings[name])
  const isBase64 = settings.GATEWAY_SECRET_BASE64 === "true"
  const wrong = secrets.find((name) => isBase64 && !/^[\w+/-]{2,}={0,2}$/.test(settings[name] ?? ""))
  if (wrong) complaints.push([`${wrong} is wrong: GATEWAY_SECRET_BASE64=true expects base64 or base64url`, `${wrong}=`])
  const keys = secrets.map((name) => Buffer.from(settings[name] ?? "", isBase64 ? "base64" : "utf8"))
  // A weak secret before this one is only warned of, so that it can be changed without a pause.
  const isWeak = settings.GATEWAY_SECRET !== undefined && (keys[0]?.length ?? 0) < 16
  if (isWeak)
    complaints.push(["GATEWAY_SECRET is too short: expected at least 16 bytes", `GATEWAY_SECRET=${newSecret()}`])
  return { ...settings, senders, keys }
}
export type Settings = NonNullable<ReturnType<typeof readSettings>>

// ───────────────────────────── Log: a line for every event, as it happens ─────────────────────────────

/** Prints a line for every event, and hands the event to whoever follows. */
function logger({ clock, print }: World, followers: contract.Follower[], pretty?: contract.Pretty): contract.Log {
  return (level, event, fields) => {
    const now = clock()
    const entry: contract.LogEvent = { time: new Date(now).toISOString(), level, event, ...fields }
    print(pretty ? pretty(entry, now) : JSON.stringify(entry))
    for (const follower of followers) follower(entry)
  }
}

/** A text as both sides of a comparison see it: escapes of URLs, HTML and JSON undone once, one writing, single blanks. */
function plain(text: string): string {
  if (/^[!-$'-[\]-~]*(?: [!-$'-[\]-~]+)*$/.test(text)) return text
  const bytesOf = (escapes: string) => Buffer.from(escapes.replaceAll("%", ""), "hex").toString()
  const signOf = (_: string, point: string) => String.fromCodePoint(Number(`0${point}`) || 32)
  const unitOf = (_: string, unit: string) => String.fromCharCode(parseInt(unit, 16))
  const unescaped = text
    .replace(/(?:%[\da-f]{2})+/gi, bytesOf)
    .replace(/&#(x[\da-f]{1,5}|\d{1,6});/gi, signOf)
    .replace(/\\u([\da-f]{4})/gi, unitOf)
    .replace(/\\(["\\/])/g, (_, sign) => sign)
  const single = folded(unescaped).replace(/[\s\p{C}]+/gu, " ")
  return single.trim()
}

/** Stands for what is hidden until all is done: a private character, of which no foreign text has one left. */
const mark = "\uE000"

/** Secrets in every form in which a provider may echo them: as they are, percent-encoded, in base64, inside JSON. */
export function formsOf(secrets: readonly string[]): string[] {
  const forms = secrets.flatMap((secret) => {
    const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "")
    const inForm = secret.replaceAll("+", " ")
    return [secret, inForm, encodeURIComponent(encodeURIComponent(secret)), base64, JSON.stringify(secret).slice(1, -1)]
  })
  return [...new Set(forms.map((form) => plain(form).toLowerCase()))]
}

/**
 * The one door for a provider's words: 200 characters, in which the number, the text, the `hidden` forms (in any case), and of
 * prose every word of the text with a digit and every run of four digits become "•". A code or an id keeps its other digits.
 */
export function redact(
  foreign: unknown,
  hidden: readonly string[],
  message: Message,
  isProse: boolean,
  most = 200,
): string {
  const { recipient, body, code = "" } = message
  let safe = plain(attempt(() => String(foreign ?? ""), ""))
  if (!safe) return ""
  const isWord = (word: string) => word.length > 3 && /\p{N}/u.test(word)
  const words = isProse ? body.split(/[^\p{L}\p{N}-]+/u).filter(isWord) : []
  const codes = [code, ...(body.match(/\d{4,10}/g) ?? [])]
  const [lower, own] = [safe.toLowerCase(), [body, ...codes, ...words].map(plain)]
  const isIn = (form: string) => form && form.length <= safe.length && lower.includes(form)
  const found = [...hidden, ...own.map((form) => form.toLowerCase())].filter(isIn)
  for (const form of found.sort((a, b) => b.length - a.length)) {
    // A short one is told from a part of another word only where it stands alone.
    const isWhole = form.length < 4 || (!isProse && codes.includes(form))
    const [before, after] = isWhole ? ["(?<![\\p{L}\\p{N}])", "(?![\\p{L}\\p{N}])"] : ["", ""]
    safe = safe.replace(new RegExp(`${before}${RegExp.escape(form)}${after}`, "giu"), mark)
  }
  const codeDigits = codes.map((one) => one.replace(/\D/g, "")).filter((digits) => digits.length > 3)
  safe = safe.replace(/\+?\d(?:[^\p{L}\p{N}\uE000]{0,3}\d){3,}/gu, (run, at: number) => {
    const digits = run.replace(/\D/g, "")
    const isNumber = digits.length > 6 && (recipient.includes(digits) || digits.includes(recipient.slice(-7)))
    const isAlone = !/[\p{L}\p{N}]/u.test(
      safe.slice(Math.max(0, at - 1), at) + safe.slice(at + run.length, at + run.length + 1),
    )
    return isProse || isNumber || (isAlone && codeDigits.includes(digits)) ? mark : run
  })
  return safe.replaceAll(mark, "•").slice(0, most)
}

// ───────────────────────────── Files: whatever a setting names, found by its name ─────────────────────────────

/** Prints the message and takes it as sent: the first step with this gateway. Built in, so that main.ts runs alone. */
const consoleProvider = (print: World["print"]): contract.Provider => ({
  ...{ docs: "README.md", url: "", env: {} },
  request({ recipient, body, sender }) {
    print(`\n  To ${recipient}${sender && ` from ${sender}`}:\n  ${body.replaceAll("\n", "\n  ")}\n`)
    return { id: crypto.randomUUID() }
  },
  receipt: ({ status }) => ({ code: status }),
})

/** The working directory's `providers/<path>.ts` (or `.js`) where it has one, else the file beside this one. Its own parts are never another's. */
export async function loadFile(path: string): Promise<{ default?: unknown }> {
  const base = builtin("node:url").pathToFileURL("./providers/")
  for (const ending of /^(parts|commands)\//.test(path) ? [] : ["ts", "js"]) {
    const file = new URL(`${path}.${ending}`, base)
    if (attempt(() => builtin("node:fs").existsSync(file), false)) return await import(file.href)
  }
  return await import(`./providers/${path}.ts`)
}

/** A part of the gateway that only some settings need. */
async function loadPart<K extends keyof contract.Parts>(world: World, name: K): Promise<contract.Parts[K]> {
  return (await (world.load ?? loadFile)(`parts/${name}`).catch(lacking(name))) as contract.Parts[K]
}
/** Where only main.ts is there, it starts with less to say. */
const loadCheck = (world: World) => loadPart(world, "check").catch(() => undefined)

type Kinds = contract.Kinds
type Kind = keyof Kinds

/** Imports a file by its name and checks its shape; or gives what is wrong with it. */
export async function importFile<K extends Kind>(kind: K, name: string, world: World): Promise<Kinds[K] | string> {
  if (kind === "" && name === "console") return consoleProvider(world.print) as Kinds[K]
  const place = `providers/${kind}${name}.ts`
  const module = await (world.load ?? loadFile)(`${kind}${name}`).catch((thrown: unknown) => ({ thrown }))
  const judge = await loadCheck(world)
  if ("thrown" in module) return judge?.whyNot(kind, name, module.thrown) ?? `${place} fails: ${module.thrown}`
  const wrong = judge?.wrongShape(kind, module.default) ?? (module.default ? "" : "default is missing")
  return wrong ? `${place} does not export what contract.ts asks for: ${wrong}` : (module.default as Kinds[K])
}

/** `cm-com` has the variables `CM_COM_…`. */
export const variablePrefix = (name: string) => name.toUpperCase().replaceAll("-", "_")

/** A provider with its variables; what is missing or wrong goes to `complaints`. */
async function loadProvider(name: string, world: World, complaints: Complaint[]): Promise<Ready | undefined> {
  const provider = await importFile("", name, world)
  if (typeof provider === "string") return void complaints.push([provider])
  const { env } = world
  const NAME = variablePrefix(name)
  const isOther = (key: string) => key === `${NAME}_SENDER` || !(key in provider.env)
  const others = Object.fromEntries(Object.entries(env).filter(([key]) => isOther(key)))
  const own = provider.senderId ? v.union([like(provider.senderId), sender]) : sender
  const senders = family(others, `${NAME}_SENDER`, set(own, anySender), complaints)
  const values = parse(env, provider.env, complaints)
  const usual = typeof provider.url === "function" ? values && provider.url(values) : provider.url
  const url = env[`${NAME}_URL`] ?? usual
  if (values && url === undefined && !provider.env[`${NAME}_URL`])
    complaints.push([`${NAME}_URL is missing: the base URL of your account`, `${NAME}_URL=`])
  const given = Object.keys(provider.env).flatMap((variable) => env[variable] ?? [])
  const parts = given.flatMap((value) => value.split(/[\s"'{}:,;=&?]+/).filter((part) => part.length >= 8))
  const hidden = formsOf([...given, ...parts, env[`${NAME}_REPORT_KEY`] ?? ""])
  const state = { outages: 0, restsUntil: 0 }
  return { name, provider, values: values ?? {}, url: (url ?? "").replace(/\/+$/, ""), senders, hidden, state }
}

// ───────────────────────────── Asking: one provider, once, and what comes back ─────────────────────────────

function refused(outcome: Refused["outcome"], code: string | number, reason = "", fault?: contract.Fault): Refused {
  return { outcome, code, reason, fault: fault ?? "provider", isOutage: fault === undefined }
}

/** No runtime tells whether a call that brought no answer was written before it broke. */
export const isPerhapsSent = ({ outcome, code }: contract.Attempt) => outcome === "timeout" || code === "reset"

const failures: [code: string, pattern: RegExp, reason: string][] = [
  ["dns", /ENOTFOUND|EAI_AGAIN|getaddrinfo|dns|resolve|FailedToOpenSocket/i, "the name HOST is not known"],
  ["refused", /NotCapable|Requires net access/i, "Deno has no permission for HOST: --allow-net"],
  ["refused", /EMFILE|ENFILE|too many open files|os error 24/i, "no file descriptor is left"],
  ["refused", /refused/i, "nothing listens at HOST"],
  ["tls", /cert|tls|ssl|handshake|wrong version|packet length|corrupt message/i, "HOST has no good certificate or TLS"],
  ["timeout", /time(d |-)?out/i, "no connection to HOST in time"],
  ["reset", /(?:)/, "it may have been sent"],
]
/** Of a failed call only the class is kept: runtimes put whole URLs into their texts. */
function callFailed(cause: unknown, host: string): Refused {
  let text = ""
  for (let error = cause; error instanceof Error; error = error.cause) text += `${error} ${Object(error).code} `
  const [code = "reset", , reason] = failures.find(([, pattern]) => pattern.test(text)) ?? []
  return refused(
    "unreachable",
    code,
    reason?.replace("HOST", () => host),
  )
}

/** The bytes of a body, or undefined where there are more than 64 KiB; where its length is declared, none are counted. */
export async function readBytes(source: Request | contract.Reply): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const length = source.headers.get("content-length")
  const isCoded = source.headers.has("transfer-encoding") || source.headers.has("content-encoding")
  if (length && !isCoded) return Number(length) > 65_536 ? undefined : new Uint8Array(await source.arrayBuffer())
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of source.body ?? []) {
    size += chunk.byteLength
    if (size > 65_536) return undefined
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

const utf8 = new TextDecoder()
const strictUtf8 = new TextDecoder("utf-8", { fatal: true })
/** Never throws: what is not JSON is undefined. */
const parseJson = (text: string): unknown => attempt(() => JSON.parse(text), undefined)

/** What `work` gives, or undefined where that takes longer than `limit` milliseconds. */
export function within<T>(limit: number, { after }: contract.Clocks, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = after(limit, () => resolve(undefined))
    work.then(resolve, reject).then(cancel)
  })
}

/** What comes compressed although nobody asked for it, decompressed. Throws where it is broken or more than 64 KiB. */
function decompress(bytes: Uint8Array<ArrayBuffer>, coding: string | null): Uint8Array {
  if (!coding || bytes.length === 0) return bytes
  const { unzipSync, brotliDecompressSync, zstdDecompressSync } = builtin("node:zlib")
  const options = { maxOutputLength: 65_536 }
  if (/^(x-)?gzip$|^deflate$/.test(coding)) return unzipSync(bytes, options)
  if (coding === "br") return brotliDecompressSync(bytes, options)
  return coding === "zstd" ? zstdDecompressSync(bytes, options) : bytes
}

/** Reads an answer to its end: at most 64 KiB as it comes, and as much decompressed. */
export async function readAnswer(reply: contract.Reply): Promise<contract.Answer | Refused> {
  const { status, headers } = reply
  const refusal = (reason: string) => judged({ code: status, reason }, status)
  if (status < 200) return refusal("it wants another protocol")
  if (status >= 300 && status < 400) return refusal("it redirects, which is never followed")
  const bytes = await readBytes(reply)
  if (!bytes) return refusal("its answer is longer than 64 KiB")
  const plain = attempt(() => decompress(bytes, headers.get("content-encoding")), undefined)
  if (!plain) return refusal("its answer cannot be decompressed, or is longer than 64 KiB")
  const text = utf8.decode(plain)
  return { status, headers, text: text.slice(0, 16_384), json: parseJson(text) }
}

/** Asks over HTTP. A redirect that is followed would carry the keys and the text to another host. */
async function call(request: Request, world: World, init: RequestInit & { isFresh: boolean }) {
  try {
    return await readAnswer(await world.fetch(request, { redirect: "manual", ...init }))
  } catch (error) {
    return callFailed(error, new URL(request.url).host)
  }
}

type Faults = contract.Provider["faults"]
export const faultNames = ["fraud", "recipient", "account", "message", "provider"] as const

/** Whose fault a provider's refusal is. What its file does not list as an outage may be about this one message. */
function judged({ code, reason, fault }: contract.Refusal, status: number, faults: Faults = {}): Refused {
  const lists = code === status && reason === undefined ? {} : faults
  const listed = faultNames.find((name) => lists[name]?.some((known) => String(known) === String(code)))
  const whose = fault ?? listed ?? ([401, 402, 403].includes(status) ? "account" : "provider")
  // A 429 with a code of its own may concern one number alone.
  const isThrottled = status === 429 && (code === status || listed === whose)
  const isOutage = whose === "provider" && (listed === whose || status >= 500 || isThrottled)
  return { ...refused("refused", code, reason, whose), isOutage }
}

type Shared = Pick<Gateway, "world" | "settings" | "helpers">
/** Asks one provider once; gives its receipt, or a refusal. Their words are safe to tell. Never throws. */
export async function ask(ready: Ready, message: Message, shared: Shared, signal: AbortSignal, isFresh: boolean) {
  const { name, provider, values, url, state } = ready
  const { world, settings, helpers } = shared
  const hidden = [...ready.hidden]
  const send = async (request: Request) => {
    const credentials = request.headers.get("authorization")?.split(" ") ?? []
    hidden.push(...formsOf(credentials.filter((part) => part.length > 7)))
    const answer = await call(request, world, { signal, isFresh })
    if (!("outcome" in answer)) world.answered?.(answer)
    return answer
  }
  const reportKey = provider.report && settings.GATEWAY_URL && world.env[`${variablePrefix(name)}_REPORT_KEY`]
  const context: contract.Context = {
    url,
    reportUrl: reportKey && new URL(`/${name}/report/${reportKey}`, settings.GATEWAY_URL).href,
    ...helpers.loginOf(state, send, world.clock),
    ttl: settings.SMS_TTL && Math.max(1, Math.round(settings.SMS_TTL / 1_000)),
    clock: world.clock,
    nonce: world.nonce ?? (() => crypto.randomUUID().replaceAll("-", "")),
  }
  const asked = async (mayRenew: boolean): Promise<{ id: string } | Refused> => {
    const request = await provider.request(message, values, context)
    const answer = request instanceof Request ? await send(request) : undefined
    if (answer && "outcome" in answer) return answer
    const isRenewed = answer?.status === 401 && state.session && mayRenew
    if (isRenewed) state.session = undefined
    if (isRenewed) return await asked(false)
    const receipt = answer ? provider.receipt(answer, values) : (request as contract.Receipt)
    if (typeof receipt !== "object") throw new Error(`${answer ? "receipt" : "request"} gave nothing back`)
    if ("id" in receipt && typeof receipt.id === "string") return receipt
    return judged(receipt as contract.Refusal, answer?.status ?? 0, provider.faults)
  }
  const result = await asked(true).catch((e) => e?.refused ?? refused("refused", "exception", helpers.told(e, name)))
  if (state.session) hidden.push(...formsOf([state.session.token]))
  if ("id" in result) return { receipt: redact(result.id, hidden, message, false) }
  // Some give a sentence in place of a code.
  const isCode = /^[\w.:#/-]{1,40}$/.test(attempt(() => String(result.code), ""))
  const code = redact(result.code, hidden, message, !isCode)
  return { ...result, code, reason: redact(result.reason, hidden, message, result.outcome === "refused") }
}

// ───────────────────────────── Delivery: along a route, until a provider accepts ─────────────────────────────

/** A provider rests for 30 s after 3 outages in a row; then one message probes it. */
const rest = { outages: 3, milliseconds: 30_000 }
export const isResting = ({ state }: Ready, now: number) => state.outages >= rest.outages && state.restsUntil > now

/** The provider's sender for this number, else the common one for this number, else the message's, else the common one. */
function senderFor(ready: Ready, recipient: string, country: string, sender: string, common: Targeted<string>[]) {
  const { senders, provider, values } = ready
  const isTargeted = ({ target }: Targeted<string>) => target !== ""
  const near = common.filter(isTargeted)
  const hasPool = provider.pool !== undefined && values[provider.pool] !== undefined
  if (hasPool) return closest(senders.filter(isTargeted), recipient, country) ?? closest(near, recipient, country) ?? ""
  const own = closest(senders, recipient, country) ?? closest(near, recipient, country)
  return own ?? (sender || (closest(common, recipient, country) ?? ""))
}

const againKey = ({ message, line }: Inbound) => `again:${message.channel}:${line}`
/** The providers for a message in order: behind the one that took the last for this number they begin; who rests comes last. */
async function routeFor(inbound: Inbound, gateway: Gateway) {
  const { message, country, about } = inbound
  const { routes, settings, clocks, log, store } = gateway
  const { recipient, channel = "sms" } = message
  const before = settings.RESEND_WINDOW > 0 ? await store.get(againKey(inbound)) : undefined
  if (typeof before === "string" && isNamed(before, gateway)) log("info", "again", { ...about, provider: before })
  const route = closest(routes[channel], recipient, country) ?? []
  if (route.length < 2) return route
  const at = route.findIndex(({ name }) => name === before) + 1
  const turned = [...route.slice(at), ...route.slice(0, at)]
  const now = clocks.monotonic()
  return turned.toSorted((a, b) => Number(isResting(a, now)) - Number(isResting(b, now)))
}

/** Takes a message along its route, inside its deadline, until a provider accepts it or none is left. */
async function deliver(inbound: Inbound, gateway: Gateway): Promise<contract.Delivery> {
  const { message, country, id, ends } = inbound
  const { settings, store, clocks } = gateway
  const attempts: contract.Attempt[] = []
  const route = await routeFor(inbound, gateway)
  const turns = route.map((ready) => ({ ready, isFresh: false }))
  let isCharged = false
  for (let turn = turns.shift(); turn; turn = turns.shift()) {
    const { ready, isFresh } = turn
    const left = ends - clocks.monotonic()
    // Whose connection broke is asked once more when no other is left, and a single provider also where it kept silent.
    const isSingle = route.length === 1
    const isLast = turns.length === 0 && (isFresh || !isSingle)
    const limit = isLast ? left : Math.min(settings.ATTEMPT_TIMEOUT, left / (turns.length + 1))
    const sender = senderFor(ready, message.recipient, country, message.sender, settings.senders)
    const result = await tried({ ...turn, limit }, { ...message, sender }, inbound, gateway)
    attempts.push(result.attempt)
    if ("receipt" in result) {
      if (settings.RESEND_WINDOW > 0) store.set(againKey(inbound), ready.name, settings.RESEND_WINDOW)
      return { id, provider: ready.name, receipt: result.receipt, attempts }
    }
    const { outcome, code, fault, reason } = result
    const detail = `${ready.name}: ${code} ${reason}`
    // What a provider refuses for the number or the text may be billed, and whoever pumps would send it again.
    isCharged ||= ["recipient", "message", "fraud"].includes(fault) || isPerhapsSent(result.attempt)
    if (fault === "recipient") return { problem: "invalid_recipient", detail, attempts, isCharged }
    if (fault === "fraud") return { problem: "suspected_fraud", detail, attempts, isCharged }
    const isBroken = code === "reset" || (outcome === "timeout" && isSingle)
    if (isBroken && !isFresh && clocks.monotonic() < ends) turns.push({ ready, isFresh: true })
  }
  const told = attempts.map(({ provider, outcome, code }) => `${provider} ${outcome} ${code}`).join(", ")
  const isLate = attempts.some(({ outcome }) => outcome === "timeout")
  const detail = attempts.some(isPerhapsSent) ? `It may have been sent: ${told}` : told
  return { problem: isLate ? "delivery_timeout" : "delivery_rejected", detail, attempts, isCharged }
}

type Turn = { ready: Ready; isFresh: boolean; limit: number }
/** One attempt with its line of the log, and what it says of the provider's health. */
async function tried(turn: Turn, message: Message, { about, country }: Inbound, gateway: Gateway) {
  const { ready, isFresh, limit } = turn
  const { name: provider, state } = ready
  const { countries } = ready.provider
  const { clocks, log } = gateway
  const asked = clocks.monotonic()
  if (state.outages >= rest.outages) state.restsUntil = asked + rest.milliseconds
  const abort = new AbortController()
  const serves = countries?.includes(country) === false ? `serves ${countries.join(", ")}` : ""
  const result = serves
    ? refused("refused", "country", serves, "account")
    : await within(limit, clocks, ask(ready, message, gateway, abort.signal, isFresh))
  const ms = Math.round(clocks.monotonic() - asked)
  if (result && "receipt" in result) {
    state.outages = 0
    log("info", "accepted", { ...about, provider, receipt: result.receipt, ms })
    return { ...result, attempt: { provider, outcome: "accepted", ms } satisfies contract.Attempt }
  }
  // A call that is under way, or an answer that was not read to its end.
  abort.abort()
  const failed = result ?? refused("timeout", "timeout", "it may have been sent")
  const { outcome, reason, fault, isOutage } = failed
  const code = String(failed.code)
  log("warn", outcome, { ...about, provider, code, reason, fault, ms })
  if (isOutage && ++state.outages === rest.outages) {
    state.restsUntil = clocks.monotonic() + rest.milliseconds
    log("warn", "resting", { provider, reason: `${rest.outages} failures in a row` })
  }
  return { ...failed, code, attempt: { provider, outcome, code, ms } satisfies contract.Attempt }
}

// ───────────────────────────── Guard: what is sent once, and what is not sent at all ─────────────────────────────

/** What this process remembers by itself: of each limit 100,000 counts, of each period 50,000 values; the older half goes. */
function memoryStore(monotonic: () => number): contract.Store {
  type Key = contract.Key
  type Halves<T> = { young: Map<Key, T>; old: Map<Key, T>; ends: number }
  const counts = new Map<string, Halves<number>>()
  const kept = new Map<number, Halves<{ value: unknown; ends: number }>>()
  const put = <T>(halves: Halves<T>, half: number, key: Key, value: T) => {
    if (halves.young.size >= half) Object.assign(halves, { young: new Map(), old: halves.young })
    halves.young.set(key, value)
  }
  // The windows of a limit begin together.
  const countsOf = ({ name, period }: contract.Limit): Halves<number> => {
    const before = counts.get(name)
    if (before && monotonic() < before.ends) return before
    const halves = { young: new Map(), old: new Map(), ends: monotonic() + period }
    counts.set(name, halves)
    return halves
  }
  const countOf = ({ young, old }: Halves<number>, key: Key) => young.get(key) ?? old.get(key) ?? 0
  return {
    take(key, limit) {
      const halves = countsOf(limit)
      const before = countOf(halves, key)
      if (before >= limit.count) return Math.max(1, halves.ends - monotonic())
      put(halves, 50_000, key, before + 1)
      return 0
    },
    giveBack(key, limit) {
      const halves = countsOf(limit)
      const left = countOf(halves, key) - 1
      if (left > 0) put(halves, 50_000, key, left)
      else for (const half of [halves.young, halves.old]) half.delete(key)
    },
    get(key) {
      for (const { young, old } of kept.values()) {
        const entry = young.get(key) ?? old.get(key)
        if (entry) return entry.ends > monotonic() ? entry.value : undefined
      }
      return undefined
    },
    set(key, value, period) {
      const ends = monotonic() + period
      const { young = new Map(), old = new Map(), ends: turns = 0 } = kept.get(period) ?? {}
      const halves = ends - period >= turns ? { young: new Map(), old: young, ends } : { young, old, ends: turns }
      kept.set(period, halves)
      put(halves, 25_000, key, { value, ends })
    },
  }
}

/**
 * An address in its one form, as URLs have it, without port, brackets and zone; IPv4 inside of IPv6 (mapped, or of NAT64) as
 * IPv4; of a list the first; else "".
 */
export function readAddress(written: unknown): string {
  const one: unknown = Array.isArray(written) ? written[0] : written
  const [first = ""] = typeof one === "string" ? one.slice(0, 200).split(",") : []
  const [bare = ""] = first
    .trim()
    .replace(/^\[([^\]]*)\](:\d+)?$|^([\d.]+):\d+$/, "$1$3")
    .split("%")
  if (!bare.includes(":") && !/^(\d+|0x[\da-f]+|((0x)?[\da-f]{1,4}\.){3}(0x)?[\da-f]{1,4})$/i.test(bare)) return ""
  const host = URL.parse(`http://${bare.includes(":") ? `[${bare}]` : bare}`)?.hostname ?? ""
  const [, high, low] = /^\[(?:::ffff|64:ff9b:):([\da-f]+):([\da-f]+)\]$/.exec(host) ?? []
  const bytes = [high, low].flatMap((pair) => [parseInt(pair ?? "", 16) >> 8, parseInt(pair ?? "", 16) & 255])
  if (high) return bytes.join(".")
  return v.IPV4_REGEX.test(host) ? host : host.replace(/^\[|\]$|^[^[].*$/g, "")
}

/** What each limit counts by, narrowest first: a wider one is charged only where the narrower passed. */
const counted: Record<string, (inbound: Inbound, digits: number) => contract.Key> = {
  LIMIT_VOICE: ({ message }, digits) => (message.channel === "voice" ? digits : ""),
  LIMIT_RECIPIENT: (_, digits) => digits,
  // IPv6 by its /64, which is one household (RFC 6177).
  LIMIT_IP: ({ ip: address }) => (address.includes(":") ? ip.expandIPv6(address).slice(0, 19) : address),
  LIMIT_PREFIX: (_, digits) => Math.floor(digits / 10_000),
  LIMIT_TOTAL: () => "all",
}

/** Delivers what may be sent: refuses destinations, counts limits, and gives back what was counted for nothing. */
async function guard(inbound: Inbound, gateway: Gateway): Promise<contract.Delivery> {
  const { settings, store, limits, log, isAllowed } = gateway
  const taken: [key: contract.Key, limit: contract.Limit][] = []
  const giveBack = () => Promise.all(taken.map(([key, limit]) => store.giveBack(key, limit)))
  let refusal: contract.Undelivered | undefined
  if (!isAllowed(inbound))
    refusal = { problem: "destination_not_allowed", detail: "see ALLOW_DESTINATIONS and DENY_DESTINATIONS" }
  for (const limit of refusal ? [] : limits) {
    const key = counted[limit.name]?.(inbound, Number(inbound.line)) ?? ""
    const retryAfter = key === "" ? 0 : await store.take(key, limit)
    if (retryAfter > 0) refusal = { problem: "rate_limited", detail: `${limit.name} is used up`, retryAfter }
    if (refusal) break
    if (key !== "") taken.push([key, limit])
  }
  if (refusal && settings.GUARD === "enforce") await giveBack()
  if (refusal && settings.GUARD === "enforce") return refusal
  if (refusal) log("warn", "observed", { ...inbound.about, code: refusal.problem, reason: refusal.detail })
  const delivery = await deliver(inbound, gateway)
  if ("problem" in delivery && !delivery.isCharged) await giveBack()
  return delivery
}

const outcome = v.picklist(["accepted", "refused", "timeout", "unreachable"])
const shown = v.pipe(v.string(), v.regex(/^\P{C}{0,200}$/u))
const ms = v.pipe(v.number(), v.integer(), v.minValue(0))
const attempted = v.object({ provider: fileName, outcome, code: v.exactOptional(shown), ms })
const attempts = v.pipe(v.array(attempted), v.maxLength(100))
/** An acceptance as a store keeps it. What another wrote there is foreign. */
const accepted = v.object({ id: v.pipe(v.string(), v.uuid()), provider: fileName, receipt: shown, attempts })

/** Whether a provider of this gateway has that name. */
const isNamed = (name: unknown, { routes }: Gateway) =>
  [...routes.sms, ...routes.voice].some(({ value }) => value.some((ready) => ready.name === name))

/** The same message, or the same signed call, is sent once: whoever brings it again gets what became of the first. */
export async function once(inbound: Inbound, gateway: Gateway): Promise<contract.Delivery> {
  const { marks, id, about } = inbound
  const { underWay, store, log } = gateway
  const send = async (): Promise<contract.Delivery> => {
    for (const { key } of marks) {
      const before = v.safeParse(accepted, await store.get(key))
      if (before.success && isNamed(before.output.provider, gateway)) return before.output
    }
    const delivery = await guard(inbound, gateway)
    if ("receipt" in delivery) await Promise.all(marks.map(({ key, period }) => store.set(key, delivery, period)))
    return delivery
  }
  const before = marks.map(({ key }) => underWay.get(key)).find(Boolean)
  const sending = before ?? send()
  if (!before) for (const { key } of marks) underWay.set(key, sending)
  const delivery = await sending.finally(() => {
    if (!before) for (const { key } of marks) underWay.delete(key)
  })
  if (before || ("receipt" in delivery && delivery.id !== id)) log("info", "duplicate", about)
  return delivery
}

// ───────────────────────────── Proof: who calls ─────────────────────────────

type Texts = string | string[]
/** Whether one of `given` is one of `expected`: compares the SHA-256 of each, in constant time. */
export function isSame(given: Texts | undefined, expected: Texts): boolean {
  const { hash, timingSafeEqual } = builtin("node:crypto")
  const hashes = (texts: Texts) => [texts].flat().map((text) => hash("sha256", text, "buffer"))
  const known = hashes(expected)
  return hashes(given ?? "").some((one) => known.some((other) => timingSafeEqual(one, other)))
}

/** Headers for the files of platforms and providers, each cut to 4,096 characters: no expression meets more. */
export const cutHeaders = (headers: Headers): contract.Call["headers"] => ({
  get: (name) => headers.get(name)?.slice(0, 4_096) ?? null,
})

/** The token of an Authorization header: of Bearer (RFC 6750), Basic's password (RFC 7617), or the bare header. */
export function tokenOf(headers: contract.Call["headers"]): string | undefined {
  const [scheme = "", ...rest] = headers.get("authorization")?.trim().split(/ +/) ?? []
  const credentials = rest.join(" ")
  if (/^bearer$/i.test(scheme)) return credentials
  if (/^basic$/i.test(scheme)) return /:(.*)$/s.exec(Buffer.from(credentials, "base64").toString())?.[1]
  return rest.length === 0 ? scheme : undefined
}

const loadJose = loadedOnce(() => import("jose/jwt/verify"))
type JoseError = { code: string; claim?: string }
const isOtherSecret = ({ code }: JoseError) => code === "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"
function reasonOf(error: JoseError): string {
  if (isOtherSecret(error)) return "the token's signature does not match GATEWAY_SECRET"
  if (error.code === "ERR_JWT_EXPIRED") return "the token has expired"
  if (error.code === "ERR_JOSE_ALG_NOT_ALLOWED") return "the token is not signed with HS256"
  return error.claim ? `the token's claim "${error.claim}" is missing or wrong` : "the token is not a JSON Web Token"
}

/** The proof of `POST /`: a token signed with GATEWAY_SECRET (RFC 7519), or GATEWAY_TOKEN. */
function ownProof(settings: Settings, clock: World["clock"]): contract.Caller["prove"] {
  const { GATEWAY_TOKEN, GATEWAY_AUDIENCE: audience, GATEWAY_SUBJECT: subject, GATEWAY_ISSUER: issuer } = settings
  const claims = { algorithms: ["HS256"], audience, clockTolerance: 60, ...(issuer && { issuer }) }
  const expected = subject === "any" ? claims : { ...claims, subject }
  const hmac = { name: "HMAC", hash: "SHA-256" }
  const importKey = (key: Uint8Array<ArrayBuffer>) => crypto.subtle.importKey("raw", key, hmac, false, ["verify"])
  const loadKeys = loadedOnce(() => Promise.all(settings.keys.map(importKey)))
  return async ({ headers }): Promise<contract.Proven> => {
    if (settings.GATEWAY_AUTH === "none") return {}
    const token = tokenOf(headers)
    if (!token) return { reason: "the header Authorization: Bearer <token> is missing" }
    if (GATEWAY_TOKEN && isSame(token, GATEWAY_TOKEN)) return {}
    const { jwtVerify } = await loadJose()
    let reason = "the token is not GATEWAY_TOKEN"
    for (const secret of await loadKeys()) {
      const verified = jwtVerify(token, secret, { ...expected, currentDate: new Date(clock()) })
      const error = await verified.catch((error: JoseError) => error)
      if (!("code" in error)) return {}
      reason = reasonOf(error)
      if (!isOtherSecret(error)) break
    }
    return { reason }
  }
}

/** `POST /`, in the gateway's own words, which are Auth0's. */
function ownCaller({ settings, world }: Gateway): contract.Caller {
  // Many APIs of SMS call their API key "key": here it marks nothing.
  const read = (fields: object): contract.Written => ({ ip: Object(Object(fields).req).ip, ...fields, key: undefined })
  const platform = { docs: "README.md", env: {}, read, setup: () => "" }
  return { name: "", platform, isSigned: false, prove: ownProof(settings, world.clock) }
}

// ───────────────────────────── Taking: one call, from what its platform wrote to its answer ─────────────────────────────

const failed = "The code could not be sent."
/** The stable codes of every refusal: status, title (RFC 9457), and a sentence for the person who logs in. */
export const problems: Readonly<Record<ProblemCode, readonly [status: number, title: string, sentence: string]>> = {
  invalid_message: [400, "The message is not valid", failed],
  authentication_failed: [401, "The caller is not authenticated", failed],
  forbidden_address: [403, "The caller's address may not call", failed],
  not_found: [404, "There is nothing here", failed],
  method_not_allowed: [405, "The method is not allowed", failed],
  message_too_large: [413, "The message is too large", failed],
  unsupported_encoding: [415, "The body's coding is not supported", failed],
  invalid_recipient: [422, "The number cannot be reached", "This number cannot receive a code."],
  suspected_fraud: [422, "A provider suspects fraud", failed],
  unsupported_channel: [422, "The channel is not supported", "Codes are not sent by phone call."],
  destination_not_allowed: [422, "The destination is not allowed", "Codes are not sent to this number."],
  rate_limited: [429, "Too many messages", "Too many codes were requested. Please try again later."],
  internal_error: [500, "The gateway failed", `${failed} Please try again.`],
  delivery_rejected: [502, "No provider accepted the message", `${failed} Please try again.`],
  delivery_timeout: [504, "No provider accepted the message in time", `${failed} Please try again.`],
}

/** A refusal as problem+json (RFC 9457), and as a line of the log. */
export function refuse(log: contract.Log, code: ProblemCode, detail: string, details: contract.Details = {}): Response {
  const [status, title] = problems[code]
  const { about = {}, attempts, headers, level = status < 500 ? "warn" : "error" } = details
  const id = about.request ?? crypto.randomUUID()
  log(level, "rejected", { request: id, ...about, status, code, reason: detail })
  const problem = JSON.stringify({ type: `urn:smstask:${code}`, title, status, detail, code, id, attempts })
  return new Response(problem, { status, headers: { "content-type": "application/problem+json", ...headers } })
}

const isJson = { headers: { "content-type": "application/json" } }
/** What a platform is told: in its own words, or as everyone else. */
function answer(delivery: contract.Delivery, about: Fields, caller: contract.Caller, log: contract.Log): Response {
  const own = caller.answer?.(delivery, String(about.request))
  if ("receipt" in delivery) return own ?? new Response(JSON.stringify(delivery), isJson)
  const { problem, detail, attempts, retryAfter } = delivery
  const headers = retryAfter ? { "retry-after": String(Math.ceil(retryAfter / 1_000)) } : {}
  const plain = refuse(log, problem, detail, { about, headers, ...(attempts && { attempts }) })
  return own ?? plain
}

const isSendable = (text: string) => text !== "" && (text.length <= 1_600 || [...text].length <= 1_600)
const asText = v.transform((text: string) => text.replace(/[^\P{Cc}\n]/gu, "").toWellFormed())
const body = v.pipe(v.string(), asText, v.check(isSendable, "must be 1 to 1,600 characters"))
const asChannel = v.transform((name: "sms" | "text" | "voice"): "sms" | "voice" => (name === "voice" ? "voice" : "sms"))
const asTag = v.transform((tag: string) => tag.replaceAll("_", "-"))
/** A longer text is none of these, and no expression spends its time on it. */
const brief = v.pipe(v.string(), v.maxLength(200, "must be at most 200 characters"))
const asWellFormed = v.transform((text: string) => text.toWellFormed())
const fewCharacters = v.regex(/^\P{Cc}{0,40}$/u, "must be at most 40 characters")
const notDotsAlone = v.regex(/^(?!\.+$)/, "must not be dots alone")
/** What is understood of a message as its platform writes it. */
const written = v.object({
  recipient: brief,
  body: v.nullish(body),
  sender: v.nullish(v.string(), ""),
  code: v.nullish(v.pipe(brief, v.trim(), fewCharacters, notDotsAlone, asWellFormed), ""),
  locale: v.fallback(v.optional(v.pipe(like(/^[\w-]{2,35}$/), asTag)), undefined),
  channel: v.nullish(v.pipe(v.picklist(["sms", "text", "voice"]), asChannel), "sms"),
  ip: v.optional(v.unknown()),
  key: v.fallback(v.optional(v.pipe(v.string(), v.maxLength(200))), undefined),
})
/** What a template engine leaves where it had no value. */
const unfilled = /@@\s{0,9}[\w.]{1,40}\s{0,9}@@|\{\{[^{}]{1,80}\}\}|\{%[^{}%]{1,80}%\}/

/** Makes a message of what a platform wrote, or says which field is wrong. */
export async function check(foreign: contract.Written, arrival: contract.Arrival, gateway: Gateway) {
  const { id, caller, about, ends } = arrival
  const { settings, routes, log, helpers } = gateway
  const parsed = v.safeParse(written, foreign)
  if (!parsed.success) return wrongFields(parsed.issues)
  const { code: sent, locale, channel, ip, key } = parsed.output
  const number = readNumber(parsed.output.recipient, settings.DEFAULT_COUNTRY, await loadNumbers())
  if (typeof number === "string") return `recipient ${number}`
  const { recipient, country, masked } = number
  const body = parsed.output.body ?? (sent && helpers.textOf(sent, channel, locale))
  if (!body) return "body is missing"
  const [left] = unfilled.exec(body) ?? []
  if (left) return `body holds ${left.replace(/[^\p{L}@{}%_. ]/gu, "•")}, which the platform's template left unfilled`
  const judged = v.safeParse(sender, parsed.output.sender)
  if (!judged.success) {
    const route = closest(routes[channel], recipient, country) ?? []
    const has = (ready: Ready) => senderFor(ready, recipient, country, "", settings.senders)
    const wrong = wrongFields(judged.issues).replace(/^it/, "sender")
    if (!route.every(has)) return `${wrong}; set SMS_SENDER or the provider's own sender to use another`
    log("warn", "warning", { ...about, reason: `${wrong}; the configured sender is used` })
  }
  const code = sent || helpers.findCode(body, settings.CODE_PATTERN)
  const message: Message = { recipient, body, sender: judged.success ? judged.output : "", code, locale, channel }
  const period = settings.DUPLICATE_WINDOW
  const line = lineOf(recipient)
  const marks = period > 0 ? [{ key: `sent:${channel}:${line}\n${body}\n${sent}`, period }] : []
  // Platforms repeat their ids for other messages, too: an id marks a repetition of the same message alone.
  if (key) marks.push({ key: `key:${caller}:${key}\n${channel}:${line}\n${body}\n${sent}`, period: 600_000 })
  const told = { ...about, recipient: masked }
  return { id, about: told, message, country, masked, line, ip: readAddress(ip), marks, ends } satisfies Inbound
}

/** The body of a call as text; or the refusal of what is coded, too large, broken off or no UTF-8. */
async function readBody(request: Request) {
  const refusal = (code: ProblemCode, detail: string) => ({ code, detail })
  const coding = (request.headers.get("content-encoding") ?? "identity").replace(/[^\w-]/g, "")
  if (coding !== "identity")
    return refusal("unsupported_encoding", `the body is coded as ${coding.slice(0, 20)}: send it plain`)
  const read = async () => ({ bytes: await readBytes(request) })
  const body = await read().catch(() => refusal("invalid_message", "the body broke off"))
  if ("code" in body) return body
  const { bytes } = body
  if (!bytes) return refusal("message_too_large", "at most 64 KiB are read")
  const text = attempt(() => strictUtf8.decode(bytes), undefined)
  return text === undefined ? refusal("invalid_message", "the body must be UTF-8") : { text }
}

/** JSON, or the fields of a form; undefined where it is neither. */
function readFields({ headers, text }: contract.Call): object | undefined {
  const json = parseJson(text)
  if (typeof json === "object" && json !== null) return json
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(headers.get("content-type") ?? "")
  // What no UTF-8 escape gives is in another coding; what begins like JSON has a slip; a plus before a digit is no blank.
  const isUtf8 = attempt(() => decodeURIComponent(text.replaceAll("+", " ")), undefined) !== undefined
  if (!isForm || !isUtf8 || json !== undefined || /^\s*[[{"']/.test(text)) return undefined
  return Object.fromEntries(new URLSearchParams(text.replace(/=\+(?=\d)/g, "=%2B")))
}

/** Takes one call from its platform to its answer. */
async function take(request: Request, caller: contract.Caller, gateway: Gateway): Promise<Response> {
  const { world, settings, clocks, log, routes, helpers } = gateway
  const { name, platform, isSigned } = caller
  const { headers } = request
  const id = crypto.randomUUID()
  const ends = clocks.monotonic() + Math.min(settings.DEADLINE, platform.deadline ?? settings.DEADLINE)
  const about: Fields = { request: id, ...(name && { platform: name }) }
  const unproven = (reason: string) => {
    const challenge = headers.has("authorization") ? 'Bearer error="invalid_token"' : "Bearer"
    return refuse(log, "authentication_failed", reason, { about, headers: { "www-authenticate": challenge } })
  }
  let isRead = false
  let isProven = false
  const prove = async (text: string) => {
    const proven = await caller.prove({ headers: name ? cutHeaders(headers) : headers, text })
    isProven = true
    return proven
  }
  const read = async () => {
    const body = await readBody(request)
    isRead = true
    return body
  }
  // What a header proves is proven before the body is read.
  const arrive = async () => {
    const early = isSigned ? {} : await prove("")
    const body = "reason" in early ? { text: "" } : await read()
    return { body, proven: isSigned && !("code" in body) ? await prove(body.text) : early }
  }
  const arrived = await within(ends - clocks.monotonic(), clocks, arrive())
  if (!arrived && (isRead || !(isSigned || isProven)))
    return refuse(log, "delivery_timeout", "the caller could not be proven within the deadline", { about })
  if (!arrived) return refuse(log, "invalid_message", "the body did not arrive within the deadline", { about })
  const { body, proven } = arrived
  if ("code" in body) return refuse(log, body.code, body.detail, { about })
  if ("reason" in proven) return unproven(proven.reason)
  const refuseTo = (problem: ProblemCode, detail: string, more = {}) =>
    answer({ problem, detail }, { ...about, ...more }, caller, log)
  const fields = readFields({ headers, text: body.text })
  if (!fields) return refuseTo("invalid_message", "the body must be a JSON object or a UTF-8 form: {recipient, body}")
  const foreign = attempt(() => platform.read(fields, world.clock()) ?? "nothing", undefined)
  if (foreign === "nothing") return new Response(null, { status: 204 })
  const inbound = foreign && (await check(foreign, { id, caller: name, about, ends }, gateway))
  if (typeof inbound !== "object") return refuseTo("invalid_message", inbound ?? `it is not what ${name} sends`)
  const { channel = "sms", recipient } = inbound.message
  if (!closest(routes[channel], recipient, inbound.country))
    return refuseTo("unsupported_channel", "no provider is named for it: see VOICE_PROVIDER", inbound.about)
  log("info", "received", { ...inbound.about, ...(channel === "voice" && { channel }), ...helpers.traceOf(headers) })
  if (proven.mark) inbound.marks.push({ key: `call:${name}:${proven.mark}`, period: 600_000 })
  return answer(await once(inbound, gateway), inbound.about, caller, log)
}

// ───────────────────────────── Gateway: everything that settings name, put together ─────────────────────────────

/** Every provider that a route names, by its name, and the routes of each channel. */
async function loadProviders(world: World, complaints: Complaint[]) {
  const named = readRoutes(world.env, complaints)
  const providers = new Map<string, Ready>()
  for (const name of new Set([...named.sms, ...named.voice].flatMap(({ value }) => value))) {
    const ready = await loadProvider(name, world, complaints)
    if (ready) providers.set(name, ready)
  }
  const routeOf = ({ target, value }: Targeted<string[]>) => {
    return { target, value: value.flatMap((name) => providers.get(name) ?? []) }
  }
  return { providers, routes: { sms: named.sms.map(routeOf), voice: named.voice.map(routeOf) } }
}

const newSecret = () => builtin("node:crypto").randomBytes(32).toString("base64url")
const byTimer: contract.Clocks["after"] = (milliseconds, run) => clearTimeout.bind(null, setTimeout(run, milliseconds))

/** What serving and sending share. Throws a `StartError` that tells all that is wrong. */
export async function prepare(given: World, isServing: boolean, print = given.print): Promise<contract.Prepared> {
  const world = { ...given, env: clean(given.env) }
  const { env } = world
  const complaints: Complaint[] = []
  const settings = readSettings(env, complaints)
  const { providers, routes } = await loadProviders(world, complaints)
  const { PLATFORMS = [], PAGES = [] } = (isServing && settings) || {}
  const seam = PLATFORMS.length > 0 ? await loadPart(world, "platforms") : undefined
  const callers = (await seam?.loadPlatforms(PLATFORMS, world, [...providers.keys()], complaints)) ?? []
  const shown = PAGES.length > 0 ? await loadPart(world, "pages") : undefined
  const pages = (await shown?.loadPages(PAGES, world, complaints)) ?? []
  if (isServing && !isOpen(env) && !env.PLATFORMS) {
    const text = "nobody could call: GATEWAY_SECRET, GATEWAY_TOKEN or PLATFORMS must be set"
    complaints.push([text, `GATEWAY_SECRET=${newSecret()}`])
  }
  const isFenced = env.GATEWAY_ALLOW_IPS || env.GATEWAY_AUTH === "none"
  if (settings && isFenced) (await loadPart(world, "addresses")).judge(settings, complaints)
  const isBounded = settings?.ALLOW_DESTINATIONS || settings?.DENY_DESTINATIONS
  const isAllowed = isBounded ? (await loadPart(world, "destinations")).destinationsOf(settings) : () => true
  const helpers = (await loadPart(world, "helpers").catch(() => undefined))?.helpersOf(env, complaints) ?? noHelpers
  const loaded = { world, settings, helpers, providers, routes, callers, pages }
  const warnings = (await (await loadCheck(world))?.judge(loaded, complaints)) ?? []
  if (!settings || complaints.length > 0) throw new StartError(complaints)
  const followers: contract.Follower[] = []
  const pretty = settings.LOG_FORMAT === "pretty" && (await loadPart(world, "pretty").catch(() => undefined))
  const log = logger({ ...world, print }, followers, pretty ? pretty.prettyLine() : undefined)
  const clocks = { monotonic: world.monotonic ?? world.clock, after: world.after ?? byTimer }
  const own = memoryStore(clocks.monotonic)
  const store = settings.STORE ? await (await loadPart(world, "store")).open(settings, world, clocks, own, log) : own
  const limits = Object.keys(counted).flatMap((name) => {
    const limit = settings[name as "LIMIT_TOTAL"]
    return limit ? { name, ...limit } : []
  })
  const kept = { underWay: new Map() }
  const gateway: Gateway = { world, settings, clocks, log, store, limits, routes, isAllowed, helpers, ...kept }
  return { gateway, providers, callers, pages, warnings, followers }
}

type App = Hono<{ Bindings: contract.Bindings }>
type Context = HonoContext<{ Bindings: contract.Bindings }>

/** Builds the gateway from its world; nothing is started, and nothing read but `world`. Throws a StartError. */
export const gateway = async (world: World): Promise<App> => await routed(await prepare(world, true))

/** The routes: who may call where, pages, and what is there for everyone. */
async function routed(prepared: contract.Prepared): Promise<App> {
  const { gateway, providers, callers, pages } = prepared
  const { world, settings, log } = gateway
  const { GATEWAY_ALLOW_IPS: allowList, GATEWAY_TRUST_PROXY: proxies } = settings
  const app: App = new Hono()
  /** The peer's address, or as many entries from the right of X-Forwarded-For as proxies stand in front. */
  const address = (c: Context) =>
    readAddress(proxies === 0 ? c.env.address?.() : c.req.header("x-forwarded-for")?.split(",").at(-proxies))
  const fence = allowList && (await loadPart(world, "addresses")).fence(allowList, address, log)
  // Reports come from the vendors, and bring a key in their path.
  const isFenced = (path: string) =>
    path !== "/health" && ![...providers.values()].some((ready) => path.startsWith(`/${ready.name}/report/`))
  if (fence) app.use(async (c, next) => (isFenced(c.req.path) ? await fence(c, next) : await next()))
  // A platform that is set to GET would take a 200 for a message sent.
  const asks = (c: Context) => c.req.url.includes("?") || c.req.header("authorization")
  const greeting = "smstask: POST an SMS to this address as JSON, {recipient, body, sender}.\n"
  app.get("/", (c) => (asks(c) ? c.notFound() : c.text(greeting)))
  app.get("/health", (c) => (world.stopping?.aborted ? c.text("stopping\n", 503) : c.text("ok\n")))
  const methods: Record<string, string> = { "/": "GET, HEAD", "/health": "GET, HEAD" }
  for (const caller of isOpen(world.env) ? [ownCaller(gateway), ...callers] : callers) {
    const path = `/${caller.name}`
    const { greet } = caller
    app.post(path, (c) => take(c.req.raw, caller, gateway))
    if (greet) app.get(path, (c) => greet(cutHeaders(c.req.raw.headers), log))
    methods[path] = `${methods[path] ?? (greet ? "GET" : "")}, POST`.replace(/^, /, "")
  }
  const serves = ({ name, provider: { routes, report } }: Ready) =>
    routes ?? (report && world.env[`${variablePrefix(name)}_REPORT_KEY`])
  if (pages.length > 0 || [...providers.values()].some(serves))
    (await loadPart(world, "pages")).mountPages(app, prepared)
  const judge = await loadCheck(world)
  for (const reason of judge?.doubts(prepared) ?? []) log("warn", "warning", { reason })
  app.notFound((c) => {
    const allow = methods[c.req.path]
    if (!allow) return refuse(log, "not_found", "messages are taken by POST /", { level: "info" })
    return refuse(log, "method_not_allowed", `allowed are ${allow}`, { headers: { allow } })
  })
  app.onError((error) => {
    if ("getResponse" in error && typeof error.getResponse === "function") return error.getResponse()
    log("error", "failure", { reason: error.name, place: judge?.placeOf(error) })
    return refuse(log, "internal_error", "a fault of the gateway: the log says where")
  })
  return app
}

// ───────────────────────────── Start: the runtime's server, and what a person types ─────────────────────────────

const { Bun, Deno } = globalThis as unknown as contract.Runtimes

/** Listens with the runtime's own server; `close` stops accepting and waits for the requests in flight. */
async function listen(hostname: string, port: number, handle: contract.Handler): Promise<contract.Listener> {
  if (Bun) {
    // Who names no host (HTTP/1.0) has a path for a URL.
    const whole = (request: Request) =>
      request.url.startsWith("/") ? new Request(`http://localhost${request.url}`, request) : request
    const fetch = (request: Request, server: contract.Peers) =>
      handle(whole(request), () => server.requestIP(request)?.address)
    const server = Bun.serve({ hostname, port, fetch, idleTimeout: 0, reusePort: false, development: false })
    return { port: server.port, close: () => server.stop() }
  }
  if (!Deno) return await listenOnNode(hostname, port, handle)
  const fetch = (request: Request, peer: contract.Peer) => handle(request, () => peer.remoteAddr.hostname)
  const open = (port: number) => Deno.serve({ hostname, port, onListen() {} }, fetch)
  let server = open(port)
  const taken = server.addr.port
  // With no descriptor left it stops listening, though what it took goes on.
  const keepOpen = () => server.finished.catch(() => setTimeout(openAgain, 100))
  const openAgain = () => {
    server = attempt(() => open(taken), server)
    keepOpen()
  }
  keepOpen()
  return { port: taken, close: () => server.shutdown() }
}

const listenOnNode: typeof listen = async (hostname, port, handle) => {
  const { serve } = await import("@hono/node-server")
  const fetch = (request: Request, peer: contract.NodePeer) => handle(request, () => peer.incoming.socket.remoteAddress)
  const server = serve({ hostname, port, fetch }) as contract.NodeServer
  server.keepAliveTimeout = 75_000
  await builtin("node:events").once(server, "listening")
  const close = async () => {
    setInterval(() => server.closeIdleConnections(), 100).unref()
    await new Promise((resolve) => server.close(resolve))
  }
  return { port: (server.address() as { port: number }).port, close }
}

/** The client for calls. Deno repeats a POST by itself where a connection died, unless its body is a Blob. */
async function clientOf(): Promise<World["fetch"]> {
  const part = Bun || Deno ? undefined : await loadFile("parts/client").catch(() => undefined)
  if (part) return (part as contract.Parts["client"]).clientOfNode()
  const client = Deno?.createHttpClient({ poolMaxIdlePerHost: 0 })
  return async (request, { isFresh, ...init }) => {
    const body = Deno && request.body ? await request.blob() : undefined
    const connection = isFresh && client ? { client } : { keepalive: !isFresh }
    // What Bun decompresses by itself has no limit.
    const options = { ...init, ...connection, ...(body && { body }), decompress: false }
    const reply = await fetch(request, options)
    if (!Deno || !/^(gzip|br)$/.test(reply.headers.get("content-encoding") ?? "")) return reply
    // Deno has decompressed it, and leaves the header.
    const headers = new Headers(reply.headers)
    headers.delete("content-encoding")
    headers.delete("content-length")
    return new Response(reply.body, { status: reply.status, headers })
  }
}

/** Serves until the process is told to end. */
export async function serve(given: World) {
  const stopping = new AbortController()
  const env = clean(given.env)
  const own = await loadPart(given, "process").catch(() => undefined)
  const token = isFirstRun(env) ? ((await own?.rememberedToken(newSecret())) ?? newSecret()) : ""
  const first = token ? { GATEWAY_TOKEN: token, HOST: "127.0.0.1" } : {}
  const world = { ...given, env: { ...env, ...first }, stopping: stopping.signal }
  const prepared = await prepare(world, true)
  const app = await routed(prepared)
  const { settings, log } = prepared.gateway
  const { HOST, PORT } = settings
  // What every message needs is loaded while nobody is served yet; what fails now is tried again by the first message.
  const loading = Promise.all([loadNumbers(), settings.keys.length > 0 && loadJose()]).catch(() => {})
  const isHost = (name: string) => /^(([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?)?$/i.test(name)
  const handle: contract.Handler = (request, address) =>
    isHost(request.headers.get("host") ?? "")
      ? app.fetch(request, { address })
      : refuse(log, "invalid_message", "the header Host names no host")
  const { port, close } = await listen(HOST, PORT, handle).catch(own?.cannotListen(HOST, PORT))
  await loading
  const address = `http://${HOST.includes(":") ? `[${HOST}]` : HOST}:${port}/`
  log("info", "listening", { address })
  if (own) await own.started(prepared, { address, isFirstRun: token !== "", stopping, close })
  else process.once("SIGTERM", close)
  if (!token) return
  const body = JSON.stringify({ recipient: "+12223334444", body: "Your code is 326162", sender: "" })
  const text = "No GATEWAY_SECRET is set: this run has a token of its own and listens on 127.0.0.1 only. Try it:"
  ;(own?.say ?? console.error)(`\n${text}\n\ncurl -i ${address} -H 'Authorization: Bearer ${token}' -d '${body}'\n`)
}

/** The world of a process, and its command. */
async function start() {
  const own = (await loadFile("parts/process").catch(() => undefined)) as contract.Parts["process"] | undefined
  // A terminal is a character device; process.stdout.isTTY loads Node's streams, too.
  const isTerminal = attempt(() => builtin("node:fs").fstatSync(1).isCharacterDevice(), false)
  const env = { LOG_FORMAT: isTerminal ? "pretty" : "json", ...clean(own?.readEnvFile() ?? {}), ...clean(process.env) }
  const clocks = { clock: Date.now, monotonic: () => performance.now() }
  const world = { ...clocks, env, fetch: await clientOf(), ...(own?.printer() ?? { print: console.log }) }
  await (own?.command(process.argv.slice(2), world) ?? (process.argv.length > 2 ? lacking("process")() : serve(world)))
}

const isEntry = () => attempt(() => builtin("node:fs").realpathSync(process.argv[1] ?? ""), "") === import.meta.filename
if (import.meta.main ?? isEntry()) {
  const tell = (error: Error) => {
    console.error(error.message)
    process.exit(1)
  }
  if (import.meta.main && "escape" in RegExp) start().catch(tell)
  else tell(new Error(`smstask needs Node 24.2, Bun 1.3 or Deno 2.5, or newer; this is ${process.version}`))
}
