/**
 * smstask, the gateway between identity platforms and SMS providers, in one file.
 *
 * A platform (Auth0, Supabase, Okta and their like) POSTs a login code. smstask proves who is calling, checks what was
 * sent, refuses abuse, and hands the message to the provider that `SMS_PROVIDER` names.
 *
 *     bun main.ts        deno task start        node main.ts        (add --help for the other commands)
 *
 * It reads downward. A message goes take → prove → check → once → guard → deliver → ask → the provider's file, and what
 * came of it goes back as a value. What every gateway needs stands here; what a setting or a command names is a file in
 * providers/, and providers/contract.ts says what such a file is given and gives back. Importing this file starts nothing.
 * @module
 */
import type { Server as HttpServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Hono, type Context as HonoContext, type MiddlewareHandler } from "hono"
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
type Variables = contract.Variables
type World = contract.World

/** Node's own modules, and packages that few settings need, are loaded where they are used: a cold start waits for each. */
const builtin = process.getBuiltinModule

// ───────────────────────────── Settings: environment variables, parsed once ─────────────────────────────

type Variable<T = unknown> = v.GenericSchema<string | undefined, T>
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

const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 }
const milliseconds = (written: string) => (parseInt(written, 10) || 0) * (units[written.slice(-1)] ?? 0)
export const duration = v.pipe(v.string(), v.regex(/^[1-9]\d{0,3}[smh]$/), v.transform(milliseconds))
const durationOrOff = v.pipe(v.string(), v.regex(/^(off|[1-9]\d{0,3}[smh])$/), v.transform(milliseconds))
const asLimit = v.transform((written: string) => {
  const [count, period] = written.split("/")
  return period ? { count: Number(count), period: milliseconds(period) } : undefined
})
const limit = v.pipe(v.string(), v.regex(/^(off|[1-9]\d{0,8}\/[1-9]\d{0,3}[smh])$/), asLimit)
const wholeNumber = (most: number) => v.pipe(v.string(), v.regex(/^\d{1,5}$/), v.transform(Number), v.maxValue(most))
const asList = v.transform((written: string) => written.split(",").flatMap((item) => item.trim() || []))
const listOf = <T>(item: Parser<T>) => v.pipe(v.string(), asList, v.array(item), v.minLength(1))
const isDistinct = v.check((names: string[]) => new Set(names).size === names.length)

/** An address or a CIDR range, as hono/ip-restriction reads them. */
const addressRule = v.custom<string>((rule) => {
  const [address = "", bits = "0", ...rest] = String(rule).split("/")
  const isRange = /^\d{1,3}$/.test(bits) && Number(bits) <= (v.IPV4_REGEX.test(address) ? 32 : 128)
  return rule === "*" || (v.IP_REGEX.test(address) && isRange && rest.length === 0)
})
/** Whether a rule is wider than /8, or /16 of IPv6, in which IPv4 begins at /96. */
function isWide(rule: string): boolean {
  const [address = "", bits = "128"] = rule.split("/")
  const least = /^[0:]*:ffff:/i.test(address) ? 104 : address.includes(":") ? 16 : 8
  return rule === "*" || Number(bits) < least
}

const asPattern = v.transform((written: string) => attempt(() => new RegExp(written, "mu"), undefined))
const pattern = v.pipe(v.string(), asPattern, v.instance(RegExp))
const country = v.pipe(v.string(), v.regex(/^[A-Z]{2}$/))
const withoutPlus = v.transform((written: string) => written.replace("+", ""))
const digits = v.pipe(v.string(), v.regex(/^\+?[1-9]\d{0,14}$/), withoutPlus)
const destinations = v.optional(listOf(v.union([country, digits])))

/** A name is its file's and no other way to write that: this stands between a variable and an import. */
const namePattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
export const fileName = v.pipe(v.string(), v.regex(namePattern), v.maxLength(40))
const reserved = [
  "sms",
  "voice",
  "gateway",
  "limit",
  "log",
  "metrics",
  "health",
  "store",
  "default",
  "code",
  "contract",
]
/** `console` and `inbox` show the message to the developer; beside a provider that sends they would hide it. */
const standAlone = v.check((names: string[]) => names.length === 1 || !/\b(console|inbox)\b/.test(names.join()))
const providerNames = v.pipe(listOf(v.pipe(fileName, v.notValues(reserved))), standAlone, isDistinct)
const fileNamesOf = v.optional(v.pipe(listOf(fileName), isDistinct))

