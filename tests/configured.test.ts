/**
 * The platforms that need no file: templates, Jsonnet and snippets are taken out of the page that people copy them from,
 * and run with the platforms' own packages. All calls end in a gateway of this process. Casdoor and Nhost have files, whose
 * setup must give the names that they read.
 */
import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { after, test } from "node:test"
import Jsonnet from "@arakoodev/jsonnet"
import type { Message } from "../main.ts"
import { configured } from "../providers/parts/names.ts"
import casdoor from "../providers/platforms/casdoor.ts"
import nhost from "../providers/platforms/nhost.ts"
import casdoorCalls from "./fixtures/platforms/casdoor.ts"
import nhostCalls from "./fixtures/platforms/nhost.ts"
import * as samples from "./lib/configured.ts"
import { provider, serving } from "./lib/process.ts"
import { type Answers, blame, providers, standing, start, status, take, until } from "./lib/world.ts"

const token = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4"
const gatewayUrl = "https://gateway.example/"
const page = readFileSync(new URL("../providers/platforms/configured.md", import.meta.url), "utf8")

test("the command platforms names each part of the page, and no other", () => {
  const headings = [...page.matchAll(/^## (\S+)$/gm)].map(([, name]) => name)
  assert.deepEqual(configured, headings)
})

/** The part of the page under a heading. */
function section(name: string): string {
  const found = page.split(/^## /m).find((part) => part.startsWith(`${name}\n`))
  assert.ok(found, `${name} is not on the page`)
  return found
}

function block(name: string, language: string): string {
  const [, source] = section(name).split(`\n\`\`\`${language}\n`)
  assert.ok(source, `${name} has no ${language}`)
  return source.split("\n```")[0] ?? ""
}

/** The values to enter, in the table's order: what stands in code marks, or else the words. */
function rows(name: string, setting: string): string[][] {
  const all = section(name).matchAll(/^\| (.+?) \| (.+) \|$/gm)
  const found = [...all].filter(([, left]) => left === setting)
  assert.ok(found.length > 0, `${name} has no row ${setting}`)
  const codes = (right = "") => [...right.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code.replace(/<\w+>/, token))
  return found.map(([, , right]) => (codes(right).length > 0 ? codes(right) : [right ?? ""]))
}
/** The first value of a setting. */
const row = (name: string, setting: string) => rows(name, setting)[0]?.[0] ?? ""

/** The clock of all gateways here: who waits for a silent provider waits no real time. */
const time = standing()

/** A gateway with one provider for texts and one for voice, which keeps what they were handed. */
async function gateway(env: Record<string, string> = {}, answers: Answers = { texts: () => take() }) {
  const given = providers({ ...answers, speech: () => take() }, { speech: { channel: "voice" } })
  const own = { GATEWAY_TOKEN: token, SMS_PROVIDER: "texts", VOICE_PROVIDER: "speech" }
  const { call, calls, events } = await start({ ...own, ...env }, given.answer, { load: given.load, ...time.world })
  const got: { url: string; status: number; text: string }[] = []
  const reach = async (url: string, init: RequestInit = {}) => {
    const { origin, pathname, search } = new URL(url)
    assert.equal(`${origin}/`, gatewayUrl)
    const response = await call(init, `${pathname}${search}`)
    got.push({ url, status: response.status, text: await response.clone().text() })
    return response
  }
  const messages = () => calls.map(({ text }): Message => JSON.parse(text))
  return { reach, messages, got, events }
}

interface Sent {
  url: string
  headers: Record<string, string>
  body: string
}

/** Sends what a platform would, and compares what came of it. */
async function check(sent: Sent, message: Partial<Message> | undefined, env: Record<string, string> = {}) {
  const { reach, messages } = await gateway(env)
  const { url, ...rest } = sent
  const response = await reach(url, { method: "POST", ...rest })
  if (!message) {
    assert.equal(response.status, 400)
    return assert.deepEqual(messages(), [])
  }
  assert.equal(response.status, 200, await response.text())
  // JSON drops what is undefined, as a message without a code.
  const expected = JSON.parse(JSON.stringify({ sender: "", channel: "sms", ...message }))
  assert.deepEqual(messages(), [expected])
  // The token is good as Basic's password, too, for whoever can send nothing else; the message is then a repetition.
  const basic = `Basic ${Buffer.from(`anyone:${token}`).toString("base64")}`
  const again = await reach(url, { method: "POST", ...rest, headers: { ...rest.headers, authorization: basic } })
  assert.equal(again.status, 200)
  assert.equal(messages().length, 1)
  const foreign = await reach(url, { method: "POST", ...rest, headers: { ...rest.headers, authorization: "Bearer x" } })
  assert.equal(foreign.status, 401)
}

const formHeaders = (authorization: string) => ({ authorization, "content-type": "application/x-www-form-urlencoded" })
const bearer = `Bearer ${token}`
/** A header as it is entered: `Authorization: Bearer …`, or name and value apart. */
const authorization = (entered: string[] = []) => {
  const [name, value] = entered.length > 1 ? entered : (entered[0]?.split(": ") ?? [])
  assert.equal(name, "Authorization")
  return value ?? ""
}

// ───────────────────────────── Templates ─────────────────────────────

for (const { ctx, message } of samples.kratos) {
  test(`kratos: the Jsonnet makes a message of ${ctx.template_type}`, async () => {
    const made = new Jsonnet().evaluateSnippet(`(${block("kratos", "jsonnet")})(${JSON.stringify(ctx)})`)
    const { ip, ...rest } = message
    assert.deepEqual(JSON.parse(made), JSON.parse(JSON.stringify({ ...rest, ip: ip || undefined })))
    const yaml = block("kratos", "yaml")
    const entered = (name: string) => new RegExp(`^ *${name}: (.+)$`, "m").exec(yaml)?.[1] ?? ""
    const headers = {
      "content-type": entered("Content-Type"),
      [entered("name").toLowerCase()]: entered("value").replace("<GATEWAY_TOKEN>", token),
    }
    assert.equal(entered("method"), "POST")
    await check({ url: entered("url"), headers, body: made }, rest)
  })
}

/** The form that the plugin makes with the settings of the page. */
function keycloakForm({ text = "", to = "", from = "" }: Record<string, string>): string {
  assert.equal(row("keycloak", "URL encode data"), "on")
  const fields = new URLSearchParams([
    [row("keycloak", "Message Attribute"), text],
    [row("keycloak", "Receiver Phone Number Attribute"), to],
    [row("keycloak", "Sender Phone Number Attribute"), from],
  ])
  return fields.toString()
}

for (const { title, given, sent, env, message } of samples.keycloak) {
  test(`keycloak: ${title}`, async () => {
    const body = keycloakForm(given)
    if (sent) assert.equal(body, sent)
    // With a name, the token goes into a header of that name.
    assert.equal(row("keycloak", "API Secret Token Attribute (optional)"), "empty")
    const headers = formHeaders(row("keycloak", "API Secret (optional)"))
    await check({ url: row("keycloak", "SMS API URL"), headers, body }, message, env)
  })
}

test("keycloak: at an http: address its Java offers HTTP/2, which Deno refuses and all others ignore", async () => {
  const { url, kill, ended, stdout } = await serving({ GATEWAY_TOKEN: token, SMS_PROVIDER: "console" })
  const body = keycloakForm({ text: "Your SMS code is 570482.", to: "+15550100123", from: "Acme" })
  const lines = [
    "POST / HTTP/1.1",
    "Connection: Upgrade, HTTP2-Settings",
    `Content-Length: ${body.length}`,
    `Host: ${new URL(url).host}`,
    "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
    "Upgrade: h2c",
    "User-Agent: Java-http-client/17.0.15",
    `Authorization: ${row("keycloak", "API Secret (optional)")}`,
    "Content-Type: application/x-www-form-urlencoded",
  ]
  const socket = connect(Number(new URL(url).port), "127.0.0.1")
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`)
  const [answer] = await once(socket, "data")
  socket.destroy()
  kill()
  assert.equal(await ended, 0)
  const isDeno = process.versions.deno !== undefined
  assert.match(String(answer), isDeno ? /^HTTP\/1\.1 400 / : /^HTTP\/1\.1 200 /)
  assert.equal(stdout().includes('"event":"accepted"'), !isDeno)
})

for (const { title, given, env, message } of samples.wso2) {
  test(`wso2-is: ${title}`, async () => {
    const value = (setting: string) => row("wso2-is", setting)
    assert.equal(value("Content Type"), "FORM")
    assert.equal(value("HTTP Method"), "POST")
    const encoded = (text = "") => new URLSearchParams({ "": text }).toString().slice(1)
    const body = value("Payload Template").replace(/\{\{(\w+)\}\}/g, (_, name: string) => encoded(given[name]))
    await check({ url: value("SMS Provider URL"), headers: formHeaders(bearer), body }, message, env)
    // Before 7.3 the header is split at the first colon.
    const headers = formHeaders(authorization(rows("wso2-is", "Headers")[0]))
    await check({ url: value("SMS Provider URL"), headers, body }, message, env)
  })
}

for (const { title, row: channel, given, env, message } of samples.pingone) {
  test(`pingone: ${title}`, async () => {
    const pairs = row("pingone", `${channel}, body (Form)`).split("&")
    const fill = (text = "") => text.replace(/\$\{(\w+)\}/g, (_, name: string) => given[name] ?? "")
    const filled = pairs.map((pair) => pair.split("=")).map(([name = "", text]) => [name, fill(text)])
    const body = new URLSearchParams(Object.fromEntries(filled))
    const [, type = ""] = row("pingone", "Header of both").split(": ")
    assert.ok(row("pingone", "Authorization").startsWith(token))
    const sent = { url: row("pingone", `${channel}, URL`), headers: { authorization: bearer, "content-type": type } }
    await check({ ...sent, body: String(body) }, { locale: "en", ...message }, env)
  })
}

test("casdoor: what platforms casdoor prints names the fields of each call", () => {
  const steps = casdoor.setup("https://gateway.example/casdoor")
  const mapping = /phoneNumber = (\w+), content = (\w+)\. Parameter: (\w+)\./.exec(steps) ?? []
  const [, recipient = "", content = "", parameter = ""] = mapping
  assert.equal(parameter, content)
  const withTemplate = /enter (\w+) in the place of (\w+), both times/.exec(steps) ?? []
  assert.equal(withTemplate[2], content)
  for (const { body, becomes } of casdoorCalls.samples) {
    if (typeof becomes === "string") continue
    const name = "code" in body ? content : withTemplate[1]
    assert.deepEqual(Object.keys(body).sort(), [name, recipient].sort())
  }
})

for (const { title, given, env, message } of samples.privacyidea) {
  test(`privacyidea: ${title}`, async () => {
    assert.equal(row("privacyidea", "HTTP_METHOD"), "POST")
    assert.equal(row("privacyidea", "SEND_DATA_AS_JSON"), "no")
    const fill = (text = "") => text.replace(/\{(\w+)\}/g, (_, name: string) => given[name] ?? "")
    const options = rows("privacyidea", "Option").map(([name = "", text]) => [name, fill(text)])
    const headers = formHeaders(authorization(rows("privacyidea", "Header")[0]))
    await check(
      { url: row("privacyidea", "URL"), headers, body: String(new URLSearchParams(Object.fromEntries(options))) },
      message,
      env,
    )
  })
}

for (const { title, given, message } of samples.apereoCas) {
  test(`apereo-cas: ${title}`, async () => {
    const lines = block("apereo-cas", "properties").replace("<AUTH0_TOKEN>", token).split("\n")
    const property = new Map(
      lines.map((line) => line.replace("cas.sms-provider.rest.", "").split("=") as [string, string]),
    )
    assert.equal(property.get("style"), "REQUEST_BODY")
    const pair = `${property.get("basic-auth-username")}:${property.get("basic-auth-password")}`
    const headers = {
      authorization: `Basic ${Buffer.from(pair).toString("base64")}`,
      "content-type": "application/json",
    }
    const env = { PLATFORMS: "auth0", AUTH0_TOKEN: token, GATEWAY_TOKEN: token.toUpperCase() }
    await check({ url: property.get("url") ?? "", headers, body: JSON.stringify(given) }, message, env)
  })
}

/** Headers as an object of JSON has them, with names in lower case. */
const lowerNames = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** A text inside of JSON, as Go writes it. */
const goText = (text: string) =>
  JSON.stringify(text)
    .slice(1, -1)
    .replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`)

for (const { title, body, becomes } of nhostCalls.samples) {
  if (typeof becomes === "string") continue
  test(`nhost: the template that platforms nhost prints sends ${title}`, () => {
    const lines = nhost.setup("https://gateway.example/nhost").replace("<NHOST_TOKEN>", token).split("\n")
    const setting = new Map(lines.map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]))
    const value = (name: string) => setting.get(`AUTH_SMS_GENERIC_${name}`) ?? ""
    const sent: Record<string, string> = { to: JSON.parse(body).recipient, body: JSON.parse(body).body }
    assert.equal(
      value("BODY_TEMPLATE").replace(/\$\{(\w+)\}/g, (_, name: string) => goText(sent[name] ?? "")),
      body,
    )
    assert.deepEqual(JSON.parse(value("HEADERS")), { Authorization: bearer })
    assert.equal(value("CONTENT_TYPE"), "application/json")
    assert.equal(value("URL"), "https://gateway.example/nhost")
    assert.ok(Number.parseInt(value("TIMEOUT"), 10) * 1_000 > nhost.deadline)
  })
}

for (const { title, given, message } of samples.linotp) {
  test(`linotp: ${title}`, async () => {
    const config = JSON.parse(block("linotp", "json").replace("<GATEWAY_TOKEN>", token))
    const { [config.SMS_TEXT_KEY]: text, [config.SMS_PHONENUMBER_KEY]: phone } = config.PAYLOAD
    const body = {
      ...config.PAYLOAD,
      [config.SMS_TEXT_KEY]: text.replace("<message>", given.text),
      [config.SMS_PHONENUMBER_KEY]: phone.replace("<phone>", given.to),
    }
    const headers = { ...lowerNames(config.HEADERS), "content-type": "application/json" }
    await check({ url: config.URL, headers, body: JSON.stringify(body) }, message)
  })
}

for (const { title, given, env, message } of samples.frappe) {
  test(`frappe: ${title}`, async () => {
    const value = (setting: string) => row("frappe", setting)
    assert.equal(value("Use POST"), "on")
    const body = new URLSearchParams([
      [value("Message Parameter"), given.text ?? ""],
      [value("Receiver Parameter"), given.to ?? ""],
    ])
    const headers = formHeaders(authorization(rows("frappe", "Static Parameters")[0]))
    await check({ url: value("SMS Gateway URL"), headers, body: String(body) }, message, env)
  })
}

for (const { title, given, message } of samples.midpoint) {
  test(`midpoint: ${title}`, async () => {
    const xml = block("midpoint", "xml")
    const element = (name: string) => new RegExp(`<${name}>(?:<value>)?([^<]+)<`).exec(xml)?.[1] ?? ""
    assert.deepEqual([element("method"), element("bodyEncoding")], ["post", "UTF-8"])
    const map = /^groovy\.json\.JsonOutput\.toJson\(\[(\w+): to, (\w+): messageText\]\)$/.exec(element("code"))
    const [, number = "", text = ""] = map ?? []
    const [name = "", type = ""] = element("headersExpression").split(": ")
    const basic = Buffer.from(`${element("username")}:${token}`).toString("base64")
    const headers = { authorization: `Basic ${basic}`, [name]: type }
    const body = JSON.stringify({ [number]: given.to, [text]: given.text })
    await check({ url: element("urlExpression"), headers, body }, message)
  })
}

for (const { title, given, message } of samples.salesforce) {
  test(`salesforce: ${title}`, async () => {
    const apex = block("salesforce", "apex")
    const signature = /sendOneTimePassword\(([^)]+)\)/.exec(apex)?.[1] ?? ""
    const names = signature.split(",").map((one) => one.trim().split(" ")[1] ?? "")
    assert.deepEqual(
      names,
      Object.keys(given).sort((one, other) => names.indexOf(one) - names.indexOf(other)),
    )
    const pairs = [...apex.matchAll(/'(\w+)' => (\w+)/g)].map(([, field = "", name = ""]) => [field, given[name]])
    assert.equal(/setMethod\('(\w+)'\)/.exec(apex)?.[1], "POST")
    const type = /setHeader\('Content-Type', '([^']+)'\)/.exec(apex)?.[1] ?? ""
    const headers = { authorization: bearer, "content-type": type }
    await check({ url: gatewayUrl, headers, body: JSON.stringify(Object.fromEntries(pairs)) }, message)
  })
}

