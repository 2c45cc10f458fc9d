/**
 * smstask, the gateway between identity platforms and SMS providers, in one file: a platform (Auth0, Supabase, Okta and
 * their like) POSTs a login code, and the provider that `SMS_PROVIDER` names delivers it.
 *
 *     bun main.ts        deno task start        node main.ts        (add --help for the other commands)
 *
 * The file is in the order of the story. The way of a message is take → prove → read → once → guard → deliver → ask → the
 * provider's file, and a value comes back along it: a Delivery, or a Problem. A caller stands above what it calls.
 *
 * Everything that a message meets and everything that protects stands here and works alone. Any other file is named by a
 * setting, a provider or a command, and is imported only then. Importing this file starts nothing.
 * @module
 */
import { Hono, type Context as HonoContext, type MiddlewareHandler } from "hono"
import { ipRestriction } from "hono/ip-restriction"
import * as ip from "hono/utils/ipaddr"
import * as v from "valibot"
import type * as contract from "./providers/contract.ts"
import type { Clocks, Environment, Fields, Log, Message, Variables, World } from "./providers/contract.ts"
import type { LoadedPage } from "./providers/parts/pages.ts"
import type { Learning } from "./providers/parts/routing.ts"
import type { UnverifiedBudget } from "./providers/parts/unverified.ts"

export type * from "./providers/contract.ts"

/** Loads one of Node's modules where it is used: imported at the top, each would slow the start. */
const builtin = process.getBuiltinModule

// ───────────────────────────── Gateway: everything that settings name, put together ─────────────────────────────

type App = Hono<{ Bindings: contract.Bindings }>
type Context = HonoContext<{ Bindings: contract.Bindings }>

/** Everything that a message needs on its way. */
export interface Gateway {
  world: World
  settings: Settings
  clocks: Clocks
  log: Log
  store: contract.Store
  limits: Window[]
  routes: Routes
  shares: ReadonlyMap<LoadedProvider[], number[]>
  /** Set where ROUTING names a file: learns what became of messages, and orders a route by it. */
  learning?: Learning
  /** Messages that are being sent, by their idempotency keys. */
  inFlight: Map<string, Promise<Delivery | Problem>>
  /** Tells vendors whether codes were entered, where `<NAME>_FEEDBACK` is on. Nobody waits for it. */
  feedback?: ((acceptance: Acceptance, isVerified: boolean) => void) | undefined
  unverified?: UnverifiedBudget | undefined
}

/** A gateway that is ready to serve, or to send once. */
export interface Prepared {
  gateway: Gateway
  providers: Map<string, LoadedProvider>
  callers: Caller[]
  pages: LoadedPage[]
  /** Doubts that do not stop the start. */
  warnings: string[]
  /** Each is called with every event of the log. */
  followers: Follower[]
}
type Follower = (event: contract.LogEvent) => void

/** Builds the gateway from its world. It starts nothing, and reads nothing but `world`. Throws a StartError. */
export async function gateway(world: World): Promise<App> {
  const env = cleanEnvironment(world.env)
  return await createApp(await prepare({ ...world, env }, true))
}

/**
 * Loads what the settings name, for serving or for sending once. `world.env` is clean: see cleanEnvironment. Throws a StartError
 * that lists all that is wrong.
 */
export async function prepare(world: World, isServing: boolean, print = world.print): Promise<Prepared> {
  const { env } = world
  const { complaints, collect } = createCollector()
  const settings = await collect(() => readSettings(env))
  const loaded = await collect(() => loadRoutes(world, settings))
  const providers = [...(loaded?.providers.values() ?? [])]
  const { PLATFORMS, PAGES } = (isServing && settings) || {}
  const platforms = PLATFORMS && (await collect(() => loadPart(world, "platforms")))
  const callers = (PLATFORMS && (await collect(() => platforms?.loadPlatforms(PLATFORMS, world, providers)))) || []
  const pages = (PAGES && (await collect(async () => (await loadPart(world, "pages")).loadPages(PAGES, world)))) || []
  if (isServing) await collect(() => requireCaller(env))
  await collect(() => requireKnownCountries(env))
  await collect(() => requireKnownNames(env))
  if (!settings || !loaded || complaints.length > 0) throw new StartError(complaints)
  const followers: Follower[] = []
  const log = createLog({ ...world, print }, settings.LOG_FORMAT, followers)
  const clocks = { monotonic: world.monotonic ?? world.clock, after: world.after ?? startTimer }
  const memory = { ...createCounts(clocks.monotonic), ...createValues(clocks.monotonic) }
  const { STORE, ROUTING, LIMIT_UNVERIFIED } = settings
  const store = STORE ? await (await loadPart(world, "store")).open(settings, world, clocks, memory, log) : memory
  const { routes, shares } = loaded
  const limits = limitsOf(settings)
  const gateway: Gateway = { world, settings, clocks, log, store, limits, routes, shares, inFlight: new Map() }
  if (ROUTING !== "ordered") gateway.learning = await (await loadPart(world, "routing")).openRouting(gateway, isServing)
  const told = providers.filter(({ name }) => env[`${variablePrefix(name)}_FEEDBACK`])
  if (told.length > 0) gateway.feedback = (await loadPart(world, "feedback")).createFeedback(told, gateway)
  const [budget] = LIMIT_UNVERIFIED
  if (isServing && budget)
    gateway.unverified = (await loadPart(world, "unverified")).createBudget(budget, callers, gateway)
  const isTraced = isServing && (isOnDeploy(env) || env.OTEL_DENO)
  const traces = isTraced ? await loadOptional(world, "traces") : undefined
  const traced = await traces?.listTraced(providers, env)
  const warnings = [...listWarnings(settings, world, loaded.providers), ...(traced ?? [])]
  return { gateway, providers: loaded.providers, callers, pages, warnings, followers }
}

const startTimer: Clocks["after"] = (milliseconds, run) => clearTimeout.bind(null, setTimeout(run, milliseconds))

// ───────────────────────────── Paths: what is served, and to whom ─────────────────────────────

/** The routes: `POST /` and platforms, pages, and what is there for everyone. */
export async function createApp(prepared: Prepared): Promise<App> {
  const { gateway, providers, callers, pages } = prepared
  const { world, settings, log } = gateway
  const app: App = new Hono()
  if (settings.GATEWAY_ALLOW_IPS) app.use(allowAddresses(settings, log, [...providers.keys()]))
  const greeting = "smstask: POST an SMS to this address as JSON, {recipient, body, sender}.\n"
  // A platform that is set to GET by mistake must not read a 200 as "sent".
  const hasMore = (c: Context) => c.req.url.includes("?") || c.req.header("authorization")
  app.on(["GET", "HEAD"], "/", (c) => (hasMore(c) ? c.notFound() : c.text(greeting)))
  app.on(["GET", "HEAD"], "/health", (c) => (world.stopping?.aborted ? c.text("stopping\n", 503) : c.text("ok\n")))
  if (hasOwnProof(world.env)) serveCaller(app, createOwnCaller(gateway), gateway)
  for (const caller of callers) serveCaller(app, caller, gateway)
  const served = app.routes.filter(({ method }) => method !== "ALL")
  const hasRoutes = ({ name, provider: { routes, report } }: LoadedProvider) =>
    routes ?? (report && world.env[`${variablePrefix(name)}_REPORT_KEY`])
  if (pages.length > 0 || [...providers.values()].some(hasRoutes))
    (await loadPart(world, "pages")).mountPages(app, prepared)
  for (const reason of prepared.warnings) log("warn", "warning", { reason })
  const loadNames = memoize(() => loadOptional(world, "names"))
  app.notFound(async (c) => {
    const { path, method } = c.req
    const methods = served.flatMap((route) => (route.path === path ? route.method : []))
    const allow = methods.join(", ")
    // A GET may be refused at an address that greets.
    const why = methods.includes(method) ? "messages are sent by POST" : `${method} is not served here, only ${allow}`
    const closed = "POST / is closed: neither GATEWAY_SECRET nor GATEWAY_TOKEN is set"
    const detail = path === "/" && method === "POST" ? closed : why
    if (allow) return refuse(log, "method_not_allowed", detail, { headers: { allow } })
    const reason = (await loadNames())?.describeUnserved(c.req.path) ?? "messages are taken by POST /"
    return refuse(log, "not_found", reason, { level: "info" })
  })
  app.onError((error) => {
    if ("getResponse" in error && typeof error.getResponse === "function") return error.getResponse()
    logFailure(log, error)
    return refuse(log, "internal_error", "a fault of the gateway: the log says where")
  })
  return app
}

/** Logs an error by its name and its place. Its text is left out, since it may hold a secret. */
function logFailure(log: Log, error: unknown) {
  const reason = error instanceof StartError ? error.message : Object(error).name
  log("error", "failure", { reason, place: placeOf(Object(error)) })
}

function serveCaller(app: App, caller: Caller, gateway: Gateway) {
  const { name, greet, verified } = caller
  const paths = name ? [`/${name}`, `/${name}/`] : ["/"]
  if (greet) app.on("GET", paths, (c) => greet(limitHeaders(c.req.raw.headers), gateway.log))
  app.on("POST", paths, (c) => take(c.req.raw, caller, gateway))
  if (!verified) return
  const loadVerified = memoize(() => loadPart(gateway.world, "verified"))
  const takeVerified = async (c: Context) => (await loadVerified()).takeVerified(c.req.raw, verified, gateway)
  app.post(name ? `/${name}/verified` : "/verified", takeVerified)
}

/** Throws a StartError where no caller could prove itself. */
function requireCaller(env: Environment) {
  if (hasOwnProof(env) || env.PLATFORMS) return
  const text = "nobody could call: GATEWAY_SECRET, GATEWAY_TOKEN or PLATFORMS must be set"
  throw new StartError([{ text, setting: "GATEWAY_SECRET", suggestion: createSecret() }])
}

const createSecret = () => builtin("node:crypto").randomBytes(32).toString("base64url")

/** Doubts about settings that protect. The gateway starts all the same. */
function listWarnings(settings: Settings, { env, isOneOfMany }: World, providers: Map<string, unknown>): string[] {
  const { keys, ALLOW_DESTINATIONS, TEST_NUMBERS, GATEWAY_AUTH, GATEWAY_TOKEN, STORE } = settings
  const isLive = isProduction(env)
  const isOpen = GATEWAY_AUTH === "none" && (keys.length > 0 || GATEWAY_TOKEN !== undefined)
  const warnings: [isDoubtful: unknown, warning: string][] = [
    [
      keys.some((key) => key.length < 32),
      "a GATEWAY_SECRET, or one before it, of less than 32 bytes can be guessed from one token",
    ],
    [isLive && !ALLOW_DESTINATIONS, "without ALLOW_DESTINATIONS anyone can make you pay for messages to any country"],
    [isLive && TEST_NUMBERS, "TEST_NUMBERS: messages to these numbers are answered as accepted, and nobody gets them"],
    [isLive && providers.has("console"), "SMS_PROVIDER=console prints every code and sends none"],
    [isOpen, "GATEWAY_AUTH=none asks for no token, although GATEWAY_SECRET or GATEWAY_TOKEN is set"],
    [isOneOfMany && !STORE, "without STORE each instance of this host counts limits and duplicates by itself"],
  ]
  return warnings.flatMap(([isDoubtful, warning]) => (isDoubtful ? warning : []))
}

// ───────────────────────────── Take: one call, from what its platform wrote to its answer ─────────────────────────────

/** The gateway refuses a call. `retryAfter` is in milliseconds. */
export interface Problem {
  problem: contract.ProblemCode
  detail: string
  attempts?: Attempt[]
  retryAfter?: number
  /** Whether the message may have gone out although no provider said so. */
  isPerhapsSent?: boolean
  /** Whether the limits stay charged, since a provider was asked and may bill. */
  isCharged?: boolean
  /** The person who logs in reads the sentence of this problem instead. */
  sentenceOf?: contract.ProblemCode
}

export const invalid = (detail: string): Problem => ({ problem: "invalid_message", detail })
/** The number is not possible. The person who typed it reads the sentence of invalid_recipient. */
const badNumber = (detail: string): Problem => ({ ...invalid(detail), sentenceOf: "invalid_recipient" })

/** A message in a channel for which no provider is named. */
const unspoken: Problem = { problem: "unsupported_channel", detail: "no provider is named for it: see VOICE_PROVIDER" }

