/**
 * smstask, the gateway between an identity platform and any SMS provider, in one file.
 *
 * A platform (Auth0 and its like) POSTs `{recipient, body, sender}` with a login code in it. smstask proves who is
 * calling, hands the message to the provider that `SMS_PROVIDER` names, and answers 200 once that provider took it.
 *
 *     bun main.ts        deno task start        node main.ts        (add --help for the other commands)
 *
 * It reads downward: contract, settings, log, providers, delivery, guard, platforms, app, commands. Importing it starts
 * nothing.
 * @module
 */
import type { Server as HttpServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Hono, type Context as HonoContext } from "hono"
import type { JWTVerifyOptions } from "jose/jwt/verify"
import { parsePhoneNumberFromString } from "libphonenumber-js/min"
import * as v from "valibot"

/** Node's own modules, and packages that few settings need, are loaded where they are used: a cold start waits for each. */
const builtin = process.getBuiltinModule

// ───────────────────────────── Contract: what a provider's author reads ─────────────────────────────

/** A message as a provider file gets it. `recipient`, `body` and `sender` are Auth0's own words. */
export interface Message {
  /** E.164 with "+": `+12223334444`. */
  recipient: string
  /** The rendered text, 1 to 1,600 characters; it may hold line breaks. */
  body: string
  /** A number, a short code or an alphanumeric id of up to 11 characters; "" where none is set. */
  sender: string
  /** The one-time code, sent apart by the platform or found in the text; undefined where there is none or several. */
  code?: string | undefined
  /** BCP 47, such as `pt-BR`. */
  locale?: string | undefined
  channel?: "sms" | "voice" | undefined
}

/**
 * Whose fault a refusal is, which decides what happens next. `recipient`: malformed, no mobile, opted out; no provider
 * will do better. `account`: credentials, balance, sender or region not enabled. `message`: template, length, characters.
 * `provider`: throttled, 5xx, or an answer that its documentation does not have.
 */
export type Fault = (typeof faultNames)[number]
const faultNames = ["recipient", "account", "message", "provider"] as const

/** Acceptance with the provider's own message id ("" where it gives none), or refusal with its own code and reason. */
export type Receipt = { id: string } | Refusal

/** Without `fault` the provider's `faults` decide, then the status: `account` for 401, 402 and 403, else `provider`. */
export interface Refusal {
  code: string | number
  reason?: string | undefined
  fault?: Fault | undefined
}

/** What the provider answered; `json` is undefined where the text is not JSON. */
export interface Answer {
  status: number
  headers: Headers
  text: string
  json: unknown
}

/** A token that a log-in brought; `expires` is in milliseconds since 1970. */
export interface Session {
  token: string
  expires: number
}

/** What a request may depend on besides the message and the variables, so that it stays a pure function. */
export interface Context {
  /** The provider's base URL with no slash at its end, or what `<NAME>_URL` puts in its place. */
  url: string
  /** For a provider that logs in first. Redirects are refused, and the attempt's time limit covers it. */
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** What `login` last brought, until it expires. A 401 to the call that follows makes it log in again, once. */
  session(login: () => Promise<Session | Refusal>): Promise<string | Refusal>
  /** Milliseconds since 1970. */
  clock(): number
  /** 32 random hexadecimal digits. */
  nonce(): string
  /** Whether the text fits the GSM 7-bit alphabet and its extension (3GPP TS 23.038); any other is sent as UCS-2. */
  isGsm7(text: string): boolean
  /** The Authorization header of user and password, in UTF-8 (RFC 7617). */
  basic(user: string, password: string): string
  /**
   * A template's variables: every text in `template`, however deep, with its placeholders `{code}`, `{body}`, `{locale}`,
   * `{sender}` and `{recipient}` filled in. Undefined where it holds `{code}` and the message has none.
   */
  fill<T>(template: T, message: Message): T | undefined
  /** The refusal of a message without a code, for a provider that cannot send it. */
  noCode: Refusal
  /** The closest of `known` language tags for a BCP 47 tag (RFC 4647, lookup), or `otherwise`. */
  language(tag: string | undefined, known: readonly string[], otherwise: string): string
  /** What a voice says: the text twice, its code digit by digit. */
  speech(message: Message, markup?: Markup): string
}

/** How a provider's voice is told to pause; left out, it is commas and stops, as every voice reads them. */
export interface Markup {
  /** Stands between two digits of a code. */
  pause?: string
  /** Stands between the text and its repetition; undefined where the provider repeats by itself. */
  again?: string | undefined
  /** Whether the text goes into XML or SSML and must be escaped. */
  isXml?: boolean
}

/** Environment variables as valibot schemas, each with `v.description(…)`; `Values` is what they parse to. */
export type Variables = Record<string, v.GenericSchema<string | undefined, unknown>>
export type Values<E extends Variables> = { readonly [K in keyof E]: v.InferOutput<E[K]> }

/** The default export of `providers/<name>.ts`. */
export interface Provider<E extends Variables = Variables> {
  /** The provider's page for the endpoint that `request` calls. */
  docs: string
  /** Where it sends best: "Global", a continent or countries. */
  region?: string
  /** How its contract is known: from the `vendor` (pages, SDK, OpenAPI), from public `clients`, or `thin`. */
  evidence?: "vendor" | "clients" | "thin"
  /** ISO 3166 codes of the countries that it serves, where it does not serve all. A number of another one is never sent. */
  countries?: readonly string[]
  /** What it sends; texts unless it says `voice`. */
  channel?: "voice"
  /** Whether it takes no message without a sender. */
  needsSender?: boolean
  /** Base URL. Left out where every account has a host of its own: `<NAME>_URL` is then required. */
  url?: string | ((env: Values<E>) => string)
  env: E
  /** Builds the one call that sends the message, or returns a receipt where nothing is to be called. */
  request(message: Message, env: Values<E>, context: Context): Request | Receipt | Promise<Request | Receipt>
  /** Judges the answer: pure, never throws, and accepts only what the provider documents as acceptance. */
  receipt(answer: Answer, env: Values<E>): Receipt
  /** The provider's own codes by whose fault they are; a refusal of `{ code: status }` alone is decided by the status. */
  faults?: { readonly [F in Fault]?: readonly (string | number)[] }
  /** Pages or webhooks of the provider's own, served under `/<name>`; streams must end when `world.stopping` aborts. */
  routes?(app: Hono<{ Bindings: Bindings }>, env: Values<E>, world: Pick<World, "clock" | "stopping">): void
}

/** What a request brings besides itself: `address` gives the peer's address, from the runtime's own server. */
export type Bindings = { address?: () => string | undefined }

/** What is used of a Response, so that `fetch` need not make a whole one. */
export type Reply = Pick<Response, "status" | "headers" | "text"> & {
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | null
}

/** Everything that the gateway takes from outside; tests bring a world of their own. */
export interface World {
  env: Readonly<Record<string, string | undefined>>
  fetch(request: Request, init: RequestInit): Promise<Reply>
  /** Milliseconds since 1970. */
  clock(): number
  /** Takes one line for standard output. */
  print(line: string): void
  /** 32 hexadecimal digits, random unless a test needs the same ones again. */
  nonce?(): string
  /** Aborted when the gateway is to stop: `/health` answers 503 from then on. */
  stopping?: AbortSignal
}

// ───────────────────────────── Settings: environment variables, parsed once ─────────────────────────────

type Environment = World["env"]
type Variable<T = unknown> = v.GenericSchema<string | undefined, T>
type Parser<T> = v.GenericSchema<string, T>

/** What is wrong with a setting, and the line of `.env` that mends it. Neither ever holds a value that was read. */
type Complaint = [text: string, line?: string]

/** Everything that keeps the gateway from starting, told at once. */
export class StartError extends Error {
  override name = "StartError"
  constructor(complaints: Complaint[]) {
    const lines = complaints.flatMap(([, line]) => (line ? `  ${line}` : []))
    if (lines.length > 0) lines.unshift("Set in the environment or in .env:")
    super(["smstask cannot start:", ...complaints.map(([text]) => `  ${text}`), ...lines].join("\n"))
  }
}

/**
 * A number without what people write between its digits: a bracketed 0 after the calling code, Unicode spaces, dashes and
 * format characters, dots, slashes and brackets. A leading 00 becomes "+".
 */
function bareNumber(written: string): string {
  const digits = written.replace(/[\p{Z}\p{Pd}\p{Cf}\u2212./]/gu, "")
  const international = digits.replace(/^(\p{Ps}?(?:\+|00)\d{1,3}\p{Pe}?)\p{Ps}0\p{Pe}/u, "$1")
  return international.replace(/[\p{Ps}\p{Pe}]/gu, "").replace(/^00/, "+")
}

/** A sender that looks like a number loses its separators; an alphanumeric one stays as it is. */
const asSender = v.transform(
  (written: string) => /^\+?\d{3,15}$/.exec(bareNumber(written))?.[0] ?? written.trim().toWellFormed(),
)
const sender = v.pipe(
  v.string(),
  v.regex(/^\P{Cc}*$/u, "must not hold control characters"),
  asSender,
  v.regex(/^(\+?\d{3,15}|.{0,11})$/u, "must be a number, a short code or an alphanumeric id of up to 11 characters"),
)

const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 }
const milliseconds = (written: string) => (parseInt(written, 10) || 0) * (units[written.slice(-1)] ?? 0)
const duration = v.pipe(v.string(), v.regex(/^[1-9]\d{0,3}[smh]$/), v.transform(milliseconds))
const durationOrOff = v.pipe(v.string(), v.regex(/^(off|[1-9]\d{0,3}[smh])$/), v.transform(milliseconds))
const asLimit = v.transform((written: string) => {
  const [count, period] = written.split("/")
  return period ? { count: Number(count), period: milliseconds(period) } : undefined
})
const limit = v.pipe(v.string(), v.regex(/^(off|[1-9]\d{0,8}\/[1-9]\d{0,3}[smh])$/), asLimit)
const wholeNumber = (most: number) => v.pipe(v.string(), v.regex(/^\d{1,5}$/), v.transform(Number), v.maxValue(most))
const asList = v.transform((written: string) => written.split(",").flatMap((item) => item.trim() || []))
const listOf = <T>(item: Parser<T>) => v.pipe(v.string(), asList, v.array(item), v.minLength(1))