for (const { title, given, env, message } of samples.authentik) {
  test(`authentik with a mapping: ${title}`, async () => {
    const values: Record<string, string | undefined> = {
      "device.phone_number": given.phone,
      token: given.token,
      "request.user.locale(request)": given.locale,
    }
    const pairs = [...block("authentik-mapping", "python").matchAll(/"(\w+)": (.+),$/gm)]
    const fields = Object.fromEntries(pairs.map(([, field = "", source = ""]) => [field, values[source]]))
    assert.deepEqual(Object.values(fields).sort(), Object.values(values).sort())
    const headers = { authorization: bearer, "content-type": "application/json" }
    await check({ url: gatewayUrl, headers, body: JSON.stringify(fields) }, message, env)
  })
}

const keycloakJson = '{"body":"Your "Acme" code is 123456","recipient":"+15550100123","sender":"Acme"}'
const wso2Json = '{"recipient": "+15550100123", "body": "Your "Acme" code is 482913"}'
for (const [title, path, body] of [
  ["a quote in Keycloak's text without URL encode data", "", keycloakJson],
  ["a quote in WSO2's text with Content Type JSON", "", wso2Json],
  ["the style QUERY_PARAMETERS of CAS", "auth0?from=Acme&to=%2B15550100123", "Your code is 123456"],
] as const)
  test(`${title} is answered with 400, as the page says`, async () => {
    const env = { PLATFORMS: "auth0", AUTH0_TOKEN: token }
    const headers = { authorization: bearer, "content-type": "application/json" }
    await check({ url: `${gatewayUrl}${path}`, headers, body }, undefined, env)
  })

