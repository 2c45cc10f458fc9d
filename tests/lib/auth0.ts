/**
 * A local Auth0 tenant, as far as a passwordless login by SMS touches one: the connection, the code, the call to the
 * gateway (or the Action in its place) and the tokens. It answers as Auth0 documents; where Auth0 documents nothing, a
 * comment says so. It listens on nothing by itself, and forgets everything with its process.
 */
import { randomBytes, randomInt } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { setTimeout as wait } from "node:timers/promises"
import vm from "node:vm"
import { type Context, Hono } from "hono"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import * as v from "valibot"

// ───────────────────────────── Actions: those to paste, run as Auth0 runs them ─────────────────────────────

type Handler = (event: object, api: object) => Promise<unknown>

/** The Actions to paste, in the README's order: custom-phone-provider, then send-phone-message. */
export function readmeActions(): string[] {
  const readme = readFileSync(new URL("../../providers/platforms/README.md", import.meta.url), "utf8")
  return [...readme.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, source = ""]) => source)
}

/** The connection's JSON in what `platforms auth0` prints, and the Action there. */
export const connectionIn = (printed: string) => JSON.parse(printed.slice(printed.search(/^\{$/m)))
export const actionIn = (printed: string) => `${/^const \{ createHmac \}[\s\S]*?^\}$\n(?=\n2\.)/m.exec(printed)?.[0]}`

/** Loads an Action as a CommonJS module in a context of its own; `globals` stand in for the real ones. */
export function load(source: string, globals: object = {}): Record<string, Handler> {
  const exports: Record<string, Handler> = {}
  const web = { fetch, AbortSignal, AbortController, Headers, Request, Response, URL, URLSearchParams }
  const rest = { Buffer, TextEncoder, TextDecoder, console, crypto, setTimeout, clearTimeout }
  const world = { exports, module: { exports }, require: createRequire(import.meta.url), ...web, ...rest, ...globals }
  vm.runInContext(source, vm.createContext(world))
  return exports
}

/** What an Action told Auth0: nothing where it is done; of several calls the last one counts. */
export type Told = { call: "drop" | "retry"; reason: string } | undefined

/** Runs a custom-phone-provider Action, for the 20 s that Auth0 gives it. */
export async function execute(action: Record<string, Handler>, event: object): Promise<Told> {
  let told: Told
  const tell = (call: "drop" | "retry") => (reason: string) => {
    told = { call, reason }
  }
  const notification = { drop: tell("drop"), retry: tell("retry") }
  const cache = { get() {}, set() {}, delete() {} }
  const stop = new AbortController()
  const late = wait(20_000, undefined, { signal: stop.signal }).then(() => tell("drop")("action_timeout"))
  const run = action.onExecuteCustomPhoneProvider?.(event, { notification, cache })
  await Promise.race([run, late.catch(() => {})]).finally(() => stop.abort())
  return told
}

/** The event of custom-phone-provider (v1), with the members that Auth0's example has. */
export function phoneEvent(notification: object, secrets: Record<string, string>, rest: object = {}) {
  return {
    notification: { delivery_method: "text", message_type: "otp_verify", locale: "en-US", ...notification },
    client: { client_id: "demo", name: "Demo", metadata: {} },
    connection: { id: "con_1", name: "sms", strategy: "sms" },
    request: {
      ip: "192.0.2.1",
      method: "POST",
      user_agent: "Mozilla/5.0",
      language: "en",
      geoip: { countryCode: "US" },
    },
    tenant: { id: "local" },
    transaction: {},
    user: { user_id: "sms|1", app_metadata: {}, user_metadata: {}, email_verified: false },
    configuration: {},
    secrets,
    ...rest,
  }
}

// ───────────────────────────── Connections: what the Management API takes ─────────────────────────────

const text = (most: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(most))
const atLeast = (least: number) => v.pipe(v.number(), v.integer(), v.minValue(least))

/** Defaults and limits of the schema in Auth0's OpenAPI; unknown members are kept, as Auth0 does. */
const connectionOptions = v.looseObject({
  provider: v.optional(v.picklist(["sms_gateway", "twilio"])),
  gateway_url: v.optional(v.pipe(v.string(), v.url(), v.maxLength(255))),
  gateway_authentication: v.nullish(
    v.object({
      method: text(20),
      subject: v.optional(text(64)),
      audience: text(128),
      secret: text(5120),
      secret_base64_encoded: v.optional(v.boolean(), false),
    }),
  ),
  // Auth0's own example writes it as text.
  forward_req_info: v.optional(v.union([v.boolean(), v.literal("true"), v.literal("false")])),
  from: v.optional(text(128)),
  template: v.optional(text(5120), "@@password@@"),
  syntax: v.optional(v.picklist(["liquid", "md_with_macros"]), "md_with_macros"),
  totp: v.optional(
    v.object({
      time_step: v.optional(atLeast(60), 180),
      length: v.optional(v.pipe(atLeast(4), v.maxValue(40)), 6),
    }),
    {},
  ),
})
const newConnection = v.looseObject({
  name: text(128),
  strategy: v.literal("sms"),
  options: v.optional(connectionOptions, {}),
})
const changedConnection = v.strictObject({ options: connectionOptions })

type ConnectionOptions = v.InferOutput<typeof connectionOptions>
type Connection = { id: string; name: string; strategy: string; options: ConnectionOptions }

// ───────────────────────────── The tenant ─────────────────────────────

export interface TenantOptions {
  /** What `Authorization: Bearer` of the Management API must hold. */
  managementToken: string
  /** The one application; its name goes into templates. */
  client?: { client_id: string; name: string }
  /** Source of a custom-phone-provider Action: it then sends, and the connection's gateway is never called. */
  action?: string
  /** The Action's secrets. */
  secrets?: Record<string, string>
  /** Milliseconds after which a gateway is given up. */
  gatewayTimeout?: number
  /** Milliseconds before an Action that asked for a retry runs again, five times at most. */
  retryAfter?: number
  /** Milliseconds since 1970. */
  clock?: () => number
  /** The tenant's log: `cs`, a code was sent; `fn`, it was not. Of an Action, the application learns neither. */
  log?: (type: "cs" | "fn", description: string) => void
}

type Code = { code: string; expires: number; wrong: number }
type Fields = Record<string, unknown>
type Sending = { options: ConnectionOptions; phone: string; code: string; req: { ip: string; "user-agent": string } }

const startFields = [
  ...["client_id", "client_secret", "client_assertion", "client_assertion_type"],
  ...["connection", "phone_number", "send", "authParams"],
]
const otpGrant = "http://auth0.com/oauth/grant-type/passwordless/otp"

/** JSON or a form; {} where it is neither, so that the first field is told to be missing. */
async function fields(c: Context): Promise<Fields> {
  const isForm = c.req.header("content-type")?.includes("form")
  return Object(await (isForm ? c.req.parseBody() : c.req.json()).catch(() => null))
}

/** The macros of md_with_macros, or the variables of Liquid. */
function render({ template, syntax }: ConnectionOptions, values: Record<string, string>): string {
  const macro = syntax === "liquid" ? /\{\{\s*([\w.]+)\s*\}\}/g : /@@([\w.]+)@@/g
  return template.replace(macro, (written, name: string) => values[name] ?? written)
}

/** The token with which Auth0 calls a gateway. That it has iss, iat and exp is not documented, but seen. */
async function gatewayToken({ gateway_authentication: auth }: ConnectionOptions, now: number) {
  if (!auth) return undefined
  const key = Buffer.from(auth.secret, auth.secret_base64_encoded ? "base64" : "utf8")
  const jwt = new SignJWT()
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuer("Auth0")
    .setAudience(auth.audience)
  if (auth.subject) jwt.setSubject(auth.subject)
  return await jwt
    .setIssuedAt(new Date(now))
    .setExpirationTime(new Date(now + 300_000))
    .sign(key)
}

export function tenant({
  managementToken,
  client = { client_id: "demo", name: "Demo" },
  action,
  secrets = {},
  gatewayTimeout = 30_000,
  retryAfter = 30_000,
  clock = Date.now,
  log = () => {},
}: TenantOptions): Hono {
  const app = new Hono()
  const loaded = action === undefined ? undefined : load(action)
  const connections = new Map<string, Connection>()
  const codes = new Map<string, Code>()
  const users = new Map<string, string>()
  const signing = generateKeyPair("RS256")
  const kid = randomBytes(8).toString("hex")

  // The Management API.

  const failed = (c: Context, statusCode: 400 | 401 | 404 | 409, error: string, message: string, errorCode?: string) =>
    c.json({ statusCode, error, message, errorCode }, statusCode)
  const invalidBody = (c: Context, issues: readonly v.BaseIssue<unknown>[]) => {
    const wrong = issues.map((issue) => `${v.getDotPath(issue) ?? "body"}: ${issue.message}`)
    return failed(c, 400, "Bad Request", `Payload validation error: ${wrong.join("; ")}`, "invalid_body")
  }
  app.use("/api/v2/*", async (c, next) => {
    const authorization = c.req.header("authorization")
    if (authorization === `Bearer ${managementToken}`) return await next()
    return failed(c, 401, "Unauthorized", authorization ? "Invalid token" : "Missing authentication")
  })
  app.post("/api/v2/connections", async (c) => {
    const read = v.safeParse(newConnection, await fields(c))
    if (!read.success) return invalidBody(c, read.issues)
    const { name, strategy, options } = read.output
    if ([...connections.values()].some((other) => other.name === name))
      return failed(c, 409, "Conflict", "A connection with the same name already exists", "conflict")
    const connection = { id: `con_${randomBytes(8).toString("hex")}`, name, strategy, options }
    connections.set(connection.id, connection)
    return c.json(connection, 201)
  })
  app.patch("/api/v2/connections/:id", async (c) => {
    const connection = connections.get(c.req.param("id"))
    if (!connection) return failed(c, 404, "Not Found", "The connection does not exist", "inexistent_connection")
    const read = v.safeParse(changedConnection, await fields(c))
    if (!read.success) return invalidBody(c, read.issues)
    // The whole options: what is left out is gone.
    connection.options = read.output.options
    return c.json(connection)
  })

  // The code and its way to the phone.

  /** Calls the connection's gateway; gives what Auth0 says where that does not answer exactly 200. */
  async function callGateway({ options, phone, code, req }: Sending): Promise<string | undefined> {
    const body = render(options, { password: code, code, phone_number: phone, "application.name": client.name })
    const message = { recipient: phone, body, sender: options.from }
    const isForwarding = String(options.forward_req_info) === "true"
    const token = await gatewayToken(options, clock())
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) }
    try {
      const { status } = await fetch(options.gateway_url ?? "", {
        method: "POST",
        headers,
        body: JSON.stringify(isForwarding ? { ...message, req } : message),
        redirect: "manual",
        signal: AbortSignal.timeout(gatewayTimeout),
      })
      if (status === 200) return undefined
      if (status === 401) return "Authentication failed while calling the SMS gateway: 401"
      return `Unexpected response while calling the SMS gateway: ${status}`
    } catch (error) {
      const { name, code, cause } = error as { name: string; code?: unknown; cause?: { code?: unknown } }
      if (name === "TimeoutError") return "Timeout while calling the SMS gateway: ETIMEDOUT"
      // Not documented.
      return `Unexpected response while calling the SMS gateway: ${cause?.code ?? code ?? name}`
    }
  }

  /** Runs the Action until it is done, drops the message or has used up its retries. */
  async function runAction({ options, phone, code, req }: Sending, locale: string, connection: Connection) {
    const as_text = render(options, { password: code, code, phone_number: phone, "application.name": client.name })
    const as_voice = `Hello. Your code is ${[...code].join(". ")}.`
    const notification = { recipient: phone, as_text, as_voice, code, locale, from: options.from }
    const { id, name, strategy } = connection
    const event = phoneEvent(notification, secrets, {
      client: { ...client, metadata: {} },
      connection: { id, name, strategy },
      request: { ip: req.ip, user_agent: req["user-agent"], method: "POST", geoip: {} },
    })
    for (let retries = 0; ; retries += 1) {
      // What a throw does is not documented; here it is not tried again.
      const told = await execute(loaded ?? {}, event).catch((error): Told => ({ call: "drop", reason: String(error) }))
      if (!told) return log("cs", "Code sent")
      log("fn", told.reason)
      if (told.call === "drop" || retries === 5) return
      await wait(retryAfter, undefined, { ref: false })
    }
  }

  const refuse = (c: Context, error: string, error_description: string, status: 400 | 401 | 403 | 429 = 400) =>
    c.json({ error, error_description }, status)

  app.post("/passwordless/start", async (c) => {
    const given = await fields(c)
    const unknown = Object.keys(given).filter((name) => !startFields.includes(name))
    if (unknown.length > 0)
      return refuse(c, "bad.request", `the following properties are not allowed: ${unknown.join(", ")}`)
    if (given.client_id === undefined) return refuse(c, "bad.client_id", "Missing required property: client_id")
    // This text is not documented.
    if (given.client_id !== client.client_id) return refuse(c, "bad.client_id", `Unknown client: ${given.client_id}`)
    if (given.connection === undefined) return refuse(c, "bad.connection", "Missing required property: connection")
    const connection = [...connections.values()].find(({ name }) => name === given.connection)
    if (!connection) return refuse(c, "bad.connection", "Connection does not exist")
    const phone = given.phone_number
    if (phone === undefined) return refuse(c, "bad.phone_number", "Missing required property: phone_number")
    if (typeof phone !== "string" || !/^\+[0-9]{1,15}$/.test(phone))
      return refuse(c, "bad.phone_number", "String does not match pattern: ^\\+[0-9]{1,15}$")

    const { options } = connection
    const { time_step = 180, length = 6 } = options.totp
    const code = Array.from({ length }, () => randomInt(10)).join("")
    // One place a number: the newest code puts an end to the one before.
    codes.set(`${connection.name} ${phone}`, { code, expires: clock() + time_step * 1_000, wrong: 0 })
    const request_language = c.req.header("x-request-language") ?? c.req.header("accept-language") ?? null
    const sending = { options, phone, code, req: { ip: "127.0.0.1", "user-agent": c.req.header("user-agent") ?? "" } }
    if (loaded) void runAction(sending, request_language ?? "en", connection)
    else {
      const wrong = await callGateway(sending)
      log(wrong ? "fn" : "cs", wrong ?? "Code sent")
      if (wrong) return refuse(c, "sms_provider_error", wrong)
    }
    const _id = users.get(phone) ?? randomBytes(12).toString("hex")
    users.set(phone, _id)
    return c.json({ _id, phone_number: phone, request_language, phone_verified: false })
  })

  // The login. These texts are not documented; they are what clients have seen.

  /** Uses a code up, or says what is wrong with it. */
  function whyNot(connection: unknown, phone: unknown, written: unknown): string | undefined {
    const place = `${connection} ${phone}`
    const found = codes.get(place)
    if (!found) return "Wrong phone number or verification code."
    if (found.wrong >= 3) return "You've reached the maximum number of attempts. Please try to login again."
    if (clock() >= found.expires) return "The verification code has expired. Please try to login again."
    if (found.code === written) {
      codes.delete(place)
      return undefined
    }
    found.wrong += 1
    return "Wrong phone number or verification code."
  }

  async function tokens(c: Context, phone: string, scope: string) {
    const now = Math.floor(clock() / 1000)
    const { privateKey } = await signing
    const sign = async (claims: Fields) =>
      await new SignJWT({ iss: `${new URL(c.req.url).origin}/`, sub: `sms|${users.get(phone)}`, iat: now, ...claims })
        .setProtectedHeader({ alg: "RS256", typ: "JWT", kid })
        .sign(privateKey)
    const profile = { name: phone, phone_number: phone, phone_verified: true }
    const id_token = await sign({ ...profile, aud: client.client_id, exp: now + 36_000 })
    const access_token = await sign({ scope, exp: now + 86_400 })
    return { access_token, ...(scope.split(" ").includes("openid") && { id_token }), scope }
  }

  app.post("/oauth/token", async (c) => {
    const { grant_type, client_id, username, otp, realm, scope = "openid profile email" } = await fields(c)
    if (grant_type !== otpGrant)
      return refuse(c, "unsupported_grant_type", `Unsupported grant type: ${grant_type}`, 403)
    if (client_id !== client.client_id) return refuse(c, "access_denied", "Unauthorized", 401)
    const wrong = whyNot(realm, username, otp)
    if (wrong) return refuse(c, "invalid_grant", wrong, 403)
    return c.json({ ...(await tokens(c, String(username), String(scope))), expires_in: 86_400, token_type: "Bearer" })
  })

  app.post("/oauth/ro", async (c) => {
    const { grant_type, client_id, username, password, connection, scope = "openid" } = await fields(c)
    if (grant_type !== "password")
      return refuse(c, "unsupported_grant_type", `Unsupported grant type: ${grant_type}`, 403)
    if (client_id !== client.client_id) return refuse(c, "access_denied", "Unauthorized", 401)
    const wrong = whyNot(connection, username, password)
    if (wrong?.includes("maximum")) return refuse(c, "too_many_attempts", wrong, 429)
    if (wrong) return refuse(c, "invalid_user_password", wrong, 401)
    return c.json({ ...(await tokens(c, String(username), String(scope))), token_type: "bearer" })
  })

  app.get("/.well-known/jwks.json", async (c) => {
    const { n, e, kty } = await exportJWK((await signing).publicKey)
    return c.json({ keys: [{ alg: "RS256", kty, use: "sig", n, e, kid }] })
  })
  return app
}