/** An address or a CIDR range, as hono/ip-restriction reads them. */
const addressRule = v.custom<string>((rule) => {
  const [address = "", bits = "0", ...rest] = String(rule).split("/")
  const isRange = /^\d{1,3}$/.test(bits) && Number(bits) <= (v.IPV4_REGEX.test(address) ? 32 : 128)
  return rule === "*" || (v.IP_REGEX.test(address) && isRange && rest.length === 0)
})

const asPattern = v.transform((written: string) => {
  try {
    return new RegExp(written, "mu")
  } catch {
    return undefined
  }
})
const pattern = v.pipe(v.string(), asPattern, v.instance(RegExp))
const withoutPlus = v.transform((written: string) => written.replace("+", ""))
const prefix = v.pipe(v.string(), v.regex(/^\+?[1-9]\d{0,14}$/), withoutPlus)

/** A provider's name is its file's and no other way to write that: this stands between a variable and an import. */
const reservedNames = ["sms", "gateway", "limit", "log", "metrics", "health", "store", "default"]
const namePattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const providerName = v.pipe(v.string(), v.regex(namePattern), v.maxLength(40), v.notValues(reservedNames))

/** `console` and `inbox` show the message to the developer; beside a provider that sends they would hide it. */
const standAlone = v.check((names: string[]) => names.length === 1 || !/\b(console|inbox)\b/.test(names.join()))
const isDistinct = v.check((names: string[]) => new Set(names).size === names.length)
const route = v.pipe(listOf(providerName), standAlone, isDistinct)

/** A setting with what is expected of it: told by the error at start and checked against the README. */
const set = <const S extends Variable>(schema: S, expected: string) => v.pipe(schema, v.description(expected))
const flag = v.picklist(["true", "false"])
const secret = v.pipe(v.string(), v.regex(/^\S{32,}$/))
const webAddress = v.pipe(v.string(), v.url(), v.regex(/^https?:/), v.maxLength(255))

/** Every setting but the families `SMS_PROVIDER…` and `SMS_SENDER…`, which `byPrefix` reads. */
export const variables = {
  DEFAULT_CALLING_CODE: set(v.optional(v.pipe(v.string(), v.regex(/^[1-9]\d{0,2}$/))), "a calling code, 1 to 3 digits"),
  CODE_PATTERN: set(v.optional(pattern), "a regular expression; its group, or else its match, is the code in a text"),
  GATEWAY_SECRET: set(v.optional(v.string()), "the secret that signs the callers' tokens (HS256)"),
  GATEWAY_SECRET_PREVIOUS: set(v.optional(v.string()), "the secret before that, while it is being changed"),
  GATEWAY_SECRET_BASE64: set(v.optional(flag, "false"), "true where the secrets are base64 or base64url, else false"),
  GATEWAY_AUDIENCE: set(v.optional(v.string(), "urn:smstask"), "the aud that tokens must have"),
  GATEWAY_SUBJECT: set(v.optional(v.string(), "urn:Auth0"), "the sub that tokens must have, or any"),
  GATEWAY_ISSUER: set(v.optional(v.string()), "the iss that tokens must have"),
  GATEWAY_TOKEN: set(v.optional(secret), "a static bearer token of at least 32 characters, no spaces"),
  GATEWAY_AUTH: set(v.optional(v.picklist(["required", "none"]), "required"), "required, or none beside allowed IPs"),
  GATEWAY_ALLOW_IPS: set(v.optional(listOf(addressRule)), "addresses and CIDR ranges, separated by commas"),
  GATEWAY_TRUST_PROXY: set(v.optional(wholeNumber(20), "0"), "the number of proxies in front, 0 to 20"),
  GATEWAY_URL: set(v.optional(webAddress), "the public address of this gateway, at most 255 characters"),
  DEADLINE: set(v.optional(duration, "16s"), "a duration such as 16s, for everything that one request may take"),
  ATTEMPT_TIMEOUT: set(v.optional(duration, "8s"), "a duration such as 8s, for one provider while others are left"),
  DUPLICATE_WINDOW: set(v.optional(durationOrOff, "15s"), "a duration such as 15s, or off"),
  GUARD: set(v.optional(v.picklist(["enforce", "observe"]), "enforce"), "enforce, or observe to log and let through"),
  LIMIT_RECIPIENT: set(v.optional(limit, "5/10m"), "count/period such as 5/10m for one number, or off"),
  LIMIT_PREFIX: set(v.optional(limit, "50/10m"), "count/period for numbers alike but for four digits, or off"),
  LIMIT_IP: set(v.optional(limit, "off"), "count/period for an end user's address, or off"),
  LIMIT_TOTAL: set(v.optional(limit, "off"), "count/period for all messages together, or off"),
  ALLOW_PREFIXES: set(v.optional(listOf(prefix)), "calling codes or longer prefixes, separated by commas"),
  DENY_PREFIXES: set(v.optional(listOf(prefix)), "calling codes or longer prefixes, separated by commas"),
  STORE: set(v.optional(v.pipe(v.string(), v.url(), v.regex(/^rediss?:/))), "a redis:// or rediss:// URL"),
  PORT: set(v.optional(wholeNumber(65_535), "3000"), "a port, 0 to 65535"),
  HOST: set(v.optional(v.pipe(v.string(), v.regex(/^[\w.:-]+$/)), "0.0.0.0"), "an address to listen on"),
  LOG_TOKEN: set(v.optional(secret), "a token of at least 32 characters, no spaces, that may read GET /log"),
  LOG_FORMAT: set(v.optional(v.picklist(["pretty", "json"]), "json"), "pretty or json"),
}

/** What marks a deployment platform, where a laptop's defaults would be an open door. */
const hosts = ["DENO_DEPLOY", "DENO_DEPLOYMENT_ID", "DYNO", "FLY_APP_NAME", "K_SERVICE", "RAILWAY_PROJECT_ID", "RENDER"]
const isProduction = (env: Environment) => env.NODE_ENV === "production" || hosts.some((name) => env[name])

/** Whether anyone at all could prove who they are. */
const canBeCalled = (env: Environment) => env.GATEWAY_SECRET || env.GATEWAY_TOKEN || env.GATEWAY_AUTH === "none"

/** An environment in which an empty variable counts as unset. */
const withoutEmpty = (env: Environment) => Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))

/** What valibot found, field by field, without its own texts, which hold the values. */
function wrongFields(issues: readonly v.BaseIssue<unknown>[]): string {
  const told = issues.map((issue) => {
    const field = v.getDotPath(issue) ?? "it"
    if (issue.received === "undefined") return `${field} is missing`
    if (issue.kind !== "schema" || issue.type === "custom") return `${field} ${issue.message}`
    return `${field} must be ${issue.type === "string" ? "text" : issue.expected}`
  })
  return told.join("; ")
}

function describe(schema: Variable): string | undefined {
  return v.getDescription(schema) ?? ("wrapped" in schema ? describe(schema.wrapped as Variable) : undefined)
}

const complaint = (name: string, value: string | undefined, schema: Variable): Complaint => [
  `${name} is ${value === undefined ? "missing" : "wrong"}: expected is ${describe(schema)}`,
  `${name}=`,
]

/** Parses `variables` out of the environment; what is missing or wrong goes to `complaints`, each with its description. */
function read<E extends Variables>(env: Environment, variables: E, complaints: Complaint[]): Values<E> | undefined {
  const result = v.safeParse(v.object(variables), env)
  if (result.success) return result.output
  for (const name of new Set(result.issues.map((issue) => String(issue.path?.[0]?.key)))) {
    const schema = variables[name]
    if (schema) complaints.push(complaint(name, env[name], schema))
  }
  return undefined
}

/** A value for the numbers that begin with the digits of `prefix`; "" is every number. */
type Prefixed<T> = { prefix: string; value: T }

const longestFirst = <T>(all: Prefixed<T>[]) => all.sort((a, b) => b.prefix.length - a.prefix.length)
const closest = <T>(all: Prefixed<T>[], recipient: string) => all.find(({ prefix }) => recipient.startsWith(prefix, 1))

/**
 * `NAME` and every `NAME_<digits>`, longest digits first, so that the first that fits a number is the closest. `others`
 * are variables that only look as if they belonged to them.
 */
function byPrefix<T>(env: Environment, name: string, schema: Parser<T>, complaints: Complaint[], others = {}) {
  const found: Prefixed<T>[] = []
  for (const [key, written = ""] of Object.entries(env)) {
    if (key !== name && (!key.startsWith(`${name}_`) || key in others)) continue
    const prefix = key.slice(name.length + 1)
    const parsed = v.safeParse(schema, written)
    if (!/^([1-9]\d{0,14})?$/.test(prefix))
      complaints.push([`${key} is wrong: after ${name}_ stand the digits of numbers`])
    else if (!parsed.success) complaints.push(complaint(key, written, schema))
    else found.push({ prefix, value: parsed.output })
  }
  return longestFirst(found)
}

const routeVariable = set(
  route,
  "a provider's name (lower case, with -), or several and commas between them; console and inbox stand alone",
)
const senderVariable = set(sender, "a number, a short code or an alphanumeric id of up to 11 characters")

/** `SMS_PROVIDER` and its family: the names of the providers for a number, in order of preference. */
function readRoutes(env: Environment, complaints: Complaint[]) {
  const routes = byPrefix(env, "SMS_PROVIDER", routeVariable, complaints)
  if (isProduction(env) && routes.some(({ value }) => value.includes("inbox"))) {
    complaints.push(["SMS_PROVIDER=inbox shows every code to whoever opens it: it does not start in production"])
  }
  if (env.SMS_PROVIDER) return routes
  if (isProduction(env)) complaints.push(complaint("SMS_PROVIDER", undefined, routeVariable))
  return [...routes, { prefix: "", value: ["console"] }]
}