test("a GET with fields is a 405 and sends nothing, as the page says", async () => {
  const { reach, messages } = await gateway()
  const query = new URLSearchParams({ recipient: "+15550100123", body: "Your code is 123456" })
  const response = await reach(`${gatewayUrl}?${query}`, { headers: { authorization: bearer } })
  assert.equal(response.status, 405)
  assert.deepEqual(messages(), [])
})

// ───────────────────────────── Snippets ─────────────────────────────

const AsyncFunction = (async () => {}).constructor as FunctionConstructor

/** Runs a snippet as the module that it is, and gives its exports; its fetch ends in the gateway. */
async function run(
  name: string,
  fetch: object,
  env: Record<string, string> = {},
  load = (path: string) => import(path),
) {
  const source = block(name, "js")
  assert.ok(source.split("\n").length <= 20, `${name} has more than 20 lines`)
  const body = source
    .replace(/^import (\w+) from (.+)$/gm, "const { default: $1 } = await load($2)")
    .replace(/^import (.+) from (.+)$/gm, "const $1 = await load($2)")
    .replace(/^export const (\w+) = /gm, "const $1 = exported.$1 = ")
  const exported: Record<string, unknown> = {}
  const process = { env: { GATEWAY_URL: gatewayUrl, GATEWAY_TOKEN: token, ...env } }
  await new AsyncFunction("load", "fetch", "process", "exported", body)(load, fetch, process, exported)
  return exported
}
const json = (body: object, headers: object = {}) => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
})
const acme = (recipient: string, code: string) => ({
  recipient,
  code,
  body: `${code} is your Acme code.`,
  sender: "",
  channel: "sms",
})