const failed = "The code could not be sent."
/** The stable codes of every problem: status, title (RFC 9457), and a sentence for the person who logs in. */
export const problems: Record<contract.ProblemCode, readonly [status: number, title: string, sentence: string]> = {
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

/** One caller of the gateway: how it proves itself, and how its words are read and answered. */
export interface Caller {
  /** "" is the gateway's own: `POST /`. */
  name: string
  platform: contract.Platform
  /** Whether the proof covers the body, so that the body must be read first. */
  isSigned: boolean
  prove(call: contract.Call): Proven | Problem | Promise<Proven | Problem>
  greet?: ((headers: contract.Call["headers"], log: Log) => Response | Promise<Response>) | undefined
  /** In the platform's own words, where it has some; `id` is that of the request, `language` of its person (BCP 47). */
  answer?(result: Delivery | Problem, id: string, language?: string): Response | undefined
  /** The caller of the hook that reports entered codes: `POST /verified`, or `POST /<name>/verified`. */
  verified?: Caller | undefined
}

/** Takes one call from its platform to its answer. */
async function take(request: Request, caller: Caller, gateway: Gateway): Promise<Response> {
  const { settings, clocks, log } = gateway
  const { name, platform } = caller
  const id = crypto.randomUUID()
  const deadline = clocks.monotonic() + Math.min(settings.DEADLINE, platform.deadline ?? settings.DEADLINE)
  const about: Fields = name ? { request: id, platform: name } : { request: id }
  const arrived = await receive(request, caller, deadline - clocks.monotonic(), clocks)
  if ("problem" in arrived) return refuseCall(arrived, request.headers, caller, about, log)
  const read = (fields: object) => platform.read(fields, gateway.world.clock())
  const expected = name ? `what ${name} sends` : "{recipient, body}"
  const call = await readCall(arrived.text, request.headers, expected, read, gateway.world)
  if ("problem" in call) return answer(call, about, caller, gateway)
  if (!call.written) return new Response(null, { status: 204 })
  const isInternational = name ? (platform.isInternational ?? false) : undefined
  const arrival = { id, caller: name, isInternational, about, deadline, proofId: arrived.proofId }
  const language = v.parse(languageTag, call.written.locale)
  const inbound = await readMessage(call.written, arrival, gateway)
  if ("problem" in inbound) return answer(inbound, about, caller, gateway, language)
  if (inbound.route.length === 0) return answer(unspoken, inbound.about, caller, gateway, language)
  log("info", "received", describeArrival(inbound, request.headers))
  return answer(await once(inbound, gateway), inbound.about, caller, gateway, language)
}

/** The body of a call that is proven. */
type ProvenText = Proven & { text: string }

/**
 * Proves the caller and reads the body, within `limit` milliseconds. Where a header proves the caller, neither waits for the
 * other, and nothing of the body is looked at before the proof holds.
 */
export async function receive(
  request: Request,
  caller: Caller,
  limit: number,
  clocks: Clocks,
): Promise<ProvenText | Problem> {
  const headers = caller.name ? limitHeaders(request.headers) : request.headers
  let isProving = !caller.isSigned
  const proveAndRead = async (): Promise<ProvenText | Problem> => {
    const reading = readBody(request)
    const early = caller.isSigned ? {} : await caller.prove({ headers, text: "" })
    isProving = false
    if ("problem" in early) return early
    const body = await reading
    if ("problem" in body) return body
    // A signature is over the text as it came, so that no other charset is looked at.
    const type = caller.isSigned ? "" : (request.headers.get("content-type") ?? "")
    const decoded = decodeBody(body.bytes, charsetOf(type))
    if ("problem" in decoded || !caller.isSigned) return { ...early, ...decoded }
    isProving = true
    const proven = await caller.prove({ headers, text: decoded.text })
    return { ...proven, text: decoded.text }
  }
  const arrived = await withTimeout(limit, clocks, proveAndRead())
  if (arrived) return arrived
  // On Deno, DNS questions that nobody answers hold up the threads that verify signatures.
  return isProving
    ? { problem: "delivery_timeout", detail: "the caller could not be proven within the deadline" }
    : invalid("the body did not arrive within the deadline")
}

/** The body of a call; or the problem of what is coded, too large or broken off. */
async function readBody(request: Request): Promise<{ bytes: Uint8Array } | Problem> {
  const coding = request.headers.get("content-encoding") ?? "identity"
  if (coding !== "identity") {
    const name = coding.slice(0, 20).replace(/[^\w-]/g, "")
    return { problem: "unsupported_encoding", detail: `the body is coded as ${name}: send it plain` }
  }
  try {
    const bytes = await readBytes(request)
    return bytes ? { bytes } : { problem: "message_too_large", detail: "at most 64 KiB are read" }
  } catch {
    return invalid("the body broke off")
  }
}

/** A body as text. Another charset than UTF-8 is slow to read, so the caller must be proven before. */
function decodeBody(bytes: Uint8Array, charset: string): { text: string } | Problem {
  const text = tryOr(() => (charset ? recodeForm(bytes, charset) : strictUtf8.decode(bytes)), undefined)
  return text === undefined ? invalid(`the body must be UTF-8${charset && ", or the charset that it names"}`) : { text }
}

/** An unproven call gets the gateway's own answer, never its platform's: a short one where people read it. */
export function refuseCall({ problem, detail }: Problem, given: Headers, caller: Caller, about: Fields, log: Log) {
  const challenge = given.has("authorization") ? 'Bearer error="invalid_token"' : "Bearer"
  const headers = problem === "authentication_failed" ? { "www-authenticate": challenge } : {}
  const response = refuse(log, problem, detail, { about, headers })
  return caller.platform.isShown ? new Response(JSON.stringify({ code: problem }), response) : response
}

// ───────────────────────────── Reply: what a caller is told ─────────────────────────────

type Details = { about?: Fields; attempts?: Attempt[] | undefined; headers?: object; level?: contract.Level }

/** A refusal as problem+json (RFC 9457), and as a line of the log. */
export function refuse(log: Log, code: contract.ProblemCode, detail: string, details: Details = {}): Response {
  const [status, title] = problems[code]
  const { about = {}, attempts, headers, level = status < 500 ? "warn" : "error" } = details
  const id = about.request ?? crypto.randomUUID()
  log(level, "rejected", { request: id, ...about, status, code, reason: detail })
  const problem = JSON.stringify({ type: `urn:smstask:${code}`, title, status, detail, code, id, attempts })
  return new Response(problem, { status, headers: { "content-type": "application/problem+json", ...headers } })
}

const isJson = { headers: { "content-type": "application/json" } }
/** Tells a platform what came of its call, in `language` (BCP 47): in its own words, or as everyone else. */
export function answer(result: Delivery | Problem, about: Fields, caller: Caller, { log }: Gateway, language?: string) {
  const inItsWords = caller.answer?.(result, String(about.request), language)
  if ("receipt" in result) return inItsWords ?? new Response(JSON.stringify(result), isJson)
  const { problem, detail, attempts, retryAfter } = result
  const headers = retryAfter ? { "retry-after": String(Math.ceil(retryAfter / 1_000)) } : {}
  const inOurs = refuse(log, problem, detail, { about, attempts, headers })
  return inItsWords ?? inOurs
}

/** The fields of the line `received`: with the call's W3C trace and the platform's own id of it. */
function describeArrival({ about, message }: Inbound, headers: Headers): Fields {
  const channel = message.channel === "voice" ? "voice" : undefined
  const [, trace] = /^[\da-f]{2}-([\da-f]{32})-/.exec(headers.get("traceparent") ?? "") ?? []
  const [id] = /^[\w.:-]{1,100}$/.exec(headers.get("webhook-id") ?? headers.get("x-request-id") ?? "") ?? []
  // A platform may have made it of number or code.
  const isTelling = message.code && id?.includes(message.code)
  return { ...about, channel, trace, caller_id: id && (isTelling ? "•" : redact(id, [], message, "id")) }
}

// ───────────────────────────── Prove: who calls ─────────────────────────────

/** A caller that is proven; `proofId` tells a signed call from others. */
export type Proven = { proofId?: string | undefined }

export const unproven = (detail: string): Problem => ({ problem: "authentication_failed", detail })

/** `POST /`, in the gateway's own words, which are Auth0's. */
function createOwnCaller({ settings, world }: Gateway): Caller {
  // Callers who moved from an SMS API may send its API key as `key`. It must not mark their messages as repetitions.
  const read = (fields: { req?: unknown }) => ({ ip: Object(fields.req).ip, ...fields, key: undefined })
  const readPerson = ({ recipient, platform, user }: contract.Person) => ({ recipient, platform, user })
  const platform = { docs: "README.md", env: {}, read, setup: () => "", verified: { read: readPerson } }
  const caller = { name: "", platform, isSigned: false, prove: createOwnProof(settings, world.clock) }
  return { ...caller, verified: caller }
}

const loadJose = memoize(() => import("jose/jwt/verify"))
const nothing = () => undefined
type JoseError = { code: string; claim?: string }
const isOtherSecret = ({ code }: JoseError) => code === "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"

/** The proof of `POST /`: a token signed with GATEWAY_SECRET (RFC 7519), or GATEWAY_TOKEN. */
export function createOwnProof(settings: Settings, clock: World["clock"]): Caller["prove"] {
  const { GATEWAY_TOKEN, GATEWAY_AUDIENCE: audience, GATEWAY_SUBJECT: subject, GATEWAY_ISSUER: issuer } = settings
  const claims: { [name: string]: unknown } = { algorithms: ["HS256"], issuer, clockTolerance: 60 }
  if (audience !== "any") claims.audience = audience
  if (subject !== "any") claims.subject = subject
  const hmac = { name: "HMAC", hash: "SHA-256" }
  const importKey = (key: Uint8Array<ArrayBuffer>) => crypto.subtle.importKey("raw", key, hmac, false, ["verify"])
  const importKeys = memoize(() => Promise.all(settings.keys.map(importKey)))
  const verify = async (token: string): Promise<Proven | Problem> => {
    const { jwtVerify } = await loadJose()
    let reason = "the token is not GATEWAY_TOKEN"
    for (const key of await importKeys()) {
      const options = { ...claims, currentDate: new Date(clock()) }
      const error = await jwtVerify(token, key, options).then(nothing, (error: JoseError) => error)
      if (!error) return {}
      reason = explainToken(error)
      if (!isOtherSecret(error)) break
    }
    return unproven(reason)
  }
  return ({ headers }) => {
    if (settings.GATEWAY_AUTH === "none") {
      // A browser sends what any page asks for, and its own address may be allowed.
      const isPage = headers.get("origin") !== null || headers.get("sec-fetch-site") !== null
      return isPage ? unproven("GATEWAY_AUTH=none takes no call of a browser") : {}
    }
    const token = readToken(headers)
    if (!token) return unproven("the header Authorization: Bearer <token> is missing")
    return GATEWAY_TOKEN && isSame(token, GATEWAY_TOKEN) ? {} : verify(token)
  }
}

function explainToken(error: JoseError): string {
  if (isOtherSecret(error)) return "the token's signature does not match GATEWAY_SECRET"
  if (error.code === "ERR_JWT_EXPIRED") return "the token has expired"
  if (error.code === "ERR_JOSE_ALG_NOT_ALLOWED") return "the token is not signed with HS256"
  return error.claim ? `the token's claim "${error.claim}" is missing or wrong` : "the token is not a JSON Web Token"
}

/** The token of an Authorization header: of Bearer (RFC 6750), Basic's password (RFC 7617), or the bare header. */
export function readToken(headers: contract.Call["headers"]): string | undefined {
  const [scheme = "", ...rest] = headers.get("authorization")?.trim().split(/ +/) ?? []
  const credentials = rest.join(" ")
  if (/^bearer$/i.test(scheme)) return credentials
  if (/^basic$/i.test(scheme)) return /:(.*)$/s.exec(Buffer.from(credentials, "base64").toString())?.[1]
  return rest.length === 0 ? scheme : undefined
}

/** Headers for the files of platforms and providers, each cut to 4,096 characters: the most that an expression meets. */
export const limitHeaders = (headers: Headers): contract.Call["headers"] => ({
  get: (name) => headers.get(name)?.slice(0, 4_096) ?? null,
})

/** Lets through who calls from an address in GATEWAY_ALLOW_IPS. `/health` and reports, which bring a key, are open to all. */
function allowAddresses(settings: Settings, log: Log, providers: string[]): MiddlewareHandler {
  const { GATEWAY_ALLOW_IPS: allowList = [], GATEWAY_TRUST_PROXY: proxies, GATEWAY_AUTH } = settings
  /** The peer's address, or as many entries from the right of X-Forwarded-For as proxies stand in front. */
  const addressOf = (c: Context) =>
    readAddress(proxies === 0 ? c.env.address?.() : c.req.header("x-forwarded-for")?.split(",").at(-proxies))
  const refuseAddress = (why: string) => refuse(log, "forbidden_address", why)
  const restrict = ipRestriction(
    (c) => addressOf(c),
    { allowList },
    ({ addr }) => refuseAddress(`the address ${addr} is not in GATEWAY_ALLOW_IPS`),
  )
  const isForAll = (path: string) => path === "/health" || providers.some((name) => path.startsWith(`/${name}/report/`))
  return async (c, next) => {
    if (isForAll(c.req.path)) return await next()
    // Where nothing else proves the caller, a proxy's address must not stand for everyone behind it.
    const isOpen = GATEWAY_AUTH === "none" && /^\/(verified)?$/.test(c.req.path)
    if (isOpen && proxies === 0 && c.req.header("x-forwarded-for"))
      return refuseAddress("the call came through a proxy: set GATEWAY_TRUST_PROXY")
    // An address that nobody knows is in no list, but for one of all.
    if (allowList.includes("*")) return await next()
    const unknown = "the caller's address is not known: see GATEWAY_TRUST_PROXY"
    return addressOf(c) ? await restrict(c, next) : refuseAddress(unknown)
  }
}

// ───────────────────────────── Read: what a platform wrote, checked and made a message ─────────────────────────────

/** A message on its way, checked, with what is known of its call. */
export interface Inbound {
  id: string
  /** What lines of the log about it have in common. */
  about: Fields
  message: Message & { channel: Channel }
  country: string
  /** Who may deliver it, in the order of the setting; none where no provider is named for its channel. */
  route: LoadedProvider[]
  callingCode: string
  /** Its type in the words of DENY_TYPES where libphonenumber is sure of it, else "". */
  type: string
  /** The digits by which limits and repetitions are counted: see lineOf. */
  line: string
  /** The end user's address, or "". */
  ip: string
  /** The keys of its acceptance in the store: the number's first, then that of the platform's user. */
  acceptanceKeys: string[]
  /** A later message with one of these keys is a repetition, for `period` milliseconds. Some mark the call, one its text. */
  idempotencyKeys: { key: string; period: number; isOfCall: boolean }[]
  /** When it must be answered, on the monotonic clock. */
  deadline: number
}

/** What a call brings along on its way to a message. */
export interface Arrival extends Proven, Pick<Inbound, "id" | "about" | "deadline"> {
  /** The platform's name; "" is the gateway's own. */
  caller: string
  /** Whether the platform always sends the country; undefined where no platform calls. */
  isInternational?: boolean | undefined
}

/** Parses a call, and has `read` of a platform's file read it. `expected` names for the caller what it should hold. */
export async function readCall<T>(
  text: string,
  headers: Headers,
  expected: string,
  read: (fields: object) => T,
  world: World,
): Promise<{ written: T } | Problem> {
  const type = headers.get("content-type") ?? ""
  const fields = readFields(text, type)
  if (!fields) {
    const isBroken = parseJson(text) === undefined && (/^\s*[[{"']/.test(text) || (/json/i.test(type) && text !== ""))
    const slips = isBroken ? await loadOptional(world, "slips") : undefined
    const place = slips ? `; its JSON breaks at ${slips.placeOfBreak(text)}` : ""
    return invalid(`the body must be a JSON object or a UTF-8 form: ${expected}${place}`)
  }
  try {
    return { written: read(fields) }
  } catch (error) {
    return invalid(v.isValiError(error) ? describeIssues(error.issues) : `it is not ${expected}`)
  }
}

/** JSON, or the fields of a form; undefined where it is neither. */
function readFields(text: string, type: string): object | undefined {
  const json = parseJson(text)
  if (typeof json === "object" && json !== null) return json
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(type)
  // Refused are escapes that are not UTF-8, and what begins like JSON and is broken. In `=+49` nobody escaped the plus.
  const isUtf8 = tryOr(() => decodeURIComponent(text.replaceAll("+", " ")), undefined) !== undefined
  if (!isForm || !isUtf8 || json !== undefined || /^\s*[[{"']/.test(text)) return undefined
  return Object.fromEntries(new URLSearchParams(text.replace(/=\+(?=\d)/g, "=%2B")))
}

const isSendable = (text: string) => text !== "" && (text.length <= 1_600 || [...text].length <= 1_600)
const asText = v.transform((text: string) => text.replace(/[^\P{Cc}\n]/gu, "").toWellFormed())
const body = v.pipe(v.string(), asText, v.check(isSendable, "must be 1 to 1,600 characters"))
const asChannel = v.transform((name: Channel | "text"): Channel => (name === "voice" ? "voice" : "sms"))
const asTag = v.transform((tag: string) => tag.replaceAll("_", "-"))
const languageTag = v.fallback(v.optional(v.pipe(like(/^[\w-]{2,35}$/), asTag)), undefined)
/** No number and no code is longer. A longer text meets no regular expression. */
export const brief = v.pipe(v.string(), v.maxLength(200, "must be at most 200 characters"))
export const userId = v.pipe(v.string(), v.regex(/^\P{Cc}{1,200}$/u, "must be text of 1 to 200 characters"))
const asWellFormed = v.transform((text: string) => text.toWellFormed())
const fewCharacters = v.regex(/^\P{Cc}{0,40}$/u, "must be at most 40 characters")
const notDotsAlone = v.regex(/^(?!\.+$)/, "must not be dots alone")
/** What is understood of a message as its platform writes it. */
export const written = v.object({
  recipient: brief,
  body: v.nullish(body),
  sender: v.nullish(v.string(), ""),
  code: v.nullish(v.pipe(brief, v.trim(), fewCharacters, notDotsAlone, asWellFormed), ""),
  locale: languageTag,
  channel: v.nullish(v.pipe(v.picklist(["sms", "text", "voice"]), asChannel), "sms"),
  ip: v.optional(v.unknown()),
  key: v.fallback(v.optional(v.pipe(v.string(), v.maxLength(200))), undefined),
  user: v.fallback(v.optional(userId), undefined),
})
/** Makes a message of what a platform wrote, or says which field is wrong. */
export async function readMessage(foreign: contract.Written, arrival: Arrival, gateway: Gateway) {
  const { settings, world } = gateway
  const { id, caller, about, deadline } = arrival
  const parsed = v.safeParse(written, foreign)
  const describeOthers = async () => {
    const slips = caller === "" ? await loadOptional(world, "slips") : undefined
    return slips?.describeOthers(foreign, Object.keys(written.entries)) ?? ""
  }
  if (!parsed.success)
    return invalid(describeIssues(parsed.issues) + (foreign.recipient === undefined ? await describeOthers() : ""))
  const { code: sent, locale, channel, ip, key, user } = parsed.output
  const number = readRecipient(parsed.output.recipient, arrival, settings.DEFAULT_COUNTRY, await loadNumbers())
  if ("problem" in number) return number
  const { recipient, country, callingCode, type } = number
  const render = () => chooseText(settings.texts[channel], locale).replaceAll("{code}", () => sent)
  const body = parsed.output.body ?? (sent && render())
  if (!body) return invalid(`body is missing${await describeOthers()}`)
  const raw = describeRaw(parsed.output.body ?? "", sent)
  if (raw) return invalid(raw)
  const route = findTargeted(gateway.routes[channel], recipient, country) ?? []
  const given = readSender(parsed.output.sender, number, route, about, gateway)
  if (typeof given === "object") return given
  const code = sent || findCode(body, settings.CODE_PATTERN)
  const message = { recipient, body, sender: given, code, locale, channel }
  const line = lineOf(recipient)
  const text = `${channel}:${line}\n${body}\n${sent}`
  const idempotencyKeys = listIdempotencyKeys(text, key, arrival, settings.DUPLICATE_WINDOW)
  const fields: Fields = { ...about, recipient: maskNumber(recipient, callingCode) }
  const acceptanceKeys = [acceptanceKey({ line })]
  if (user) acceptanceKeys.push(acceptanceKey({ platform: caller, user }))
  return {
    id,
    about: fields,
    message,
    country,
    route,
    callingCode,
    type,
    line,
    ip: readAddress(ip),
    acceptanceKeys,
    idempotencyKeys,
    deadline,
  } satisfies Inbound
}

type Destination = { recipient: string; country: string }
/** The sender of a call, or "" where it is wrong and every provider of the route has another one. */
function readSender(written: string, to: Destination, route: LoadedProvider[], about: Fields, gateway: Gateway) {
  const { settings, log } = gateway
  const parsed = v.safeParse(sender, written)
  if (parsed.success) return parsed.output
  const wrong = describeIssues(parsed.issues, "sender")
  const hasOther = (provider: LoadedProvider) => chooseSender(provider, to, "", settings.senders)
  if (!route.every(hasOther)) return invalid(`${wrong}; set SMS_SENDER or the provider's own sender to use another`)
  log("warn", "warning", { ...about, reason: `${wrong}; the configured sender is used` })
  return ""
}

/** Digits alone get a plus where their platform always sends the country, or where no DEFAULT_COUNTRY says what they mean. */
function readRecipient(written: string, arrival: Arrival, country: string | undefined, numbers: Numbers) {
  const digits = normalize(written).trim()
  if (arrival.isInternational) return readNumber(digits.replace(/^(?=[1-9])/, "+"), country, numbers)
  const isBare = arrival.isInternational === false && !country && /^[1-9]\d+$/.test(digits)
  const abroad = isBare ? readNumber(`+${digits}`, country, numbers) : undefined
  return abroad && !("problem" in abroad) ? abroad : readNumber(written, country, numbers)
}

// ───────────────────────────── Code: found in a text, or put into one ─────────────────────────────

/** Runs of digits, with what may stand between two of a code, and words. */
const wordsOfText =
  /\d{3,10} ?[,'’·・|+:–-] ?\d{3,10}|\d(?:, ?\d){3,}|(?:\[\d\]){4,}|\d+(?:[ .\-–—/_]\d+)+|[\p{LC}\p{N}]{2,}(?:[-_][\p{LC}\p{N}]+)*/gu

/**
 * The one-time code in a text: what the pattern finds, or a WebOTP line says, or the only run of 4 to 10 digits that stands
 * alone. None where several could be it: a second run, one with letters inside (`AB1234`), one that goes on behind a
 * separator (`123-456`), or an HTML entity.
 */
export function findCode(body: string, pattern?: RegExp): string | undefined {
  // Android's SMS Retriever wants a hash of its own at the end.
  const text = normalize(body.replace(/\p{No}/gu, "x")).replace(/^(<#>.*)\s[\w+/]{11}\s*$/s, "$1")
  if (pattern) return pattern.exec(text)?.findLast(Boolean)
  const webOtpLine = /^@(?:localhost|(?:[\w-]{1,63}\.)+[\w-]{1,63})(?::\d{1,5})? #([^\s%]+)(?:[ \t]*$|[ \t]+[%@])/m
  const webOtp = webOtpLine.exec(text)?.[1]
  if (webOtp || /&#?\w{1,8};/.test(text)) return webOtp
  // Letters of scripts without cases (Kana, Thai) stand beside digits with no blank between.
  const words = text.match(wordsOfText) ?? []
  const codes = new Set(words.filter((word) => /^\d{4,10}$/.test(word)))
  const unit = /^\d{1,3}(s|m|h|secs?|mins?|minutes|hours|hrs?|st|nd|rd|th|am|pm)$/i
  const isLong = (word: string) => /\d.*\d/.test(word) && word.replace(/[-_]/g, "").length > 3
  // With one digit it may be a name (Auth0, Web3), but not where no letter is small, or where letters stand on both sides.
  const isMixed = (word: string) =>
    /\d/.test(word) && /^[\p{Lu}\d_-]{5,}$|\p{L}\d\p{L}/u.test(word) && word.replace(/[-_]/g, "").length > 4
  const isOther = (word: string) => !codes.has(word) && (isLong(word) || isMixed(word)) && !unit.test(word)
  return codes.size === 1 && !words.some(isOther) ? [...codes][0] : undefined
}

/** The text in the closest language (RFC 4647, lookup) that the settings have, else the first for no language. */
export function chooseText(texts: Targeted<string>[], locale = ""): string {
  let range = locale.toUpperCase().replaceAll("-", "_")
  const find = () =>
    texts.find(({ target }) => target === range) ?? texts.find(({ target }) => target.startsWith(`${range}_`))
  while (range && !find()) range = range.slice(0, Math.max(0, range.lastIndexOf("_")))
  return find()?.value ?? ""
}

// ───────────────────────────── Once and guard: what is sent once, and what is not sent at all ─────────────────────────────

/** A provider accepted. */
export type Delivery = v.InferOutput<typeof delivery>
/** One provider asked once. `code` is the provider's own, or tells why there is no answer of it. */
type Attempt = v.InferOutput<typeof attempt>

const outcome = v.picklist(["accepted", "refused", "timeout", "unreachable"])
const printable = v.pipe(v.string(), v.regex(/^\P{C}{0,200}$/u))
const wholeMilliseconds = v.pipe(v.number(), v.integer(), v.minValue(0))
const attempt = v.object({ provider: fileName(), outcome, code: v.exactOptional(printable), ms: wholeMilliseconds })
export const attempts = v.pipe(v.array(attempt), v.maxLength(100))
const id = v.pipe(v.string(), v.uuid())
export const delivery = v.object({ id, provider: fileName(), receipt: printable, attempts })
/** A delivery as a store keeps it: one text. What another wrote there is foreign, and counts as absent. */
const kept = v.pipe(v.string(), v.transform(parseJson), delivery)

/** What marks a repetition: the text and its number, the platform's id of the message, and the signed call. */
function listIdempotencyKeys(text: string, id: string | undefined, { caller, proofId }: Arrival, window: number) {
  const keys: Inbound["idempotencyKeys"] = []
  if (window > 0) keys.push({ key: `sent:${text}`, period: window, isOfCall: false })
  // Platforms repeat their ids for other messages, too: an id marks a repetition of the same message alone.
  if (id) keys.push({ key: `key:${caller}:${id}\n${text}`, period: 600_000, isOfCall: true })
  if (proofId) keys.push({ key: `call:${caller}:${proofId}`, period: 600_000, isOfCall: true })
  return keys
}

/** The same message, or the same signed call, is sent once: whoever brings it again gets what became of the first. */
export async function once(inbound: Inbound, gateway: Gateway): Promise<Delivery | Problem> {
  const { idempotencyKeys, id, about } = inbound
  const { inFlight, log } = gateway
  const first = idempotencyKeys.map(({ key }) => inFlight.get(key)).find(Boolean)
  const sending = first ?? sendOnce(inbound, gateway)
  if (!first) for (const { key } of idempotencyKeys) inFlight.set(key, sending)
  try {
    const result = await sending
    if (first || ("receipt" in result && result.id !== id)) log("info", "duplicate", about)
    if (first && "receipt" in result) await keepRepeated(result, inbound, gateway)
    return result
  } finally {
    if (!first) for (const { key } of idempotencyKeys) inFlight.delete(key)
  }
}

/** Gives the delivery that the store has for one of the keys, or delivers and keeps that. */
async function sendOnce(inbound: Inbound, gateway: Gateway): Promise<Delivery | Problem> {
  const { store } = gateway
  for (const { key } of inbound.idempotencyKeys) {
    const before = await store.get(key)
    if (before === undefined) continue
    const parsed = v.safeParse(kept, before)
    if (!parsed.success || !isInUse(parsed.output.provider, gateway)) continue
    await keepRepeated(parsed.output, inbound, gateway)
    return parsed.output
  }
  const result = await guard(inbound, gateway)
  if ("receipt" in result) await keepDelivery(result, inbound.idempotencyKeys, gateway)
  return result
}

async function keepDelivery(result: Delivery, keys: Inbound["idempotencyKeys"], { store }: Gateway) {
  const text = JSON.stringify(result)
  await Promise.all(keys.map(({ key, period }) => store.set(key, text, period)))
}

/** Keeps the answer to a repetition for its own call, too. No window begins anew by that, of the text or of a call. */
async function keepRepeated(result: Delivery, { idempotencyKeys }: Inbound, gateway: Gateway) {
  for (const one of idempotencyKeys.filter(({ isOfCall }) => isOfCall))
    if ((await gateway.store.get(one.key)) === undefined) await keepDelivery(result, [one], gateway)
}

/** Answers about test numbers have this in place of a provider's name. */
const testProvider = "test"
/** Whether a provider of this gateway has that name. */
export const isInUse = (name: string, { routes, settings }: Gateway) =>
  (name === testProvider && settings.TEST_NUMBERS !== undefined) ||
  [...routes.sms, ...routes.voice].some(({ value }) => value.some((provider) => provider.name === name))

/** Delivers what may be sent: refuses destinations, charges limits, and gives back what was charged for nothing. */
async function guard(inbound: Inbound, gateway: Gateway): Promise<Delivery | Problem> {
  const { settings, store, log } = gateway
  if (settings.TEST_NUMBERS?.some((start) => inbound.message.recipient.startsWith(start))) {
    log("info", "test", inbound.about)
    return { id: inbound.id, provider: testProvider, receipt: inbound.id, attempts: [] }
  }
  const denied = checkDestination(inbound, settings) ?? checkType(inbound, settings)
  const { charges, problem } = denied ? { charges: [], problem: denied } : await chargeLimits(inbound, gateway)
  const isEnforced = settings.GUARD === "enforce"
  if (problem && !isEnforced)
    log("warn", "observed", { ...inbound.about, code: problem.problem, reason: problem.detail })
  const result = problem && isEnforced ? problem : await deliver(inbound, gateway)
  if ("problem" in result && !result.isCharged)
    await Promise.all(charges.map(({ key, limit }) => store.giveBack(key, limit)))
  return result
}

/** A limit, and the key by which it counts a message. */
export interface Charge {
  key: contract.Key
  limit: contract.Limit
}

/** Charges every limit, narrowest first, until one is used up: that is the problem. */
async function chargeLimits(inbound: Inbound, gateway: Gateway): Promise<{ charges: Charge[]; problem?: Problem }> {
  const { limits, store, unverified } = gateway
  const charges: Charge[] = []
  const due: Charge[] = limits.map((limit) => ({ key: limitKeys[limit.name](inbound), limit }))
  if (unverified) due.push(...(await unverified.listDue(inbound)))
  for (const charge of due) {
    const { key, limit } = charge
    if (key === "") continue
    const taking = store.take(key, limit)
    const retryAfter = typeof taking === "number" ? taking : await taking
    if (retryAfter === 0) charges.push(charge)
    else if (limit.name !== "LIMIT_UNVERIFIED" || !unverified?.isForgotten())
      return { charges, problem: { problem: "rate_limited", detail: `${limit.name} is used up`, retryAfter } }
  }
  return { charges }
}

type LimitName = "LIMIT_VOICE" | "LIMIT_RECIPIENT" | "LIMIT_IP" | "LIMIT_PREFIX" | "LIMIT_TOTAL"
/** The key by which each limit counts, narrowest first; "" is not counted. Digits are kept as a number, which is smaller. */
export const limitKeys: Record<LimitName, (inbound: Inbound) => contract.Key> = {
  LIMIT_VOICE: ({ message, line }) => (message.channel === "voice" ? Number(line) : ""),
  LIMIT_RECIPIENT: ({ line }) => Number(line),
  // IPv6 by its /64, which is one household (RFC 6177).
  LIMIT_IP: ({ ip: address }) => (address.includes(":") ? ip.expandIPv6(address).slice(0, 19) : address),
  LIMIT_PREFIX: ({ line }) => Math.floor(Number(line) / 10_000),
  LIMIT_TOTAL: () => "all",
}
/** One window of a limit; `written` is how the setting has it. */
type Window = ReturnType<typeof toWindow> & { name: LimitName }
const limitsOf = (settings: Settings): Window[] =>
  (Object.keys(limitKeys) as LimitName[]).flatMap((name) => settings[name].map((window) => ({ name, ...window })))

/** The closer entry of both lists decides; a tie is denied, and so is what no allowed entry fits. */
function checkDestination({ message, country, callingCode }: Inbound, settings: Settings): Problem | undefined {
  const { ALLOW_DESTINATIONS, DENY_DESTINATIONS = [] } = settings
  const isDigits = (target: string) => /^\d/.test(target)
  const fits = (target: string) => message.recipient.startsWith(target, 1) || target === country
  // A country goes before the digits of its calling code, and one digit more goes before the country.
  const closeness = (target: string) => (isDigits(target) ? target.length : callingCode.length + 0.5)
  const best = (targets: string[]) => Math.max(-1, ...targets.filter(fits).map(closeness))
  const allowed = ALLOW_DESTINATIONS ? best(ALLOW_DESTINATIONS) : 0
  if (allowed >= 0 && allowed > best(DENY_DESTINATIONS)) return undefined
  return { problem: "destination_not_allowed", detail: "see ALLOW_DESTINATIONS and DENY_DESTINATIONS" }
}

/** Refuses a number that is surely of a denied type, unless an allowed destination names it by its digits. */
function checkType({ message, type }: Inbound, { DENY_TYPES, ALLOW_DESTINATIONS = [] }: Settings): Problem | undefined {
  const isNamed = ALLOW_DESTINATIONS.some((target) => message.recipient.startsWith(target, 1))
  if (!DENY_TYPES.includes(type) || isNamed) return undefined
  return { problem: "destination_not_allowed", detail: `its type is ${type}: see DENY_TYPES` }
}

// ───────────────────────────── Memory: what this process remembers by itself ─────────────────────────────

/** A map of two generations: where the young one has `most` keys, it becomes the old one, and that one is dropped. */
class Generations<T> {
  /** When the young generation ends, on the monotonic clock. */
  ends: number
  readonly #most: number
  #young = new Map<contract.Key, T>()
  #old = new Map<contract.Key, T>()
  constructor(most: number, ends: number) {
    this.#most = most
    this.ends = ends
  }
  get(key: contract.Key): T | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }
  set(key: contract.Key, value: T) {
    if (this.#young.size >= this.#most) this.turn()
    this.#young.set(key, value)
  }
  delete(key: contract.Key) {
    this.#young.delete(key)
    this.#old.delete(key)
  }
  turn() {
    this.#old = this.#young
    this.#young = new Map()
  }
}

/** Counts of this process: of each window 100,000 at most, in two generations. */
function createCounts(monotonic: Clocks["monotonic"]): Pick<contract.Store, "take" | "giveBack"> {
  const windows = new Map<string, Generations<number>>()
  // All keys of a limit share one window.
  const windowOf = ({ name, period }: contract.Limit) => {
    const before = windows.get(`${name} ${period}`)
    if (before && monotonic() < before.ends) return before
    const window = new Generations<number>(50_000, monotonic() + period)
    windows.set(`${name} ${period}`, window)
    return window
  }
  return {
    take(key, limit) {
      const counts = windowOf(limit)
      const before = counts.get(key) ?? 0
      if (before >= limit.count) return Math.max(1, counts.ends - monotonic())
      counts.set(key, before + 1)
      return 0
    },
    giveBack(key, limit) {
      const counts = windowOf(limit)
      const left = (counts.get(key) ?? 0) - 1
      if (left > 0) counts.set(key, left)
      else counts.delete(key)
    },
  }
}

/** Values of this process: of each period 50,000 at most, in two generations. */
function createValues(monotonic: Clocks["monotonic"]): Pick<contract.Store, "get" | "set" | "add"> {
  const periods = new Map<number, Generations<{ value: unknown; ends: number }>>()
  const get = (key: contract.Key) => {
    for (const values of periods.values()) {
      const entry = values.get(key)
      if (entry) return entry.ends > monotonic() ? entry.value : undefined
    }
    return undefined
  }
  const set = (key: contract.Key, value: unknown, period: number) => {
    const ends = monotonic() + period
    const values = periods.get(period) ?? new Generations(25_000, ends)
    periods.set(period, values)
    // A generation is young for one period and old for another: then all that it holds has expired.
    if (values.ends <= monotonic()) {
      values.turn()
      values.ends = ends
    }
    values.set(key, { value, ends })
  }
  const add = (key: contract.Key, by: number, period: number) => {
    const before = get(key)
    const sum = (typeof before === "number" ? before : 0) + by
    set(key, sum, period)
    return sum
  }
  return { get, set, add }
}

// ───────────────────────────── Deliver: along a route, until a provider accepts ─────────────────────────────

/** Who delivered, for what an outcome counts. `country` is an ISO code, or the calling code's digits where a number has none. */
export interface Route {
  provider: string
  country: string
  channel: Channel
}
export const routeOf = (provider: string, { country, callingCode, message }: Inbound): Route => ({
  provider,
  country: country || callingCode,
  channel: message.channel,
})

/** The circuit breaker: after 3 failures in a row a provider is asked last for 30 s; then one message probes it. */
const breaker = { failures: 3, cooldown: 30_000 }
export const isBreakerOpen = ({ health }: LoadedProvider, now: number) =>
  health.failures >= breaker.failures && health.retryAt > now

/** Takes a message along its route, inside its deadline, until a provider accepts it or none is left. */
async function deliver(inbound: Inbound, gateway: Gateway): Promise<Delivery | Problem> {
  const { id, deadline } = inbound
  const { settings, clocks } = gateway
  const attempts: Attempt[] = []
  const failures: Refused[] = []
  const earlier = findAcceptances(inbound.acceptanceKeys[0] ?? "", gateway)
  const route = chooseRoute(inbound, settings.RESEND_WINDOW > 0 ? await earlier : [], gateway)
  const isSingle = route.length === 1
  // A provider whose connection broke is asked once more when no other is left: its second turn stands behind the route.
  const turns = [...route]
  for (const [index, provider] of turns.entries()) {
    const isRetry = index >= route.length
    const left = deadline - clocks.monotonic()
    // What can bring no answer would count against the provider, and be sent all the same.
    if (left < shortestTurn) break
    const others = turns.length - index - 1
    // A single provider that keeps silent is asked once more, too, and must leave time for that.
    const isLast = others === 0 && (isRetry || !isSingle)
    const limit = isLast ? left : Math.min(settings.ATTEMPT_TIMEOUT, left / (others + 1))
    const { attempt, ...result } = await takeTurn(provider, isRetry, limit, inbound, gateway)
    attempts.push(attempt)
    if ("receipt" in result) {
      const delivery = { id, provider: attempt.provider, receipt: result.receipt, attempts }
      keepAcceptance(inbound, delivery, earlier, gateway)
      return delivery
    }
    failures.push(result)
    if (isFinal(result)) break
    const isWorthRetry = result.code === "reset" || (result.outcome === "timeout" && isSingle)
    if (isWorthRetry && !isRetry) turns.push(provider)
  }
  return explainFailure(attempts, failures)
}

/** No provider is asked with less time than that, in milliseconds. */
const shortestTurn = 100

/** Whether asking another provider is useless (the number is bad), or would be paid for the same fraud. */
const isFinal = ({ fault }: Refused) => fault === "recipient" || fault === "fraud"

/** Why no provider took a message. It stays charged where one may bill, and where the text was refused: it could come again. */
function explainFailure(attempts: Attempt[], failures: Refused[]): Problem {
  const isPerhapsSent = failures.some((failure) => failure.isPerhapsSent)
  const last = failures.at(-1)
  if (last && isFinal(last)) {
    const problem = last.fault === "fraud" ? "suspected_fraud" : "invalid_recipient"
    const detail = `${attempts.at(-1)?.provider}: ${last.code} ${last.reason}`
    return { problem, detail, attempts, isPerhapsSent, isCharged: true }
  }
  const told = attempts.map(({ provider, outcome, code }) => `${provider} ${outcome} ${code}`).join(", ")
  const summary = told || "no time was left to ask a provider"
  const isLate = !last || failures.some((failure) => failure.outcome === "timeout")
  return {
    problem: isLate ? "delivery_timeout" : "delivery_rejected",
    detail: isPerhapsSent ? `It may have been sent: ${summary}` : summary,
    attempts,
    isPerhapsSent,
    isCharged: isPerhapsSent || failures.some(({ fault }) => fault === "message"),
  }
}

/** Asks a provider in its turn, logs what came of it, and counts that for the circuit breaker. A retry wants a new connection. */
async function takeTurn(provider: LoadedProvider, isRetry: boolean, limit: number, inbound: Inbound, gateway: Gateway) {
  const { name, health } = provider
  const { clocks, log, learning } = gateway
  const route = routeOf(name, inbound)
  const about = { ...inbound.about, provider: name, country: route.country }
  const began = clocks.monotonic()
  const abroad = refuseCountry(provider, inbound)
  // A message that does not ask it is no probe.
  if (!abroad && health.failures >= breaker.failures) health.retryAt = began + breaker.cooldown
  const abort = new AbortController()
  const init = { signal: abort.signal, isFresh: isRetry }
  const asking = () => withTimeout(limit, clocks, ask(provider, inbound, gateway, init))
  const result = abroad ?? (await asking()) ?? refuseTimeout()
  const ms = Math.round(clocks.monotonic() - began)
  if ("receipt" in result) {
    health.failures = 0
    log("info", "accepted", { ...about, receipt: result.receipt, ms })
    return { ...result, attempt: { provider: name, outcome: "accepted", ms } satisfies Attempt }
  }
  // Ends a call that is in flight, and an answer that was not read to its end.
  abort.abort()
  const { outcome, reason, fault } = result
  const code = String(result.code)
  log("warn", outcome, { ...about, code, reason, fault, ms })
  if (fault === "provider") learning?.count(route, "bad", outcome === "timeout" ? "timeout" : "refused")
  if (result.isOutage) recordFailure(provider, clocks.monotonic(), log)
  return { ...result, attempt: { provider: name, outcome, code, ms } satisfies Attempt }
}

function recordFailure({ name, health }: LoadedProvider, now: number, log: Log) {
  health.failures += 1
  if (health.failures !== breaker.failures) return
  health.retryAt = now + breaker.cooldown
  log("warn", "resting", { provider: name, reason: `${breaker.failures} failures in a row` })
}

function refuseCountry({ provider: { countries } }: LoadedProvider, { country }: Inbound): Refused | undefined {
  if (!countries || countries.includes(country)) return undefined
  return classify({ code: "country", fault: "account", reason: `serves ${countries.join(", ")}` }, 0)
}

// ───────────────────────────── Route: who is asked, in which order, and by which sender ─────────────────────────────

/** The providers for a message, in order. Who accepted this number's last message is asked late, an open breaker comes last. */
function chooseRoute(inbound: Inbound, earlier: Acceptance[], gateway: Gateway): LoadedProvider[] {
  const { message, route, about } = inbound
  const { settings, clocks, log, world, learning } = gateway
  const since = world.clock() - settings.RESEND_WINDOW
  const before = earlier.find(({ channel, at }) => channel === message.channel && at > since)?.provider
  if (before && isInUse(before, gateway)) {
    const asked = routeOf(before, inbound)
    log("info", "again", { ...about, provider: before, country: asked.country })
    learning?.count(asked, "bad", "again")
  }
  if (route.length < 2) return route
  const learned = learning?.arrange(route, inbound)
  const drawn = learned?.arranged ?? drawByShares(route, gateway)
  const turned = drawn ? putLast(drawn, ({ name }) => name === before) : startAfter(route, before)
  const now = clocks.monotonic()
  const chosen = putLast(turned, (provider) => isBreakerOpen(provider, now))
  if (learned) learning?.tell(chosen, learned, inbound)
  return chosen
}

/** A route in its order by hand, from the one after `before` on. */
function startAfter(route: LoadedProvider[], before: unknown): LoadedProvider[] {
  const next = route.findIndex(({ name }) => name === before) + 1
  return next === 0 ? route : [...route.slice(next), ...route.slice(0, next)]
}

const putLast = (route: LoadedProvider[], isLate: (provider: LoadedProvider) => boolean) =>
  route.some(isLate) ? route.toSorted((a, b) => Number(isLate(a)) - Number(isLate(b))) : route

/** The first drawn by the shares of a route, and each next one by those that are left. Undefined where it has none. */
function drawByShares(route: LoadedProvider[], { shares, world }: Gateway) {
  const found = shares.get(route)
  if (!found) return undefined
  // Each waits for a time that is shorter the larger its share is; the first to come is drawn (Efraimidis and Spirakis).
  const random = world.random ?? Math.random
  const waits = new Map(route.map((provider, at) => [provider, -Math.log(1 - random()) / (found[at] ?? 1)]))
  return route.toSorted((a, b) => (waits.get(a) ?? 0) - (waits.get(b) ?? 0))
}

/**
 * The sender for a number: the provider's own, the closest first; the common one for its digits or country; the message's; the
 * common one for all. Where a pool picks the sender, only those for digits or a country go before it.
 */
function chooseSender(loaded: LoadedProvider, to: Destination, given: string, common: Targeted<string>[]): string {
  const { senders, provider, values } = loaded
  if (senders.length === 0 && common.length === 0 && !provider.pool) return given
  const isNarrow = ({ target }: Targeted<string>) => target !== ""
  const find = (all: Targeted<string>[]) => findTargeted(all, to.recipient, to.country)
  const hasPool = provider.pool !== undefined && values[provider.pool] !== undefined
  const ofProvider = find(hasPool ? senders.filter(isNarrow) : senders)
  const narrow = ofProvider ?? find(common.filter(isNarrow))
  if (narrow !== undefined || hasPool) return narrow ?? ""
  return given || (find(common) ?? "")
}

// ───────────────────────────── Acceptances: who may have delivered, until the code is entered ─────────────────────────────

/** An acceptance, as it is kept for 15 minutes. */
export interface Acceptance extends Route {
  /** The gateway's id of the message. */
  id: string
  /** In milliseconds since 1970. */
  at: number
  /** The end user's address as LIMIT_UNVERIFIED keeps it, hashed; "-" where there is none. */
  address: string
  receipt: string
}

/** How long an acceptance can be verified, and how many of one person are kept. */
export const acceptances = { period: 900_000, most: 5 }
const acceptanceLine =
  /^(\d{1,15}) ([\da-f-]{36}) (sms|voice) ([A-Z]{2}|\d{1,3}) ([a-z][a-z0-9-]{0,39}) ([\w-]{1,43}) (\P{C}{0,200})$/u

export const acceptanceKey = (person: { line: string } | { platform: string; user: string }) =>
  `accepted:${"line" in person ? person.line : `${person.platform}/${person.user}`}`

/** The acceptances of the last 15 minutes, newest first. A line that no gateway wrote is skipped. */
export async function findAcceptances(key: string, { store, world }: Pick<Gateway, "store" | "world">) {
  const value = await store.get(key)
  if (typeof value !== "string") return []
  const since = world.clock() - acceptances.period
  return value.split("\n", acceptances.most).flatMap((line) => {
    const [, at, id = "", spoken, country = "", provider = "", address = "", receipt = ""] =
      acceptanceLine.exec(line) ?? []
    const channel: Channel = spoken === "voice" ? "voice" : "sms"
    const kept: Acceptance = { id, at: Number(at), channel, country, provider, address, receipt }
    return kept.at > since ? [kept] : []
  })
}

const writeAcceptance = ({ at, id, channel, country, provider, address, receipt }: Acceptance) =>
  `${at} ${id} ${channel} ${country} ${provider} ${address} ${receipt}`

/** Keeps who accepted, by number and by the platform's user. No message waits for it. */
async function keepAcceptance(inbound: Inbound, delivery: Delivery, earlier: Promise<Acceptance[]>, gateway: Gateway) {
  const { id, provider, receipt } = delivery
  const { store, world, unverified, learning, settings } = gateway
  if (settings.RESEND_WINDOW > 0) learning?.accepted(inbound, provider)
  const address = unverified?.addressOf(inbound) ?? "-"
  const own = { ...routeOf(provider, inbound), id, at: Math.round(world.clock()), address, receipt }
  for (const [index, key] of inbound.acceptanceKeys.entries()) {
    const before = index === 0 ? await earlier : await findAcceptances(key, gateway)
    const lines = [own, ...before].slice(0, acceptances.most).map(writeAcceptance)
    store.set(key, lines.join("\n"), acceptances.period)
  }
}

// ───────────────────────────── Ask: one provider, once, and what comes back ─────────────────────────────

/** A provider's refusal, safe to tell: why an attempt brought no acceptance. */
interface Refused extends Required<contract.Refusal> {
  outcome: "refused" | "timeout" | "unreachable"
  /** Whether the circuit breaker counts it. */
  isOutage: boolean
}

/** Asks one provider once. Gives its receipt, or a refusal, in words that are safe to tell. Never throws. */
async function ask(provider: LoadedProvider, inbound: Inbound, gateway: Gateway, init: CallInit) {
  const { world, settings, clocks, log } = gateway
  const { recipient, sender: given } = inbound.message
  const sender = chooseSender(provider, { recipient, country: inbound.country }, given, settings.senders)
  const message = { ...inbound.message, sender }
  const authorizations: string[] = []
  const send: Send = async (request, isLogin) => {
    authorizations.push(request.headers.get("authorization") ?? "")
    const answer = await call(request, world, init)
    if ("outcome" in answer) return answer
    // What answers a log-in holds keys.
    if (!isLogin || answer.status >= 300) world.answered?.(answer)
    warnSunset(answer.headers, provider, world.clock(), log)
    return answer
  }
  const result = await exchange(provider, message, inbound.id, send, clocks).catch((error: unknown) =>
    error instanceof CallFailed ? error.refusal : refuseThrown(error, provider.name),
  )
  const hidden = listHidden(provider, authorizations)
  if ("id" in result) return { receipt: redact(result.id, hidden, message, "id") }
  const reason = redact(result.reason, hidden, message, result.outcome === "refused" ? "prose" : "id")
  return { ...result, code: redact(result.code, hidden, message, "code"), reason }
}

/** Everything secret that calls of a provider held, in every form in which it may be echoed. */
function listHidden(provider: LoadedProvider, authorizations: string[]): string[] {
  const token = provider.session?.token ?? ""
  const text = [...authorizations, token].join("\n")
  // Most providers are sent the same with every call.
  if (text !== provider.lastUsed.text) {
    const credentials = authorizations.flatMap((header) => header.split(" ")).filter((part) => part.length > 7)
    provider.lastUsed = { text, hidden: [...provider.hidden, ...formsOf([...credentials, token])] }
  }
  return provider.lastUsed.hidden
}

type Send = (request: Request, isLogin?: boolean) => Promise<contract.Answer | Refused>

type Verdict = { id: string } | Refused
/** Has the provider's file build the call, sends it, and has the file judge the answer. A 401 renews the log-in once. */
async function exchange(
  provider: LoadedProvider,
  message: Message,
  key: string,
  send: Send,
  clocks: Clocks,
  mayRenew = true,
): Promise<Verdict> {
  const { provider: file, values, context } = provider
  const { fetch, session, used } = createSession(provider, send, clocks)
  const request = await file.request(message, values, { ...context, key, fetch, session })
  const answer = request instanceof Request ? await send(request) : undefined
  if (answer && "outcome" in answer) return answer
  if (answer?.status === 401 && used() && mayRenew) {
    // Another message may have renewed it meanwhile.
    if (provider.session === used()) provider.session = undefined
    return await exchange(provider, message, key, send, clocks, false)
  }
  const receipt = answer ? file.receipt(answer, values) : request
  const { id, code } = Object(receipt)
  // A number is a slip of the file, and the message was taken all the same.
  if (typeof id === "string" || typeof id === "number") return { id: String(id) }
  if (code === undefined) throw new Error(`${answer ? "receipt" : "request"} gave neither an id nor a code`)
  return classify(receipt as contract.Refusal, answer?.status ?? 0, file.faults)
}

/** A call of a log-in that brought no answer. */
class CallFailed extends Error {
  readonly refusal: Refused
  constructor(refusal: Refused) {
    super("the call brought no answer")
    this.refusal = refusal
  }
}

/** How long a message waits for the log-in of another, in milliseconds. */
const loginPatience = 1_000

/** What a provider's file that logs in first is given: `send` makes its calls, and the session is kept until it expires. */
function createSession(provider: LoadedProvider, send: Send, clocks: Clocks) {
  const fetch: contract.Context["fetch"] = async (url, init) => {
    const answer = await send(new Request(url, init), true)
    // A log-in sends nothing.
    if ("outcome" in answer) throw new CallFailed({ ...answer, isPerhapsSent: false })
    return new Response(answer.text || null, { status: answer.status })
  }
  let used: contract.Session | undefined
  type Login = Parameters<contract.Context["session"]>[0]
  /** One message logs in for all that wait. Where that fails, or takes long, each of them logs in by itself. */
  const share = async (login: Login) => {
    if (provider.loggingIn) {
      const shared = await withTimeout(loginPatience, clocks, provider.loggingIn).catch(nothing)
      return shared && "token" in shared ? shared : await login()
    }
    provider.loggingIn = login()
    try {
      return await provider.loggingIn
    } finally {
      provider.loggingIn = undefined
    }
  }
  const session: contract.Context["session"] = async (login) => {
    const { session } = provider
    const answer = session && session.expires > provider.context.clock() ? session : await share(login)
    if (!("token" in answer)) return answer
    used = provider.session = answer
    return answer.token
  }
  return { fetch, session, used: () => used }
}

/** Warns once a day where the vendor says that its endpoint ends (RFC 9745, RFC 8594). */
function warnSunset(headers: contract.AnswerHeaders, provider: LoadedProvider, now: number, log: Log) {
  const isEnding = headers.has("deprecation") || headers.has("sunset")
  if (!isEnding || now - provider.warnedAt < 86_400_000) return
  provider.warnedAt = now
  const date = Date.parse(headers.get("sunset") ?? "")
  const when = Number.isNaN(date) ? "" : ` on ${new Date(date).toISOString().slice(0, 10)}`
  log("warn", "warning", { provider: provider.name, reason: `the vendor says that this endpoint ends${when}` })
}

// ───────────────────────────── Answer: what a provider says, and whose fault a refusal is ─────────────────────────────

/** What ends a call, and whether it wants a new connection. */
type CallInit = Parameters<World["fetch"]>[1]
/** Asks over HTTP, and reads the answer to its end: at most 64 KiB as it comes, and as much decompressed. Never throws. */
export async function call(request: Request, world: World, init: CallInit): Promise<contract.Answer | Refused> {
  try {
    // A redirect that is followed would carry the keys and the text to another host.
    const reply = await world.fetch(request, { redirect: "manual", ...init })
    const { status, headers } = reply
    const isPerhapsSent = status >= 200 && status < 300
    const refuse = (reason: string) => classify({ code: status, reason, isPerhapsSent }, status)
    if (status < 200) return refuse("it wants another protocol")
    if (status >= 300 && status < 400) return refuse("it redirects, which is never followed")
    const bytes = await readBytes(reply)
    if (!bytes) return refuse("its answer is longer than 64 KiB")
    const decompressed = tryOr(() => decompress(bytes, headers.get("content-encoding")), undefined)
    if (!decompressed) return refuse("its answer cannot be decompressed, or is longer than 64 KiB")
    const text = utf8.decode(decompressed)
    return { status, headers, text: text.slice(0, 16_384), json: parseJson(text) }
  } catch (error) {
    return refuseUnreached(error, new URL(request.url).host)
  }
}

/** What comes compressed although nobody asked for it, decompressed. Throws where it is broken or more than 64 KiB. */
function decompress(bytes: Uint8Array, named: string | null): Uint8Array {
  const coding = named?.trim().toLowerCase()
  if (!coding || bytes.length === 0) return bytes
  const { unzipSync, brotliDecompressSync, zstdDecompressSync } = builtin("node:zlib")
  const options = { maxOutputLength: 65_536 }
  if (/^(x-)?gzip$|^deflate$/.test(coding)) return unzipSync(bytes, options)
  if (coding === "br") return brotliDecompressSync(bytes, options)
  return coding === "zstd" ? zstdDecompressSync(bytes, options) : bytes
}

export const faultNames = ["fraud", "recipient", "account", "message", "provider"] as const

/**
 * Whose fault a provider's refusal is: as its file says, else by its codes, else by the status. Only listed provider faults,
 * 5xx and 429 count against the provider; anything else may concern this message alone.
 */
function classify(refusal: contract.Refusal, status: number, faults: contract.Provider["faults"] = {}): Refused {
  const { code, reason } = refusal
  const isStatusAlone = code === status && reason === undefined
  // A success that the file does not know may be one that the vendor writes in a new way.
  const isUnknown = isStatusAlone && status >= 200 && status < 300
  const isPerhapsSent = refusal.isPerhapsSent ?? isUnknown
  const isListed = (name: contract.Fault) => faults[name]?.some((known) => String(known) === String(code))
  const listed = isStatusAlone ? undefined : faultNames.find(isListed)
  const fallback = isUnknown ? "its answer is no acceptance that the file knows" : ""
  const byStatus = status === 401 || status === 402 || status === 403 ? "account" : "provider"
  const fault = refusal.fault ?? listed ?? byStatus
  // A 429 with a code of its own may concern one number alone.
  const isFailure = listed === "provider" || status >= 500 || (status === 429 && code === status)
  const isOutage = fault === "provider" && isFailure
  return { outcome: "refused", code, reason: reason ?? fallback, fault, isOutage, isPerhapsSent }
}

/** The refusal for a call that brought no answer. The circuit breaker counts it. */
function refuseWithout(outcome: Refused["outcome"], code: string, reason: string, isPerhapsSent: boolean): Refused {
  return { outcome, code, reason, fault: "provider", isOutage: true, isPerhapsSent }
}

/** What did not come in time may have been sent. */
const refuseTimeout = () => refuseWithout("timeout", "timeout", "it may have been sent", true)
/** What a provider's file threw, with its place in the file. */
const refuseThrown = (error: unknown, name: string) =>
  refuseWithout("refused", "exception", describeThrown(error, name), false)

const failureClasses: [code: string, pattern: RegExp, reason: string][] = [
  ["dns", /ENOTFOUND|EAI_AGAIN|getaddrinfo|dns|resolve|FailedToOpenSocket/i, "the name HOST is not known"],
  ["refused", /NotCapable|Requires net access/i, "Deno has no permission for HOST: --allow-net"],
  ["refused", /EMFILE|ENFILE|too many open files|os error 24/i, "no file descriptor is left"],
  ["refused", /refused/i, "nothing listens at HOST"],
  ["tls", /cert|tls|ssl|handshake|wrong version|packet length|corrupt message/i, "HOST has no good certificate or TLS"],
  [
    "answer",
    /HPE_|Malformed_HTTP|Invalid(HTTP|Content)|UnrequestedUpgrade|invalid (HTTP|content-len)|message head|RangeError/,
    "its answer is no HTTP; it may have been sent",
  ],
  ["timeout", /time(d |-)?out/i, "no connection to HOST in time"],
]
/** Keeps only the class of a failed call: runtimes put whole URLs into their texts. None tells what was written before. */
function refuseUnreached(cause: unknown, host: string): Refused {
  let text = ""
  for (let error = cause; error instanceof Error; error = error.cause)
    text += `${error} ${"code" in error ? error.code : ""} `
  const [code = "reset", , words = "it may have been sent"] =
    failureClasses.find(([, pattern]) => pattern.test(text)) ?? []
  const reason = words.replace("HOST", () => host)
  return refuseWithout("unreachable", code, reason, code === "reset" || code === "answer")
}

// ───────────────────────────── Log: a line for every event ─────────────────────────────

/** Prints a line for every event, and hands the event to whoever follows. */
function createLog(world: World, format: Settings["LOG_FORMAT"], followers: Follower[]): Log {
  const render = format === "pretty" ? createPrettyLine() : JSON.stringify
  return (level, event, fields) => {
    const entry: contract.LogEvent = { time: new Date(world.clock()).toISOString(), level, event, ...fields }
    world.print(render(entry))
    for (const follow of followers) follow(entry)
  }
}

/** One event as a line for a terminal: what happened, to whom, by whom, and how long it took. */
function createPrettyLine() {
  const { styleText } = builtin("node:util")
  const timeOfDay = new Intl.DateTimeFormat("en-US", { timeStyle: "medium" })
  const colors = { info: "green", warn: "yellow", error: "red" } as const
  return ({ time, level, event, request: _, country: __, ...told }: contract.LogEvent) => {
    const { recipient, provider, receipt, code, reason, ms, ...rest } = told
    const when = timeOfDay.format(new Date(time)).replaceAll("\u202f", " ").padStart(11)
    const others = Object.entries(rest).map(([name, value]) => value && `${name}=${value}`)
    const parts = [recipient, provider, receipt, code, reason, ...others, ms !== undefined && `${ms} ms`]
    // Whoever wrote a text, a terminal must obey nothing in it.
    const texts = parts.filter(Boolean).map((part) => String(part).replace(/\p{C}/gu, "•"))
    return [when, styleText(colors[level], event.padEnd(11)), ...texts].join("  ")
  }
}

// ───────────────────────────── Redact: nothing secret in a provider's words ─────────────────────────────

/** Named references of HTML that may stand in an echo of ours. */
const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", shy: "" }

/** Canonical form for comparing a provider's words with our secrets: escapes decoded once, NFKC, spaces collapsed. */
function canonicalize(text: string): string {
  if (/^[!-$'-[\]-~]*(?: [!-$'-[\]-~]+)*$/.test(text)) return text
  const decoded = text
    .replace(/(?:%[\da-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll("%", ""), "hex").toString())
    .replace(/&(amp|lt|gt|quot|apos|nbsp|shy);/gi, (_, name: string) => entities[name.toLowerCase()] ?? "")
    .replace(/&#(x[\da-f]{1,5}|\d{1,6});/gi, (_, point) => String.fromCodePoint(Number(`0${point}`) || 32))
    .replace(/\\(?:u([\da-f]{4})|x([\da-f]{2}))/gi, (_, long, short) =>
      String.fromCharCode(parseInt(long ?? short, 16)),
    )
    .replace(/\\(["\\/])/g, "$1")
  const collapsed = normalize(decoded).replace(/[\s\p{C}]+/gu, " ")
  // The other case of these has other letters, and more of them.
  return collapsed.trim().replaceAll("İ", "I").replace(/[ßẞ]/g, "ss")
}

/** Secrets in every form in which a provider may echo them: as they are, as a form reads them, percent-encoded, in base64, hex and JSON. */
export function formsOf(secrets: readonly string[]): string[] {
  const forms = secrets.flatMap((secret) => {
    const bytes = Buffer.from(secret)
    const decoded = Buffer.from(secret, "base64").toString()
    const [user = "", ...password] = decoded.split(":")
    // Of Basic. A short name of a user may be a word of any text.
    const credentials = /^[ -~]*$/.test(decoded) && password.length > 0 ? [decoded, password.join(":"), user] : []
    return [
      secret,
      secret.replaceAll("+", " "),
      encodeURIComponent(encodeURIComponent(secret)),
      bytes.toString("base64").replace(/=?=$/, ""),
      JSON.stringify(secret).slice(1, -1),
      // Of a short one they would be found in many ids.
      ...(bytes.length > 5 ? [bytes.toString("base64url"), bytes.toString("hex")] : []),
      ...credentials.filter((part) => part.length > (part === user ? 7 : 3)),
    ]
  })
  return [...new Set(forms.map((form) => canonicalize(form).toLowerCase()))]
}

/** Stands for hidden text until redact ends: a private character, which canonicalize takes out of every foreign text. */
const mark = "\uE000"

type Kind = "prose" | "id" | "code"
/**
 * The one function through which a provider's words pass. The number, the text, its code, every word of it with a digit, and
 * the `hidden` forms (in any case) become "•"; of prose also the text's beginning, the code sign by sign, and every run of four
 * digits. An id and the code of a refusal keep their other digits. Gives at most `most` characters.
 */
export function redact(foreign: unknown, hidden: readonly string[], message: Message, kind: Kind, most = 200): string {
  const written = tryOr(() => String(foreign ?? ""), "")
  const text = canonicalize(written)
  if (!text) return ""
  // Some give a sentence in the place of a code.
  const isProse = kind === "prose" || (kind === "code" && !/^[\w.:#/-]{1,40}$/.test(written))
  const body = canonicalize(message.body)
  const runs = body.match(/\d(?:[ .\-–/]?\d){3,9}/g) ?? []
  const codes = [canonicalize(message.code ?? ""), ...runs.map((run) => run.replace(/\D/g, ""))]
  const isTelling = (word: string) => word.length > 3 && /\p{N}/u.test(word)
  const words = [...codes, ...body.split(/[^\p{L}\p{N}-]+/u).filter(isTelling)].map((word) => word.toLowerCase())
  const long = [body, ...hidden].filter((form) => form.length > 15)
  const unquoted = isProse
    ? long.reduce(hideBeginning, hideBase64(text, [...codes, message.recipient.slice(-7)]))
    : text
  const unformed = hideForms(unquoted, [...hidden, body.toLowerCase(), ...words], isProse ? [] : words)
  const unspelled = isProse ? hideSpelled(unformed, words) : unformed
  const safe = hideDigits(unspelled, message.recipient, codes, isProse)
  // A cut must leave no half of a character.
  return safe
    .replaceAll(mark, "•")
    .slice(0, most)
    .replace(/[\ud800-\udbff]$/, "")
}

/** Hides a text or a secret that a vendor quotes and cuts: 12 characters of its beginning and more, in any case. */
function hideBeginning(text: string, quoted: string): string {
  const [lower, form] = [text.toLowerCase(), quoted.toLowerCase()]
  const at = lower.indexOf(form.slice(0, 12))
  if (at < 0) return text
  let end = 12
  while (end < form.length && lower[at + end] === form[end]) end += 1
  return text.slice(0, at) + mark + hideBeginning(text.slice(at + end), quoted)
}

/** Hides a call that a vendor echoes in base64, whole: what holds one of these words when it is decoded. */
function hideBase64(text: string, words: string[]): string {
  const telling = words.filter((word) => word.length > 3)
  return text.replace(/[\w+/-]{20,}={0,2}/g, (run) => {
    const decoded = Buffer.from(run, "base64").toString("latin1")
    return telling.some((word) => decoded.includes(word)) ? mark : run
  })
}

/** Hides words with letters, whatever stands between these: a voice is given a code sign by sign. */
function hideSpelled(text: string, words: string[]): string {
  const signsOf = (word: string) => word.toLowerCase().match(/[\p{L}\p{N}]/gu) ?? []
  const bare = signsOf(text).join("")
  const isSpelled = (signs: string[]) => signs.length > 3 && signs.length <= 40 && bare.includes(signs.join(""))
  let safe = text
  for (const signs of words.filter((word) => /\p{L}/u.test(word)).map(signsOf)) {
    if (!isSpelled(signs)) continue
    const spelled = signs.join("[^\\p{L}\\p{N}\uE000]{0,6}")
    safe = safe.replace(new RegExp(`(?<![\\p{L}\\p{N}])${spelled}(?![\\p{L}\\p{N}])`, "giu"), mark)
  }
  return safe
}

/** Hides every form, the longest first. A short one, and one of `whole`, is hidden only where it stands alone. */
function hideForms(text: string, forms: string[], whole: string[]): string {
  const lower = text.toLowerCase()
  const found = forms.filter((form) => form && lower.includes(form))
  let safe = text
  for (const form of found.sort((a, b) => b.length - a.length)) {
    const isWhole = form.length < 4 || whole.includes(form)
    const pattern = RegExp.escape(form)
    const alone = isWhole ? `(?<![\\p{L}\\p{N}])${pattern}(?![\\p{L}\\p{N}])` : pattern
    safe = safe.replace(new RegExp(alone, "giu"), mark)
  }
  return safe
}

/** Hides runs of four digits and more, with up to six signs between two: all of prose, but of an id only the number and the code. */
function hideDigits(text: string, recipient: string, codes: string[], isProse: boolean): string {
  const codeDigits = codes.map((code) => code.replace(/\D/g, "")).filter((digits) => digits.length > 3)
  return text.replace(/\+?\p{N}(?:[^\p{L}\p{N}\uE000]{0,6}\p{N}){3,}/gu, (run, at: number) => {
    if (isProse) return mark
    const digits = run.replace(/\D/g, "")
    const isNumber = digits.length > 6 && (recipient.includes(digits) || digits.includes(recipient.slice(-7)))
    const around = `${text[at - 1] ?? ""}${text[at + run.length] ?? ""}`
    const isCode = codeDigits.includes(digits) && !/[\p{L}\p{N}]/u.test(around)
    return isNumber || isCode ? mark : run
  })
}

/** What a provider's file threw, with its place in that file. Its whole text is redacted later, so nothing is cut here. */
function describeThrown(thrown: unknown, name: string): string {
  if (!(thrown instanceof Error)) return describeNoError(thrown)
  const [line = ""] = `${thrown}`.split("\n")
  const [file, ...position] = placeOf(thrown, name).split(":")
  // The digits of file.ts:12:34 would be hidden as a code.
  return file ? `${file}, line ${position.join(", column ")}: ${line}` : line
}

/** Describes a thrown value that is no Error. */
export function describeNoError(thrown: unknown): string {
  if (typeof thrown === "string") return `it throws a text and no Error: ${thrown}`
  if (thrown === null || thrown === undefined) return `it throws ${thrown} and no Error`
  return `it throws ${typeof thrown === "object" ? "an object" : `a ${typeof thrown}`} and no Error`
}

/** The first place that an error names, `file.ts:12:5`; of `file`, where that is given. "" where it names none. */
export function placeOf(error: Error, file?: string): string {
  const name = file === undefined ? "[\\w.-]+" : RegExp.escape(file)
  const text = builtin("node:util").stripVTControlCharacters(`${error.message}\n${error.stack}`)
  return new RegExp(`(?<![\\w.-])${name}\\.[jt]s:\\d+(:\\d+)?`).exec(text)?.[0] ?? ""
}

// ───────────────────────────── Files: whatever a setting names, found by its name ─────────────────────────────

/** The folders of files that settings name, and what a file of each exports as default. */
export interface Files {
  "": contract.Provider
  "platforms/": contract.Platform
  "pages/": contract.Page
  "stores/": contract.StoreFile
  "routing/": contract.Routing
}

/** Parts of the gateway that only some settings need. */
interface Parts {
  client: typeof import("./providers/parts/client.ts")
  feedback: typeof import("./providers/parts/feedback.ts")
  "first-run": typeof import("./providers/parts/first-run.ts")
  names: typeof import("./providers/parts/names.ts")
  pages: typeof import("./providers/parts/pages.ts")
  platforms: typeof import("./providers/parts/platforms.ts")
  routing: typeof import("./providers/parts/routing.ts")
  store: typeof import("./providers/parts/store.ts")
  slips: typeof import("./providers/parts/slips.ts")
  traces: typeof import("./providers/parts/traces.ts")
  unverified: typeof import("./providers/parts/unverified.ts")
  "value-files": typeof import("./providers/parts/value-files.ts")
  verified: typeof import("./providers/parts/verified.ts")
}

/** Imports `providers/<path>.ts`: the working directory's, or a `.js` there, where it has one, else the file beside this one. */
export async function loadFile(path: string): Promise<{ default?: unknown }> {
  const base = builtin("node:url").pathToFileURL("./providers/")
  // No file of the working directory replaces a part or a command.
  for (const ending of /^(parts|commands)\//.test(path) ? [] : ["ts", "js"]) {
    const file = new URL(`${path}.${ending}`, base)
    if (tryOr(() => builtin("node:fs").existsSync(file), false)) return await import(file.href)
  }
  return await import(`./providers/${path}.ts`)
}

/** Loads a part that a setting needs. Throws a StartError that names it where it is missing or broken. */
async function loadPart<K extends keyof Parts>(world: Pick<World, "load">, name: K): Promise<Parts[K]> {
  return (await loadOrRefuse(`parts/${name}`, world, false)) as Parts[K]
}

/** Loads a part that is missed without harm: undefined where it is not there. Throws a StartError where it is broken. */
async function loadOptional<K extends keyof Parts>(world: Pick<World, "load">, name: K): Promise<Parts[K] | undefined> {
  return (await loadOrRefuse(`parts/${name}`, world, true)) as Parts[K] | undefined
}

async function loadOrRefuse(path: string, world: Pick<World, "load">, mayMiss: boolean): Promise<unknown> {
  try {
    return await (world.load ?? loadFile)(path)
  } catch (cause) {
    const place = `providers/${path}.ts`
    const words = cause instanceof Error ? cause.message : describeNoError(cause)
    // Where this file is there and lacks another, the error names the other.
    const [, named = words] = /["']([^"']*)["']/.exec(words) ?? []
    const isMissing = cause instanceof Error && /module/i.test(words) && named.endsWith(place)
    if (isMissing && mayMiss) return undefined
    const why = redact(words.split("\n")[0], [], { recipient: "", body: "", sender: "" }, "prose")
    const isOurs = /^(parts|commands)\//.test(path)
    const missing = `there is no ${place}${isOurs ? ", which a clone has" : ""}, or no permission to read it`
    const text = isMissing ? missing : `${place} cannot be loaded: ${why}`
    throw new StartError([{ text, file: path, cause }])
  }
}

// The default export of the files of each folder, checked whole at the start: no mistake waits for the first message.
const isDescribed = (schema: unknown) => describe(Object(schema)) !== undefined
const env = v.record(v.string(), v.custom<Variable>(isDescribed, "needs v.description(…)"))
const needed = v.function()
const report = v.optional(v.object({ proof: v.optional(needed), read: needed }))
const shapes = {
  "": v.object({
    docs: v.string(),
    env,
    request: needed,
    receipt: needed,
    check: v.optional(needed),
    verified: v.optional(needed),
    report,
    url: v.optional(v.union([v.string(), needed])),
    needsSender: v.optional(v.union([v.boolean(), needed])),
    channel: v.optional(v.literal("voice")),
    pool: v.optional(v.string()),
    unsecret: v.optional(v.array(v.string())),
    countries: v.optional(v.array(country())),
    senderId: v.optional(v.instance(RegExp)),
    faults: v.optional(v.record(v.picklist(faultNames), v.array(v.union([v.string(), v.number()])))),
  }),
  "platforms/": v.object({ env, read: needed, setup: needed, verified: report }),
  "pages/": v.object({ env, routes: needed }),
  "stores/": v.object({ open: needed }),
  "routing/": v.object({ order: needed }),
}

/** Imports a file by its name and checks its shape. Throws a StartError that says what is wrong with it. */
export async function importFile<K extends keyof Files>(kind: K, name: string, world: World): Promise<Files[K]> {
  if (kind === "" && name === "console") return createConsoleProvider(world.print) as Files[K]
  const { default: file } = Object(await loadOrRefuse(`${kind}${name}`, world, false))
  const { issues } = v.safeParse(shapes[kind], file)
  if (!issues) return file as Files[K]
  const wrong = (await loadAdvice())?.describeExport(file) ?? describeIssues(issues)
  throw new StartError([{ text: `providers/${kind}${name}.ts does not export what contract.ts asks for: ${wrong}` }])
}

/** Prints the message and takes it as sent: the first step with this gateway. Built in, so that main.ts runs alone. */
const createConsoleProvider = (print: World["print"]): contract.Provider => ({
  docs: "README.md",
  url: "",
  env: {},
  request({ recipient, body, sender }) {
    print(`\n  To ${recipient}${sender && ` from ${sender}`}:\n  ${body.replaceAll("\n", "\n  ")}\n`)
    return { id: crypto.randomUUID() }
  },
  receipt: ({ status }) => ({ code: status }),
})

// ───────────────────────────── Providers: files with their variables, and the routes that they stand in ─────────────────────────────

/** A provider's file with all that a call of it needs. */
export interface LoadedProvider {
  name: string
  provider: contract.Provider
  values: contract.Values<Variables>
  context: Omit<contract.Context, "fetch" | "session" | "key">
  senders: Targeted<string>[]
  /** Its secrets, in every form in which they may be echoed. */
  hidden: string[]
  /** A cache: the credentials of the last calls, and `hidden` with their forms. */
  lastUsed: { text: string; hidden: string[] }
  health: { failures: number; retryAt: number }
  session?: contract.Session | undefined
  /** A log-in that is in flight. */
  loggingIn?: Promise<contract.Session | contract.Refusal> | undefined
  /** When the log last warned that the vendor ends the endpoint, in milliseconds since 1970. */
  warnedAt: number
}
type Channel = "sms" | "voice"
type Routes = Record<Channel, Targeted<LoadedProvider[]>[]>

/** Loads every provider that a route names, by its name, and the routes of each channel. */
async function loadRoutes(world: World, settings?: Settings) {
  const named = readRoutes(world.env)
  const { complaints, collect } = createCollector()
  const providers = new Map<string, LoadedProvider>()
  const namesOf = (channel: Channel) => named[channel].flatMap(({ value }) => value.map(({ name }) => name))
  for (const name of new Set([...namesOf("sms"), ...namesOf("voice")])) {
    const channels = (["sms", "voice"] as const).filter((channel) => namesOf(channel).includes(name))
    const provider = await collect(() => loadProvider(name, channels, world, settings))
    if (provider) providers.set(name, provider)
  }
  /** The shares of the providers of each route that has some, in their order. */
  const shares = new Map<LoadedProvider[], number[]>()
  const load = ({ target, value: listed }: Targeted<Listed[]>) => {
    const value = listed.flatMap(({ name }) => providers.get(name) ?? [])
    const ofRoute = listed.flatMap(({ share }) => share ?? [])
    if (ofRoute.length > 0) shares.set(value, ofRoute)
    return { target, value }
  }
  const routes: Routes = { sms: named.sms.map(load), voice: named.voice.map(load) }
  if (complaints.length > 0) throw new StartError(complaints)
  return { providers, routes, shares }
}

/** `cm-com` has the variables `CM_COM_…`. */
export const variablePrefix = (name: string) => name.toUpperCase().replaceAll("-", "_")

/** Loads a provider's file with its variables. Throws a StartError that lists what is missing or wrong. */
async function loadProvider(name: string, channels: Channel[], world: World, settings?: Settings) {
  const provider = await importFile("", name, world)
  const { env } = world
  const NAME = variablePrefix(name)
  const { complaints, collect } = createCollector()
  const isOwn = (key: string) => key in provider.env && key !== `${NAME}_SENDER`
  const others = Object.fromEntries(Object.entries(env).filter(([key]) => !isOwn(key)))
  const ownSender = setting(provider.senderId ? v.union([like(provider.senderId), sender]) : sender, senderForms)
  const senders = await collect(() => readTargeted(others, `${NAME}_SENDER`, ownSender))
  const values = await collect(() => parseVariables(env, provider.env))
  await collect(() => parseVariables(env, { [`${NAME}_URL`]: safeUrl, [`${NAME}_REPORT_KEY`]: reportKey }))
  const ownUrl = typeof provider.url === "function" ? values && provider.url(values) : provider.url
  const url = env[`${NAME}_URL`] ?? ownUrl
  if (values && url === undefined && !provider.env[`${NAME}_URL`])
    complaints.push({ text: `${NAME}_URL is missing: the base URL of your account`, setting: `${NAME}_URL` })
  const { channel = "sms", alternatives } = provider
  const other = /^(console|inbox)$/.test(name) ? undefined : channels.find((one) => one !== channel)
  if (other) {
    const place = channel === "voice" ? "speaks: VOICE_PROVIDER" : "sends texts: SMS_PROVIDER"
    const text = `${other.toUpperCase()}_PROVIDER names ${name}, which ${place} is its place`
    complaints.push({ text, unknown: name })
  }
  if (alternatives && !alternatives.some((names) => names.every((variable) => env[variable]))) {
    const text = `${alternatives.map((names) => names.join(" and ")).join(", or ")} must be set`
    complaints.push({ text, setting: alternatives[0]?.[0] ?? "" })
  }
  const wrong = values && provider.check?.(values)
  if (wrong) complaints.push(wrong)
  if (!senders || !values || complaints.length > 0) throw new StartError(complaints)
  const secrets = Object.keys(provider.env).flatMap((key) => (provider.unsecret?.includes(key) ? [] : (env[key] ?? [])))
  const hidden = formsOf([
    ...secrets,
    ...[...secrets, url ?? ""].flatMap(secretPartsOf),
    env[`${NAME}_REPORT_KEY`] ?? "",
  ])
  const context = createContext(name, provider, url ?? "", world, settings)
  const state = { lastUsed: { text: "", hidden }, health: { failures: 0, retryAt: 0 }, warnedAt: 0 }
  const loaded: LoadedProvider = { name, provider, values, context, senders, hidden, ...state }
  await requireSendable(loaded, env)
  return loaded
}

/** The parts of a value that may be secret by themselves: words of a JSON text, of a form, of the path of a URL. */
function secretPartsOf(value: string): string[] {
  const url = URL.parse(value)
  const parts = (url ? url.pathname + url.search : value).split(/[\s"'{}:,;=&?/]+/)
  const least = (part: string) => (/\d/.test(part) ? 6 : url ? 16 : 8)
  return parts.filter((part) => part.length >= least(part))
}

/** What a provider's file is given besides message and variables, as far as no message changes it. */
function createContext(name: string, provider: contract.Provider, url: string, world: World, settings?: Settings) {
  const { GATEWAY_URL, SMS_TTL } = settings ?? {}
  const key = provider.report && GATEWAY_URL && world.env[`${variablePrefix(name)}_REPORT_KEY`]
  return {
    url: url.replace(/\/+$/, ""),
    reportUrl: key ? new URL(`/${name}/report/${key}`, GATEWAY_URL).href : undefined,
    isFeedback: world.env[`${variablePrefix(name)}_FEEDBACK`] === "on",
    ttl: SMS_TTL && Math.max(1, Math.round(SMS_TTL / 1_000)),
    clock: world.clock,
    nonce: world.nonce ?? (() => crypto.randomUUID().replaceAll("-", "")),
  }
}

const checkedUrl = v.optional(v.pipe(v.string(), v.check(isSafeUrl)))
const safeUrl = setting(checkedUrl, "an https URL, or http at a private address")
const reportKey = setting(v.optional(like(/^[\w-]{16,}$/)), "at least 16 letters, digits, - or _")

/** https anywhere; http only on loopback, at private addresses and names without a dot. */
function isSafeUrl(written: string): boolean {
  const url = URL.parse(written)
  if (!url || url.username || url.password || url.hash) return false
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const privateAddress = /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|::1$|f[cd]|fe[89ab])/
  const isPrivate = v.IP_REGEX.test(host) ? privateAddress.test(host) : /^[^.]+$|\.localhost$/.test(host)
  return url.protocol === "https:" || (url.protocol === "http:" && isPrivate)
}

/** Builds a call and sends it nowhere: credentials that no header can carry stop the start, not the first message. */
async function requireSendable({ provider, values, context }: LoadedProvider, env: Environment) {
  const odd = Object.keys(provider.env).filter((key) => /[^\t -~]/.test(env[key] ?? ""))
  if (odd.length === 0 || provider.routes) return
  const sample = { recipient: "+12223334444", body: "Your code is 326162", sender: "", code: "326162" }
  const fetch = async (url: string, init?: RequestInit) => new Response(new Request(url, init).method)
  try {
    await provider.request(sample, values, { ...context, key: "sample", fetch, session: async () => "sample" })
  } catch (cause) {
    const text = `${odd.join(" or ")} holds a character that cannot be sent: copy it again`
    throw new StartError([{ text, setting: odd[0] ?? "", cause }])
  }
}

// ───────────────────────────── Numbers: what people write, and what it means ─────────────────────────────

/** The full metadata, which alone knows the types of numbers. It costs 0.35 MiB more than the least. */
export const loadNumbers = memoize(() => import("libphonenumber-js/max"))
type Numbers = Awaited<ReturnType<typeof loadNumbers>>

/**
 * The one number that is meant, as libphonenumber reads it from `defaultCountry` (ISO 3166). Where several countries share its
 * calling code and none is sure, the first of them is its country.
 */
export function readNumber(written: string, defaultCountry: string | undefined, numbers: Numbers) {
  const trimmed = normalize(written).trim()
  const text = trimmed.replace(/^\((\+\d{1,3})\)/, "$1")
  if (/\p{Cc}/u.test(text)) return badNumber("recipient must not hold control characters")
  const options = { extract: false, ...(defaultCountry && { defaultCountry: defaultCountry as "US" }) }
  const parse = (text: string) => {
    const parsed = numbers.parsePhoneNumberFromString(text, options)
    return parsed?.isPossible() && !parsed.ext && parsed.number.length <= 16 ? parsed : undefined
  }
  const national = parse(text)
  // A possible number need not exist. Digits that are a valid number only behind a plus mean that one.
  const isSure = text.startsWith("+") || national?.isValid()
  const [, outside] = /^(?:00\s*)?([1-9].*)$/s.exec(text) ?? []
  const abroad = isSure || !outside ? undefined : parse(`+${outside}`)
  let parsed = abroad && (text.startsWith("00") || (national && abroad.isValid())) ? abroad : national
  // The library drops one trunk zero per parse, and none where a country has no trunk prefix. Networks may ignore them all.
  // Without this loop one telephone had several forms, each with its limits.
  while (parsed?.nationalNumber.startsWith("0")) {
    const again = parse(parsed.number)
    const bare = parse(`+${parsed.countryCallingCode}${parsed.nationalNumber.replace(/^0+/, "")}`)
    if (again && again.number !== parsed.number) parsed = again
    else if (bare?.isValid() && !parsed.isValid()) parsed = bare
    else break
  }
  // A calling code may stand twice, as in +91 91 98765 43210. That is not valid, and vendors reach the telephone behind it.
  const { countryCallingCode: own = "" } = parsed ?? {}
  let rest = parsed?.nationalNumber.replace(/^0+/, "") ?? ""
  while (own && rest.startsWith(own) && !parsed?.isValid()) {
    rest = rest.slice(own.length)
    const inner = parse(`+${own}${rest}`)
    if (inner?.isValid()) parsed = inner
  }
  if (!parsed && !defaultCountry && /^[\d(]/.test(text))
    return badNumber("recipient must begin with +, or DEFAULT_COUNTRY must be set")
  if (!parsed) return badNumber("recipient must be a phone number: +, the calling code and the number")
  const { number: recipient, countryCallingCode: callingCode } = parsed
  const country = parsed.country ?? parsed.getPossibleCountries()[0] ?? ""
  // A network may ignore digits behind a whole number, so that one that is not valid has the type of its beginning.
  let type = parsed.getType()
  for (let more = 1; !type && more <= 3; more += 1) type = parse(recipient.slice(0, -more))?.getType()
  return { recipient, country, callingCode, type: typeOf(recipient, type) }
}

/** What kind of number it surely is, in the words of DENY_TYPES, or "". */
function typeOf(recipient: string, type: string | undefined): string {
  // Nobody has these: Twilio's test numbers, and the inbox's.
  if (recipient.startsWith("+1500555")) return ""
  // Calling codes of no country (ITU-T E.164): satellites, global networks that cost the same, and premium rate.
  if (/^\+(870|88[1-3])/.test(recipient)) return "satellite"
  if (recipient.startsWith("+979")) return "premium"
  return numberTypes.get(type) ?? ""
}

/** libphonenumber's types in the words of DENY_TYPES. A number that may be a fixed line or a mobile one has none. */
const numberTypes = new Map<string | undefined, string>([
  ["PREMIUM_RATE", "premium"],
  ["SHARED_COST", "shared-cost"],
  ["PAGER", "pager"],
  ["VOICEMAIL", "voicemail"],
  ["PERSONAL_NUMBER", "personal"],
  ["FIXED_LINE", "landline"],
  ["VOIP", "voip"],
  ["TOLL_FREE", "toll-free"],
  ["UAN", "uan"],
])
export const typeNames = [...numberTypes.values(), "satellite"]

/** A number as the log has it: its calling code and four digits, of a short one no more than half. */
export function maskNumber(recipient: string, callingCode: string): string {
  const national = recipient.length - callingCode.length - 1
  return `+${callingCode}•••${recipient.slice(-Math.max(1, Math.min(4, Math.floor(national / 2))))}`
}

/** The digits by which a telephone is counted, without those that its network accepts and does not need. */
export function lineOf(recipient: string): string {
  // Argentina's 9 of mobiles, Brazil's 9 before what began with 6 to 9, Gabon's 0.
  return recipient.slice(1).replace(/(?<=^54)9(?=\d{10}$)|(?<=^55\d\d)9(?=[6-9]\d{7}$)|(?<=^241)0(?=\d{7,8}$)/, "")
}

/** Canonical form of what looks the same (Unicode NFKC): ASCII digits, and no characters that only format. */
function normalize(text: string): string {
  if (/^[ -~\n]*$/.test(text)) return text
  const digits = text.normalize("NFKC").replace(/[^\P{Nd}0-9]/gu, toAsciiDigit)
  return digits.replace(/\p{Cf}/gu, "")
}
/** A decimal digit of any script in ASCII. A script's ten stand in a row, and several rows may follow each other. */
function toAsciiDigit(digit: string): string {
  let value = 0
  while (/\p{Nd}/u.test(String.fromCodePoint((digit.codePointAt(0) ?? 0) - value - 1))) value += 1
  return String(value % 10)
}

// ───────────────────────────── Templates: what a platform left unfilled or encoded ─────────────────────────────

/** What is wrong with a text or a code that was meant for a machine; undefined where nothing is. */
function describeRaw(body: string, code: string): string | undefined {
  const inBody = findUnfilled(body)
  const inCode = findUnfilled(code, false)
  if (inBody) return `body holds ${inBody}, which the platform's template left unfilled`
  if (inCode) return `code holds ${inCode}, which the platform's template left unfilled`
  return isEncoded(body) ? "body is still encoded: %XX or + stands where a blank should" : undefined
}

/** What template engines leave where they had no value, and no text has by itself. */
const unfilled = [
  /@@\s{0,9}[\w.]{1,40}\s{0,9}@@|@\{[A-Za-z_][^{}]{0,80}\}/,
  /\{\{[^{}]{1,80}\}\}|\{%[^{}%]{1,80}%\}|\{#\w{1,40}#\}|<%[^<>%]{1,80}%>|\*\|\w{1,40}\|\*/,
  /[$#%!]\{\s{0,9}[A-Za-z_][^{}]{0,80}\}/,
  /(?<![\w/$])\$!?[a-z_]\w{0,40}(?:\.[a-z_]\w{0,40}){1,9}/,
  // Of printf and of String.format; "20 %d'avance" and "5 %s" are no such.
  /(?<![\d%] ?)%(?:\d\$)?[sd](?![\w'’-])|%\(\w{1,40}\)[sd]|\{0(?:[:,][^{}]{0,20})?\}/,
]
/** Forms that a text may have by itself, and that count where a word of the name is a `slot`: `{code}`, `[[code]]`, `<<code>>`, `%code%`, `#code#`, `@code@`, `$code`. */
const named =
  /\{\s{0,9}([a-z_][\w.-]{0,40})\s{0,9}(?:[:|!,][^{}]{0,30})?\}|\[\[\s{0,9}([a-z_][\w.-]{0,40})\s{0,9}\]\]|<<([a-z_][\w.-]{0,40})>>|([%#@])([a-z_][\w.-]{0,40})\4|(?<!\w)\$!?([a-z_]\w{0,40})/gi
const slot =
  /^(app|body|codice|codigo|content|expiry|kod|link|message|minutes|mobile|msg|name|number|passcode|phone|pin|recipient|sender|text|to|url|user|username|value|var|.*(code|otp|password|token))$/i

/**
 * The first slot that a template left in a text, its digits hidden; undefined where there is none. `mayBeNamed` is false for a
 * code, which may look like `{code}` by itself.
 */
function findUnfilled(text: string, mayBeNamed = true): string | undefined {
  // Most texts have none of the signs of a slot.
  if (!/[@{$#%<[*]/.test(text)) return undefined
  const wordsOf = (name: string) => name.split(/[\W_]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/)
  const isNamed = ([, ...names]: string[]) => names.some((name = "") => wordsOf(name).some((word) => slot.test(word)))
  const surely = unfilled.map((pattern) => pattern.exec(text)?.[0]).find(Boolean)
  const found = surely ?? (mayBeNamed ? [...text.matchAll(named)].find(isNamed)?.[0] : undefined)
  // Capitals that name no slot may be the code.
  const showCapitals = (word: string) => (slot.test(word) ? word : "•".repeat(word.length))
  return found?.replace(/[\p{Lu}\p{N}]{4,}/gu, showCapitals).replace(/[^\p{L}@{}%_. $#<>[\]()•]/gu, "•")
}

/**
 * Whether a text is percent-encoded or encoded as a form's: it has no blank, and `%20` or `+` in its place. Scripts without cases
 * may need no blanks, and an address may hold escapes by itself.
 */
function isEncoded(text: string): boolean {
  if (/\s|[^\P{L}\p{LC}]/u.test(text)) return false
  const [start = ""] = text.split(/:\/\/|[\w-]\.[a-z]{2,20}\//i)
  const hasEscapes = /^[!-~]*%[\da-f]{2}/i.test(start) && /^[!-~]*$/.test(text)
  return hasEscapes || /\p{LC}{2}\+[\p{LC}\p{N}]{2}(?![\w.+-]*@)/u.test(start)
}

const senderForms = "a number, a short code or an alphanumeric id of up to 11 characters"
/** A sender that looks like a number loses its separators; an alphanumeric one stays as it is. */
const sender = v.pipe(
  v.string(),
  v.maxLength(200, `must be ${senderForms}`),
  v.regex(/^\P{Cc}*$/u, "must not hold control characters"),
  v.transform((written) => {
    const bare = normalize(written).replace(/[\p{Z}\p{Pd}\p{Ps}\p{Pe}\u2212./]/gu, "")
    return /^(\+*|00)\d{3,15}$/.test(bare) ? bare.replace(/^(00|\+\++)/, "+") : written.trim().toWellFormed()
  }),
  // In the path of a URL dots alone would name another path.
  v.regex(/^(\+?\d{3,15}|(?!\.+$).{0,11})$/u, `must be ${senderForms}`),
  v.check((text) => !findUnfilled(text), "is what the platform's template left unfilled"),
)

/**
 * The canonical form of an IP address, as URLs write it, without port, brackets and zone. IPv4 inside of IPv6 (mapped, NAT64)
 * becomes IPv4. Of a list the first counts. "" where it is no address.
 */
function readAddress(written: unknown): string {
  const one: unknown = Array.isArray(written) ? written[0] : written
  const [first = ""] = typeof one === "string" ? normalize(one.slice(0, 200)).split(",") : []
  const unquoted = first.replaceAll('"', "").trim().replace(/\.$/, "")
  const withoutPort = unquoted.replace(/^\[([^\]]*)\](:\d+)?$|^([\d.]+):\d+$/, "$1$3")
  const [bare = ""] = withoutPort.split("%")
  const isIPv4 = /^(\d+|0x[\da-f]+|((0x)?[\da-f]{1,4}\.){3}(0x)?[\da-f]{1,4})$/i.test(bare)
  if (!bare.includes(":") && !isIPv4) return ""
  const host = URL.parse(`http://${isIPv4 ? bare : `[${bare}]`}`)?.hostname.replace(/^\[|\]$/g, "") ?? ""
  const holdsIPv4 = /^(::ffff|64:ff9b:):[\da-f]+:[\da-f]+$/.test(host)
  if (holdsIPv4) return ip.convertIPv4BinaryToString(ip.convertIPv4MappedIPv6ToIPv4(ip.convertIPv6ToBinary(host)))
  return v.IP_REGEX.test(host) ? host : ""
}

// ───────────────────────────── Texts: bytes, JSON, secrets, and time ─────────────────────────────

const utf8 = new TextDecoder()
const strictUtf8 = new TextDecoder("utf-8", { fatal: true })
/** Never throws: what is not JSON is undefined. */
function parseJson(text: string): unknown {
  return tryOr(() => JSON.parse(text), undefined)
}

/** The charset that a form declares, where that is not UTF-8; else "". */
function charsetOf(type: string): string {
  const [, charset = ""] = /^application\/x-www-form-urlencoded *;.{0,200}?\bcharset *= *"?([^\s;"]+)/i.exec(type) ?? []
  return /^utf-?8$/i.test(charset) ? "" : charset
}

/** A form in another charset as one in UTF-8; JSON is always UTF-8 (RFC 8259). Throws where the bytes are none of the charset. */
function recodeForm(bytes: Uint8Array, charset: string): string {
  const text = Buffer.from(bytes).toString("latin1")
  if (/^\s*[[{]/.test(text)) return strictUtf8.decode(bytes)
  const decoder = new TextDecoder(charset as "utf-8", { fatal: true })
  const decode = (part: string) => {
    // Words of ASCII are most of a form, and the same in each charset that forms have.
    if (/^[\w.-]*$/.test(part)) return part
    const binary = part.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    return encodeURIComponent(decoder.decode(Buffer.from(binary, "latin1")))
  }
  // "&", "=" and "+" stay as they are: they separate fields and stand for blanks.
  return text.replace(/[^&=+]+/g, decode)
}

/** The bytes of a body, or undefined where there are more than 64 KiB. A declared length is trusted: HTTP ends the body there. */
export async function readBytes(source: Request | contract.Reply): Promise<Uint8Array | undefined> {
  const length = source.headers.get("content-length")
  const isCoded = source.headers.has("transfer-encoding") || source.headers.has("content-encoding")
  // Of two lengths ("5, 5") no number can be made: then the bytes are counted.
  if (length && !isCoded && /^\d+$/.test(length)) return Number(length) <= 65_536 ? await source.bytes() : undefined
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of source.body ?? []) {
    size += chunk.byteLength
    if (size > 65_536) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Compares the SHA-256 of both, in constant time. */
export function isSame(given: string, expected: string): boolean {
  const { hash, timingSafeEqual } = builtin("node:crypto")
  return timingSafeEqual(hash("sha256", given, "buffer"), hash("sha256", expected, "buffer"))
}

/** What `work` gives, or undefined where that takes longer than `limit` milliseconds. */
export function withTimeout<T>(limit: number, { after }: Pick<Clocks, "after">, work: Promise<T>) {
  return new Promise<T | undefined>((resolve, reject) => {
    const cancel = after(limit, () => resolve(undefined))
    work.then(resolve, reject).then(cancel)
  })
}

/** What `work` gives, or `fallback` where it throws. */
export function tryOr<T>(work: () => T, fallback: T): T {
  try {
    return work()
  } catch {
    return fallback
  }
}

/** Memoizes an async load. A failed load is retried by the next caller. */
function memoize<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined
  const forget = (error: unknown) => {
    loaded = undefined
    throw error
  }
  return () => (loaded ??= load().catch(forget))
}

// ───────────────────────────── Settings: environment variables, parsed once ─────────────────────────────

export type Variable = Variables[string]
type Parser<T> = v.GenericSchema<string, T>

/** A value for a part of the numbers: `target` is their first digits, a country (ISO 3166), a language, or "" for all. */
export type Targeted<T> = { target: string; value: T }

const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 }
const toMilliseconds = (written: string) => (parseInt(written, 10) || 0) * (units[written.slice(-1)] ?? 0)
export const duration = read(/^[1-9]\d{0,3}[smh]$/, toMilliseconds)
const durationOrOff = read(/^(off|[1-9]\d{0,3}[smh])$/, toMilliseconds)
// A timer that is longer than 24 days ends at once.
const timer = v.pipe(duration, v.maxValue(86_400_000))
// Acceptances are kept no longer.
const resendWindow = v.pipe(durationOrOff, v.maxValue(acceptances.period))
const toWindow = (written: string) => {
  const [count, period = ""] = written.split("/")
  return { count: Number(count), period: toMilliseconds(period), written }
}
const window = read(/^(off|[1-9]\d{0,8}\/[1-9]\d{0,3}[smh])$/, toWindow)
const limit = v.pipe(
  listOf(window, ({ period }) => period, /^off$/),
  v.filterItems(({ period }) => period > 0),
)
const oneLimit = v.pipe(limit, v.maxLength(1))
const wholeNumber = (most: number) => v.pipe(read(/^\d{1,5}$/, Number), v.maxValue(most))
const toPattern = (written: string) => tryOr(() => new RegExp(written, "mu"), undefined)
const pattern = v.pipe(v.string(), v.transform(toPattern), v.instance(RegExp))
// Four digits at least: a calling code alone would keep codes from a whole country.
const testNumbers = v.optional(listOf(like(/^\+[1-9]\d{3,14}$/)))
const destinations = listOf(read(/^([A-Z]{2}|\+?[1-9]\d{0,14})$/, (written) => written.replace("+", "")))
const isType = (name: string) => name !== "none"
const types = v.pipe(listOf(v.picklist(["none", ...typeNames]), undefined, /^none$/), v.filterItems(isType))
const deniedTypes = v.optional(types, "premium,shared-cost,pager,voicemail,personal,satellite")
/** A provider in a route, with its share of the first calls where the others have one, too: `twilio:80`. */
type Listed = ReturnType<typeof toListed>
const toListed = (written: string) => {
  const [name = "", share] = written.split(":")
  return { name, share: share === undefined ? undefined : Number(share) }
}
const reserved = /^(sms|voice|gateway|limit|log|metrics|health|verified|store|default|code|contract|lib)$/
const isProvider = v.check(({ name }: Listed) => v.is(fileName(), name) && !reserved.test(name))
const listed = v.pipe(read(/^[^:]+(:[1-9]\d{0,3})?$/, toListed), isProvider)
const haveSharesOrNone = v.check((all: Listed[]) => new Set(all.map(({ share }) => share === undefined)).size === 1)
// `console` and `inbox` show the message to the developer; beside a provider that sends they would hide it.
const allListed = listOf(listed, ({ name }) => name, /^(console|inbox)(:|$)/)
const fileNames = v.optional(listOf(fileName(), (name) => name))
const addresses = listOf(v.pipe(v.string(), v.check(isRule)))
const text = v.optional(v.string())
const token = like(/^[!-~]{32,}$/)
const webAddress = v.pipe(like(/^https?:\/\/[^/?#@\s]+\/?$/), v.url(), v.maxLength(255))
const host = v.union([like(/^[\w.-]+$/), v.pipe(v.string(), v.ipv6())])
const codeText = read(/^(?!.*[{$]\{code\}).*\{code\}/s, (written) => written.replaceAll("\\n", "\n"))

/** Every setting but the families. */
export const variables = {
  DEFAULT_COUNTRY: setting(v.optional(country()), "the country of numbers without +, in two letters (ISO 3166), as US"),
  CODE_PATTERN: setting(v.optional(pattern), "a regular expression; its group, or its match, is the code in a text"),
  PLATFORMS: setting(fileNames, "names of platforms in lower case, separated by commas"),
  PAGES: setting(fileNames, "names of pages in lower case, separated by commas"),
  GATEWAY_SECRET: setting(text, "the secret that signs the callers' tokens (HS256)"),
  GATEWAY_SECRET_PREVIOUS: setting(text, "the secret before that, while it is being changed"),
  GATEWAY_SECRET_BASE64: setting(oneOf("false", "true"), "true where the secrets are base64 or base64url, else false"),
  GATEWAY_AUDIENCE: setting(v.optional(v.string(), "urn:smstask"), "the aud that tokens must have, or any"),
  GATEWAY_SUBJECT: setting(v.optional(v.string(), "urn:Auth0"), "the sub that tokens must have, or any"),
  GATEWAY_ISSUER: setting(text, "the iss that tokens must have"),
  GATEWAY_TOKEN: setting(v.optional(token), "a static bearer token of at least 32 characters, no spaces"),
  GATEWAY_AUTH: setting(oneOf("required", "none"), "required, or none beside allowed IPs"),
  GATEWAY_ALLOW_IPS: setting(v.optional(addresses), "addresses and CIDR ranges, separated by commas"),
  GATEWAY_TRUST_PROXY: setting(v.optional(wholeNumber(20), "0"), "the number of proxies in front, 0 to 20"),
  GATEWAY_URL: setting(v.optional(webAddress), "the public address of this gateway, https://host, no path behind it"),
  DEADLINE: setting(v.optional(timer, "16s"), "a duration such as 16s, for everything that one request may take"),
  ATTEMPT_TIMEOUT: setting(v.optional(timer, "8s"), "a duration such as 8s, for one call while another can follow"),
  DUPLICATE_WINDOW: setting(v.optional(durationOrOff, "15s"), "a duration such as 15s, or off"),
  SMS_TTL: setting(v.optional(duration), "a duration such as 5m, after which a text is worthless"),
  ROUTING: setting(v.optional(fileName(), "ordered"), "ordered, or adaptive: the name of a file of providers/routing/"),
  RESEND_WINDOW: setting(v.optional(resendWindow, "5m"), "a duration up to 15m, such as 5m, or off"),
  GUARD: setting(oneOf("enforce", "observe"), "enforce, or observe to log and let through"),
  LIMIT_RECIPIENT: setting(v.optional(limit, "5/10m"), "count/period for one number, as 5/10m or 1/30s,5/10m, or off"),
  LIMIT_VOICE: setting(v.optional(limit, "3/10m"), "count/period for the calls to one number, as 3/10m, or off"),
  LIMIT_PREFIX: setting(v.optional(limit, "50/10m"), "count/period for numbers alike but for four digits, or off"),
  LIMIT_IP: setting(v.optional(limit, "off"), "count/period for an end user's address, as 10/1h, or off"),
  LIMIT_TOTAL: setting(v.optional(limit, "off"), "count/period for all messages together, as 100/1m,2000/24h, or off"),
  LIMIT_UNVERIFIED: setting(v.optional(oneLimit, "off"), "count/period for messages whose code nobody enters, or off"),
  ALLOW_DESTINATIONS: setting(v.optional(destinations), "countries and +digits, separated by commas, as US,CA,+4479"),
  DENY_DESTINATIONS: setting(v.optional(destinations), "countries and +digits, separated by commas, as US,CA,+4479"),
  DENY_TYPES: setting(deniedTypes, `types of numbers, separated by commas, or none: ${typeNames.join(", ")}`),
  TEST_NUMBERS: setting(testNumbers, "numbers with + and their beginnings, of four digits at least, by commas"),
  STORE: setting(v.optional(like(/^[a-z][a-z-]*:/)), "a URL: redis://host:6379, sqlite:limits.db, or deno-kv:"),
  PORT: setting(v.optional(wholeNumber(65_535), "3000"), "a port, 0 to 65535"),
  HOST: setting(v.optional(host, "0.0.0.0"), "an address to listen on"),
  LOG_FORMAT: setting(oneOf("json", "pretty"), "pretty or json"),
}
const providerList = setting(
  v.pipe(allListed, haveSharesOrNone),
  "a provider's name in lower case, or several and commas, each with a share or none: twilio:80,plivo:20; console and inbox stand alone",
)
/** May be set per destination: SMS_SENDER, SMS_SENDER_BR, SMS_SENDER_4479. */
export const families = {
  SMS_PROVIDER: providerList,
  VOICE_PROVIDER: providerList,
  SMS_SENDER: setting(sender, senderForms),
}
const template = setting(codeText, "a text that holds {code}")
const sentence = setting(like(/^\P{Cc}{1,200}$/u), "a sentence of at most 200 characters")
const sentenceNames = ["accepted", ...Object.keys(problems)].map((code) => `SENTENCE_${code.toUpperCase()}`)
/** May be set per language: CODE_TEXT, CODE_TEXT_PT_BR, and of each outcome SENTENCE_RATE_LIMITED, SENTENCE_RATE_LIMITED_PT_BR. */
export const textFamilies = ["CODE_TEXT", "CODE_SPEECH", ...sentenceNames]

// ───────────────────────────── Schemas: what settings and files are made of ─────────────────────────────

function like(pattern: RegExp) {
  return v.pipe(v.string(), v.regex(pattern))
}
/** The value that `parse` makes of a text of that pattern. */
function read<T>(pattern: RegExp, parse: (written: string) => T) {
  return v.pipe(like(pattern), v.transform(parse))
}
function country() {
  return like(/^[A-Z]{2}$/)
}
/** A file name: lower-case words joined by hyphens. It goes into import(), so nothing else may pass. */
export function fileName() {
  return v.pipe(like(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/), v.maxLength(40))
}
/** Items between commas. No two have the same key, and one that matches `alone` must be the only one. */
function listOf<T>(item: Parser<T>, keyOf: (item: T, at: number) => unknown = (_, at) => at, alone = /^$/) {
  const split = v.transform((written: string) => written.split(",").flatMap((one) => one.trim() || []))
  const isAlone = v.check((all: string[]) => all.length === 1 || !all.some((one) => alone.test(one)))
  const areDistinct = v.check((items: T[]) => new Set(items.map(keyOf)).size === items.length)
  return v.pipe(v.string(), split, isAlone, v.array(item), v.minLength(1), areDistinct)
}
/** One of a few words; the first is the default. */
function oneOf<const T extends string>(first: T, ...others: T[]) {
  return v.optional(v.picklist([first, ...others]), first)
}
/** A setting with what is expected of it, which the error at start tells and the README's table must have. */
function setting<const S extends Variable>(schema: S, expected: string) {
  return v.pipe(schema, v.description(expected))
}
export function describe(schema: Variable): string | undefined {
  return v.getDescription(schema) ?? ("wrapped" in schema ? describe(schema.wrapped as Variable) : undefined)
}
/** An address or a CIDR range, as hono/ip-restriction reads them. */
function isRule(rule: string): boolean {
  const [address = "", bits = "0", ...rest] = rule.split("/")
  const isRange = /^\d{1,3}$/.test(bits) && Number(bits) <= (v.IPV4_REGEX.test(address) ? 32 : 128)
  return rule === "*" || (v.IP_REGEX.test(address) && isRange && rest.length === 0)
}

// ───────────────────────────── Complaints: everything that is wrong, told at once ─────────────────────────────

/** What keeps the gateway from starting. `setting` names the variable at fault. No part holds a value that was read. */
export interface Complaint {
  text: string
  setting?: string
  /** What the line of `.env` that mends it holds; `<value>` stands for what only the reader knows. */
  suggestion?: string
  /** The file of providers/ that is missing or broken, and what its import threw. */
  file?: string
  cause?: unknown
  /** The name that is none, or in the wrong place: of a setting, a provider or a country; PORT where it is taken. */
  unknown?: string
}

/** Thrown when the gateway cannot start. Lists every problem, not just the first. */
export class StartError extends Error {
  override name = "StartError"
  readonly complaints: readonly Complaint[]
  constructor(complaints: readonly Complaint[]) {
    const texts = complaints.map(({ text }) => `  ${text}`)
    const named = complaints.filter(({ setting }) => setting)
    const lines = named.map(({ setting, suggestion = "<value>" }) => `  ${setting}=${suggestion}`)
    const cure = lines.length > 0 ? ["Set in the environment or in .env:", ...lines] : []
    const { cause } = complaints.find(({ cause }) => cause) ?? {}
    super([...new Set(["smstask cannot start:", ...texts, ...cure])].join("\n"), { cause })
    this.complaints = complaints
  }
}

/** Runs the steps of a start and collects the complaints of each, so that one does not hide another. */
export function createCollector() {
  const complaints: Complaint[] = []
  const keep = (error: unknown) => {
    // Its own words may hold the value at which it stumbled.
    const { name = "no Error" } = Object(error)
    const text = `a file throws ${name} at ${placeOf(Object(error)) || "an unknown place"}, while it reads what is set`
    complaints.push(...(error instanceof StartError ? error.complaints : [{ text }]))
    return undefined
  }
  const collect = <T>(step: () => T | Promise<T>): Promise<T | undefined> => Promise.try(step).catch(keep)
  return { complaints, collect }
}

// ───────────────────────────── Environment: what is set, missing or wrong ─────────────────────────────

/** Variables that deployment platforms set. There a laptop's defaults would be an open door. */
const hosts = ["DENO_DEPLOY", "DENO_DEPLOYMENT_ID", "DYNO", "FLY_APP_NAME", "K_SERVICE", "RAILWAY_PROJECT_ID", "RENDER"]
const isOnDeploy = (env: Environment) => Boolean(env.DENO_DEPLOY || env.DENO_DEPLOYMENT_ID)
const isProduction = (env: Environment) =>
  /^prod(uction)?$/i.test(env.NODE_ENV ?? "") || hosts.some((name) => env[name])
/** Whether anyone at all could prove who they are at `POST /`. */
export const hasOwnProof = (env: Environment) =>
  Boolean(env.GATEWAY_SECRET || env.GATEWAY_TOKEN || env.GATEWAY_AUTH === "none")
export const isFirstRun = (env: Environment) => !hasOwnProof(env) && !env.PLATFORMS && !isProduction(env)

/** Values without the white space and the one pair of quotes around them (Docker's --env-file keeps both), no empty ones. */
export function cleanEnvironment(env: Environment): Record<string, string> {
  const unquote = (value: string) => /^\s*(["'])((?:(?!\1).)*|\1.*\1)\1\s*$/s.exec(value)?.[2] ?? value.trim()
  const entries = Object.entries(env).map(([name, value = ""]) => [name, unquote(value)])
  return Object.fromEntries(entries.filter(([, value]) => value))
}

/** What valibot found, field by field, without its own texts, which hold the values. `whole` names the value itself. */
export function describeIssues(issues: readonly v.BaseIssue<unknown>[], whole = "it"): string {
  const texts = issues.map((issue) => {
    const field = v.getDotPath(issue) ?? whole
    if (issue.received === "undefined") return `${field} is missing`
    // A default message of valibot's holds the value.
    const words = issue.message.startsWith("Invalid ") ? "is wrong" : issue.message
    if (issue.kind !== "schema" || issue.type === "custom") return `${field} ${words}`
    const expected = issue.expected?.replace(/[()"]/g, "").replaceAll(" | ", " or ")
    return `${field} must be ${issue.type === "string" ? "text" : expected}`
  })
  return texts.join("; ")
}

/** `<value>` stands in lines to paste, and on platforms' pages. The others are names and commands that nothing has replaced. */
const placeholder = /^(<[^<>{}]+>|\$\(.*\)|\$\{\w+\}|`[^`{]*`|\{\{.*\}\}|(node -[ep]|openssl rand) .*)$/s

/** Parses `variables` out of the environment. Throws a StartError that lists what is missing or wrong. */
export function parseVariables<E extends Variables>(env: Environment, variables: E): contract.Values<E> {
  const complaints: Complaint[] = []
  const parsed = Object.entries(variables).map(([name, schema]) => {
    const { success, output } = v.safeParse(schema, env[name])
    const isPlaceholder = placeholder.test(env[name] ?? "")
    const fault = isPlaceholder ? "holds a placeholder: expected" : "is wrong: expected"
    const words = env[name] === undefined ? "is missing:" : fault
    if (!success || isPlaceholder) complaints.push({ text: `${name} ${words} ${describe(schema)}`, setting: name })
    return [name, output]
  })
  if (complaints.length > 0) throw new StartError(complaints)
  return Object.fromEntries(parsed) as contract.Values<E>
}

// ───────────────────────────── Targets: values for a part of the numbers, or a language ─────────────────────────────

/** The value for the longest digits that fit, else for the country, else for all. */
function findTargeted<T>(all: readonly Targeted<T>[], recipient: string, country: string): T | undefined {
  const fits = ({ target }: Targeted<T>) => recipient.startsWith(target, 1) || target === country
  return all.filter(fits).sort((a, b) => rank(b.target) - rank(a.target))[0]?.value
}
/** Digits go before a country, and more of them before fewer. */
const rank = (target: string) => (/^\d/.test(target) ? target.length + 1 : Math.sign(target.length))

type TargetForm = readonly [pattern: RegExp, expected: string]
const numberTarget: TargetForm = [
  /^([1-9]\d{0,14}|[A-Z]{2})$/,
  "the first digits of numbers, or a country in two letters",
]
const languageTarget: TargetForm = [/^[A-Z]{2,3}(_[A-Z\d]+)*$/, "a language, as PT_BR"]
/** Reads `NAME` and every `NAME_<target>`. Throws a StartError that lists what is wrong. */
function readTargeted<T>(env: Environment, name: string, schema: Parser<T>, form = numberTarget): Targeted<T>[] {
  const targetOf = (key: string) => key.slice(name.length + 1)
  const keys = Object.keys(env).filter((key) => key === name || key.startsWith(`${name}_`))
  const unfit = keys.filter((key) => key !== name && !form[0].test(targetOf(key)))
  const complain = (key: string) => ({ text: `${key} is wrong: expected ${name}_ and ${form[1]}`, setting: key })
  if (unfit.length > 0) throw new StartError(unfit.map(complain))
  const values = parseVariables(env, Object.fromEntries(keys.map((key) => [key, schema])))
  return keys.map((key) => ({ target: targetOf(key), value: values[key] as T }))
}

/** The texts of a family by language; one for no language comes last. */
export function readTexts(env: Environment, name: string, fallback: string): Targeted<string>[] {
  const texts = readTargeted(env, name, name.startsWith("CODE_") ? template : sentence, languageTarget)
  return [...texts, { target: "", value: fallback }]
}

/** The names of the providers for each number, in order of preference, by channel. */
function readRoutes(env: Environment) {
  if (!env.SMS_PROVIDER && isProduction(env)) parseVariables(env, { SMS_PROVIDER: providerList })
  const sms = readTargeted({ ...env, SMS_PROVIDER: env.SMS_PROVIDER ?? "console" }, "SMS_PROVIDER", providerList)
  const voice = readTargeted(env, "VOICE_PROVIDER", providerList)
  const isInbox = [...sms, ...voice].some(({ value }) => value.some(({ name }) => name === "inbox"))
  const text = "SMS_PROVIDER=inbox shows every code to whoever opens it: it does not start in production"
  if (isInbox && isProduction(env)) throw new StartError([{ text }])
  // A proxy need not tell that it is one: everyone behind it would come from localhost.
  const isPublic = Number(env.GATEWAY_TRUST_PROXY) > 0 || /^https:/.test(env.GATEWAY_URL ?? "")
  const bare = "INBOX_TOKEN is missing: behind a proxy everyone could open the inbox"
  if (isInbox && isPublic && !env.INBOX_TOKEN) throw new StartError([{ text: bare, setting: "INBOX_TOKEN" }])
  return { sms, voice }
}

/** Reads every setting but routes. Throws a StartError that lists what is missing or wrong. */
export async function readSettings(env: Environment) {
  const { complaints, collect } = createCollector()
  const senders = await collect(() => readTargeted(env, "SMS_SENDER", families.SMS_SENDER))
  const sms = await collect(() => readTexts(env, "CODE_TEXT", "Your code is {code}"))
  const voice = await collect(() => readTexts(env, "CODE_SPEECH", "Your code is {code}. Again, your code is {code}."))
  const settings = await collect(() => parseVariables(env, variables))
  const keys = settings && (await collect(() => readKeys(settings)))
  if (settings) complaints.push(...listOpen(settings))
  if (!senders || !sms || !voice || !settings || !keys || complaints.length > 0) throw new StartError(complaints)
  return { ...settings, senders, texts: { sms, voice }, keys }
}
export type Settings = Awaited<ReturnType<typeof readSettings>>
type Parsed = contract.Values<typeof variables>

/** The keys that verify tokens. Throws a StartError. */
function readKeys({ GATEWAY_SECRET, GATEWAY_SECRET_PREVIOUS, GATEWAY_SECRET_BASE64 }: Parsed): Buffer<ArrayBuffer>[] {
  const coding = GATEWAY_SECRET_BASE64 === "true" ? "base64" : "utf8"
  const complaints: Complaint[] = []
  const complain = (setting: string, fault: string) => complaints.push({ text: `${setting} ${fault}`, setting })
  const keys = Object.entries({ GATEWAY_SECRET, GATEWAY_SECRET_PREVIOUS }).flatMap(([setting, secret]) => {
    if (secret === undefined) return []
    const key = Buffer.from(secret, coding)
    if (coding === "base64" && !/^[\w+/-]{2,}={0,2}$/.test(secret))
      complain(setting, "is wrong: GATEWAY_SECRET_BASE64=true expects base64 or base64url")
    if (/[\r\n]/.test(secret)) complain(setting, "holds a line break: write the secret in one line")
    // A weak secret before this one is only warned of, so that it can be changed without a pause.
    const weak = `${setting} is too short: expected at least 16 bytes`
    if (key.length < 16 && setting === "GATEWAY_SECRET")
      complaints.push({ text: weak, setting, suggestion: createSecret() })
    return [key]
  })
  if (complaints.length > 0) throw new StartError(complaints)
  return keys
}

/** Complains of GATEWAY_AUTH=none unless few addresses may call: no range wider than /8, or /16 of IPv6. */
function listOpen({ GATEWAY_AUTH, GATEWAY_ALLOW_IPS: rules = [] }: Parsed): Complaint[] {
  const isWide = (rule: string) => {
    const [address = "", bits = "128"] = rule.split("/")
    // IPv4 begins at /96 of IPv6.
    const least = /^[0:]*:ffff:/i.test(address) ? 104 : address.includes(":") ? 16 : 8
    return rule === "*" || Number(bits) < least
  }
  if (GATEWAY_AUTH !== "none" || (rules.length > 0 && !rules.some(isWide))) return []
  const text = "GATEWAY_AUTH=none lets anyone send at your cost, unless GATEWAY_ALLOW_IPS names the few who may call"
  return [{ text: `${text}: no range wider than /8, or /16 of IPv6`, setting: "GATEWAY_ALLOW_IPS" }]
}

// ───────────────────────────── Names: what looks like a setting and is none ─────────────────────────────

/** Throws a StartError where a setting names a country that nobody knows. */
async function requireKnownCountries(env: Environment) {
  const isList = (name: string) => /^(DEFAULT_COUNTRY|(ALLOW|DENY)_DESTINATIONS)$/.test(name)
  const named = Object.entries(env).flatMap(([name, value = ""]) => {
    const [, target = ""] = /_(?:PROVIDER|SENDER)_([A-Z]{2})$/.exec(name) ?? []
    const codes = (isList(name) ? value : target).match(/\b[A-Z]{2}\b/g) ?? []
    return codes.map((code) => ({ text: `${name} is wrong: ${code} is no country of ISO 3166`, unknown: code }))
  })
  if (named.length === 0) return
  const known = new Set<string>((await loadNumbers()).getCountries())
  const complaints = named.filter(({ unknown }) => !known.has(unknown))
  if (complaints.length > 0) throw new StartError(complaints)
}

/** How the names of settings that protect begin. A variable that begins so and is no setting stops the start. */
const protective =
  /^(GATEWAY|LIMITS?|ALLOW|DENY|GUARD|PLATFORMS?|PAGES?|RESEND|DUPLICATE|SENTENCE)(_|$)|^(ALLOWED|DENIED|BLOCK(ED)?)_(COUNTR(Y|IES)|DESTINATIONS?|TYPES?|IPS?)$|^TEST_NUMBERS?$|^(SMS|VOICE)_(PROVIDER|SENDER)|^RATE_LIMITS?_(RECIPIENT|VOICE|IP|PREFIX|TOTAL)$/

/** Throws a StartError for every variable that looks like a setting that protects and is none. */
function requireKnownNames(env: Environment) {
  const isKnown = createIsKnown(env)
  // Kubernetes sets such variables for a service that is called "gateway" or "store".
  const isOthers = (name: string) => /_(SERVICE|PORT)(_|$)/.test(name)
  const isSlip = (name: string) => {
    const words = name.toUpperCase().split("_").map(listShortened)
    const fits = (forms: Set<string>[]) =>
      forms.length === words.length && forms.every((word, at) => words[at]?.some((form) => word.has(form)))
    return listShortened(name.toUpperCase()).some((form) => shortenedNames.has(form)) || shortenedWords.some(fits)
  }
  const unknown = Object.keys(env).filter((name) => !isKnown(name) && !isOthers(name))
  // A slip makes other words of STORE: only an address of a store shows that it was meant.
  const isStore = (name: string) =>
    storeAddress.test(env[name] ?? "") &&
    listShortened(name.toUpperCase()).some((form) => shortenedStore.includes(form))
  const wrong = unknown.filter((name) => protective.test(name) || isSlip(name) || isStore(name))
  // Where no "=" stands between them, a name ends in a secret.
  const told = (name: string) => name.replace(/(?<=[A-Z\d_]{3})[^A-Z\d_].*/s, "…")
  if (wrong.length > 0)
    throw new StartError(wrong.map((name) => ({ text: `${told(name)} is no setting`, unknown: name })))
}

/** A word, and each that is left of it without one letter. Words that differ by one slip have one of these in common. */
function listShortened(word: string): string[] {
  return [word, ...Array.from(word, (_, at) => word.slice(0, at) + word.slice(at + 1))]
}

const storeAddress = /^(rediss?|valkeys?|sqlite|deno-kv):/
const shortenedStore = listShortened("STORE")
const settingNames = [...Object.keys(variables), ...Object.keys(families), ...textFamilies]
// Of five letters one other makes another word: PAGER is not PAGES.
const longNames = settingNames.filter((name) => protective.test(name) && name.length > 5)
const shortenedNames = new Set(longNames.flatMap(listShortened))
// Each word may hold a slip, but for those of three letters, where another letter makes another word.
const formsOfWord = (word: string) => new Set(word.length > 3 ? listShortened(word) : [word])
const shortenedWords = longNames.map((name) => name.split("_").map(formsOfWord))
/** Whether a name is a setting, or begins as a family or as the variables of a file that a setting names. */
function createIsKnown(env: Environment): (name: string) => boolean {
  const naming = Object.keys(env).filter((name) => /^(PLATFORMS|PAGES|(SMS|VOICE)_PROVIDER(_.+)?)$/.test(name))
  const files = naming.flatMap((name) => env[name]?.match(/[a-z][a-z0-9-]*/g) ?? []).map(variablePrefix)
  const starts = [...Object.keys(families), ...textFamilies, ...files].map((start) => `${start}_`)
  return (name) => settingNames.includes(name) || starts.some((start) => name.startsWith(start))
}

// ───────────────────────────── Process: standard output and signals ─────────────────────────────

/**
 * Writes lines to standard output, one write at a time, and no login waits for it. Above 1 MiB unwritten, and where a write
 * fails (a full disk), lines are dropped, and the next one that is written tells how many.
 */
function createPrinter(): Required<Pick<World, "print" | "flush">> {
  let text = ""
  let dropped = 0
  let isTorn = false
  let writing: Promise<void> | undefined
  let writingSince = Number.NaN
  const writeText = async () => {
    const announced = dropped
    const entry = { time: new Date(), level: "warn", event: "dropped", lines: announced }
    const last = announced > 0 ? `${JSON.stringify(entry)}\n` : ""
    const bytes = Buffer.from((isTorn ? "\n" : "") + text + last)
    text = ""
    writingSince = performance.now()
    const written = await writeOut(bytes)
    writingSince = Number.NaN
    const lost = bytes.subarray(written).filter((byte) => byte === newline).length
    // The line that tells how many is not counted itself.
    dropped += lost > 0 ? lost - Math.sign(announced) : -announced
    if (written > 0) isTorn = bytes[written - 1] !== newline
  }
  const writeAll = async () => {
    await new Promise(setImmediate)
    while (text !== "") {
      await writeText()
      // A write costs as much as a message. Where lines come faster than they are written, those of 10 ms go out in one.
      await sleep(text === "" ? 0 : 10)
    }
    writing = undefined
  }
  const print = (line: string) => {
    if (text.length > 1_048_576) dropped += 1
    else text += `${line}\n`
    writing ??= writeAll()
  }
  process.on("exit", () => {
    // Node waits for a write that is stuck, for ever.
    if (performance.now() - writingSince > 1_000) process.kill(process.pid, "SIGKILL")
    tryOr(() => builtin("node:fs").writeSync(1, text), 0)
  })
  return { print, flush: async () => writing }
}

const newline = 10
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Writes bytes to standard output and waits for a reader that is late. Gives how many could be written. */
async function writeOut(bytes: Buffer): Promise<number> {
  const write = builtin("node:util").promisify(builtin("node:fs").write)
  let at = 0
  while (at < bytes.length) {
    const rest = bytes.subarray(at)
    try {
      // Deno's node:fs writes to a pipe without giving anyone else a turn.
      at += Deno ? await Deno.stdout.write(rest) : (await write(1, rest)).bytesWritten
    } catch (error) {
      if (Object(error).code !== "EAGAIN") break
      await sleep(20)
    }
  }
  return at
}

/** Writes a line to standard error as it is: on a terminal, Bun's console.error makes it red. */
function say(text: string): void {
  if (tryOr(() => isOnDeploy(process.env), false)) console.error(text)
  else tryOr(() => builtin("node:fs").writeSync(2, `${text}\n`), 0)
}

/**
 * On SIGTERM, SIGINT or SIGHUP lets the requests in flight finish, writes the log to its end, and ends the process; a second
 * signal ends it at once. An error that nobody caught ends it, too; the log gets its name and place alone.
 */
function handleSignals({ world, settings, log }: Gateway, stopping: AbortController, close: Listener["close"]) {
  const onSignal = async (signal: string) => {
    if (stopping.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143)
    stopping.abort()
    log("info", "stopping", { signal })
    builtin("node:timers")
      .setTimeout(() => process.exit(0), settings.DEADLINE + 1_000)
      .unref()
    await close()
    log("info", "stopped")
    await world.flush?.()
    // Handles that never close would keep the process alive.
    process.exit(0)
  }
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, onSignal)
  process.on("unhandledRejection", (error) => logFailure(log, error))
  process.on("uncaughtException", (error) => {
    logFailure(log, error)
    // A write that is stuck is waited for no longer than a second.
    setTimeout(() => process.exit(1), 1_000)
    world.flush?.().then(() => process.exit(1))
  })
}

// ───────────────────────────── Values: .env, and files that hold one ─────────────────────────────

/** A line of `.env` that sets a value, which may go on over further lines between quotes. */
export const assignment =
  /^[ \t]*(?:export[ \t]+)?(?<name>[\w.-]+)[ \t]*=(?<blank>[ \t]*)(?:(?:"(?<double>[^"]*)"|'(?<single>[^']*)'|`(?<back>[^`]*)`)(?<behind>[^\n]*)|(?<bare>[^\n]*))$/gm

/** `.env` of the working directory, in UTF-8 or UTF-16, alike on every runtime. Throws a StartError where it cannot be trusted. */
function readEnvFile(): Environment {
  const text = decodeEnvFile(readEnvBytes())
  const rest = text.replace(assignment, (found) => found.replace(/[^\n]/g, ""))
  const isComment = (line: string) => /^\s*(#|;|\/\/|export\s+\w+\s*$)|^[^\p{L}\p{N}]*$/u.test(line)
  const stray = rest.split("\n").findIndex((line) => !isComment(line)) + 1
  // What it means to set may protect, and stays unset.
  if (stray > 0)
    throw new StartError([{ text: `line ${stray} of .env is no NAME=value: mend it, or put a # before it` }])
  const values = builtin("node:util").parseEnv(text)
  for (const [name, value = ""] of Object.entries(values)) {
    const fault = describeEnvFault(name, value)
    if (!fault) continue
    const line = text.split("\n").findIndex((line) => line.replace(/^\s*(export\s)?\s*/, "").startsWith(name)) + 1
    // The name may be all of a secret: base64 ends in "=".
    const told = /^[A-Z]{2,}(_[A-Z]+)*$/.test(name) ? `${name} in line` : "line"
    throw new StartError([{ text: `${told} ${line} of .env ${fault}` }])
  }
  return values
}

/** Why a value of `.env` cannot be trusted; undefined where it can. */
function describeEnvFault(name: string, value: string): string | undefined {
  const [quote = ""] = /^["'`]/.exec(value) ?? []
  if (quote && !value.endsWith(quote)) return "begins with a quote that does not end: write it at both ends"
  if (/\n[ \t]*(export[ \t]+)?[A-Z][A-Z\d_]+=/.test(value))
    return "begins with a quote that ends in another line: write it at both ends of the value"
  // Bun reads the file, too, and replaces every $ in it by rules of its own.
  if (process.versions.bun && value.includes("$") && ![undefined, value].includes(process.env[name]))
    return "holds a $, which Bun replaces by rules of its own: start with bun --no-env-file main.ts"
  return undefined
}

/** Decodes `.env` in UTF-8 or UTF-16, with line feeds alone. With no byte order mark, the zero beside the first letter shows UTF-16. */
export function decodeEnvFile(bytes: Uint8Array): string {
  const isLittle = bytes[0] === 0xff || bytes[1] === 0
  const coding = isLittle ? "utf-16le" : bytes[0] === 0xfe || bytes[0] === 0 ? "utf-16be" : "utf-8"
  return new TextDecoder(coding).decode(bytes).replace(/\r\n?/g, "\n")
}

/** The bytes of `.env`; none where there is no such file. */
function readEnvBytes(): Uint8Array {
  try {
    return builtin("node:fs").readFileSync(".env")
  } catch (error) {
    const { code, name } = Object(error)
    const isBeside = tryOr(() => builtin("node:fs").existsSync(`${import.meta.dirname}/.env`), false)
    if (name === "NotCapable") say(".env is not read, since Deno has no permission: --allow-read=.env,providers")
    else if (code === "ENOENT" && isBeside)
      say(".env beside main.ts is not read: start in that folder, since it is read where you start")
    else if (code && code !== "ENOENT") throw new StartError([{ text: `.env is there and cannot be read: ${code}` }])
    return new Uint8Array()
  }
}

/**
 * The environment with the values that files hold: `<NAME>_FILE` names the file of `<NAME>`. Other programs have such names,
 * too, as SSL_CERT_FILE: where none is ours, the part may be missing.
 */
async function readValueFiles(world: World): Promise<Environment> {
  const names = Object.keys(world.env).flatMap((key) => /^(.+)_FILE$/.exec(key)?.[1] ?? [])
  if (names.length === 0) return world.env
  const isOurs = names.some(createIsKnown(world.env))
  const part = isOurs ? await loadPart(world, "value-files") : await loadOptional(world, "value-files")
  return (await part?.readValueFiles(world)) ?? world.env
}

// ───────────────────────────── Server: the runtime's own, and its client ─────────────────────────────

/** What is used of the two runtimes that bring a server of their own. */
const { Bun, Deno } = globalThis as unknown as {
  Bun?: { serve(options: object): { port: number; stop(): Promise<void> } }
  Deno?: {
    serve(options: object): { addr: { port: number }; finished: Promise<void>; shutdown(): Promise<void> }
    createHttpClient(options: object): object
    stdout: { write(bytes: Uint8Array): Promise<number> }
  }
}
type Listener = { port: number; close: () => Promise<unknown> }
type Handler = (request: Request, address: () => string | undefined) => Response | Promise<Response>

/** Listens with the runtime's own server; `close` stops accepting and waits for the requests in flight. */
async function listen(hostname: string, port: number, handle: Handler): Promise<Listener> {
  if (Bun) return await listenOnBun(Bun, hostname, port, handle)
  return Deno ? listenOnDeno(Deno, hostname, port, handle) : await listenOnNode(hostname, port, handle)
}

async function listenOnBun(bun: NonNullable<typeof Bun>, hostname: string, port: number, handle: Handler) {
  type Peers = { requestIP(request: Request): { address: string } | null }
  // A request without a Host header (HTTP/1.0) has a path for its URL.
  const complete = (request: Request) =>
    request.url.startsWith("/") ? new Request(`http://localhost${request.url}`, request) : request
  const take = (request: Request, server: Peers) => handle(complete(request), () => server.requestIP(request)?.address)
  const server = bun.serve({ hostname, port, fetch: take, idleTimeout: 0, reusePort: false, development: false })
  // Bun ends the process where its very first call finds no descriptor left. So the first call is made here.
  await fetch(`http://127.0.0.1:${server.port}/health`, { signal: AbortSignal.timeout(1_000) }).catch(() => {})
  return { port: server.port, close: () => server.stop() }
}

function listenOnDeno(deno: NonNullable<typeof Deno>, hostname: string, port: number, handle: Handler): Listener {
  type Peer = { remoteAddr: { hostname: string } }
  const handler = (request: Request, peer: Peer) => handle(request, () => peer.remoteAddr.hostname)
  const open = (port: number) => deno.serve({ hostname, port, handler, onListen() {} })
  let server = open(port)
  const bound = server.addr.port
  // Deno stops accepting after EMFILE; open connections continue. Listen again.
  const reopen = async () => {
    await sleep(100)
    server = tryOr(() => open(bound), server)
    server.finished.catch(reopen)
  }
  server.finished.catch(reopen)
  return { port: bound, close: () => server.shutdown() }
}

async function listenOnNode(hostname: string, port: number, handle: Handler): Promise<Listener> {
  const { serve } = await import("@hono/node-server")
  type Peer = { incoming: { socket: { remoteAddress?: string | undefined } } }
  const fetch = (request: Request, peer: Peer) => handle(request, () => peer.incoming.socket.remoteAddress)
  const server = serve({ hostname, port, fetch }) as import("node:http").Server
  server.keepAliveTimeout = 75_000
  await builtin("node:events").once(server, "listening")
  const close = async () => {
    setInterval(() => server.closeIdleConnections(), 100).unref()
    await new Promise((resolve) => server.close(resolve))
  }
  return { port: Object(server.address()).port, close }
}

/** The client for calls: Node's own file where it is there, else the runtime's fetch. */
export async function createClient(): Promise<World["fetch"]> {
  const part = Bun || Deno ? undefined : await loadOptional({}, "client")
  if (part) return part.clientOfNode()
  const fresh = Deno?.createHttpClient({ poolMaxIdlePerHost: 0 })
  return async (request, { isFresh: isRetry, ...init }) => {
    // Bun and Deno repeat what is no POST where a kept connection died.
    const isFresh = isRetry || request.method !== "POST"
    // Deno repeats a POST by itself where a connection died, unless its body is a Blob.
    const body = Deno && request.body ? { body: await request.blob() } : {}
    if (Deno) request.headers.set("accept-encoding", "identity")
    const connection = isFresh && fresh ? { client: fresh } : { keepalive: !isFresh }
    // Bun and Deno are told to decompress nothing: Bun has no limit, and Deno calls what is broken a broken connection.
    const reply = await fetch(request, { ...init, ...connection, ...body, decompress: false } as unknown as RequestInit)
    if (Bun || Deno || !reply.headers.has("content-encoding")) return reply
    // Node has decompressed it, and keeps the headers that say otherwise.
    const decompressed = new Response(reply.body, reply)
    for (const name of ["content-encoding", "content-length"]) decompressed.headers.delete(name)
    return decompressed
  }
}

// ───────────────────────────── Start: what a person types ─────────────────────────────

/** Serves until the process is told to end. */
async function serve(given: World) {
  const stopping = new AbortController()
  const token = isFirstRun(given.env) ? await createFirstToken() : ""
  const first = token ? { GATEWAY_TOKEN: token, HOST: "127.0.0.1" } : {}
  const prepared = await prepare({ ...given, env: { ...given.env, ...first }, stopping: stopping.signal }, true)
  const app = await createApp(prepared)
  const { settings, log } = prepared.gateway
  const { HOST, PORT } = settings
  // What every message needs is loaded while nobody is served yet. What fails now is tried again by the first message.
  const loading = Promise.all([loadNumbers(), settings.keys.length > 0 && loadJose()]).catch(() => {})
  const inFlight = new Set<Promise<Response>>()
  const handle: Handler = (request, address) => {
    if (!hostForm.test(request.headers.get("host") ?? ""))
      return refuse(log, "invalid_message", "the header Host names no host")
    const answering = Promise.resolve(app.fetch(request, { address }))
    inFlight.add(answering)
    const forget = () => inFlight.delete(answering)
    answering.then(forget, forget)
    return answering
  }
  const { port, close } = await listen(HOST, PORT, handle).catch((cause) => {
    const isDenied = cause.name === "NotCapable"
    const why = isDenied ? "Deno has no permission: --allow-net, as deno task start has" : (cause.code ?? cause.name)
    const text = `PORT ${PORT} of ${HOST} cannot be listened on: ${why}`
    throw new StartError([{ text, unknown: "PORT", cause }])
  })
  await loading
  const address = addressAt(HOST, port)
  const check = (await loadOrRefuse("commands/check", {}, true)) as Check | undefined
  const { fields, lines } = check?.describeStart(prepared, address, token !== "") ?? { lines: "" }
  log("info", "listening", { address, ...fields })
  // The server does not wait for callers that hung up, and their messages are sent all the same.
  handleSignals(prepared.gateway, stopping, () => close().then(() => Promise.allSettled(inFlight)))
  if (lines) say(lines)
  if (token) tellFirstCall(address, token)
}
export const addressAt = (host: string, port: number) => `http://${host.includes(":") ? `[${host}]` : host}:${port}/`
const hostForm = /^(([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?)?$/i

/** The token of a run that has neither secret nor token. Its file keeps it for an hour, so that the curl outlives a restart. */
async function createFirstToken(): Promise<string> {
  const part = await loadOptional({}, "first-run")
  return part?.rememberToken(createSecret()) ?? createSecret()
}

function tellFirstCall(address: string, token: string) {
  const body = JSON.stringify({ recipient: "+12223334444", body: "Your code is 326162", sender: "" })
  const text = "No GATEWAY_SECRET is set: this run has a token of its own and listens on 127.0.0.1 only. Try it:"
  say(`\n${text}\n\ncurl -i ${address} -H 'Authorization: Bearer ${token}' -d '${body}'\n`)
}

/** Runs what the command line names: to serve, or `providers/commands/<name>.ts`. */
async function runCommand([name = "serve", ...rest]: string[], world: World): Promise<void> {
  if (name === "serve" && rest.length === 0) return await serve(world)
  const asksHelp = [name, ...rest].some((word) => /^(-h|--help)$/.test(word))
  const path = asksHelp ? "help" : name.replace(/^--version$/, "version")
  const file =
    v.is(fileName(), path) && path !== "advice" ? await loadOrRefuse(`commands/${path}`, {}, true) : undefined
  if (file) return await (file as { default: contract.Command }).default.run(rest, world)
  if (name === "serve") throw new Error("serve takes no words behind it: settings are environment variables")
  const advice = await loadAdvice()
  // What was typed may be a secret, or a number and a text.
  const told = /^-{0,2}[a-z-]{1,20}$/.test(name) ? `command ${name}` : "such command"
  const hint = advice ? `see main.ts --help${advice.hintAtCommand(name)}` : "main.ts alone has none, a clone has them"
  throw new Error(`there is no ${told}: ${hint}`)
}

async function start() {
  // A file that never finishes loading leaves nothing to do, and the process would end as if all were well.
  process.exitCode = unfinished
  process.once("exit", (code) => {
    if (code === unfinished) say("smstask ended before it began: a file of providers/ never finishes loading")
  })
  // A terminal is a character device; process.stdout.isTTY loads Node's streams, too.
  const isTerminal = tryOr(() => builtin("node:fs").fstatSync(1).isCharacterDevice(), false)
  const given = { ...cleanEnvironment(readEnvFile()), ...cleanEnvironment(process.env) }
  const clocks = { clock: Date.now, monotonic: () => performance.now() }
  // Deno Deploy keeps what console prints, and nothing else.
  const printer = isOnDeploy(given) ? { print: (line: string) => console.log(line) } : createPrinter()
  const world: World = { ...clocks, env: given, fetch: await createClient(), ...printer }
  world.env = { LOG_FORMAT: isTerminal ? "pretty" : "json", ...(await readValueFiles(world)) }
  await runCommand(process.argv.slice(2), world)
  if (process.exitCode === unfinished) process.exitCode = 0
}
/** Node's own exit code of an await that never ends. */
const unfinished = 13

type Check = typeof import("./providers/commands/check.ts")
type Advice = typeof import("./providers/commands/advice.ts")
/** The advice for a person who typed something. It is missed without harm, even where it is broken. */
const loadAdvice = async () => (await loadOrRefuse("commands/advice", {}, true).catch(() => {})) as Advice | undefined

/** Tells why it did not start, with advice, and ends. */
async function explainAndExit(error: unknown) {
  let told = error
  if (error instanceof StartError) told = (await (await loadAdvice())?.explain(error, process.env)) ?? error
  say(told instanceof Error ? told.message : describeNoError(told))
  process.exit(1)
}

const entry = () => tryOr(() => builtin("node:fs").realpathSync(process.argv[1] ?? ""), "")
const isEntry = import.meta.main ?? entry() === import.meta.filename
// A runtime that is too old says which one is needed, and nothing else.
if (!builtin || (isEntry && !(import.meta.main && "escape" in RegExp))) {
  console.error(`smstask needs Node 24.2, Bun 1.3 or Deno 2.5, or newer; this is ${process.version}`)
  process.exit(1)
}
if (isEntry) start().catch(explainAndExit)