/** Every other setting, and what only several of them together show to be wrong. */
function readSettings(env: Environment, complaints: Complaint[]) {
  const senders = byPrefix(env, "SMS_SENDER", senderVariable, complaints)
  const settings = read(env, variables, complaints)
  if (!settings) return undefined
  const { GATEWAY_AUTH, GATEWAY_ALLOW_IPS: rules, GATEWAY_SECRET_BASE64 } = settings
  if (GATEWAY_AUTH === "none" && (!rules || rules.some((rule) => /^\*$|\/0+$|^::ffff:.*\/\d?\d$/i.test(rule)))) {
    const text = "GATEWAY_AUTH=none lets anyone send at your cost, unless GATEWAY_ALLOW_IPS names the few who may call"
    complaints.push([text, "GATEWAY_ALLOW_IPS="])
  }
  const keys: Uint8Array<ArrayBuffer>[] = []
  for (const name of ["GATEWAY_SECRET", "GATEWAY_SECRET_PREVIOUS"] as const) {
    const written = settings[name]
    if (!written) continue
    if (GATEWAY_SECRET_BASE64 === "false") keys.push(new TextEncoder().encode(written))
    else if (/^[\w+/-]{2,}={0,2}$/.test(written)) keys.push(Buffer.from(written, "base64"))
    else complaints.push([`${name} is wrong: GATEWAY_SECRET_BASE64=true expects base64 or base64url`, `${name}=`])
  }
  return { ...settings, senders, keys }
}
type Settings = NonNullable<ReturnType<typeof readSettings>>

// ───────────────────────────── Log: a line for every event, as it happens ─────────────────────────────

type Level = "info" | "warn" | "error"
type Fields = Record<string, string | number | undefined>
type Log = (level: Level, event: string, fields?: Fields) => void

/** Calling code (as ITU-T assigns them) and last four digits: `+44•••3456`. */
function mask(recipient: string): string {
  const code = /^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/.exec(recipient)?.[0]
  return `${code}•••${recipient.slice(-4)}`
}

function logger({ clock, print }: World, format: "pretty" | "json"): Log {
  if (format === "json") {
    let [written, time] = [Number.NaN, ""]
    return (level, event, fields) => {
      const now = clock()
      // The dearest part of a line, and under load the same for many.
      if (now !== written) time = new Date(now).toISOString()
      written = now
      print(JSON.stringify({ time, level, event, ...fields }))
    }
  }
  const { styleText } = builtin("node:util")
  const timeOfDay = new Intl.DateTimeFormat("en-US", { timeStyle: "medium" })
  const colors = { info: "green", warn: "yellow", error: "red" } as const
  return (level, event, { request: _, recipient, provider, receipt, code, reason, ms, ...rest } = {}) => {
    const time = timeOfDay.format(clock()).replaceAll("\u202f", " ").padStart(11)
    const others = Object.entries(rest).map(([name, value]) => value && `${name}=${value}`)
    const parts = [recipient, provider, receipt, code, reason, ...others, ms !== undefined && `${ms} ms`]
    print([time, styleText(colors[level], event.padEnd(11)), ...parts.filter(Boolean)].join("  "))
  }
}

/** The log as server-sent events, for at most 20 readers; one that falls 1,000 lines behind is cut. */
function logStream(stopping: AbortSignal | undefined) {
  type Reader = ReadableStreamDefaultController<Uint8Array>
  const readers = new Set<Reader>()
  const cut = (reader: Reader) => void (readers.delete(reader) && reader.close())
  const send = (text: string) => {
    const bytes = readers.size > 0 && new TextEncoder().encode(text)
    for (const reader of readers) {
      if (bytes && (reader.desiredSize ?? 0) > 0) reader.enqueue(bytes)
      else cut(reader)
    }
  }
  builtin("node:timers").setInterval(send, 15_000, ":\n\n").unref()
  stopping?.addEventListener("abort", () => readers.forEach(cut))
  /** A reader's stream, or undefined where there are 20. */
  const open = (): ReadableStream<Uint8Array> | undefined => {
    if (readers.size >= 20) return undefined
    let own: Reader | undefined
    const start = (reader: Reader) => {
      own = reader
      readers.add(reader)
      send(": following the log\n\n")
    }
    return new ReadableStream({ start, cancel: () => void (own && readers.delete(own)) }, { highWaterMark: 1_000 })
  }
  return { open, write: (line: string) => send(`data: ${line}\n\n`) }
}

/**
 * The one door through which a provider's words reach log and answer. `secrets` (the provider's variables) as they are,
 * percent-encoded or inside JSON, the recipient in any form, the body and every word of it that holds a digit become "•";
 * control characters go; 200 characters stay.
 */
function redact(foreign: string, secrets: string[], { recipient, body, code = "" }: Message): string {
  if (!foreign) return ""
  const words = body.split(/[^\p{L}\p{N}-]+/u).filter((word) => word.length > 3 && /\p{N}/u.test(word))
  const readable = foreign.replace(/\s+/gu, " ").replace(/\p{C}/gu, "")
  const hidden = [...secrets, body, code, ...words].filter(({ length }) => length <= readable.length)
  const forms = hidden.flatMap((value) => [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)])
  let safe = readable
  for (const form of forms.filter((form) => form && readable.includes(form)).sort((a, b) => b.length - a.length)) {
    const isShort = form.length < 4 // which alone, as a whole word, is told from a part of another
    const pattern = isShort ? `(?<![\\p{L}\\p{N}])${RegExp.escape(form)}(?![\\p{L}\\p{N}])` : RegExp.escape(form)
    safe = safe.replace(new RegExp(pattern, "gu"), "•")
  }
  safe = safe.replace(/\+?\d(?:[\s()./-]*\d){5,}/g, (run) => {
    const digits = run.replace(/\D/g, "")
    return recipient.includes(digits) || digits.includes(recipient.slice(-7)) ? "•" : run
  })
  return safe.trim().slice(0, 200)
}

// ───────────────────────────── Providers: one file each, found by its name ─────────────────────────────

/** Prints the message and takes it as sent: the first step with this gateway. Built in, so that main.ts runs alone. */
const consoleProvider = (print: World["print"]): Provider => ({
  docs: "README.md",
  url: "",
  env: {},
  request({ recipient, body, sender }) {
    const text = body.replace(/[^\P{C}\n]/gu, "").replaceAll("\n", "\n  ")
    print(`\n  To ${recipient}${sender && ` from ${sender}`}:\n  ${text}\n`)
    return { id: crypto.randomUUID() }
  },
  receipt: ({ status }) => ({ code: status }),
})

const isDescribed = (schema: unknown): boolean =>
  v.is(v.object({ kind: v.literal("schema") }), schema) && describe(schema as Variable) !== undefined
const providerShape = v.object({
  docs: v.string(),
  region: v.optional(v.string()),
  evidence: v.optional(v.picklist(["vendor", "clients", "thin"])),
  countries: v.optional(v.array(v.pipe(v.string(), v.regex(/^[A-Z]{2}$/)))),
  channel: v.optional(v.literal("voice")),
  needsSender: v.optional(v.boolean()),
  url: v.optional(v.union([v.string(), v.function()])),
  env: v.record(v.string(), v.custom<Variable>(isDescribed, "needs v.description(…)")),
  request: v.function(),
  receipt: v.function(),
  faults: v.optional(v.record(v.picklist(faultNames), v.array(v.union([v.string(), v.number()])))),
  routes: v.optional(v.function()),
})

type Load = () => Promise<{ default?: Provider }>

/** The providers inside a bundle, where `npm run bundle` puts them. */
const bundled = new Map<string, Load>([])

/** Where provider files lie: beside this file or executable, or else in the working directory; then come the bundled. */
function folders(): URL[] {
  const { pathToFileURL } = builtin("node:url")
  const isExecutable = /\/(\$bunfs|deno-compile-[^/]*)\//.test(import.meta.url)
  const bases = [isExecutable ? pathToFileURL(process.execPath) : import.meta.url, pathToFileURL("./")]
  return bases.map((base) => new URL("./providers/", base))
}

/** What a look at the file system gives, or `otherwise` where nothing is there, or no permission to read it. */
function look<T>(at: () => T, otherwise: T): T {
  try {
    return at()
  } catch {
    return otherwise
  }
}

/** The names of all providers that can be imported. */
function providerNames(): string[] {
  const files = folders().flatMap((folder) => look(() => builtin("node:fs").readdirSync(folder), []))
  const names = files.flatMap((file) => /^(.+)\.[jt]s$/.exec(file)?.[1] ?? []).filter((name) => namePattern.test(name))
  return [...new Set(["console", ...bundled.keys(), ...names])].sort()
}

/** Imports `providers/<name>.ts` (or `.js`) and checks its shape; throws an Error that names the file and what is wrong. */
async function importProvider(name: string, print: World["print"]): Promise<Provider> {
  if (name === "console") return consoleProvider(print)
  const files = folders().flatMap((folder) => ["ts", "js"].map((ending) => new URL(`${name}.${ending}`, folder)))
  const file = files.find((file) => look(() => builtin("node:fs").existsSync(file), false))
  const load = file ? () => import(file.href) as ReturnType<Load> : bundled.get(name)
  const place = `providers/${name}.ts`
  if (!load)
    throw new Error(`there is no ${place}, or no permission to read it; known are ${providerNames().join(", ")}`)
  const module = await load().catch((cause) => {
    throw new Error(`${place} cannot be loaded: ${cause.message}`, { cause })
  })
  const { issues } = v.safeParse(providerShape, module.default)
  if (issues || !module.default)
    throw new Error(`${place} must export a provider as default: ${wrongFields(issues ?? [])}`)
  return module.default
}