/** better-auth with the snippet's plugins, in memory. `post` calls it as a browser does, with the cookies of `before`. */
async function betterAuth(answers?: Answers, env: Record<string, string> = {}) {
  const { reach, messages, got } = await gateway(env, answers)
  const { plugins } = await run("better-auth", reach)
  const [{ betterAuth }, { memoryAdapter }] = await Promise.all([
    import("better-auth"),
    import("better-auth/adapters/memory"),
  ])
  const tables: Record<string, Record<string, unknown>[]> = {}
  for (const name of ["user", "session", "account", "verification", "twoFactor"]) tables[name] = []
  const baseURL = "http://localhost:3000"
  const auth = betterAuth({
    baseURL,
    secret: randomBytes(32).toString("hex"),
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true },
    plugins: plugins as [],
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
  })
  const post = async (path: string, body: object, before?: Response) => {
    const cookie =
      before?.headers
        .getSetCookie()
        .map((one) => one.split(";")[0])
        .join("; ") ?? ""
    return await auth.handler(new Request(`${baseURL}/api/auth${path}`, json(body, { cookie, origin: baseURL })))
  }
  return { post, messages, got, tables }
}

test("better-auth: a code goes out, and proves the number of whoever has it", async () => {
  const { post, messages, tables } = await betterAuth()
  await post("/sign-up/email", { email: "a@example.com", name: "A", password: "a long password" })
  Object.assign(tables.user?.[0] ?? {}, { phoneNumber: "+15550100123" })
  const response = await post("/phone-number/send-otp", { phoneNumber: "+15550100123" })
  assert.equal(response.status, 200, await response.clone().text())
  const code = messages()[0]?.code ?? ""
  assert.match(code, /^\d{6}$/)
  assert.deepEqual(messages(), [acme("+15550100123", code)])
  const verified = await post("/phone-number/verify", { phoneNumber: "+15550100123", code })
  assert.equal(verified.status, 200, await verified.clone().text())
})