/** A setting with what is expected of it: told by the error at start and checked against the README. */
const set = <const S extends Variable>(schema: S, expected: string) => v.pipe(schema, v.description(expected))
const flag = v.optional(v.picklist(["true", "false"]), "false")
export const token = v.pipe(v.string(), v.regex(/^[!-~]{32,}$/))
const webAddress = v.pipe(v.string(), v.regex(/^https?:\/\/[^/?#@\s]+\/?$/), v.url(), v.maxLength(255))
const asUnescaped = v.transform((text: string) => text.replaceAll("\\n", "\n"))

/** Every setting but the families. */
export const variables = {
  DEFAULT_COUNTRY: set(v.optional(country), "the country of numbers without +, in two letters (ISO 3166), as US"),
  CODE_PATTERN: set(v.optional(pattern), "a regular expression; its group, or else its match, is the code in a text"),
  PLATFORMS: set(fileNamesOf, "names of platforms, separated by commas"),
  PAGES: set(fileNamesOf, "names of pages, separated by commas"),
  GATEWAY_SECRET: set(v.optional(v.string()), "the secret that signs the callers' tokens (HS256)"),
  GATEWAY_SECRET_PREVIOUS: set(v.optional(v.string()), "the secret before that, while it is being changed"),
  GATEWAY_SECRET_BASE64: set(flag, "true where the secrets are base64 or base64url, else false"),
  GATEWAY_AUDIENCE: set(v.optional(v.string(), "urn:smstask"), "the aud that tokens must have"),
  GATEWAY_SUBJECT: set(v.optional(v.string(), "urn:Auth0"), "the sub that tokens must have, or any"),
  GATEWAY_ISSUER: set(v.optional(v.string()), "the iss that tokens must have"),
  GATEWAY_TOKEN: set(v.optional(token), "a static bearer token of at least 32 characters, no spaces"),
  GATEWAY_AUTH: set(v.optional(v.picklist(["required", "none"]), "required"), "required, or none beside allowed IPs"),
  GATEWAY_ALLOW_IPS: set(v.optional(listOf(addressRule)), "addresses and CIDR ranges, separated by commas"),
  GATEWAY_TRUST_PROXY: set(v.optional(wholeNumber(20), "0"), "the number of proxies in front, 0 to 20"),
  GATEWAY_URL: set(v.optional(webAddress), "the public address of this gateway, https://host with no path behind it"),
  DEADLINE: set(v.optional(duration, "16s"), "a duration such as 16s, for everything that one request may take"),
  ATTEMPT_TIMEOUT: set(v.optional(duration, "8s"), "a duration such as 8s, for one call while another can follow"),
  DUPLICATE_WINDOW: set(v.optional(durationOrOff, "15s"), "a duration such as 15s, or off"),
  RESEND_WINDOW: set(v.optional(durationOrOff, "5m"), "a duration such as 5m, or off"),
  GUARD: set(v.optional(v.picklist(["enforce", "observe"]), "enforce"), "enforce, or observe to log and let through"),
  LIMIT_RECIPIENT: set(v.optional(limit, "5/10m"), "count/period such as 5/10m for one number, or off"),
  LIMIT_VOICE: set(v.optional(limit, "3/10m"), "count/period such as 3/10m for the calls to one number, or off"),
  LIMIT_PREFIX: set(v.optional(limit, "50/10m"), "count/period for numbers alike but for four digits, or off"),
  LIMIT_IP: set(v.optional(limit, "off"), "count/period for an end user's address, or off"),
  LIMIT_TOTAL: set(v.optional(limit, "off"), "count/period for all messages together, or off"),
  ALLOW_DESTINATIONS: set(destinations, "countries and +digits, separated by commas, as US,CA,+4479"),
  DENY_DESTINATIONS: set(destinations, "countries and +digits, separated by commas, as US,CA,+4479"),
  STORE: set(v.optional(v.pipe(v.string(), v.regex(/^[a-z][a-z-]*:/))), "a URL: redis://host:6379, or deno-kv:"),
  PORT: set(v.optional(wholeNumber(65_535), "3000"), "a port, 0 to 65535"),
  HOST: set(v.optional(v.pipe(v.string(), v.regex(/^[\w.:-]+$/)), "0.0.0.0"), "an address to listen on"),
  LOG_FORMAT: set(v.optional(v.picklist(["pretty", "json"]), "json"), "pretty or json"),
}
const names = set(
  providerNames,
  "a provider's name in lower case, or several and commas between them; console and inbox stand alone",
)
const codeText = set(v.pipe(v.string(), v.includes("{code}"), asUnescaped), "a text that holds {code}")
const ownSender = set(
  v.lazy(() => sender),
  "a number, a short code or an alphanumeric id of up to 11 characters",
)
const numbersBehind = [/^([1-9]\d{0,14}|[A-Z]{2})$/, "the digits of numbers, or a country in two letters"] as const
const languageBehind = [/^[A-Z]{2,3}(_[A-Z\d]+)*$/, "a language, as PT_BR"] as const
/** Settings that stand for all numbers or languages, or behind a `_` for some. */
export const families = {
  SMS_PROVIDER: names,
  VOICE_PROVIDER: names,
  SMS_SENDER: ownSender as Parser<string>,
  CODE_TEXT: codeText,
  CODE_SPEECH: codeText,
}

/** What marks a deployment platform, where a laptop's defaults would be an open door. */
const hosts = ["DENO_DEPLOY", "DENO_DEPLOYMENT_ID", "DYNO", "FLY_APP_NAME", "K_SERVICE", "RAILWAY_PROJECT_ID", "RENDER"]
export const isProduction = (env: Environment) => env.NODE_ENV === "production" || hosts.some((name) => env[name])
/** Whether anyone at all could prove who they are at `POST /`. */
const isOpen = (env: Environment) => Boolean(env.GATEWAY_SECRET || env.GATEWAY_TOKEN || env.GATEWAY_AUTH === "none")

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

export const complaint = (name: string, value: string | undefined, schema: Variable): Complaint => [
  `${name} is ${value === undefined ? "missing:" : "wrong: expected is"} ${describe(schema)}`,
  `${name}=`,
]

/** Parses `variables` out of the environment; what is missing or wrong goes to `complaints`, each with its description. */
export function parse<E extends Variables>(env: Environment, variables: E, complaints: Complaint[]) {
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
  const fits = ({ target }: Targeted<T>) =>
    isDigits(target) ? recipient.startsWith(target, 1) : !target || target === country
  const weight = ({ target }: Targeted<T>) => (isDigits(target) ? target.length + 1 : Math.sign(target.length))
  const found = all.length === 1 && all[0]?.target === "" ? all : all.filter(fits)
  return found.toSorted((a, b) => weight(b) - weight(a))[0]?.value
}

/** `NAME` and every `NAME_<what stands behind>`. `others` are variables that only look as if they belonged to them. */
function family<T>(env: Environment, name: string, schema: Parser<T>, complaints: Complaint[], others: object = {}) {
  const [behind, expected] = name.startsWith("CODE_") ? languageBehind : numbersBehind
  const found: Targeted<T>[] = []
  for (const [key, written = ""] of Object.entries(env)) {
    if (key !== name && (!key.startsWith(`${name}_`) || key in others || key in variables)) continue
    const target = key.slice(name.length + 1)
    const parsed = v.safeParse(schema, written)
    if (target && !behind.test(target)) complaints.push([`${key} is wrong: after ${name}_ stand ${expected}`])
    else if (parsed.success) found.push({ target, value: parsed.output })
    else complaints.push(complaint(key, written, schema))
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

/** Every setting but routes, and what only several of them together show to be wrong. */
export function readSettings(env: Environment, complaints: Complaint[]) {
  const senders = family(env, "SMS_SENDER", families.SMS_SENDER, complaints)
  const texts = {
    sms: family(env, "CODE_TEXT", codeText, complaints),
    voice: family(env, "CODE_SPEECH", codeText, complaints),
  }
  const settings = parse(env, variables, complaints)
  if (!settings) return undefined
  const { GATEWAY_AUTH, GATEWAY_ALLOW_IPS: rules, GATEWAY_SECRET_BASE64 } = settings
  if (GATEWAY_AUTH === "none" && (!rules || rules.some(isWide))) {
    const text = "GATEWAY_AUTH=none lets anyone send at your cost, unless GATEWAY_ALLOW_IPS names the few who may call"
    complaints.push([`${text}: no range wider than /8, or /16 of IPv6`, "GATEWAY_ALLOW_IPS="])
  }
  const keys: Uint8Array<ArrayBuffer>[] = []
  for (const name of ["GATEWAY_SECRET", "GATEWAY_SECRET_PREVIOUS"] as const) {
    const written = settings[name]
    if (!written) continue
    if (GATEWAY_SECRET_BASE64 === "false") keys.push(new TextEncoder().encode(written))
    else if (/^[\w+/-]{2,}={0,2}$/.test(written)) keys.push(Buffer.from(written, "base64"))
    else complaints.push([`${name} is wrong: GATEWAY_SECRET_BASE64=true expects base64 or base64url`, `${name}=`])
  }
  return { ...settings, senders, texts, keys }
}
export type Settings = NonNullable<ReturnType<typeof readSettings>>

// ───────────────────────────── Numbers and texts: what people write, and what it means ─────────────────────────────

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
  const point = digit.codePointAt(0) ?? 0
  let first = point
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1
  return String((point - first) % 10)
}
/** One writing for what looks the same (Unicode NFKC), ASCII digits, and no characters that only format. */
function folded(text: string): string {
  if (/^[ -~\n]*$/.test(text)) return text
  return text
    .normalize("NFKC")
    .replace(/[^\P{Nd}0-9]/gu, asciiDigit)
    .replace(/\p{Cf}/gu, "")
}

/**
 * The one number that is meant, as libphonenumber reads it from `country` (ISO 3166), or what is wrong with it. Of a number
 * that its calling code leaves open the country is the first of those that share it; `masked` is `+44•••3456`.
 */
export function readNumber(written: string, country: string | undefined, numbers: Numbers) {
  const text = folded(written)
    .trim()
    .replace(/^\((\+\d{1,3})\)/, "$1")
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
  const masked = `+${parsed.countryCallingCode}•••${parsed.number.slice(-4)}`
  return {
    recipient: parsed.number as string,
    country: parsed.country ?? parsed.getPossibleCountries()[0] ?? "",
    masked,
  }
}

/** A sender that looks like a number loses its separators; an alphanumeric one stays as it is. */
const asSender = v.transform((written: string) => {
  const bare = folded(written).replace(/[\p{Z}\p{Pd}\p{Ps}\p{Pe}\u2212./]/gu, "")
  return /^(\+|00)?\d{3,15}$/.test(bare) ? bare.replace(/^00/, "+") : written.trim().toWellFormed()
})
const sender = v.pipe(
  v.string(),
  v.regex(/^\P{Cc}*$/u, "must not hold control characters"),
  asSender,
  v.regex(/^(\+?\d{3,15}|.{0,11})$/u, "must be a number, a short code or an alphanumeric id of up to 11 characters"),
)

/**
 * The one-time code in a text: what the pattern finds, or a WebOTP line says, or the only run of 4 to 10 digits that stands
 * alone. None where several could be it: a second run, one with letters inside (`AB1234`), one that goes on behind a
 * separator (`123-456`), or an HTML entity.
 */
export function findCode(body: string, pattern?: RegExp): string | undefined {
  // Android's SMS Retriever wants a hash of its own at the end.
  const text = folded(body.replace(/\p{No}/gu, "x")).replace(/^(<#>.*)\s[\w+/]{11}\s*$/s, "$1")
  if (pattern) return pattern.exec(text)?.findLast(Boolean)
  const webOtp = /^@\S+ #([^\s%]+)/m.exec(text)?.[1]
  if (webOtp || /&#?\w{1,8};/.test(text)) return webOtp
  // Letters of scripts without cases (Kana, Thai) stand beside digits with no blank between.
  const words = text.match(/\d+(?:[ .\-–—/_]\d+)+|[\p{LC}\p{N}]{2,}(?:[-_][\p{LC}\p{N}]+)*/gu) ?? []
  const codes = new Set(words.filter((word) => /^\d{4,10}$/.test(word)))
  const isUnit = (word: string) => /^\d{1,3}(s|m|h|secs?|mins?|minutes|hours|hrs?|st|nd|rd|th|am|pm)$/i.test(word)
  const isLong = (word: string) => /\d.*\d/.test(word) && word.replace(/[-_]/g, "").length > 3
  const isOther = (word: string) => isLong(word) && !isUnit(word) && !codes.has(word)
  return codes.size === 1 && !words.some(isOther) ? [...codes][0] : undefined
}

/** The closest of `known` language tags (RFC 4647, lookup), or `otherwise`. */
export function language(tag: string | undefined, known: readonly string[], otherwise: string): string {
  const plain = (tag: string) => tag.toLowerCase().replaceAll("_", "-")
  for (let range = plain(tag ?? ""); range; range = range.replace(/(^|-)[^-]*$/, "")) {
    const exact = known.find((name) => plain(name) === range)
    const found = exact ?? known.find((name) => plain(name).startsWith(`${range}-`))
    if (found) return found
  }
  return otherwise
}

/** The text twice, its code digit by digit. One that says the code twice is not repeated. */
function speech({ body, code }: Message, markup: contract.Markup = {}): string {
  const { pause = ", ", isXml } = markup
  const again = "again" in markup ? markup.again : " "
  const escaped = (text: string) => (isXml ? text.replace(/[<>&"']/g, (sign) => `&#${sign.charCodeAt(0)};`) : text)
  const parts = code ? body.split(code) : [body]
  const text = parts.map(escaped).join([...(code ?? "")].map(escaped).join(pause))
  return again === undefined || parts.length > 2 ? text : `${text}${again}${text}`
}

export const isGsm7 = (text: string) =>
  /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà^{}\\[~\]|€\f-]*$/.test(text)

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`
const noCode: contract.Refusal = { code: "no_code", reason: "the message holds no code, or several", fault: "message" }

/** A template's variables; undefined where it holds `{code}` and the message has none. */
function fill<T>(template: T, message: Message): T | undefined {
  const values: Record<string, string | undefined> = { ...message }
  let lacksCode = false
  const filled = JSON.stringify(template, (_, value) => {
    if (typeof value !== "string") return value
    lacksCode ||= value.includes("{code}") && !message.code
    return value.replace(/\{(code|body|locale|sender|recipient)\}/g, (_, name: string) => values[name] ?? "")
  })
  return lacksCode ? undefined : JSON.parse(filled)
}

// ───────────────────────────── Log: a line for every event, as it happens ─────────────────────────────

type Follower = (event: contract.LogEvent) => void

/** Prints a line for every event, and hands the event to whoever follows. */
function logger({ clock, print }: World, pretty: contract.Pretty | undefined, followers: Follower[]): contract.Log {
  let [written, time] = [Number.NaN, ""]
  return (level, event, fields) => {
    const now = clock()
    // The dearest part of a line, and under load the same for many.
    if (now !== written) time = new Date(now).toISOString()
    written = now
    const entry: contract.LogEvent = { time, level, event, ...fields }
    print(pretty ? pretty(entry, now) : JSON.stringify(entry))
    for (const follower of followers) follower(entry)
  }
}

/** A text as both sides of a comparison see it: escapes of URLs and HTML undone once, one writing, single blanks. */
function plain(text: string): string {
  const unescaped = text
    .replace(/(?:%[\da-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll("%", ""), "hex").toString())
    .replace(/&#(x[\da-f]{1,5}|\d{1,6});/gi, (_, point: string) => String.fromCodePoint(Number(`0${point}`) || 32))
  return folded(unescaped)
    .replace(/[\s\p{C}]+/gu, " ")
    .trim()
}

/** Secrets in every form in which a provider may echo them: as they are, percent-encoded, in base64, inside JSON. */
export function formsOf(secrets: readonly string[]): string[] {
  const forms = secrets.flatMap((secret) => {
    const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "")
    return [secret, encodeURIComponent(encodeURIComponent(secret)), base64, JSON.stringify(secret).slice(1, -1)]
  })
  return [...new Set(forms.map(plain))]
}

/**
 * The one door through which a provider's words reach log and answer: 200 characters, in which the number, the text, the
 * `hidden` forms (in any case), and of prose the code, every word of the text with a digit and every run of four digits
 * become "•". What is no prose (a code, an id) keeps its digits, unless they are the code.
 */
export function redact(foreign: unknown, hidden: readonly string[], message: Message, isProse: boolean): string {
  const { recipient, body, code = "" } = message
  let safe = plain(attempt(() => String(foreign ?? ""), ""))
  if (!safe) return ""
  const isWord = (word: string) => word.length > 3 && /\p{N}/u.test(word)
  const words = isProse ? body.split(/[^\p{L}\p{N}-]+/u).filter(isWord) : []
  const [lower, own] = [safe.toLowerCase(), [body, code, ...words].map(plain)]
  const found = [...hidden, ...own].filter(
    (form) => form && form.length <= safe.length && lower.includes(form.toLowerCase()),
  )
  for (const form of found.sort((a, b) => b.length - a.length)) {
    // A short one is told from a part of another word only where it stands alone.
    const isWhole = form.length < 4 || (form === own[1] && !isProse)
    const [before, after] = isWhole ? ["(?<![\\p{L}\\p{N}])", "(?![\\p{L}\\p{N}])"] : ["", ""]
    safe = safe.replace(new RegExp(`${before}${RegExp.escape(form)}${after}`, "giu"), "•")
  }
  safe = safe.replace(/\+?\d(?:[^\p{L}\p{N}•]{0,3}\d){3,}/gu, (run) => {
    const digits = run.replace(/\D/g, "")
    const isNumber = digits.length > 6 && (recipient.includes(digits) || digits.includes(recipient.slice(-7)))
    return isProse || isNumber ? "•" : run
  })
  return safe.slice(0, 200)
}

// ───────────────────────────── Files: whatever a setting names, found by its name ─────────────────────────────

/** Prints the message and takes it as sent: the first step with this gateway. Built in, so that main.ts runs alone. */
const consoleProvider = (print: World["print"]): contract.Provider => ({
  docs: "README.md",
  url: "",
  env: {},
  request({ recipient, body, sender }) {
    print(`\n  To ${recipient}${sender && ` from ${sender}`}:\n  ${body.replaceAll("\n", "\n  ")}\n`)
    return { id: crypto.randomUUID() }
  },
  receipt: ({ status }) => ({ code: status }),
})

const isDescribed = (schema: unknown): boolean =>
  v.is(v.object({ kind: v.literal("schema") }), schema) && describe(schema as Variable) !== undefined
const env = v.record(v.string(), v.custom<Variable>(isDescribed, "needs v.description(…)"))
const faultNames = ["recipient", "account", "message", "provider"] as const
const faults = v.optional(v.record(v.picklist(faultNames), v.array(v.union([v.string(), v.number()]))))
const countries = v.optional(v.array(country))
const url = v.optional(v.union([v.string(), v.function()]))
const channel = v.optional(v.literal("voice"))
/** What the files of each folder must export as default. */
const shapes = {
  "": v.object({
    docs: v.string(),
    countries,
    channel,
    url,
    env,
    request: v.function(),
    receipt: v.function(),
    faults,
  }),
  "platforms/": v.object({ env, read: v.function(), setup: v.function() }),
  "pages/": v.object({ env, routes: v.function() }),
  "stores/": v.object({ open: v.function() }),
}
/** What a look gives, or `otherwise` where nothing is there, or no permission to look. */
export function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look()
  } catch {
    return otherwise
  }
}

/** The working directory's `providers/<path>.ts` (or `.js`) where it has one, else the file beside this one. Its own parts are never another's. */
export async function loadFile(path: string): Promise<{ default?: unknown }> {
  const base = builtin("node:url").pathToFileURL("./providers/")
  for (const ending of /^(parts|commands)\//.test(path) ? [] : ["ts", "js"]) {
    const file = new URL(`${path}.${ending}`, base)
    if (attempt(() => builtin("node:fs").existsSync(file), false)) return await import(file.href)
  }
  return await import(`./providers/${path}.ts`)
}

/** Where a file is broken: Bun keeps that in `position` or in `errors`, the others in the message or the stack. */
export function placeOf(error: Error): string {
  const [first = error] = Reflect.get(error, "errors") ?? []
  const { file, line, column } = Object(first.position)
  if (line) return `${String(file).split("/").at(-1)}:${line}:${column}`
  return /[\w.-]+\.[jt]s:\d+(:\d+)?/.exec(`${error.message}\n${error.stack}`)?.[0] ?? ""
}

/** Imports a file by its name and checks its shape; or gives what is wrong with it. */
export async function importFile<K extends keyof contract.Kinds>(
  kind: K,
  name: string,
  world: World,
): Promise<contract.Kinds[K] | string> {
  if (kind === "" && name === "console") return consoleProvider(world.print) as contract.Kinds[K]
  const place = `providers/${kind}${name}.ts`
  const module = await (world.load ?? loadFile)(`${kind}${name}`).catch((error: Error) => error)
  if (module instanceof Error)
    return (await loadCheck(world))?.whyNot(kind, name, module) ?? `${place} cannot be loaded: ${module.message}`
  const { issues, success } = v.safeParse(shapes[kind], module.default)
  return success
    ? (module.default as contract.Kinds[K])
    : `${place} exports no such file as contract.ts says: ${wrongFields(issues)}`
}

/** A part of the gateway that only some settings need. */
async function loadPart<K extends keyof contract.Parts>(world: World, name: K): Promise<contract.Parts[K]> {
  return (await (world.load ?? loadFile)(`parts/${name}`)) as contract.Parts[K]
}
/** Where only main.ts is there, it starts with less to say. */
const loadCheck = (world: World) => loadPart(world, "check").catch(() => undefined)

/** `cm-com` has the variables `CM_COM_…`. */
export const variablePrefix = (name: string) => name.toUpperCase().replaceAll("-", "_")

/** https anywhere; http only on loopback, at private addresses and names without a dot. */
function isSafeUrl(written: string): boolean {
  const url = URL.parse(written)
  if (!url || url.username || url.password || url.hash) return false
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const privateAddress = /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|::1$|f[cd]|fe[89ab])/
  const isPrivate = v.IP_REGEX.test(host) ? privateAddress.test(host) : /^[^.]+$|\.localhost$/.test(host)
  return url.protocol === "https:" || (url.protocol === "http:" && isPrivate)
}

/** A provider with its variables; what is missing or wrong goes to `complaints`. */
async function loadProvider(name: string, world: World, complaints: Complaint[]): Promise<Ready | undefined> {
  const provider = await importFile("", name, world)
  if (typeof provider === "string") return void complaints.push([provider])
  const { env } = world
  const NAME = variablePrefix(name)
  const senders = family(env, `${NAME}_SENDER`, families.SMS_SENDER, complaints, provider.env)
  const values = parse(env, provider.env, complaints)
  const url = env[`${NAME}_URL`] ?? (typeof provider.url === "function" ? values && provider.url(values) : provider.url)
  if (env[`${NAME}_URL`] && !isSafeUrl(url ?? "")) {
    complaints.push([`${NAME}_URL is wrong: expected is an https URL, or http at a private address`, `${NAME}_URL=`])
  } else if (values && url === undefined && !provider.env[`${NAME}_URL`]) {
    complaints.push([`${NAME}_URL is missing: the base URL of your account`, `${NAME}_URL=`])
  }
  const given = Object.keys(provider.env).flatMap((variable) => env[variable] ?? [])
  const parts = given.flatMap((value) => value.split(/[\s"'{}:,;=&?]+/).filter((part) => part.length >= 8))
  const state = { outages: 0, restsUntil: 0 }
  return {
    name,
    provider,
    values: values ?? {},
    url: (url ?? "").replace(/\/+$/, ""),
    senders,
    hidden: formsOf([...given, ...parts, env[`${NAME}_REPORT_KEY`] ?? ""]),
    state,
  }
}

// ───────────────────────────── Calls: what comes back, and in what time ─────────────────────────────

const outcome = v.picklist(["accepted", "refused", "timeout", "unreachable"])
const attempted = v.object({ provider: v.string(), outcome, code: v.exactOptional(v.string()), ms: v.number() })
const accepted = v.object({ id: v.string(), provider: v.string(), receipt: v.string(), attempts: v.array(attempted) })

function refused(outcome: Refused["outcome"], code: string | number, reason = "", fault?: contract.Fault): Refused {
  return { outcome, code, reason, fault: fault ?? "provider", isOutage: fault === undefined }
}

/** No runtime tells whether a call that brought no answer was written before it broke. */
const isPerhapsSent = ({ outcome, code }: contract.Attempt) => outcome === "timeout" || code === "reset"

const failures: [code: string, pattern: RegExp, reason: string][] = [
  ["dns", /ENOTFOUND|EAI_AGAIN|getaddrinfo|dns|resolve|FailedToOpenSocket/i, "its name is not known"],
  ["refused", /EMFILE|ENFILE|too many open files|os error 24/i, "no file descriptor is left"],
  ["refused", /refused/i, "nothing listens there"],
  [
    "tls",
    /cert|tls|ssl|handshake|wrong version number|packet length|corrupt message/i,
    "its certificate or its TLS is not good",
  ],
  ["timeout", /time(d |-)?out/i, "no connection in time"],
  ["reset", /(?:)/, "it may have been sent"],
]
/** Of a failed call only the class is kept: runtimes put hosts and URLs into their texts. */
function callFailed(cause: unknown): Refused {
  let text = ""
  for (let error = cause; error instanceof Error; error = error.cause) text += `${error} ${Object(error).code} `
  const [code = "reset", , reason] = failures.find(([, pattern]) => pattern.test(text)) ?? []
  return refused("unreachable", code, reason)
}

/** The bytes of a body, or undefined where there are more than 64 KiB; where its length is declared, none are counted. */
export async function readBytes(
  source: Request | contract.Reply,
  limit = 65_536,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const length = source.headers.get("content-length")
  const isCoded = source.headers.has("transfer-encoding") || source.headers.has("content-encoding")
  if (length && !isCoded) return Number(length) > limit ? undefined : new Uint8Array(await source.arrayBuffer())
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of source.body ?? []) {
    size += chunk.byteLength
    if (size > limit) return undefined
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}
const utf8 = new TextDecoder()
const strictUtf8 = new TextDecoder("utf-8", { fatal: true })

/** Never throws: what is not JSON is undefined. */
const parseJson = (text: string): unknown => attempt(() => JSON.parse(text), undefined)

/** What `work` gives, or undefined where that takes longer than `limit` milliseconds. */
export async function within<T extends object>(limit: number, { after }: contract.Clocks, work: Promise<T>) {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const cancel = after(limit, () => resolve(undefined))
  return await Promise.race([work, promise]).finally(cancel)
}

// ───────────────────────────── Asking: one provider, once ─────────────────────────────

/** Asks over HTTP. A redirect that is followed would carry the keys and the text to another host. */
async function call(request: Request, world: World, init: RequestInit & { isFresh: boolean }) {
  try {
    const reply = await world.fetch(request, { redirect: "manual", ...init })
    const { status, headers } = reply
    if (status >= 300 && status < 400)
      return judged({ code: status, reason: "it redirects, which is never followed" }, status)
    const bytes = await readBytes(reply)
    if (!bytes) return judged({ code: status, reason: "its answer is longer than 64 KiB" }, status)
    const text = utf8.decode(bytes)
    return { status, headers, text: text.slice(0, 16_384), json: parseJson(text) } satisfies contract.Answer
  } catch (error) {
    return callFailed(error)
  }
}

/** Whose fault a provider's refusal is. What its file does not list as an outage may be about this one message. */
function judged(
  { code, reason, fault }: contract.Refusal,
  status: number,
  faults: contract.Provider["faults"] = {},
): Refused {
  const lists = code === status && reason === undefined ? {} : faults
  const listed = faultNames.find((name) => lists[name]?.some((known) => String(known) === String(code)))
  const whose = fault ?? listed ?? ([401, 402, 403].includes(status) ? "account" : "provider")
  const isOutage = whose === "provider" && (listed === whose || status >= 500 || status === 429)
  return { ...refused("refused", code, reason, whose), isOutage }
}

/** Asks one provider once; gives its receipt, or a refusal. Their words are safe to tell. Never throws. */
export async function ask(
  ready: Ready,
  message: Message,
  { world, settings }: Pick<Gateway, "world" | "settings">,
  signal: AbortSignal,
  isFresh: boolean,
) {
  const { name, provider, values, url, state } = ready
  const hidden = [...ready.hidden]
  let broken: Refused | undefined
  const send = async (request: Request) => {
    const credentials = request.headers
      .get("authorization")
      ?.split(" ")
      .filter((part) => part.length > 7)
    hidden.push(...(credentials ?? []))
    return await call(request, world, { signal, isFresh })
  }
  const reportKey = provider.report && settings.GATEWAY_URL && world.env[`${variablePrefix(name)}_REPORT_KEY`]
  const context: contract.Context = {
    url,
    reportUrl: reportKey && new URL(`/${name}/report/${reportKey}`, settings.GATEWAY_URL).href,
    async fetch(url, init) {
      const answer = await send(new Request(url, init))
      if (!("outcome" in answer)) return new Response(answer.text || null, answer)
      broken = answer
      throw new Error("the call brought no answer")
    },
    async session(login) {
      if (state.session && state.session.expires > world.clock()) return state.session.token
      const answer = await login()
      if ("token" in answer) state.session = answer
      return "token" in answer ? answer.token : answer
    },
    clock: world.clock,
    nonce: world.nonce ?? (() => crypto.randomUUID().replaceAll("-", "")),
    ...{ isGsm7, basic, fill, noCode, language, speech },
  }
  const asked = async (mayRenew: boolean): Promise<{ id: string } | Refused> => {
    const request = await provider.request(message, values, context)
    const answer = request instanceof Request ? await send(request) : undefined
    if (answer && "outcome" in answer) return answer
    if (answer?.status === 401 && state.session && mayRenew) {
      state.session = undefined
      return await asked(false)
    }
    const receipt = answer ? provider.receipt(answer, values) : (request as contract.Receipt)
    if ("id" in receipt && typeof receipt.id === "string") return receipt
    return judged(receipt as contract.Refusal, answer?.status ?? 0, provider.faults)
  }
  const result = await asked(true).catch((error) => broken ?? refused("refused", "exception", String(error)))
  if (state.session) hidden.push(plain(state.session.token))
  if ("id" in result) return { receipt: redact(result.id, hidden, message, false) }
  const code = redact(result.code, hidden, message, false)
  return { ...result, code, reason: redact(result.reason, hidden, message, true) }
}

// ───────────────────────────── Delivery: along a route, until a provider accepts ─────────────────────────────

/** A provider rests for 30 s after 3 outages in a row; then one message probes it. */
const rest = { outages: 3, milliseconds: 30_000 }
export const isResting = ({ state }: Ready, now: number) => state.outages >= rest.outages && state.restsUntil > now

/** The provider's sender for this number, else the common one for this number, else the message's, else the common one. */
function senderFor({ senders }: Ready, recipient: string, country: string, sender: string, common: Targeted<string>[]) {
  const own = closest(senders, recipient, country)
  const near = closest(
    common.filter(({ target }) => target),
    recipient,
    country,
  )
  return own ?? near ?? (sender || (closest(common, recipient, country) ?? ""))
}

/** The providers for a message in order: behind the one that took the last for this number they begin; who rests comes last. */
async function routeFor({ message, country, about }: Inbound, { routes, settings, clocks, log, store }: Gateway) {
  const { recipient, channel = "sms" } = message
  const key = `again:${channel}:${recipient}`
  const before = settings.RESEND_WINDOW > 0 ? await store.get(key) : undefined
  if (typeof before === "string") log("info", "again", { ...about, provider: before })
  const route = closest(routes[channel], recipient, country) ?? []
  const at = route.findIndex(({ name }) => name === before) + 1
  const turned = [...route.slice(at), ...route.slice(0, at)]
  const now = clocks.monotonic()
  const rests = (ready: Ready) => isResting(ready, now)
  return [...turned.filter((ready) => !rests(ready)), ...turned.filter(rests)]
}

/** Takes a message along its route, inside its deadline, until a provider accepts it or none is left. */
async function deliver(inbound: Inbound, gateway: Gateway): Promise<contract.Delivery> {
  const { message, country, id, ends } = inbound
  const { settings, store } = gateway
  const attempts: contract.Attempt[] = []
  const route = await routeFor(inbound, gateway)
  for (let [index, isFresh] = [0, false]; index < route.length; ) {
    const ready = route[index] as Ready
    const { name: provider } = ready
    const rivals = route.length - index - 1
    const left = ends - gateway.clocks.monotonic()
    // The last one is asked twice where a connection broke, and a single one where it kept silent: half of the time each.
    const isOnly = route.length === 1 && !isFresh
    const limit = rivals > 0 || isOnly ? Math.min(settings.ATTEMPT_TIMEOUT, left / (rivals + 1)) : left
    const sender = senderFor(ready, message.recipient, country, message.sender, settings.senders)
    const result = await tried(ready, { ...message, sender }, inbound, gateway, limit, isFresh)
    attempts.push(result.attempt)
    if ("receipt" in result) {
      const key = `again:${message.channel ?? "sms"}:${message.recipient}`
      if (settings.RESEND_WINDOW > 0) store.set(key, provider, settings.RESEND_WINDOW)
      return { id, provider, receipt: result.receipt, attempts }
    }
    const { outcome, code, fault, reason } = result
    const detail = `${provider}: ${code} ${reason}`
    if (fault === "recipient") return { problem: "invalid_recipient", detail, attempts }
    const isBroken = code === "reset" || (outcome === "timeout" && route.length === 1)
    isFresh = isBroken && rivals === 0 && !isFresh && gateway.clocks.monotonic() < ends
    if (!isFresh) index += 1
  }
  const told = attempts.map(({ provider, outcome, code }) => `${provider} ${outcome} ${code}`).join(", ")
  const isLate = attempts.some(({ outcome }) => outcome === "timeout")
  const detail = attempts.some(isPerhapsSent) ? `It may have been sent: ${told}` : told
  return { problem: isLate ? "delivery_timeout" : "delivery_rejected", detail, attempts }
}

/** One attempt with its line of the log, and what it says of the provider's health. */
async function tried(
  ready: Ready,
  message: Message,
  inbound: Inbound,
  gateway: Gateway,
  limit: number,
  isFresh: boolean,
) {
  const { name: provider, state } = ready
  const { countries } = ready.provider
  const { about, country } = inbound
  const { clocks, log } = gateway
  const asked = clocks.monotonic()
  if (state.outages >= rest.outages) state.restsUntil = asked + rest.milliseconds
  const isServed = !countries || countries.includes(country)
  const abort = new AbortController()
  const result = isServed
    ? await within(limit, clocks, ask(ready, message, gateway, abort.signal, isFresh))
    : refused("refused", "country", `serves ${countries.join(", ")}`, "account")
  const ms = Math.round(clocks.monotonic() - asked)
  if (result && "receipt" in result) {
    state.outages = 0
    log("info", "accepted", { ...about, provider, receipt: result.receipt, ms })
    return { ...result, attempt: { provider, outcome: "accepted", ms } satisfies contract.Attempt }
  }
  // A call that is under way, or an answer that was not read to its end.
  abort.abort()
  const failed = result ?? refused("timeout", "timeout", "it may have been sent")
  const { outcome, reason, fault } = failed
  const code = String(failed.code)
  log("warn", outcome, { ...about, provider, code, reason, fault, ms })
  if (failed.isOutage && ++state.outages === rest.outages) {
    state.restsUntil = clocks.monotonic() + rest.milliseconds
    log("warn", "resting", { provider, reason: `${rest.outages} failures in a row` })
  }
  return { ...failed, code, attempt: { provider, outcome, code, ms } satisfies contract.Attempt }
}

// ───────────────────────────── Guard: what is sent once, and what is not sent at all ─────────────────────────────

/** The clocks of a world, or else its wall clock and the runtime's timers. */
function clocksOf({ clock, monotonic = clock, after }: World): contract.Clocks {
  const runtimes: contract.Clocks["after"] = (milliseconds, run) => {
    const timer = setTimeout(run, milliseconds)
    return () => clearTimeout(timer)
  }
  return { monotonic, after: after ?? runtimes }
}

/** What this process remembers by itself. The windows of a limit begin together; of each kind 100,000 entries are kept. */
function memoryStore(monotonic: () => number, most = 100_000): contract.Store {
  type Counts = { ends: number; used: Map<contract.Key, number> }
  type Kept = Map<contract.Key, { value: unknown; ends: number }>
  const windows = new Map<string, Counts>()
  const kept = new Map<number, Kept>()
  const dropOldest = (map: Map<contract.Key, unknown>) => map.size >= most && map.delete(map.keys().next().value ?? "")
  const windowOf = ({ name, period }: contract.Limit): Counts => {
    const now = monotonic()
    const before = windows.get(name)
    const window = before && now < before.ends ? before : { ends: now + period, used: new Map<contract.Key, number>() }
    if (window !== before) windows.set(name, window)
    return window
  }
  return {
    take(key, limit) {
      const { ends, used } = windowOf(limit)
      const before = used.get(key) ?? 0
      if (before >= limit.count) return Math.max(1, ends - monotonic())
      if (before === 0) dropOldest(used)
      used.set(key, before + 1)
      return 0
    },
    giveBack(key, limit) {
      const { used } = windowOf(limit)
      const before = used.get(key) ?? 0
      if (before > 1) used.set(key, before - 1)
      else used.delete(key)
    },
    get(key) {
      for (const entries of kept.values()) {
        const entry = entries.get(key)
        if (entry) return entry.ends > monotonic() ? entry.value : undefined
      }
      return undefined
    },
    set(key, value, period) {
      const now = monotonic()
      const entries: Kept = kept.get(period) ?? new Map()
      kept.set(period, entries)
      // They stand in the order in which they end: the first ones are the ones to drop.
      for (const [old, { ends }] of entries) if (ends > now || !entries.delete(old)) break
      entries.delete(key)
      dropOldest(entries)
      entries.set(key, { value, ends: now + period })
    },
  }
}

/** An address without port and brackets, IPv6 in its one form and mapped IPv4 as IPv4; of a list the first; else "". */
export function readAddress(written: unknown): string {
  const one: unknown = Array.isArray(written) ? written[0] : written
  const [first = ""] = typeof one === "string" ? one.split(",") : []
  const bare = first
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, "$1")
    .replace(/^([\d.]+):\d+$/, "$1")
    .replace(/%.*$/, "")
  if (!v.IP_REGEX.test(bare) || !bare.includes(":")) return v.IP_REGEX.test(bare) ? bare : ""
  const canonical = URL.parse(`http://[${bare}]/`)?.hostname.slice(1, -1) ?? ""
  const [, high, low] = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(canonical) ?? []
  if (!high || !low) return canonical
  return [high, low].flatMap((part) => [parseInt(part, 16) >> 8, parseInt(part, 16) & 255]).join(".")
}

/** An address as a limit counts it: IPv6 by its /64, which is one household (RFC 6177). */
function networkOf(address: string): string {
  if (!address.includes(":")) return address
  const [head = "", tail] = address.split("::").map((side) => side.split(":").filter(Boolean))
  const zeros = Array(tail ? 8 - head.length - tail.length : 0).fill("0")
  return [...head, ...zeros, ...(tail ?? [])].slice(0, 4).join(":")
}

/** Whether the closer entry of both lists lets the number through; a tie is denied, and so is what no allowed one fits. */
function isAllowed({ message, country, masked }: Inbound, { ALLOW_DESTINATIONS, DENY_DESTINATIONS = [] }: Settings) {
  const isDigits = (target: string) => /^\d/.test(target)
  const fits = (target: string) => (isDigits(target) ? message.recipient.startsWith(target, 1) : target === country)
  // A country is closer than its calling code, and less close than that and one more digit.
  const closeness = (target: string) => (isDigits(target) ? target.length : masked.indexOf("•") - 0.5)
  const best = (targets: string[]) => Math.max(-1, ...targets.filter(fits).map(closeness))
  const allowed = ALLOW_DESTINATIONS ? best(ALLOW_DESTINATIONS) : 0
  return allowed >= 0 && allowed > best(DENY_DESTINATIONS)
}

/** What each limit counts by, narrowest first: a wider one is charged only where the narrower passed. */
const counted: Record<string, (inbound: Inbound, digits: number) => contract.Key> = {
  LIMIT_VOICE: ({ message }, digits) => (message.channel === "voice" ? digits : ""),
  LIMIT_RECIPIENT: (_, digits) => digits,
  LIMIT_IP: ({ ip }) => networkOf(ip),
  LIMIT_PREFIX: (_, digits) => Math.floor(digits / 10_000),
  LIMIT_TOTAL: () => "all",
}

/** Delivers what may be sent: refuses destinations, counts limits, and gives back what was counted for nothing. */
async function guard(inbound: Inbound, gateway: Gateway): Promise<contract.Delivery> {
  const { settings, store, limits, log } = gateway
  const taken: [key: contract.Key, limit: contract.Limit][] = []
  const giveBack = () => Promise.all(taken.map(([key, limit]) => store.giveBack(key, limit)))
  let refusal: contract.Undelivered | undefined
  if (!isAllowed(inbound, settings))
    refusal = { problem: "destination_not_allowed", detail: "see ALLOW_DESTINATIONS and DENY_DESTINATIONS" }
  for (const limit of refusal ? [] : limits) {
    const key = counted[limit.name]?.(inbound, Number(inbound.message.recipient)) ?? ""
    const retryAfter = key === "" ? 0 : await store.take(key, limit)
    if (retryAfter > 0) refusal = { problem: "rate_limited", detail: `${limit.name} is used up`, retryAfter }
    if (refusal) break
    if (key !== "") taken.push([key, limit])
  }
  if (refusal && settings.GUARD === "enforce") {
    await giveBack()
    return refusal
  }
  if (refusal) log("warn", "observed", { ...inbound.about, code: refusal.problem, reason: refusal.detail })
  const delivery = await deliver(inbound, gateway)
  if ("problem" in delivery && !delivery.attempts?.some(isPerhapsSent)) await giveBack()
  return delivery
}

/** The same message, or the same signed call, is sent once: whoever brings it again gets what became of the first. */
export async function once(inbound: Inbound, gateway: Gateway): Promise<contract.Delivery> {
  const { marks, id, about } = inbound
  const { underWay, store, log } = gateway
  const send = async (): Promise<contract.Delivery> => {
    for (const { key } of marks) {
      const before = await store.get(key)
      if (v.is(accepted, before)) return before
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

/** Compares by the SHA-256 of both, in constant time. */
export function isSame(given: string | undefined, expected: string): boolean {
  const { createHash, timingSafeEqual } = builtin("node:crypto")
  const sha256 = (text: string) => createHash("sha256").update(text).digest()
  return timingSafeEqual(sha256(given ?? ""), sha256(expected))
}

/** The token of an Authorization header: of Bearer (RFC 6750), Basic's password (RFC 7617), or the bare header. */
export function tokenOf(headers: Headers): string | undefined {
  const [scheme = "", ...rest] = headers.get("authorization")?.trim().split(/ +/) ?? []
  const credentials = rest.join(" ")
  if (/^bearer$/i.test(scheme)) return credentials
  if (/^basic$/i.test(scheme)) return /:(.*)$/s.exec(Buffer.from(credentials, "base64").toString())?.[1]
  return rest.length === 0 ? scheme : undefined
}

const loadJose = loadedOnce(() => import("jose/jwt/verify"))
const joseReasons: Record<string, string> = {
  ERR_JWT_EXPIRED: "the token has expired",
  ERR_JOSE_ALG_NOT_ALLOWED: "the token is not signed with HS256",
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: "the token's signature does not match GATEWAY_SECRET",
}

/** The proof of `POST /`: a token signed with GATEWAY_SECRET (RFC 7519), or GATEWAY_TOKEN. */
function ownProof(settings: Settings, clock: World["clock"]): contract.Caller["prove"] {
  const {
    GATEWAY_AUTH,
    GATEWAY_TOKEN,
    GATEWAY_AUDIENCE: audience,
    GATEWAY_SUBJECT,
    GATEWAY_ISSUER: issuer,
    keys,
  } = settings
  const subject = GATEWAY_SUBJECT === "any" ? {} : { subject: GATEWAY_SUBJECT }
  const claims = { algorithms: ["HS256"], audience, clockTolerance: 60, ...subject, ...(issuer && { issuer }) }
  const hmac = { name: "HMAC", hash: "SHA-256" }
  const importKey = (key: Uint8Array<ArrayBuffer>) => crypto.subtle.importKey("raw", key, hmac, false, ["verify"])
  const loadKeys = loadedOnce(() => Promise.all(keys.map(importKey)))
  return async ({ headers }): Promise<contract.Proven> => {
    if (GATEWAY_AUTH === "none") return {}
    const token = tokenOf(headers)
    if (!token) return { reason: "the header Authorization: Bearer <token> is missing" }
    if (GATEWAY_TOKEN && isSame(token, GATEWAY_TOKEN)) return {}
    const [{ jwtVerify }, secrets] = await Promise.all([loadJose(), loadKeys()])
    let reason = "the token is not GATEWAY_TOKEN"
    for (const secret of secrets) {
      const options = { ...claims, currentDate: new Date(clock()) }
      type JoseError = { code: string; claim?: string }
      const error = await jwtVerify(token, secret, options).then(
        () => undefined,
        (error: JoseError) => error,
      )
      if (!error) return {}
      const { code, claim } = error
      const wrong = claim ? `the token's claim "${claim}" is missing or wrong` : "the token is not a JSON Web Token"
      reason = joseReasons[code] ?? wrong
      if (code !== "ERR_JWS_SIGNATURE_VERIFICATION_FAILED") break
    }
    return { reason }
  }
}

/** `POST /`, in the gateway's own words, which are Auth0's. */
function ownCaller({ settings, world }: Gateway): contract.Caller {
  const read = (fields: object) => {
    const { recipient, body, sender, code, locale, channel, ip, key, req } = Object(fields)
    return { recipient, body, sender, code, locale, channel, key, ip: ip ?? Object(req).ip }
  }
  const platform = { docs: "README.md", env: {}, read, setup: () => "" }
  return { name: "", platform, isSigned: false, prove: ownProof(settings, world.clock) }
}

// ───────────────────────────── Answers: what they are told ─────────────────────────────

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

/** What a platform is told: in its own words, or as everyone else. */
function answer(
  delivery: contract.Delivery,
  id: string,
  about: Fields,
  { platform }: contract.Caller,
  log: contract.Log,
): Response {
  if ("receipt" in delivery) {
    const outcome = {
      code: "accepted",
      status: 200,
      id: delivery.id,
      sentence: "The code was sent.",
      isPerhapsSent: false,
    } as const
    return (
      platform.answer?.(outcome) ??
      new Response(JSON.stringify(delivery), { headers: { "content-type": "application/json" } })
    )
  }
  const { problem: code, detail, attempts = [] } = delivery
  const retryAfter = delivery.retryAfter && Math.ceil(delivery.retryAfter / 1_000)
  const headers = retryAfter ? { "retry-after": String(retryAfter) } : {}
  const plain = refuse(log, code, detail, { about, headers, ...(delivery.attempts && { attempts }) })
  const [status, , sentence] = problems[code]
  const isSent = attempts.some(isPerhapsSent)
  return platform.answer?.({ code, status, id, sentence, isPerhapsSent: isSent, retryAfter }) ?? plain
}

// ───────────────────────────── Messages: what a platform wrote, checked ─────────────────────────────

const isSendable = (text: string) => text !== "" && (text.length <= 1_600 || [...text].length <= 1_600)
const asText = v.transform((text: string) =>
  text
    .replaceAll("\r\n", "\n")
    .replace(/[^\P{Cc}\n]/gu, "")
    .toWellFormed(),
)
const body = v.pipe(v.string(), asText, v.check(isSendable, "must be 1 to 1,600 characters"))
const asChannel = v.transform((name: "sms" | "text" | "voice"): "sms" | "voice" => (name === "voice" ? "voice" : "sms"))
const asTag = v.transform((tag: string) => tag.replaceAll("_", "-"))
const localeTag = v.pipe(v.string(), v.regex(/^[\w-]{2,35}$/), asTag)
/** What is understood of a message as its platform writes it. */
const written = v.object({
  recipient: v.string(),
  body: v.nullish(body),
  sender: v.nullish(v.string(), ""),
  code: v.nullish(v.pipe(v.string(), v.trim(), v.regex(/^\P{Cc}{0,40}$/u, "must be at most 40 characters")), ""),
  locale: v.fallback(v.optional(localeTag), undefined),
  channel: v.nullish(v.pipe(v.picklist(["sms", "text", "voice"]), asChannel), "sms"),
  ip: v.optional(v.unknown()),
  key: v.fallback(v.optional(v.pipe(v.string(), v.maxLength(200))), undefined),
})
/** What a template engine leaves where it had no value. */
const unfilled = /@@\s{0,9}[\w.]{1,40}\s{0,9}@@|\{\{[^{}]{1,80}\}\}|\{%[^{}%]{1,80}%\}/
/** Makes a message of what a platform wrote, or says which field is wrong. */
export async function check(
  foreign: contract.Written,
  arrival: contract.Arrival,
  gateway: Gateway,
): Promise<Inbound | string> {
  const { world, settings, routes, log, warned } = gateway
  const { id, caller, about, ends } = arrival
  const parsed = v.safeParse(written, foreign)
  if (!parsed.success) return wrongFields(parsed.issues)
  const { code: sent, locale, channel, ip, key } = parsed.output
  const number = readNumber(parsed.output.recipient, settings.DEFAULT_COUNTRY, await loadNumbers())
  if (typeof number === "string") return `recipient ${number}`
  const { recipient, country, masked } = number
  const body =
    parsed.output.body ?? (sent ? (await loadPart(world, "texts")).textOf(sent, channel, locale, settings) : undefined)
  if (body === undefined) return "body is missing"
  const [left] = unfilled.exec(body) ?? []
  if (left) return `body holds ${left.replace(/[^\p{L}@{}%_. ]/gu, "•")}, which the platform's template left unfilled`
  const judged = v.safeParse(sender, parsed.output.sender)
  if (!judged.success) {
    const route = closest(routes[channel], recipient, country) ?? []
    const has = (ready: Ready) => senderFor(ready, recipient, country, "", settings.senders)
    const wrong = wrongFields(judged.issues).replace(/^it/, "sender")
    if (!route.every(has)) return `${wrong}; set SMS_SENDER or the provider's own sender to use another`
    if (!warned.has(caller)) log("warn", "warning", { ...about, reason: `${wrong}; the configured sender is used` })
    warned.add(caller)
  }
  const code = sent || findCode(body, settings.CODE_PATTERN)
  const message: Message = { recipient, body, sender: judged.success ? judged.output : "", code, locale, channel }
  const window = settings.DUPLICATE_WINDOW
  const marks = window > 0 ? [{ key: `sent:${channel}:${recipient}\n${body}`, period: window }] : []
  if (key) marks.push({ key: `key:${caller}:${key}`, period: 600_000 })
  return { id, about: { ...about, recipient: masked }, message, country, masked, ip: readAddress(ip), marks, ends }
}

// ───────────────────────────── Taking: one call, from its platform to its answer ─────────────────────────────

/** The body of a call as text; or the refusal of what is coded, too large, late, broken off or no UTF-8. */
async function readBody(request: Request, left: number, clocks: contract.Clocks) {
  const refusal = (code: ProblemCode, detail: string) => ({ code, detail })
  const coding = request.headers
    .get("content-encoding")
    ?.replace(/[^\w-]/g, "")
    .slice(0, 20)
  if (coding && coding !== "identity")
    return refusal("unsupported_encoding", `the body is coded as ${coding}: send it plain`)
  const read = async () => ({ bytes: await readBytes(request) })
  const body = await within(
    left,
    clocks,
    read().catch(() => refusal("invalid_message", "the body broke off")),
  )
  if (!body) return refusal("invalid_message", "the body did not arrive within the deadline")
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
  // What no UTF-8 escape gives is a form in another coding.
  const isForeign = isForm && attempt(() => decodeURIComponent(text.replaceAll("+", " ")), undefined) === undefined
  return isForm && !isForeign && json === undefined ? Object.fromEntries(new URLSearchParams(text)) : undefined
}

/** What a call is followed by: its W3C trace and the platform's own id of it. */
function traceOf(headers: Headers): Fields {
  const trace = /^[\da-f]{2}-([\da-f]{32})-/.exec(headers.get("traceparent") ?? "")?.[1]
  const callerId = /^[\w.:-]{1,100}$/.exec(headers.get("webhook-id") ?? headers.get("x-request-id") ?? "")?.[0]
  return { ...(trace && { trace }), ...(callerId && { caller_id: callerId }) }
}

/** Takes one call from its platform to its answer. */
async function take(request: Request, caller: contract.Caller, gateway: Gateway): Promise<Response> {
  const { world, settings, clocks, log, routes } = gateway
  const { name, platform, isSigned } = caller
  const { headers } = request
  const id = crypto.randomUUID()
  const ends = clocks.monotonic() + Math.min(settings.DEADLINE, platform.deadline ?? settings.DEADLINE)
  const about: Fields = { request: id, ...(name && { platform: name }) }
  const unproven = (reason: string) => {
    const challenge = headers.has("authorization") ? 'Bearer error="invalid_token"' : "Bearer"
    return refuse(log, "authentication_failed", reason, { about, headers: { "www-authenticate": challenge } })
  }
  const early = isSigned ? {} : await caller.prove({ headers, text: "" })
  if ("reason" in early) return unproven(early.reason)
  const body = await readBody(request, ends - clocks.monotonic(), clocks)
  if ("code" in body) return refuse(log, body.code, body.detail, { about })
  const proven = isSigned ? await caller.prove({ headers, text: body.text }) : early
  if ("reason" in proven) return unproven(proven.reason)
  const refuseTo = (problem: ProblemCode, detail: string, more = {}) =>
    answer({ problem, detail }, id, { ...about, ...more }, caller, log)
  const fields = readFields({ headers, text: body.text })
  if (!fields)
    return refuseTo("invalid_message", "the body must be a JSON object or a form in UTF-8: {recipient, body, sender}")
  const foreign = attempt<contract.Written | null | undefined>(
    () => platform.read(fields, world.clock()) ?? null,
    undefined,
  )
  if (foreign === null) return new Response(null, { status: 204 })
  const inbound = foreign && (await check(foreign, { id, caller: name, about, ends }, gateway))
  if (typeof inbound !== "object") return refuseTo("invalid_message", inbound ?? `it is not what ${name} sends`)
  const { channel = "sms", recipient } = inbound.message
  if (!closest(routes[channel], recipient, inbound.country))
    return refuseTo("unsupported_channel", "no provider is named for it: see VOICE_PROVIDER", inbound.about)
  log("info", "received", { ...inbound.about, ...(channel === "voice" && { channel }), ...traceOf(headers) })
  if ("signed" in proven && proven.signed !== undefined) {
    const hash = builtin("node:crypto").createHash("sha256").update(`${name}\n${proven.signed}`).digest("base64url")
    inbound.marks.push({ key: `call:${hash}`, period: 600_000 })
  }
  return answer(await once(inbound, gateway), id, inbound.about, caller, log)
}

// ───────────────────────────── Gateway: everything that settings name, put together ─────────────────────────────

/** Every provider that a route names, by its name. */
async function loadProviders(named: ReturnType<typeof readRoutes>, world: World, complaints: Complaint[]) {
  const providers = new Map<string, Ready>()
  for (const name of new Set([...named.sms, ...named.voice].flatMap(({ value }) => value))) {
    const ready = await loadProvider(name, world, complaints)
    if (ready) providers.set(name, ready)
  }
  const routesOf = (channel: "sms" | "voice") =>
    named[channel].map(({ target, value }) => {
      const found = value.flatMap((name) => providers.get(name) ?? [])
      const isOther = ({ name, provider }: Ready) =>
        !/^(console|inbox)$/.test(name) && (provider.channel ?? "sms") !== channel
      for (const { name } of found.filter(isOther)) {
        const place = channel === "sms" ? "speaks: VOICE_PROVIDER" : "sends texts: SMS_PROVIDER"
        complaints.push([`${channel.toUpperCase()}_PROVIDER names ${name}, which ${place} is its place`])
      }
      return { target, value: found }
    })
  return { providers, routes: { sms: routesOf("sms"), voice: routesOf("voice") } }
}

/** What serving and sending share. Throws a `StartError` that tells all that is wrong. */
export async function prepare(given: World, isServing: boolean, print = given.print): Promise<contract.Prepared> {
  const world = { ...given, env: clean(given.env) }
  const { env } = world
  const complaints: Complaint[] = []
  const settings = readSettings(env, complaints)
  const { providers, routes } = await loadProviders(readRoutes(env, complaints), world, complaints)
  const { PLATFORMS = [], PAGES = [], STORE } = (isServing && settings) || { STORE: settings?.STORE }
  const seam = PLATFORMS.length > 0 ? await loadPart(world, "platforms") : undefined
  const callers = (await seam?.loadPlatforms(PLATFORMS, world, [...providers.keys()], complaints)) ?? []
  const shown = PAGES.length > 0 ? await loadPart(world, "pages") : undefined
  const pages = (await shown?.loadPages(PAGES, world, complaints)) ?? []
  if (isServing && !isOpen(env) && !env.PLATFORMS) {
    const text = "nobody could call: GATEWAY_SECRET, GATEWAY_TOKEN or PLATFORMS must be set"
    complaints.push([text, `GATEWAY_SECRET=${newSecret()}`])
  }
  const warnings =
    (await (await loadCheck(world))?.misnamed({ world, settings, providers, callers, pages }, complaints)) ?? []
  if (!settings || complaints.length > 0) throw new StartError(complaints)
  const followers: Follower[] = []
  const pretty = settings.LOG_FORMAT === "pretty" && (await loadPart(world, "pretty").catch(() => undefined))
  const log = logger({ ...world, print }, pretty ? pretty.prettyLine() : undefined, followers)
  const clocks = clocksOf(world)
  const memory = memoryStore(clocks.monotonic)
  const store = STORE ? await (await loadPart(world, "store")).openStore(settings, world, clocks, memory, log) : memory
  const limits = Object.keys(counted).flatMap((name) => {
    const limit = settings[name as "LIMIT_TOTAL"]
    return limit ? { name, ...limit } : []
  })
  const kept = { underWay: new Map(), warned: new Set<string>() }
  const gateway: Gateway = { world, settings, clocks, log, store, limits, routes, ...kept }
  return { gateway, providers, callers, pages, warnings, followers }
}

const newSecret = () => builtin("node:crypto").randomBytes(32).toString("base64url")

type App = Hono<{ Bindings: contract.Bindings }>

/**
 * Builds the gateway from its world; nothing is started, and nothing read but `world`.
 * @throws StartError when a setting or a file is missing or wrong.
 */
export async function gateway(world: World): Promise<App> {
  return await routed(await prepare(world, true))
}

/** The routes: who may call where, pages, and what is there for everyone. */
async function routed(prepared: contract.Prepared): Promise<App> {
  const { gateway, providers, callers, pages } = prepared
  const { world, settings, log } = gateway
  const { GATEWAY_ALLOW_IPS: allowList, GATEWAY_TRUST_PROXY: proxies } = settings
  const app: App = new Hono()
  // A platform that is set to GET would take a 200 for a message sent.
  const asks = (c: HonoContext) => c.req.url.includes("?") || c.req.header("authorization")
  const greeting = "smstask: POST an SMS to this address as JSON, {recipient, body, sender}.\n"
  app.get("/", (c) => (asks(c) ? c.notFound() : c.text(greeting)))
  app.get("/health", (c) => (world.stopping?.aborted ? c.text("stopping\n", 503) : c.text("ok\n")))
  const methods = new Map([
    ["/", ["GET", "HEAD"]],
    ["/health", ["GET", "HEAD"]],
  ])
  /** The peer's address, or as many entries from the right of X-Forwarded-For as proxies stand in front. */
  const address = (c: HonoContext<{ Bindings: contract.Bindings }>) =>
    readAddress(proxies === 0 ? c.env.address?.() : c.req.header("x-forwarded-for")?.split(",").at(-proxies))
  const { ipRestriction } = allowList ? await import("hono/ip-restriction") : {}
  const elsewhere = () => refuse(log, "forbidden_address", "it is not in GATEWAY_ALLOW_IPS")
  const among = allowList && ipRestriction?.(address, { allowList }, elsewhere)
  /** An address that nobody knows is in no list. */
  const restrict: MiddlewareHandler | undefined =
    among &&
    (async (c, next) => {
      return address(c) || allowList?.includes("*") ? await among(c, next) : elsewhere()
    })
  for (const caller of isOpen(world.env) ? [ownCaller(gateway), ...callers] : callers) {
    const path = `/${caller.name}`
    const { greet } = caller
    if (restrict) app.on(["GET", "POST"], [path], restrict)
    app.post(path, (c) => take(c.req.raw, caller, gateway))
    if (greet)
      app.get(path, (c) => greet(c.req.raw.headers) ?? refuse(log, "authentication_failed", "the token is wrong"))
    methods.set(path, [...(methods.get(path) ?? (greet ? ["GET"] : [])), "POST"])
  }
  const isServed = ({ name, provider }: Ready) =>
    provider.routes ?? (provider.report && world.env[`${variablePrefix(name)}_REPORT_KEY`])
  const hasPages = pages.length > 0 || [...providers.values()].some(isServed)
  if (hasPages) (await loadPart(world, "pages")).mountPages(app, prepared)
  for (const reason of (await loadCheck(world))?.doubts(prepared) ?? []) log("warn", "warning", { reason })
  app.notFound((c) => {
    const allow = methods.get(c.req.path)?.join(", ")
    if (!allow) return refuse(log, "not_found", "messages are taken by POST /", { level: "info" })
    return refuse(log, "method_not_allowed", `allowed are ${allow}`, { headers: { allow } })
  })
  app.onError((error) => {
    if ("getResponse" in error && typeof error.getResponse === "function") return error.getResponse()
    log("error", "failure", { reason: error.name, place: placeOf(error) })
    return refuse(log, "internal_error", "the log says where")
  })
  return app
}

// ───────────────────────────── Runtimes: server, client, standard output ─────────────────────────────

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
  if (Deno) {
    const fetch = (request: Request, peer: contract.Peer) => handle(request, () => peer.remoteAddr.hostname)
    const open = (port: number) => Deno.serve({ hostname, port, onListen() {} }, fetch)
    let server = open(port)
    const taken = server.addr.port
    const openAgain = () => {
      server = attempt(() => open(taken), server)
      keepOpen()
    }
    // With no descriptor left it stops listening, though what it took goes on.
    const keepOpen = () => server.finished.catch(() => setTimeout(openAgain, 100))
    keepOpen()
    return { port: taken, close: () => server.shutdown() }
  }
  const { serve } = await import("@hono/node-server")
  const fetch = (request: Request, peer: { incoming: { socket: Socket } }) =>
    handle(request, () => peer.incoming.socket.remoteAddress)
  const server = serve({ hostname, port, fetch: fetch }) as HttpServer
  server.keepAliveTimeout = 75_000
  await builtin("node:events").once(server, "listening")
  const close = async () => {
    const sweep = setInterval(() => server.closeIdleConnections(), 100)
    await new Promise((resolve) => server.close(resolve))
    clearInterval(sweep)
  }
  return { port: (server.address() as AddressInfo).port, close }
}

/**
 * The client for calls to providers: node:http on Node, else fetch. Deno repeats a POST by itself on a connection that died,
 * in fetch and in its node:http, so that there none is used twice.
 */
async function clientOf(): Promise<World["fetch"]> {
  const part = Bun || Deno ? undefined : await loadFile("parts/client").catch(() => undefined)
  if (part) return (part as contract.Parts["client"]).clientOfNode()
  const client = Deno?.createHttpClient({ poolMaxIdlePerHost: 0 })
  return (request, { isFresh, ...init }) =>
    fetch(request, { ...init, ...(client ? { client } : { keepalive: !isFresh }) })
}

/**
 * Writes lines to standard output, one write at a time, and no login waits for it. Above 1 MiB unwritten, lines are dropped,
 * and their number is told when there is room again.
 */
function printer(): World["print"] {
  const { write, writeSync } = builtin("node:fs")
  const writeSome = builtin("node:util").promisify(write)
  const { setTimeout: sleep } = builtin("node:timers/promises")
  let lines: string[] = []
  let [size, dropped, isBusy, since] = [0, 0, false, Number.NaN]
  // Deno's node:fs writes to a pipe without giving anyone else a turn.
  const some = async (bytes: Buffer) =>
    Deno ? await Deno.stdout.write(bytes) : (await writeSome(1, bytes)).bytesWritten
  const put = async (bytes: Buffer) => {
    since = performance.now()
    for (let at = 0; at < bytes.length; )
      at += await some(bytes.subarray(at)).catch(({ code }) => (code === "EAGAIN" ? sleep(20, 0) : bytes.length))
    since = Number.NaN
    next()
  }
  const next = () => {
    if (dropped > 0) lines.push(JSON.stringify({ time: new Date(), level: "warn", event: "dropped", lines: dropped }))
    const text = lines.map((line) => `${line}\n`).join("")
    lines = []
    size = dropped = 0
    isBusy = text !== ""
    if (isBusy) put(Buffer.from(text))
  }
  process.on("exit", () => {
    // Node waits for a write that is stuck, for ever.
    if (performance.now() - since > 1_000) process.kill(process.pid, "SIGKILL")
    attempt(() => lines.length > 0 && writeSync(1, `${lines.join("\n")}\n`), 0)
  })
  return (line) => {
    if (size > 1_048_576) {
      dropped += 1
      return
    }
    size += line.length
    lines.push(line)
    if (!isBusy) setImmediate(next)
    isBusy = true
  }
}

// ───────────────────────────── Start: what a person types ─────────────────────────────

/** Serves until SIGTERM, SIGINT or SIGHUP, then lets the requests in flight finish; a second signal ends at once. */
export async function serve(given: World) {
  const stopping = new AbortController()
  const env = clean(given.env)
  const isFirstRun = !isOpen(env) && !env.PLATFORMS && !isProduction(env)
  const remember = isFirstRun ? await loadPart(given, "first-run").catch(() => undefined) : undefined
  const secret = remember?.rememberedSecret(newSecret()) ?? newSecret()
  const own = isFirstRun ? { GATEWAY_SECRET: secret, HOST: "127.0.0.1" } : {}
  const world = { ...given, env: { ...env, ...own }, stopping: stopping.signal }
  const prepared = await prepare(world, true)
  const app = await routed(prepared)
  const { settings, log } = prepared.gateway
  const { HOST, PORT } = settings
  // What every message needs is loaded while nobody is served yet; what fails now is tried again by the first message.
  const loading = Promise.all([loadNumbers(), settings.keys.length > 0 && loadJose()]).catch(() => {})
  const isHost = (request: Request) =>
    /^(([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?)?$/i.test(request.headers.get("host") ?? "")
  const handle: contract.Handler = (request, address) =>
    isHost(request) ? app.fetch(request, { address }) : refuse(log, "invalid_message", "the header Host names no host")
  const { port, close } = await listen(HOST, PORT, handle).catch((cause) => {
    const isTaken = /EADDRINUSE|AddrInUse|in use/i.test(`${cause.code} ${cause.name} ${cause.message}`)
    const why = isTaken ? "another program listens there: end it, or set another PORT" : (cause.code ?? cause.message)
    throw new Error(`PORT ${PORT} of ${HOST} cannot be listened on: ${why}`, { cause })
  })
  await loading
  const address = `http://${HOST.includes(":") ? `[${HOST}]` : HOST}:${port}/`
  log("info", "listening", { address })
  const told = await loadPart(world, "summary").catch(() => undefined)
  told?.tell(prepared, address, isFirstRun)
  if (isFirstRun) console.error(`\n${await firstCurl(settings, port)}\n`)
  const onSignal = (signal: string) => {
    if (stopping.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143)
    stopping.abort()
    log("info", "stopping", { signal })
    builtin("node:timers")
      .setTimeout(() => process.exit(0), settings.DEADLINE + 1_000)
      .unref()
    close().then(() => log("info", "stopped"))
  }
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, onSignal)
  const fail = (error: Error) => log("error", "failure", { reason: Object(error).name, place: placeOf(Object(error)) })
  process.on("unhandledRejection", fail)
  process.on("uncaughtException", (error) => {
    fail(error)
    process.exit(1)
  })
}

/** A token such as Auth0 signs for each call, valid for `life` milliseconds. */
export async function signToken(settings: Settings, now: number, life: number): Promise<string> {
  const { SignJWT } = await import("jose/jwt/sign")
  const jwt = new SignJWT().setProtectedHeader({ alg: "HS256", typ: "JWT" }).setAudience(settings.GATEWAY_AUDIENCE)
  if (settings.GATEWAY_SUBJECT !== "any") jwt.setSubject(settings.GATEWAY_SUBJECT)
  if (settings.GATEWAY_ISSUER) jwt.setIssuer(settings.GATEWAY_ISSUER)
  jwt.setIssuedAt(new Date(now)).setExpirationTime(new Date(now + life))
  return await jwt.sign(settings.keys[0] ?? new Uint8Array())
}

/** What to paste to see a first message. */
async function firstCurl(settings: Settings, port: number): Promise<string> {
  const bearer = await signToken(settings, Date.now(), 3_600_000)
  const body = JSON.stringify({ recipient: "+12223334444", body: "Your code is 326162", sender: "" })
  const curl = `curl -i http://127.0.0.1:${port}/ -H 'Authorization: Bearer ${bearer}' -d '${body}'`
  return `No GATEWAY_SECRET is set: this run has one of its own and listens on 127.0.0.1 only. Try it:\n\n${curl}`
}

/** Runs one command of the command line: `providers/commands/<name>.ts`. Throws what is to be told on standard error. */
async function main([command = "serve", ...rest]: string[], world: World) {
  if (command === "serve" && rest.length === 0) return await serve(world)
  const asksHelp = [command, ...rest].some((word) => /^(-h|--help)$/.test(word))
  const name = asksHelp ? "help" : command.replace(/^--version$/, "version")
  const found = v.is(fileName, name) ? await loadFile(`commands/${name}`).catch(() => undefined) : undefined
  if (!found) throw new Error(`there is no command ${[command, ...rest].join(" ")}: see main.ts --help`)
  await (found.default as contract.Command).run(rest, world)
}

/** The world of a process, and its command. */
async function start() {
  // A terminal is a character device; process.stdout.isTTY loads Node's streams, too.
  const isTerminal = attempt(() => builtin("node:fs").fstatSync(1).isCharacterDevice(), false)
  const part = await loadFile("parts/env").catch(() => undefined)
  const file = (part as contract.Parts["env"] | undefined)?.readEnvFile() ?? {}
  const world: World = {
    env: { LOG_FORMAT: isTerminal ? "pretty" : "json", ...clean(file), ...clean(process.env) },
    fetch: await clientOf(),
    clock: Date.now,
    monotonic: () => performance.now(),
    print: printer(),
  }
  await main(process.argv.slice(2), world)
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