/** `cm-com` has the variables `CM_COM_…`. */
const variablePrefix = (name: string) => name.toUpperCase().replaceAll("-", "_")

/** https anywhere; http only on loopback, at private addresses and names without a dot. */
function isSafeUrl(written: string): boolean {
  const url = URL.parse(written)
  if (!url || url.username || url.password || url.hash) return false
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const privateAddress = /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|::1$|f[cd]|fe[89ab])/
  const isPrivate = v.IP_REGEX.test(host) ? privateAddress.test(host) : /^[^.]+$|\.localhost$/.test(host)
  return url.protocol === "https:" || (url.protocol === "http:" && isPrivate)
}

/** A provider with all that a call of it needs. */
type Ready = {
  name: string
  provider: Provider
  values: Values<Variables>
  url: string
  senders: Prefixed<string>[]
  secrets: string[]
  failures: number
  restsUntil: number
  session?: Session | undefined
}

async function loadProvider(name: string, { env, print }: World, complaints: Complaint[]): Promise<Ready> {
  const NAME = variablePrefix(name)
  const provider = await importProvider(name, print)
  const senders = byPrefix(env, `${NAME}_SENDER`, senderVariable, complaints, provider.env)
  const values = read(env, provider.env, complaints)
  const url = env[`${NAME}_URL`] ?? (typeof provider.url === "function" ? values && provider.url(values) : provider.url)
  if (env[`${NAME}_URL`] && !isSafeUrl(url ?? "")) {
    complaints.push([`${NAME}_URL is wrong: expected is an https URL, or http at a private address`, `${NAME}_URL=`])
  } else if (values && url === undefined && !provider.env[`${NAME}_URL`]) {
    complaints.push([`${NAME}_URL is missing: expected is the base URL of your account`, `${NAME}_URL=`])
  }
  const given = Object.keys(provider.env).flatMap((variable) => env[variable] ?? [])
  const parts = given.flatMap((value) => value.split(/[\s"'{}:,;=&?]+/).filter((part) => part.length >= 8))
  return {
    name,
    provider,
    values: values ?? {},
    url: (url ?? "").replace(/\/+$/, ""),
    senders,
    secrets: [...given, ...parts],
    failures: 0,
    restsUntil: 0,
  }
}

// ───────────────────────────── Delivery: a message in, one provider's acceptance out ─────────────────────────────

const outcome = v.picklist(["accepted", "refused", "timeout", "unreachable"])
const attempt = v.object({ provider: v.string(), outcome, code: v.exactOptional(v.string()), ms: v.number() })
const acceptance = v.object({ id: v.string(), provider: v.string(), receipt: v.string(), attempts: v.array(attempt) })

/** One provider asked once. `code` is the provider's own, or why there is no answer of it. */
export type Attempt = v.InferOutput<typeof attempt>

/** No runtime tells whether a call that brought no answer was written before it broke. */
const isPerhapsSent = ({ outcome, code }: Attempt) => outcome === "timeout" || code === "reset"

/** What became of a message; `problem` is a code of `problems`, `retryAfter` in milliseconds. */
export type Delivery = v.InferOutput<typeof acceptance> | Undelivered
type Problem =
  | "invalid_recipient"
  | "destination_not_allowed"
  | "rate_limited"
  | "delivery_rejected"
  | "delivery_timeout"
type Undelivered = { problem: Problem; detail: string; attempts?: Attempt[]; retryAfter?: number }

/** Why an attempt brought no acceptance; `isOutage` where it speaks against the provider and not the message. */
class Failure extends Error {
  readonly refusal: Refusal & { outcome: Attempt["outcome"]; isOutage: boolean }
  constructor(
    outcome: Attempt["outcome"],
    code: string | number,
    reason = "",
    fault: Fault = "provider",
    isOutage = true,
  ) {
    super(reason)
    this.refusal = { outcome, code, reason, fault, isOutage }
  }
}

/** Of a failed call only the class is kept: runtimes put hosts and URLs into their texts. */
function callFailed(cause: unknown): never {
  let text = ""
  for (let error = cause; error instanceof Error; error = error.cause) text += `${error} ${Object(error).code} `
  const classes: [code: string, pattern: RegExp, reason: string][] = [
    ["dns", /ENOTFOUND|EAI_AGAIN|getaddrinfo|dns|resolve|FailedToOpenSocket/i, "its name is not known"],
    ["refused", /refused/i, "nothing listens there"],
    ["tls", /cert|tls|ssl|handshake/i, "its certificate or its TLS is not good"],
    ["timeout", /time(d |-)?out/i, "no connection in time"],
    ["reset", /(?:)/, "it may have been sent"],
  ]
  const [code = "reset", , reason] = classes.find(([, pattern]) => pattern.test(text)) ?? []
  throw new Failure("unreachable", code, reason)
}

/** The text of a body, or undefined where it is longer than `limit` bytes; where its length is declared, none are counted. */
async function readText(source: Request | Reply, limit: number): Promise<string | undefined> {
  const length = source.headers.get("content-length")
  const isCoded = source.headers.has("transfer-encoding") || source.headers.has("content-encoding")
  if (length && !isCoded) return Number(length) > limit ? undefined : await source.text()
  const decoder = new TextDecoder()
  let text = ""
  let size = 0
  for await (const chunk of source.body ?? []) {
    size += chunk.byteLength
    if (size > limit) return undefined
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** Never throws: what is not JSON is undefined. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const isGsm7 = (text: string) =>
  /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà^{}\\[~\]|€\f-]*$/.test(text)

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`

const noCode: Refusal = { code: "no_code", reason: "the message holds no code, or several", fault: "message" }

/** See `Context.fill`. */
function fill<T>(template: T, message: Message): T | undefined {
  const values: Record<string, string | undefined> = {
    ...message,
    code: message.code ?? "",
    locale: message.locale ?? "",
  }
  let lacksCode = false
  const filled = JSON.stringify(template, (_, value) => {
    if (typeof value !== "string") return value
    lacksCode ||= value.includes("{code}") && !message.code
    return value.replace(/\{(code|body|locale|sender|recipient)\}/g, (_, name: string) => values[name] ?? "")
  })
  return lacksCode ? undefined : JSON.parse(filled)
}

/** See `Context.language`. */
function language(tag: string | undefined, known: readonly string[], otherwise: string): string {
  const plain = (tag: string) => tag.toLowerCase().replaceAll("_", "-")
  for (let range = plain(tag ?? ""); range; range = range.replace(/(^|-)[^-]*$/, "")) {
    const found =
      known.find((name) => plain(name) === range) ?? known.find((name) => plain(name).startsWith(`${range}-`))
    if (found) return found
  }
  return otherwise
}

/** See `Context.speech`. */
function speech({ body, code }: Message, { pause = ", ", again = " ", isXml = false }: Markup = {}): string {
  const escaped = (text: string) => (isXml ? text.replace(/[<>&"']/g, (sign) => `&#${sign.charCodeAt(0)};`) : text)
  const apart = [...(code ?? "")].map(escaped).join(pause)
  const text = code ? body.split(code).map(escaped).join(apart) : escaped(body)
  return again === undefined ? text : `${text}${again}${text}`
}

/** Asks one provider and gives the id of its acceptance; throws a `Failure`, or whatever a provider file throws. */
async function ask(ready: Ready, message: Message, world: World, signal: AbortSignal): Promise<string> {
  const { provider, values, url } = ready
  const call = async (request: Request) => {
    const response = await world.fetch(request, { redirect: "manual", signal }).catch(callFailed)
    const { status } = response
    // A redirect that is followed carries the keys and the text to another host.
    if (status >= 300 && status < 400) throw new Failure("refused", status, "it redirects, which is never followed")
    const text = await readText(response, 65_536).catch(callFailed)
    if (text === undefined) throw new Failure("refused", status, "its answer is longer than 64 KiB")
    return { status, headers: response.headers, text }
  }
  const context: Context = {
    url,
    async fetch(url, init) {
      const { text, ...rest } = await call(new Request(url, init))
      return new Response(text || null, rest)
    },
    async session(login) {
      if (ready.session && ready.session.expires > world.clock()) return ready.session.token
      const answer = await login()
      if ("token" in answer) ready.session = answer
      return "token" in answer ? answer.token : answer
    },
    clock: world.clock,
    nonce: world.nonce ?? (() => crypto.randomUUID().replaceAll("-", "")),
    isGsm7,
    basic,
    fill,
    noCode,
    language,
    speech,
  }
  const { countries } = provider
  if (countries && !countries.includes(parsePhoneNumberFromString(message.recipient)?.country ?? "")) {
    throw new Failure("refused", "country", `serves ${countries.join(", ")}`, "account", false)
  }
  const judge = (receipt: Receipt, status = 0) => {
    if ("id" in receipt && typeof receipt.id === "string") return receipt.id
    const { code, reason, fault } = receipt as Refusal
    const lists = code === status && reason === undefined ? {} : provider.faults
    const listed = faultNames.find((name) => lists?.[name]?.some((known) => String(known) === String(code)))
    const usual = [401, 402, 403].includes(status) ? "account" : "provider"
    // A 400 with a code that is not listed may be about this one number; it must not rest the provider for all.
    const isOutage = (fault ?? listed) === "provider" || status >= 500 || status === 429
    throw new Failure("refused", code, reason, fault ?? listed ?? usual, isOutage)
  }
  for (let mayRenew = true; ; mayRenew = false) {
    const request = await provider.request(message, values, context)
    if (!(request instanceof Request)) return judge(request)
    const answer = await call(request)
    const { status, text } = answer
    if (status === 401 && ready.session && mayRenew) {
      ready.session = undefined
      continue
    }
    return judge(provider.receipt({ ...answer, json: parseJson(text) }, values), status)
  }
}

/** Rejects after `limit` milliseconds at the latest. A call that is then under way or not read to its end is aborted. */
async function within<T>(limit: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Failure("timeout", "timeout", "it may have been sent")), limit)
  try {
    return await Promise.race([work(abort.signal), promise])
  } catch (error) {
    abort.abort()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** A provider rests for 30 s after 3 failures in a row (no answer, 5xx, throttled); then one message probes it. */
const rest = { failures: 3, milliseconds: 30_000 }

/** Takes a message along its route, inside one deadline, until a provider accepts it or none is left. */
function deliverer(world: World, settings: Settings, routes: Prefixed<Ready[]>[], log: Log) {
  const senderFor = ({ senders }: Ready, { recipient, sender }: Message) => {
    const common = closest(settings.senders, recipient)
    return closest(senders, recipient)?.value ?? (common?.prefix ? common.value : sender || (common?.value ?? ""))
  }
  return async (message: Message, request: string): Promise<Delivery> => {
    const attempts: Attempt[] = []
    const recipient = mask(message.recipient)
    const started = world.clock()
    const isResting = ({ failures, restsUntil }: Ready) => failures >= rest.failures && restsUntil > started
    const preferred = closest(routes, message.recipient)?.value ?? []
    const route = [...preferred.filter((ready) => !isResting(ready)), ...preferred.filter(isResting)]
    for (const [index, ready] of route.entries()) {
      const { name: provider, secrets } = ready
      const safe = (foreign: unknown = "") => redact(String(foreign), [...secrets, ready.session?.token ?? ""], message)
      const asked = world.clock()
      const left = started + settings.DEADLINE - asked
      const rivals = route.length - index
      const limit = rivals === 1 ? left : Math.min(settings.ATTEMPT_TIMEOUT, left / rivals)
      const outgoing = { ...message, sender: senderFor(ready, message) }
      if (ready.failures >= rest.failures) ready.restsUntil = asked + rest.milliseconds
      const result = await within(limit, (signal) => ask(ready, outgoing, world, signal)).catch(
        (error: unknown) => error,
      )
      const ms = Math.round(world.clock() - asked)
      if (typeof result === "string") {
        const receipt = safe(result)
        ready.failures = 0
        log("info", "accepted", { request, recipient, provider, receipt, ms })
        return { id: request, provider, receipt, attempts: [...attempts, { provider, outcome: "accepted", ms }] }
      }
      const failure = result instanceof Failure ? result : new Failure("refused", "exception", String(result))
      const { outcome, fault, isOutage } = failure.refusal
      const [code, reason] = [safe(failure.refusal.code), safe(failure.refusal.reason)]
      log("warn", outcome, { request, recipient, provider, code, reason, fault, ms })
      attempts.push({ provider, outcome, code, ms })
      if (fault === "recipient")
        return { problem: "invalid_recipient", detail: `${provider}: ${code} ${reason}`, attempts }
      if (fault === "provider" && isOutage && ++ready.failures === rest.failures) {
        ready.restsUntil = world.clock() + rest.milliseconds
        log("warn", "resting", { provider, reason: `${rest.failures} failures in a row` })
      }
    }
    const told = attempts.map(({ provider, outcome, code }) => `${provider} ${outcome} ${code}`).join(", ")
    const isLate = attempts.some(({ outcome }) => outcome === "timeout")
    const detail = attempts.some(isPerhapsSent) ? `It may have been sent: ${told}` : told
    return { problem: isLate ? "delivery_timeout" : "delivery_rejected", detail, attempts }
  }
}

// ───────────────────────────── Guard: what is sent once, and what is not sent at all ─────────────────────────────

type Limit = { count: number; period: number }

/** A number's digits as a number, exact below 10^15: a map holds it in a third of the memory of its text. */
type Key = string | number

/** Counts messages in windows: `take` gives the milliseconds to wait, 0 where there is room; `giveBack` undoes one. */
type Counter = { take(key: Key): number | Promise<number>; giveBack(key: Key): unknown }

/** Fixed windows in memory, which all begin together, and anew where 100,000 keys are counted. */
function memoryCounter({ count, period }: Limit, clock: World["clock"]): Counter {
  const used = new Map<Key, number>()
  let ends = 0
  return {
    take(key) {
      const now = clock()
      if (now >= ends || used.size === 100_000) {
        used.clear()
        ends = now + period
      }
      const before = used.get(key) ?? 0
      if (before >= count) return ends - now
      used.set(key, before + 1)
      return 0
    },
    giveBack(key) {
      const before = used.get(key)
      if (before) used.set(key, before - 1)
    },
  }
}

/** Remembers for `period` at least, and the last 10,000 at least: of two generations, each turn drops the older. */
function memory<T>(period: number, clock: World["clock"]) {
  let [young, old] = [new Map<string, T>(), new Map<string, T>()]
  let turn = 0
  const set = (key: string, value: T) => {
    if (clock() >= turn || young.size === 10_000) {
      old = young
      young = new Map()
      turn = clock() + period
    }
    young.set(key, value)
  }
  return { set, get: (key: string) => young.get(key) ?? old.get(key) }
}

/** The store that instances share. What it does not answer within 250 ms is undefined, and it is left alone for a second. */
async function openStore(url: string, { clock, stopping }: World, log: Log) {
  const { createClient } = await import("@redis/client")
  const { RateLimiterRedis } = await import("rate-limiter-flexible")
  const socket = { reconnectStrategy: () => !stopping?.aborted && 500 }
  const client = createClient({ url, disableOfflineQueue: true, socket })
  let isAway = false
  let awayUntil = 0
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    if (clock() < awayUntil) return undefined
    try {
      const answer = await within(250, work)
      if (isAway) log("info", "store_back")
      isAway = false
      return answer
    } catch {
      if (!isAway) log("warn", "store_away", { reason: "limits and duplicates are kept in memory" })
      isAway = true
      awayUntil = clock() + 1_000
      return undefined
    }
  }
  client.on("error", () => {})
  await attempt(() => client.connect())
  client.unref()
  return {
    recall: (key: string) => attempt(async () => parseJson((await client.get(`smstask:sent:${key}`)) ?? "")),
    remember: (key: string, value: object, period: number) =>
      attempt(() => client.set(`smstask:sent:${key}`, JSON.stringify(value), { PX: period })),
    counter(name: string, { count, period }: Limit, spare: Counter): Counter {
      const options = { storeClient: client, useRedisPackage: true, keyPrefix: `smstask:${name}` }
      const limiter = new RateLimiterRedis({ ...options, points: count, duration: period / 1_000 })
      const take = async (key: Key) => {
        const counted = await limiter.consume(key).catch((refusal) => refusal)
        if (counted instanceof Error) throw counted
        return counted.consumedPoints > count ? Math.max(1, counted.msBeforeNext) : 0
      }
      return {
        take: async (key) => (await attempt(() => take(key))) ?? (await spare.take(key)),
        giveBack: async (key) => (await attempt(() => limiter.reward(key))) ?? (await spare.giveBack(key)),
      }
    },
  }
}
type Store = Awaited<ReturnType<typeof openStore>>
type Deliver = ReturnType<typeof deliverer>

/** Delivers what may be sent, once: joins duplicates, refuses destinations, counts limits. */
async function guarded(world: World, settings: Settings, store: Store | undefined, log: Log, deliver: Deliver) {
  const { clock } = world
  const { LIMIT_IP, DUPLICATE_WINDOW: window, ALLOW_PREFIXES = [""], DENY_PREFIXES = [] } = settings
  const expandIPv6 = LIMIT_IP && (await import("hono/utils/ipaddr")).expandIPv6
  /** An address as a limit counts it: IPv6 by its /64, which is one household (RFC 6177), mapped IPv4 as IPv4. */
  const network = (address: string) => {
    const ipv4 = /^(?:::ffff:)?([\d.]+)$/i.exec(address)?.[1]
    return ipv4 ?? (address && expandIPv6?.(address.toLowerCase()).slice(0, 19)) ?? ""
  }
  const narrowestFirst = {
    LIMIT_RECIPIENT: (digits: number) => digits,
    LIMIT_IP: (_: number, ip: string) => network(ip),
    LIMIT_PREFIX: (digits: number) => Math.floor(digits / 10_000),
    LIMIT_TOTAL: () => "all",
  }
  const secret = settings.GATEWAY_SECRET ?? settings.GATEWAY_TOKEN ?? settings.STORE ?? ""
  const hash = (key: Key) => builtin("node:crypto").createHmac("sha256", secret).update(`${key}`).digest("base64url")
  const limits = Object.entries(narrowestFirst).flatMap(([name, keyOf]) => {
    const limit = settings[name as keyof typeof narrowestFirst]
    if (!limit) return []
    const inMemory = memoryCounter(limit, clock)
    return { name, keyOf, counter: store?.counter(name, limit, inMemory) ?? inMemory }
  })
  /** The longest match of both lists decides; a tie is denied, and so is what no entry of an allow-list fits. */
  const destinations = longestFirst([
    ...DENY_PREFIXES.map((prefix) => ({ prefix, value: false })),
    ...ALLOW_PREFIXES.map((prefix) => ({ prefix, value: true })),
  ])
  const sendGuarded = async (message: Message, ip: string, request: string): Promise<Delivery> => {
    const { recipient } = message
    const taken: (() => unknown)[] = []
    const giveBack = () => Promise.all(taken.map((undo) => undo()))
    let refusal: Undelivered | undefined
    if (!closest(destinations, recipient)?.value)
      refusal = { problem: "destination_not_allowed", detail: "see ALLOW_PREFIXES and DENY_PREFIXES" }
    for (const { name, keyOf, counter } of refusal ? [] : limits) {
      const plain = keyOf(Number(recipient), ip)
      if (plain === "") continue
      const key = store ? hash(plain) : plain
      const retryAfter = await counter.take(key)
      if (retryAfter > 0) {
        refusal = { problem: "rate_limited", detail: `${name} is used up`, retryAfter }
        break
      }
      taken.push(() => counter.giveBack(key))
    }
    if (refusal && settings.GUARD === "enforce") {
      await giveBack()
      return refusal
    }
    if (refusal)
      log("warn", "observed", { request, recipient: mask(recipient), code: refusal.problem, reason: refusal.detail })
    const delivery = await deliver(message, request)
    if ("problem" in delivery && !delivery.attempts?.some(isPerhapsSent)) await giveBack()
    return delivery
  }
  const accepted = memory<{ delivery: Delivery; ends: number }>(window, clock)
  const sendOnce = async (key: string, message: Message, ip: string, request: string): Promise<Delivery> => {
    const shared = window > 0 && (await store?.recall(hash(key)))
    if (shared && v.is(acceptance, shared)) return shared
    const delivery = await sendGuarded(message, ip, request)
    if ("problem" in delivery || window === 0) return delivery
    accepted.set(key, { delivery, ends: clock() + window })
    await store?.remember(hash(key), delivery, window)
    return delivery
  }
  const underWay = new Map<string, Promise<Delivery>>()
  return async (message: Message, ip: string, request: string): Promise<Delivery> => {
    const key = `${message.recipient}\n${message.body}`
    const before = accepted.get(key)
    const first = before && before.ends > clock() ? before.delivery : underWay.get(key)
    const logDuplicate = () => log("info", "duplicate", { request, recipient: mask(message.recipient) })
    if (first) {
      logDuplicate()
      return await first
    }
    const sending = sendOnce(key, message, ip, request).finally(() => underWay.delete(key))
    underWay.set(key, sending)
    const delivery = await sending
    if ("receipt" in delivery && delivery.id !== request) logDuplicate()
    return delivery
  }
}

// ───────────────────────────── Platforms: the shapes in which callers send a message ─────────────────────────────

/** A message as it came in, with the end user's address where the platform forwards it. */
type Inbound = Message & { ip?: string | undefined }

/** One shape: the fields that tell it from the others, and the schema that makes a message of it. */
interface Reader {
  fields: string[]
  schema: v.GenericSchema<unknown, Inbound>
}

/** Digits of every script as ASCII ones: each script's ten stand in a row that begins at a code point of …0 or …6. */
function asciiDigit(digit: string): string {
  const point = digit.codePointAt(0) ?? 0
  const low = point % 16
  return String(/\p{Nd}/u.test(String.fromCodePoint(point - low)) ? low : low - 6)
}

/** The one-time code in a text: that of a WebOTP line, else the one run of 4 to 10 digits, else none; or the pattern's. */
function findCode(body: string, pattern: RegExp | undefined): string | undefined {
  const isAscii = Buffer.byteLength(body) === body.length
  const text = isAscii ? body : body.replace(/[^\P{Nd}0-9]/gu, asciiDigit)
  if (pattern) return pattern.exec(text)?.findLast(Boolean)
  const runs = new Set(text.match(/(?<!\d)\d{4,10}(?!\d)/g))
  return /^@\S+ #([^\s%]+)/m.exec(text)?.[1] ?? (runs.size === 1 ? [...runs][0] : undefined)
}

/** Gives a function that reads a message in any shape that Auth0 sends or shows, or says what is wrong with its fields. */
function messageReader({
  DEFAULT_CALLING_CODE: callingCode,
  CODE_PATTERN,
}: Settings): (json: unknown) => Inbound | string {
  const asNumber = v.rawTransform<string, string>(({ dataset, addIssue, NEVER }) => {
    const fail = (message: string) => {
      addIssue({ message })
      return NEVER
    }
    const bare = bareNumber(dataset.value)
    if (/\p{Cc}/u.test(bare)) return fail("must not hold control characters")
    if (/^\d/.test(bare) && !callingCode) return fail("must begin with +, or DEFAULT_CALLING_CODE must be set")
    const number = bare.startsWith("+") ? bare : `+${callingCode}${bare.replace(/^0/, "")}`
    return /^\+[1-9]\d{6,14}$/.test(number) ? number : fail("must be a phone number: +, then 7 to 15 digits")
  })
  const isSendable = (text: string) => text !== "" && (text.length <= 1_600 || [...text].length <= 1_600)
  const asWellFormed = v.transform((text: string) => text.toWellFormed())
  const channels = v.picklist(["sms", "text", "voice"])
  const asChannel = v.transform((name: "sms" | "text" | "voice") => (name === "text" ? "sms" : name))
  const asTag = v.transform((tag: string) => tag.replaceAll("_", "-"))
  const asCode = v.transform((written: string) => written.trim().toWellFormed() || undefined)

  const recipient = v.pipe(v.string(), asNumber)
  const body = v.pipe(v.string(), v.check(isSendable, "must be 1 to 1,600 characters"), asWellFormed)
  const from = v.pipe(v.nullish(v.string(), ""), sender)
  const code = v.pipe(v.nullish(v.string(), ""), v.regex(/^\P{Cc}{0,40}$/u, "must be at most 40 characters"), asCode)
  const locale = v.fallback(v.optional(v.pipe(v.string(), v.regex(/^[\w-]{2,35}$/), asTag)), undefined)
  const channel = v.pipe(v.nullish(channels, "sms"), asChannel)

  const request = v.fallback(v.optional(v.object({ ip: v.optional(v.pipe(v.string(), v.ip())) })), undefined)

  /** Auth0's connection, and the Action of the README, which adds code, locale and channel. */
  const own = v.pipe(
    v.object({ recipient, body, sender: from, code, locale, channel, req: request }),
    v.transform(({ req, ...message }): Inbound => ({ ...message, ip: req?.ip })),
  )
  /** Auth0's sample Action, which keeps the shape of send-phone-message. */
  const action = v.pipe(
    v.object({ recipient, text: body, from, code, language: locale, message_type: channel }),
    v.transform(({ text, from, language, message_type, ...rest }): Message => {
      return { ...rest, body: text, sender: from, locale: language, channel: message_type }
    }),
  )
  /** Auth0's shortest sample. */
  const plain = v.pipe(
    v.object({ to: recipient, from, body }),
    v.transform(({ to, from, body }): Message => ({ recipient: to, body, sender: from })),
  )
  /** The whole event of custom-phone-provider. */
  const notification = v.object({ recipient, as_text: body, from, code, delivery_method: channel, locale })
  const event = v.pipe(
    v.object({ notification, request }),
    v.transform(({ notification: { as_text, from, delivery_method, ...rest }, request }): Inbound => {
      return { ...rest, body: as_text, sender: from, channel: delivery_method, ip: request?.ip }
    }),
  )
  /** The whole event of send-phone-message, the older trigger of MFA. */
  const message_options = v.object({ recipient, text: body, code, message_type: channel })
  const olderEvent = v.pipe(
    v.object({ message_options, request }),
    v.transform(({ message_options: { text, message_type, ...rest }, request }): Inbound => {
      return { ...rest, body: text, sender: "", channel: message_type, ip: request?.ip }
    }),
  )
  const readers: Reader[] = [
    { fields: ["recipient", "body"], schema: own },
    { fields: ["notification"], schema: event },
    { fields: ["message_options"], schema: olderEvent },
    { fields: ["text"], schema: action },
    { fields: ["to"], schema: plain },
  ]
  return (json) => {
    if (typeof json !== "object" || json === null) return "the body must be a JSON object: {recipient, body, sender}"
    const reader = readers.find(({ fields }) => fields.every((field) => field in json))
    const read = v.safeParse(reader?.schema ?? own, json)
    if (!read.success) return wrongFields(read.issues)
    return { ...read.output, code: read.output.code ?? findCode(read.output.body, CODE_PATTERN) }
  }
}

// ───────────────────────────── App: who calls, what they send, what they are told ─────────────────────────────

/** The stable codes of every refusal, with status and title (RFC 9457). */
export const problems = {
  invalid_message: [400, "The message is not valid"],
  authentication_failed: [401, "The caller is not authenticated"],
  forbidden_address: [403, "The caller's address may not call"],
  not_found: [404, "There is nothing here"],
  method_not_allowed: [405, "The method is not allowed"],
  message_too_large: [413, "The message is too large"],
  invalid_recipient: [422, "The number cannot be reached"],
  unsupported_channel: [422, "The channel is not supported"],
  destination_not_allowed: [422, "The destination is not allowed"],
  rate_limited: [429, "Too many messages"],
  internal_error: [500, "The gateway failed"],
  delivery_rejected: [502, "No provider accepted the message"],
  delivery_timeout: [504, "No provider accepted the message in time"],
} as const

type Call = HonoContext<{ Bindings: Bindings }>

/** Compares by the SHA-256 of both, in constant time. */
function isSameToken(given: string | undefined, token: string): boolean {
  const { createHash, timingSafeEqual } = builtin("node:crypto")
  const sha256 = (text: string) => createHash("sha256").update(text).digest()
  return timingSafeEqual(sha256(given ?? ""), sha256(token))
}

/** The token of an Authorization header (RFC 6750). */
const bearer = (authorization = "") => /^Bearer +(\S+)$/i.exec(authorization)?.[1]

/** Gives a function that says why an Authorization header is not accepted, or undefined where it is (RFC 6750, 7519). */
function authenticator(settings: Settings, clock: World["clock"]) {
  const { GATEWAY_AUTH, GATEWAY_TOKEN, GATEWAY_AUDIENCE, GATEWAY_SUBJECT, GATEWAY_ISSUER, keys } = settings
  const claims: JWTVerifyOptions = { algorithms: ["HS256"], audience: GATEWAY_AUDIENCE, clockTolerance: 60 }
  if (GATEWAY_SUBJECT !== "any") claims.subject = GATEWAY_SUBJECT
  if (GATEWAY_ISSUER) claims.issuer = GATEWAY_ISSUER
  const reasons: Record<string, string> = {
    ERR_JWT_EXPIRED: "the token has expired",
    ERR_JOSE_ALG_NOT_ALLOWED: "the token is not signed with HS256",
    ERR_JWS_SIGNATURE_VERIFICATION_FAILED: "the token's signature does not match GATEWAY_SECRET",
  }
  const load = async () => {
    const { jwtVerify } = await import("jose/jwt/verify")
    const hmac = { name: "HMAC", hash: "SHA-256" }
    const secrets = await Promise.all(keys.map((key) => crypto.subtle.importKey("raw", key, hmac, false, ["verify"])))
    return { jwtVerify, secrets }
  }
  let loaded: ReturnType<typeof load> | undefined
  return async (authorization: string | undefined): Promise<string | undefined> => {
    if (GATEWAY_AUTH === "none") return undefined
    const token = bearer(authorization)
    if (!token) return "the header Authorization: Bearer <token> is missing"
    if (GATEWAY_TOKEN && isSameToken(token, GATEWAY_TOKEN)) return undefined
    loaded ??= load()
    const { jwtVerify, secrets } = await loaded
    let reason = "the token is not GATEWAY_TOKEN"
    for (const secret of secrets) {
      const error = await jwtVerify(token, secret, { ...claims, currentDate: new Date(clock()) }).then(
        () => undefined,
        (error: { code: string; claim?: string }) => error,
      )
      if (!error) return undefined
      const usual = error.claim
        ? `the token's claim "${error.claim}" is missing or wrong`
        : "the token is not a JSON Web Token"
      reason = reasons[error.code] ?? usual
      if (error.code !== "ERR_JWS_SIGNATURE_VERIFICATION_FAILED") break
    }
    return reason
  }
}

/** The caller's address: the peer's, or as many entries from the right of X-Forwarded-For as proxies stand in front. */
function callerAddress(c: Call, proxies: number): string {
  if (proxies === 0) return c.env.address?.() ?? ""
  const entry = c.req.header("x-forwarded-for")?.split(",").at(-proxies)?.trim() ?? ""
  const address = entry.replace(/^\[(.*)\](:\d+)?$/, "$1").replace(/^([\d.]+):\d+$/, "$1")
  return v.IP_REGEX.test(address) ? address : ""
}

const newSecret = () => builtin("node:crypto").randomBytes(32).toString("base64url")

/** What serving and sending share; the log goes to `print`. Throws a `StartError` that names all that is wrong. */
async function prepare(world: World, isServing: boolean, print = world.print) {
  const env = withoutEmpty(world.env)
  const complaints: Complaint[] = []
  const named = readRoutes(env, complaints)
  const settings = readSettings(env, complaints)
  const providers = new Map<string, Ready>()
  for (const name of new Set(named.flatMap(({ value }) => value))) {
    const ready = await loadProvider(name, { ...world, env }, complaints).catch((error: Error) => error.message)
    if (typeof ready === "string") complaints.push([ready])
    else providers.set(name, ready)
  }
  if (isServing && !canBeCalled(env)) {
    const text = "nobody could call: GATEWAY_SECRET, GATEWAY_TOKEN or GATEWAY_AUTH=none must be set"
    complaints.push([text, `GATEWAY_SECRET=${newSecret()}`])
  }
  if (!settings || complaints.length > 0) throw new StartError(complaints)
  const log = logger({ ...world, print }, settings.LOG_FORMAT)
  const found = (names: string[]) => names.flatMap((name) => providers.get(name) ?? [])
  const routes = named.map(({ prefix, value }) => ({ prefix, value: found(value) }))
  const store = settings.STORE ? await openStore(settings.STORE, world, log) : undefined
  const deliver = await guarded(world, settings, store, log, deliverer(world, settings, routes, log))
  return { settings, providers, log, deliver }
}

/**
 * Builds the gateway from its world; nothing is started, and nothing read but `world`.
 * @throws StartError when a setting or a provider file is missing or wrong.
 */
export async function gateway(world: World): Promise<Hono<{ Bindings: Bindings }>> {
  const stream = world.env.LOG_TOKEN?.trim() ? logStream(world.stopping) : undefined
  const print = (line: string) => {
    world.print(line)
    stream?.write(line)
  }
  const { settings, providers, log, deliver } = await prepare(world, true, stream ? print : world.print)
  const { GATEWAY_ALLOW_IPS, GATEWAY_TRUST_PROXY } = settings
  const warn = (reason: string) => log("warn", "warning", { reason })
  if (settings.keys.some((key) => key.length < 32))
    warn("a GATEWAY_SECRET of less than 32 bytes can be guessed from one token")
  if (isProduction(world.env) && !settings.ALLOW_PREFIXES)
    warn("without ALLOW_PREFIXES anyone can make you pay for messages to any country")
  if (isProduction(world.env) && providers.has("console")) warn("SMS_PROVIDER=console prints every code and sends none")
  const whyNot = authenticator(settings, world.clock)
  const readMessage = messageReader(settings)
  const app = new Hono<{ Bindings: Bindings }>()

  /** Every answer that is not a success comes from here, and each is a line of the log. */
  type Details = {
    request?: string
    recipient?: string
    attempts?: Attempt[] | undefined
    headers?: Record<string, string>
  }
  const refuse = (c: Call, code: keyof typeof problems, detail: string, details: Details = {}) => {
    const [status, title] = problems[code]
    const { request = crypto.randomUUID(), recipient, attempts, headers } = details
    log(status < 500 ? "warn" : "error", "rejected", { request, recipient, status, code, reason: detail })
    const problem = { type: `urn:smstask:${code}`, title, status, detail, code, id: request, attempts }
    return c.body(JSON.stringify(problem), status, { "content-type": "application/problem+json", ...headers })
  }

  app.get("/", (c) => c.text("smstask: POST an SMS to this address as JSON, {recipient, body, sender}.\n"))
  app.get("/health", (c) => (world.stopping?.aborted ? c.text("stopping\n", 503) : c.text("ok\n")))
  const address = (c: Call) => callerAddress(c, GATEWAY_TRUST_PROXY)
  if (GATEWAY_ALLOW_IPS) {
    const { ipRestriction } = await import("hono/ip-restriction")
    app.post("/", ipRestriction(address, { allowList: GATEWAY_ALLOW_IPS }))
  }
  app.post("/", async (c) => {
    const request = crypto.randomUUID()
    const authorization = c.req.header("authorization")
    const reason = await whyNot(authorization)
    if (reason) {
      const headers = { "www-authenticate": authorization ? 'Bearer error="invalid_token"' : "Bearer" }
      return refuse(c, "authentication_failed", reason, { request, headers })
    }
    const text = await readText(c.req.raw, 16_384)
    if (text === undefined) return refuse(c, "message_too_large", "at most 16 KiB of JSON are read", { request })
    const inbound = readMessage(parseJson(text))
    if (typeof inbound === "string") return refuse(c, "invalid_message", inbound, { request })
    const { ip = "", ...message } = inbound
    const recipient = mask(message.recipient)
    if (message.channel === "voice" && ![...providers.values()].some(({ provider }) => provider.channel === "voice"))
      return refuse(c, "unsupported_channel", "no provider speaks yet", { request, recipient })
    log("info", "received", { request, recipient })
    const delivery = await deliver(message, ip, request)
    if ("receipt" in delivery) return c.json(delivery)
    const { problem, detail, attempts, retryAfter } = delivery
    const headers = retryAfter ? { "retry-after": String(Math.ceil(retryAfter / 1_000)) } : {}
    return refuse(c, problem, detail, { request, recipient, attempts, headers })
  })
  if (stream && settings.LOG_TOKEN) {
    const token = settings.LOG_TOKEN
    app.get("/log", (c) => {
      if (!isSameToken(bearer(c.req.header("authorization")), token)) {
        return refuse(c, "authentication_failed", "GET /log takes LOG_TOKEN", {
          headers: { "www-authenticate": "Bearer" },
        })
      }
      const lines = stream.open()
      if (!lines)
        return refuse(c, "rate_limited", "20 readers follow the log already", { headers: { "retry-after": "60" } })
      return c.body(lines, 200, { "content-type": "text/event-stream", "cache-control": "no-store" })
    })
  }
  for (const { name, provider, values } of providers.values()) {
    const pages = new Hono<{ Bindings: Bindings }>()
    provider.routes?.(pages, values, world)
    app.route(`/${name}`, pages)
  }
  const allowed: Record<string, string> = { "/": "GET, HEAD, POST", "/health": "GET, HEAD" }
  app.notFound((c) => {
    const allow = allowed[c.req.path]
    if (!allow) return refuse(c, "not_found", "messages are taken by POST /")
    return refuse(c, "method_not_allowed", `allowed are ${allow}`, { headers: { allow } })
  })
  app.onError((error, c) => {
    if ("getResponse" in error) return refuse(c, "forbidden_address", "it is not in GATEWAY_ALLOW_IPS")
    log("error", "failure", { reason: error.name, place: error.stack?.match(/[\w.-]+\.[jt]s:\d+:\d+/)?.[0] })
    return refuse(c, "internal_error", "the log says where")
  })
  return app
}

// ───────────────────────────── Commands: what a person starts ─────────────────────────────

const help = `smstask stands between an identity platform and an SMS provider. Its settings are environment variables (README.md).

  main.ts                                 serve
  main.ts connection                      print the JSON that creates the connection in Auth0
  main.ts token [--expires 1h]            print a token that calls the gateway
  main.ts send +12223334444 "text"        send along the configured route and print what came of it
  main.ts providers                       list the providers, and which of their variables are set`

/** The settings of a command that needs the callers' secret. */
function secretSettings(env: Environment, command: string): Settings {
  const complaints: Complaint[] = []
  const settings = readSettings(withoutEmpty(env), complaints)
  if (settings?.keys.length === 0) complaints.push([`${command} needs GATEWAY_SECRET`, "GATEWAY_SECRET="])
  if (!settings || complaints.length > 0) throw new StartError(complaints)
  return settings
}

/** A token such as Auth0 signs for each call. */
async function token({ keys, GATEWAY_AUDIENCE, GATEWAY_SUBJECT, GATEWAY_ISSUER }: Settings, now: number, life: number) {
  const { SignJWT } = await import("jose/jwt/sign")
  const jwt = new SignJWT().setProtectedHeader({ alg: "HS256", typ: "JWT" }).setAudience(GATEWAY_AUDIENCE)
  if (GATEWAY_SUBJECT !== "any") jwt.setSubject(GATEWAY_SUBJECT)
  if (GATEWAY_ISSUER) jwt.setIssuer(GATEWAY_ISSUER)
  jwt.setIssuedAt(new Date(now)).setExpirationTime(new Date(now + life))
  return await jwt.sign(keys[0] ?? new Uint8Array())
}

/** The body of `POST /api/v2/connections` (Auth0, "Custom SMS Gateway for Passwordless Connections"). */
function connection(env: Environment) {
  const settings = secretSettings(env, "connection")
  if (!settings.GATEWAY_URL) throw new StartError([complaint("GATEWAY_URL", undefined, variables.GATEWAY_URL)])
  const gateway_authentication = {
    method: "bearer",
    subject: settings.GATEWAY_SUBJECT === "any" ? "urn:Auth0" : settings.GATEWAY_SUBJECT,
    audience: settings.GATEWAY_AUDIENCE,
    secret: settings.GATEWAY_SECRET,
    secret_base64_encoded: settings.GATEWAY_SECRET_BASE64 === "true",
  }
  const options = {
    name: "sms",
    provider: "sms_gateway",
    gateway_url: settings.GATEWAY_URL,
    gateway_authentication,
    forward_req_info: true,
    from: settings.senders.find(({ prefix }) => prefix === "")?.value,
    syntax: "md_with_macros",
    template: "Your verification code is: @@password@@",
    totp: { time_step: 300, length: 6 },
    disable_signup: false,
    brute_force_protection: true,
  }
  return { name: "sms", strategy: "sms", options }
}

/** Sends by the configured route, with the log on standard error. */
async function send(world: World, recipient: string, body: string, sender: string | undefined) {
  const { settings, deliver } = await prepare(world, false, console.error)
  const message = messageReader(settings)({ recipient, body, sender })
  if (typeof message === "string") throw new Error(message)
  return await deliver(message, "", crypto.randomUUID())
}

/** Name, region, how the contract is known and the vendor's page, then the variables. */
async function listProviders({ env, print }: World) {
  for (const name of providerNames()) {
    const { region, evidence, docs, url, env: entries } = await importProvider(name, print)
    print([name, region, evidence && `(${evidence})`, docs].filter(Boolean).join("  "))
    const state = (variable: string, isOptional: boolean) =>
      (env[variable] ? "set" : isOptional ? "optional" : "missing").padEnd(8)
    const base = `${variablePrefix(name)}_URL`
    if (url === undefined && !entries[base]) print(`  ${state(base, false)}  ${base}: base URL of your account`)
    for (const [variable, schema] of Object.entries(entries)) {
      print(`  ${state(variable, v.is(schema, undefined))}  ${variable}: ${describe(schema)}`)
    }
  }
}

/** What is used of the two runtimes that bring a server of their own. */
type Server = { port: number; stop(): Promise<void>; addr: { port: number }; shutdown(): Promise<void> }
type Peers = { requestIP(request: Request): { address: string } | null }
type Peer = { remoteAddr: { hostname: string } }
type Runtimes = { Bun?: { serve(options: object): Server }; Deno?: { serve(options: object, handler: object): Server } }
type Handler = (request: Request, address: () => string | undefined) => Response | Promise<Response>
type Listener = { port: number; close: () => Promise<unknown> }

/** Listens with the runtime's own server; `close` stops accepting and waits for the requests in flight. */
async function listen(hostname: string, port: number, handle: Handler): Promise<Listener> {
  const { Bun, Deno } = globalThis as unknown as Runtimes
  if (Bun) {
    const fetch = (request: Request, server: Peers) => handle(request, () => server.requestIP(request)?.address)
    const server = Bun.serve({ hostname, port, fetch, idleTimeout: 0, reusePort: false, development: false })
    return { port: server.port, close: () => server.stop() }
  }
  if (Deno) {
    const fetch = (request: Request, peer: Peer) => handle(request, () => peer.remoteAddr.hostname)
    const server = Deno.serve({ hostname, port, onListen() {} }, fetch)
    return { port: server.addr.port, close: () => server.shutdown() }
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

const loadUndici = () => import("undici").then(({ request, Agent }) => ({ request, dispatcher: new Agent() }))
let undici: ReturnType<typeof loadUndici> | undefined

/** A fetch by undici's own `request`, which costs half of Node's fetch and follows no redirect; its agent keeps connections. */
async function fetchByUndici(request: Request, { signal }: RequestInit): Promise<Reply> {
  undici ??= loadUndici()
  const { request: send, dispatcher } = await undici
  const { method, url } = request
  const usual = { accept: "*/*", "accept-encoding": "identity", "user-agent": "node" }
  const headers = { ...usual, ...Object.fromEntries(request.headers) }
  const body = request.body ? await request.bytes() : null
  const answer = await send(url, { method, headers, body, signal: signal ?? null, dispatcher })
  const received = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)])
  return {
    status: answer.statusCode,
    headers: new Headers(received),
    body: answer.body,
    text: () => answer.body.text(),
  }
}

/** Prints the lines of one turn of the event loop together, since a write costs more than a line; on exit what is left. */
function printer(): World["print"] {
  let lines: string[] = []
  const flush = () => {
    if (lines.length > 0) console.log(lines.join("\n"))
    lines = []
  }
  process.on("exit", flush)
  return (line) => {
    if (lines.push(line) === 1) setImmediate(flush)
  }
}

/** Serves until SIGTERM or SIGINT, then lets the requests in flight finish; a second signal ends at once. */
async function serve(world: World) {
  const stopping = new AbortController()
  const isFirstRun = !canBeCalled(withoutEmpty(world.env)) && !isProduction(world.env)
  const env = isFirstRun ? { ...world.env, GATEWAY_SECRET: newSecret(), HOST: "127.0.0.1" } : world.env
  const app = await gateway({ ...world, env, stopping: stopping.signal })
  const settings = readSettings(withoutEmpty(env), []) as Settings
  const log = logger(world, settings.LOG_FORMAT)
  const { HOST, PORT } = settings
  const { port, close } = await listen(HOST, PORT, (request, address) => app.fetch(request, { address })).catch(
    (cause) => {
      throw new Error(`PORT ${PORT} of ${HOST} cannot be listened on: ${cause.code ?? cause.message}`, { cause })
    },
  )
  log("info", "listening", { address: `http://${HOST.includes(":") ? `[${HOST}]` : HOST}:${port}/` })
  if (isFirstRun) {
    const bearer = await token(settings, world.clock(), 3_600_000)
    const body = JSON.stringify({ recipient: "+12223334444", body: "Your code is 326162", sender: "" })
    const curl = `curl -i http://127.0.0.1:${port}/ -H 'Authorization: Bearer ${bearer}' -d '${body}'`
    console.error(
      `\nNo GATEWAY_SECRET is set: this run has one of its own and listens on 127.0.0.1 only. Try it:\n\n${curl}\n`,
    )
  }
  const onSignal = (signal: "SIGTERM" | "SIGINT") => {
    if (stopping.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143)
    stopping.abort()
    log("info", "stopping", { signal })
    builtin("node:timers")
      .setTimeout(() => process.exit(0), settings.DEADLINE + 1_000)
      .unref()
    close().then(() => log("info", "stopped"))
  }
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal)
  process.on("unhandledRejection", (error) => log("error", "failure", { reason: Object(error).name }))
}