test("better-auth: a password reset sends its code", async () => {
  const { post, messages, tables } = await betterAuth()
  const email = "a@example.com"
  const signedUp = await post("/sign-up/email", { email, name: "A", password: "a long password" })
  assert.equal(signedUp.status, 200, await signedUp.clone().text())
  Object.assign(tables.user?.[0] ?? {}, { phoneNumber: "+15550100123", phoneNumberVerified: true })
  const response = await post("/phone-number/request-password-reset", { phoneNumber: "+15550100123" })
  assert.equal(response.status, 200, await response.clone().text())
  const code = messages()[0]?.code ?? ""
  assert.match(code, /^\d{6}$/)
  assert.deepEqual(messages(), [acme("+15550100123", code)])
})

test("better-auth: the second factor sends its code", async () => {
  const { post, messages, tables } = await betterAuth()
  const [email, password] = ["a@example.com", "a long password"]
  const signedUp = await post("/sign-up/email", { email, name: "A", password })
  Object.assign(tables.user?.[0] ?? {}, {
    phoneNumber: "+15550100123",
    phoneNumberVerified: true,
    twoFactorEnabled: true,
  })
  const signedIn = await post("/sign-in/email", { email, password }, signedUp)
  assert.equal(Object(await signedIn.clone().json()).twoFactorRedirect, true)
  const response = await post("/two-factor/send-otp", {}, signedIn)
  assert.equal(response.status, 200, await response.clone().text())
  const code = messages()[0]?.code ?? ""
  assert.match(code, /^\d{6}$/)
  assert.deepEqual(messages(), [acme("+15550100123", code)])
})

test("better-auth: what is no number is refused before any call", async () => {
  const { post, got } = await betterAuth()
  const response = await post("/phone-number/send-otp", { phoneNumber: "whatever 123" })
  assert.equal(response.status, 400)
  assert.deepEqual(got, [])
})

for (const [title, answers, expected] of [
  ["a number that cannot be reached", { texts: blame("recipient") }, { status: 400, message: "Check the number" }],
  ["no provider", { texts: status(503) }, { status: 503, message: "The code could not be sent" }],
  ["a provider that keeps silent", { texts: time.silence }, { status: 200, message: "code sent" }],
] as [string, Answers, { status: number; message: string }][])
  test(`better-auth: the person is told of ${title}`, async () => {
    const { post } = await betterAuth(answers)
    const response = await post("/phone-number/send-otp", { phoneNumber: "+15550100123" })
    const { message } = Object(await response.json())
    assert.deepEqual({ status: response.status, message }, expected)
  })

test("better-auth: the person is told of a limit, and how long to wait", async () => {
  const { post } = await betterAuth(undefined, { LIMIT_RECIPIENT: "1/10m" })
  await post("/phone-number/send-otp", { phoneNumber: "+15550100123" })
  const response = await post("/phone-number/send-otp", { phoneNumber: "+15550100123" })
  assert.equal(response.status, 429)
  assert.match(response.headers.get("retry-after") ?? "", /^[1-9]\d*$/)
  assert.equal(Object(await response.json()).message, "Try again later")
})

test("better-auth and supertokens: the lines below their snippets tell that a code was entered", async () => {
  const { reach, messages, events } = await gateway()
  const source = page.split("\n```js\n")[1]?.split("\n```")[0] ?? ""
  const verified = await new AsyncFunction("fetch", "process", `${source}\nreturn verified`)(reach, {
    env: { GATEWAY_URL: gatewayUrl, GATEWAY_TOKEN: token },
  })
  await reach(gatewayUrl, json({ recipient: "+15550100123", code: "123456" }, { authorization: `Bearer ${token}` }))
  assert.equal(messages().length, 1)
  for (const [name, line] of [
    ["better-auth", "first.callbackOnVerification = ({ phoneNumber }) => verified(phoneNumber)"],
    ["supertokens", "await verified(result.consumedDevice.phoneNumber)"],
  ] as const)
    assert.ok(section(name).includes(line), name)
  assert.equal((await verified("+15550100123")).status, 204)
  await until(() => events().some(({ event }) => event === "verified"))
})