/** Runs one command of the command line. Throws what is to be told on standard error. */
async function main(args: string[], world: World) {
  if (args.length === 0) return await serve(world)
  const options = {
    help: { type: "boolean", short: "h" },
    expires: { type: "string" },
    sender: { type: "string" },
  } as const
  const { values, positionals } = builtin("node:util").parseArgs({ args, options, allowPositionals: true })
  const [command = "serve", ...rest] = positionals
  if (values.help) return world.print(help)
  if (command === "serve") return await serve(world)
  if (command === "connection") return world.print(JSON.stringify(connection(world.env), null, 2))
  if (command === "providers") return await listProviders(world)
  if (command === "send" && rest[0] && rest[1]) {
    const delivery = await send(world, rest[0], rest[1], values.sender)
    if ("problem" in delivery) process.exitCode = 1
    return world.print(JSON.stringify(delivery, null, 2))
  }
  if (command === "token") {
    const life = v.safeParse(duration, values.expires ?? "1h")
    if (!life.success) throw new Error("--expires must be a duration such as 30s, 10m or 1h")
    return world.print(await token(secretSettings(world.env, "token"), world.clock(), life.output))
  }
  throw new Error(`there is no such command, or something is missing behind it\n\n${help}`)
}

if (import.meta.main) {
  const real = withoutEmpty(process.env)
  try {
    process.loadEnvFile()
  } catch {
    // There is no .env, or no permission to read it: the environment alone decides.
  }
  const { Bun, Deno } = globalThis as unknown as Runtimes
  const isNode = !Bun && !Deno
  // Whoever read the log may have gone; the logins go on. The others ignore it, and would load Node's streams for it.
  if (isNode) process.stdout.on("error", () => {})
  // A terminal is a character device; process.stdout.isTTY loads Node's streams, too.
  const LOG_FORMAT = builtin("node:fs").fstatSync(1).isCharacterDevice() ? "pretty" : "json"
  const world: World = {
    env: { LOG_FORMAT, ...withoutEmpty(process.env), ...real },
    fetch: isNode ? fetchByUndici : fetch,
    clock: Date.now,
    print: printer(),
  }
  await main(process.argv.slice(2), world).catch((error: Error) => {
    console.error(error.message)
    process.exit(1)
  })
}