/** supertokens-node with the snippet's recipe, and the core that it asks, on the loopback. It can be started once. */
async function superTokens(answers: Answers) {
  const { reach, messages } = await gateway({}, answers)
  const { recipe } = await run("supertokens", reach)
  const device = { preAuthSessionId: "cHJlQXV0aFNlc3Npb25JZA", deviceId: "d1" }
  const code = { status: "OK", ...device, codeId: "c1", codeLifetime: 900_000, timeCreated: 1_798_675_200_000 }
  const known: Record<string, object> = {
    "/apiversion": { versions: ["5.0", "5.1", "5.2", "5.3", "5.4"] },
    "/public/recipe/signinup/code": { ...code, userInputCode: "482913", linkCode: "bGlua0NvZGU" },
    "/public/recipe/signinup/codes": { status: "OK", devices: [{ ...device, phoneNumber: "+12025550123", codes: [] }] },
  }
  const core = await provider((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://core")
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify(known[pathname] ?? { status: "OK", users: [] }))
  })
  const [{ default: SuperTokens }, { default: Session }, custom] = await Promise.all([
    import("supertokens-node"),
    import("supertokens-node/recipe/session"),
    import("supertokens-node/framework/custom"),
  ])
  SuperTokens.init({
    framework: "custom",
    supertokens: { connectionURI: core.url },
    appInfo: { appName: "Acme", apiDomain: "http://localhost:3001", websiteDomain: "http://localhost:3000" },
    recipeList: [recipe as ReturnType<typeof Session.init>, Session.init()],
    telemetry: false,
  })
  const post = async (path: string, body: object) => {
    const request = new custom.PreParsedRequest({
      url: `http://localhost:3001/auth${path}`,
      method: "post",
      headers: new Headers({ rid: "passwordless", "content-type": "application/json" }),
      cookies: {},
      query: {},
      getJSONBody: async () => body,
      getFormBody: async () => ({}),
    })
    const response = new custom.CollectingResponse()
    const { error } = (await custom.middleware()(request, response)) as { error?: Error }
    return error ? error.message : Object(JSON.parse(response.body ?? "{}")).status
  }
  return { post, messages, device }
}

test("supertokens: codes go out by the override, and a refusal is an error of the framework's", async () => {
  const texts = ({ recipient }: Message) => {
    if (recipient.endsWith("0188")) return time.silence()
    return recipient.endsWith("0199") ? status(503)() : take()
  }
  const { post, messages, device } = await superTokens({ texts })
  assert.equal(await post("/signinup/code", { phoneNumber: "+1 202-555-0123" }), "OK")
  assert.equal(await post("/signinup/code/resend", device), "OK")
  assert.equal(await post("/signinup/code", { phoneNumber: "+1 202-555-0199" }), "the gateway answered 502")
  // It may have gone out, and its code is good.
  assert.equal(await post("/signinup/code", { phoneNumber: "+1 202-555-0188" }), "OK")
  const [first, , refused] = [acme("+12025550123", "482913"), 0, acme("+12025550199", "482913")]
  // The second has the same text, since this core knows one code: the gateway sends it once.
  assert.deepEqual(messages().slice(0, 2), [first, refused])
})

test("supertokens: a link has a text of its own, and no code", async () => {
  const { reach, messages } = await gateway()
  interface Config {
    smsDelivery: { override: (original: object) => { sendSms: (input: object) => Promise<void> } }
  }
  const init = (config: Config) => config.smsDelivery.override({})
  const { recipe } = await run("supertokens", reach, {}, async () => ({ default: { init } }))
  const urlWithLinkCode = "https://acme.example/auth/verify?preAuthSessionId=cHJlQXV0aA&tenantId=public#bGlua0NvZGU"
  const input = { type: "PASSWORDLESS_LOGIN", phoneNumber: "+12025550123", urlWithLinkCode, tenantId: "public" }
  await (recipe as ReturnType<typeof init>).sendSms(input)
  const body = `Sign in to Acme: ${urlWithLinkCode}`
  assert.deepEqual(messages(), [{ recipient: "+12025550123", body, sender: "", channel: "sms" }])
})

/** What stands in for KMS, on the loopback: it knows the data keys of the samples, and makes new ones. */
async function keyManagement() {
  const { keyArn: KeyId, messages } = samples.cognito
  const keys = new Map(messages.map(({ encrypted, key }) => [encrypted, Buffer.from(key, "hex").toString("base64")]))
  const kms = await provider((request, response, text) => {
    const { CiphertextBlob = randomBytes(32).toString("base64"), NumberOfBytes = 32 } = JSON.parse(text)
    const isNew = String(request.headers["x-amz-target"]).endsWith(".GenerateDataKey")
    if (isNew) keys.set(CiphertextBlob, randomBytes(NumberOfBytes).toString("base64"))
    const Plaintext = keys.get(CiphertextBlob)
    const answer = Plaintext ? { KeyId, CiphertextBlob, Plaintext } : { __type: "InvalidCiphertextException" }
    response.writeHead(Plaintext ? 200 : 400, { "content-type": "application/x-amz-json-1.1" })
    response.end(JSON.stringify(answer))
  })
  return kms.url
}

const access = { AWS_ACCESS_KEY_ID: "AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY: "secret", AWS_REGION: "eu-west-1" }
const before = { ...process.env }
after(() => {
  for (const name of [...Object.keys(access), "AWS_ENDPOINT_URL_KMS"])
    if (before[name] === undefined) delete process.env[name]
    else process.env[name] = before[name]
})

type Lambda = (event: object) => Promise<unknown>
/** The snippet as a Lambda; its AWS SDK is the real one, led to the stand-in by the SDK's own variable. */
async function lambda(answers?: Answers, env?: Record<string, string>) {
  Object.assign(process.env, access, {
    AWS_ENDPOINT_URL_KMS: process.env.AWS_ENDPOINT_URL_KMS ?? (await keyManagement()),
  })
  const { keyArn, pool } = samples.cognito
  const { reach, messages, got } = await gateway(env, answers)
  const { handler } = await run("cognito", reach, { KEY_ARN: keyArn })
  const event = (
    code: string | null,
    userAttributes: object = {},
    triggerSource = "CustomSMSSender_Authentication",
  ) => ({
    version: "1",
    region: "eu-west-1",
    userPoolId: pool,
    userName: "11111111-1111-4111-8111-111111111111",
    callerContext: { awsSdkVersion: "aws-sdk-unknown-unknown", clientId: "exampleclientid" },
    triggerSource,
    request: {
      type: "customSMSSenderRequestV1",
      code,
      clientMetadata: null,
      userAttributes: { phone_number: "+15550100123", locale: "en", ...userAttributes },
    },
  })
  return { handler: handler as Lambda, event, messages, got }
}

/** Encrypts as Cognito does, with the real library. */
async function encrypted(text: string, pool = samples.cognito.pool): Promise<string> {
  const { buildClient, CommitmentPolicy, KmsKeyringNode } = await import("@aws-crypto/client-node")
  const { encrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT)
  const keyring = new KmsKeyringNode({ generatorKeyId: samples.cognito.keyArn })
  const { result } = await encrypt(keyring, text, { encryptionContext: { "userpool-id": pool } })
  return result.toString("base64")
}

for (const { title, code } of samples.cognito.messages)
  test(`cognito: a code encrypted by ${title} goes out`, async () => {
    const { handler, event, messages } = await lambda()
    const sent = event(code)
    assert.equal(await handler(sent), sent)
    assert.deepEqual(messages(), [{ ...acme("+15550100123", "482913"), locale: "en" }])
  })

for (const source of ["SignUp", "ForgotPassword", "UpdateUserAttribute"])
  test(`cognito: a code of ${source}, encrypted anew, goes out`, async () => {
    const { handler, event, messages } = await lambda()
    await handler(event(await encrypted("482913"), { phone_number: "+15550100124" }, `CustomSMSSender_${source}`))
    assert.deepEqual(messages(), [{ ...acme("+15550100124", "482913"), locale: "en" }])
  })

test("cognito: a first password is no code, and reads as it is", async () => {
  const { handler, event, messages } = await lambda()
  await handler(event(await encrypted("aB3&lt;x&amp;y&gt;Q"), {}, "CustomSMSSender_AdminCreateUser"))
  const [message] = messages()
  assert.equal(message?.body, "Your password is aB3<x&y>Q")
  assert.equal(message?.code, undefined)
})

test("cognito: a code of another pool is not sent", async () => {
  const { handler, event, got } = await lambda()
  const code = await encrypted("482913", "eu-west-1_ANOTHER")
  await assert.rejects(handler(event(code)), /another pool/)
  assert.deepEqual(got, [])
})

test("cognito: an event without a code is left alone", async () => {
  const { handler, event, got } = await lambda()
  const sent = event(null)
  assert.equal(await handler(sent), sent)
  assert.deepEqual(got, [])
})

for (const [title, answers, isThrown, env] of [
  ["a bad number is not tried again", { texts: blame("recipient") }, false],
  ["a message that may have gone out is not tried again", { texts: time.silence }, false],
  ["what no provider took is tried again by Lambda", { texts: status(503) }, true],
  ["a wrong token is told to Lambda", {}, true, { GATEWAY_TOKEN: token.toUpperCase() }],
] as [string, Answers, boolean, Record<string, string>?][])
  test(`cognito: ${title}`, async () => {
    const { handler, event, got } = await lambda({ texts: () => take(), ...answers }, env)
    const sent = event(await encrypted("482913"))
    if (isThrown) await assert.rejects(handler(sent), /the gateway answered (401|502)/)
    else assert.equal(await handler(sent), sent)
    assert.equal(got.length, 1)
    assert.notEqual(got[0]?.status, 200)
  })
