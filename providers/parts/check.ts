/**
 * What a slip of the hand makes of a name: settings that are none, countries that nobody knows. Loaded at start, and to find
 * the nearest known name.
 * @module
 */
import { stripVTControlCharacters } from "node:util"
import * as v from "valibot"
import {
  ask,
  type Complaint,
  country,
  describe,
  type Environment,
  families,
  faultNames,
  type Gateway,
  isProduction,
  type Kinds,
  loadNumbers,
  type Message,
  type Prepared,
  type Provider,
  type Ready,
  type Settings,
  type Variable,
  variablePrefix,
  variables,
  wrongFields,
} from "../../main.ts"
import { doubtsOfFile, isTellable, linesInFile } from "./env.ts"
import { fileNames, misnamed } from "./files.ts"
import { textFamilies } from "./helpers.ts"

/** Levenshtein's distance of two words, or `most` where it is not less. */
function distance(one: string, other: string, most: number): number {
  if (Math.abs(one.length - other.length) >= most) return most
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let index = 0; index < one.length; index += 1) {
    const next = [index + 1]
    for (let at = 0; at < other.length; at += 1) {
      const replaced = (row[at] ?? 0) + Number(one[index] !== other[at])
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1))
    }
    if (Math.min(...next) >= most) return most
    row = next
  }
  return Math.min(most, row.at(-1) ?? most)
}

/** The closest of `known`, where a slip of the hand explains the difference. */
export function nearest(written: string, known: Iterable<string>): string | undefined {
  // Of four letters two others make another word.
  let [best, least] = [
    undefined as string | undefined,
    (written.length < 5 ? 1 : Math.max(2, written.length / 4)) + 0.5,
  ]
  for (const name of known) {
    const apart = distance(written, name, least)
    if (apart < least) [best, least] = [name, apart]
  }
  return best
}
export const didYouMean = (name: string | undefined) => (name ? `; did you mean ${name}?` : "")

/** Beginnings of the settings' names: what begins so and is none stops the start where it would protect. */
const protective = /^(SMS|VOICE|GATEWAY|LIMITS?|ALLOW|DENY|GUARD|PLATFORMS?|PAGES?|RESEND|DUPLICATE)(_|$)/
const settingLike = /^(CODE|STORE|DEADLINE|ATTEMPT|DEFAULT_C)|^LOG_(?!LEVEL)/

// What a file of each folder must export.
const isDescribed = (schema: unknown): boolean =>
  v.is(v.object({ kind: v.literal("schema") }), schema) && describe(schema as Variable) !== undefined
const env = v.record(v.string(), v.custom<Variable>(isDescribed, "needs v.description(…)"))
const faults = v.optional(v.record(v.picklist(faultNames), v.array(v.union([v.string(), v.number()]))))
const countries = v.optional(v.array(country))
const url = v.optional(v.union([v.string(), v.function()]))
const channel = v.optional(v.literal("voice"))
const report = v.optional(v.object({ proof: v.optional(v.function()), read: v.function() }))
const needsSender = v.optional(v.union([v.boolean(), v.function()]))
/** What the files of each folder must export as default. */
const shapes = {
  "": v.object({
    docs: v.string(),
    countries,
    channel,
    url,
    env,
    needsSender,
    request: v.function(),
    receipt: v.function(),
    faults,
    report,
  }),
  "platforms/": v.object({ env, read: v.function(), setup: v.function() }),
  "pages/": v.object({ env, routes: v.function() }),
  "stores/": v.object({ open: v.function() }),
}

/** What is wrong with a file's default export; undefined where nothing is. */
export function wrongShape(kind: keyof Kinds, file: unknown): string | undefined {
  const cure = "end the file with export default { … }"
  if (file === undefined) return `it is missing: ${cure}`
  if (file instanceof Promise) return "it is a Promise: write await before it"
  if (typeof file === "function") return `it is a function or a class: ${cure}`
  if (typeof file !== "object" || file === null) return `it is ${file === null ? "null" : `a ${typeof file}`}: ${cure}`
  const { issues, success } = v.safeParse(shapes[kind], file)
  return success ? undefined : wrongFields(issues)
}

/** Where a file is broken: Bun keeps that in `position` or in `errors`, the others in the message or the stack. */
export function placeOf(error: Error, file = /[\w.-]+/): string {
  const [first] = [Reflect.get(error, "errors") ?? error].flat()
  const { file: path, line, column } = Object(Object(first).position)
  if (line) return `${String(path).split("/").at(-1)}:${line}:${column}`
  const text = stripVTControlCharacters(`${error.message}\n${error.stack}`)
  const place = new RegExp(`(?<![\\w.-])${file.source}\\.[jt]s:\\d+(:\\d+)?`).exec(text)?.[0] ?? ""
  // Node draws a caret below the line that it cannot read.
  const [, indent] = /\.[jt]s:\d+\n(?:[^^\n]*\n){1,9}?( *)\^/.exec(error.stack ?? "") ?? []
  return place && indent !== undefined && !/:\d+:/.test(place) ? `${place}:${indent.length + 1}` : place
}

/** What is said of a file that throws something else than an Error. */
export function thrownInstead(thrown: unknown): string {
  if (typeof thrown === "string") return `it throws a text and no Error: ${thrown}`
  if (thrown === null || thrown === undefined) return `it throws ${thrown} and no Error`
  return `it throws ${typeof thrown === "object" ? "an object" : `a ${typeof thrown}`} and no Error`
}

/** https anywhere; http only on loopback, at private addresses and names without a dot. */
function isSafeUrl(written: string): boolean {
  const url = URL.parse(written)
  if (!url || url.username || url.password || url.hash) return false
  const host = url.hostname.replace(/^\[|\]$/g, "")
  const privateAddress = /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|::1$|f[cd]|fe[89ab])/
  const isPrivate = v.IP_REGEX.test(host) ? privateAddress.test(host) : /^[^.]+$|\.localhost$/.test(host)
  return url.protocol === "https:" || (url.protocol === "http:" && isPrivate)
}

/** What the environment names, as far as it could be loaded. */
type Named = Pick<Prepared, "providers" | "callers" | "pages"> &
  Pick<Gateway, "world" | "helpers" | "routes"> & { settings: Settings | undefined }

/**
 * Complains about what looks like a setting that protects and is none, about countries that nobody knows, and values that no
 * provider could use; gives what is doubtful only.
 */
export async function judge({ world, settings, ...inUse }: Named, complaints: Complaint[]): Promise<string[]> {
  const { callers, pages, routes, helpers } = inUse
  const providers = [...inUse.providers.values()]
  const { env } = world
  await unknownCountries(env, complaints)
  unfit(env, complaints)
  for (const ready of settings ? providers : [])
    complaints.push(...(await wrongValues(ready, { settings: settings as Settings, world, helpers })))
  misplaced(routes, complaints)
  const used = [
    ...providers.map(({ name, provider }) => ({ name, env: provider.env })),
    ...callers.map(({ name, platform }) => ({ name, env: platform.env })),
    ...pages.map(({ name, page }) => ({ name, env: page.env })),
  ]
  const own = used.flatMap(({ name, env }) => {
    const rests = ["URL", "SENDER", "TOKEN", "SECRET", "REPORT_KEY"].map((rest) => `${variablePrefix(name)}_${rest}`)
    return [...Object.keys(env), ...rests]
  })
  const known = new Set([...Object.keys(variables), ...Object.keys(families), ...Object.keys(textFamilies), ...own])
  for (const page of fileNames("pages/")) known.add(`${variablePrefix(page)}_TOKEN`)
  const files = [...fileNames(""), ...fileNames("platforms/")]
  const prefixes = inUse.providers
    .keys()
    .map((name) => `${variablePrefix(name)}_`)
    .toArray()
  const beginnings = [...Object.keys(families), ...Object.keys(textFamilies), ...files.map(variablePrefix)].map(
    (name) => `${name}_`,
  )
  const warnings = [...doubtsOfFile]
  for (const name of Object.keys(env)) {
    // Kubernetes sets such variables for a service that is called "gateway" or "store".
    const isOthers = /_(SERVICE|PORT)(_|$)/.test(name)
    const isUnread = prefixes.some((start) => name.startsWith(start)) && !/_(SENDER_\w+|PROXY)$/.test(name)
    if (isUnread && !known.has(name)) warnings.push(`${name} is read by nothing${didYouMean(nearest(name, own))}`)
    if (known.has(name) || isOthers || beginnings.some((start) => name.startsWith(start))) continue
    // Windows knows no other case; elsewhere it is another name.
    const near = known.has(name.toUpperCase()) ? name.toUpperCase() : nearest(name, known)
    const line = linesInFile.get(name)
    const isNamed = near !== undefined || isTellable(name)
    const text = isNamed ? `${name} is no setting${didYouMean(near)}` : `line ${line} of .env is no setting`
    if (protective.test(name) || (near && name.length > 8 && protective.test(near))) complaints.push([text])
    else if (settingLike.test(name) || (near && name.length > 6)) warnings.push(text)
    else if (line) warnings.push(`${isNamed ? `${name} in .env` : `line ${line} of .env`} is read by nothing`)
  }
  for (const { name } of providers) {
    const file = files.includes(name) ? undefined : misnamed("", name)
    if (file) warnings.push(`providers/${file} is loaded as ${name} by some runtimes alone: rename it to ${name}.ts`)
  }
  if (complaints.length > 0) await (await import("./meant.ts")).propose(env, complaints)
  // What is doubtful may be why something is missing or wrong.
  if (complaints.length > 0) complaints.push(...warnings.map((warning): Complaint => [warning]))
  return warnings
}

/** Complains of values that can be read and mean something else. */
function unfit(env: Environment, complaints: Complaint[]) {
  const [, host] = /^([^:]+):\d+$/.exec(env.HOST ?? "") ?? []
  if (host) complaints.push([`HOST is wrong: it holds a port, which PORT is for${didYouMean(host)}`, `HOST=${host}`])
  for (const [name, text = ""] of Object.entries(env))
    if (/^CODE_(TEXT|SPEECH)(_|$)/.test(name) && /[{$]\{code\}/.test(text))
      complaints.push([`${name} is wrong: the code stands for {code} alone; another { or $ before it would be sent`])
}

/** Complains of providers that stand in a route of the other channel. */
function misplaced(routes: Gateway["routes"], complaints: Complaint[]) {
  for (const channel of ["sms", "voice"] as const) {
    const place = channel === "sms" ? "speaks: VOICE_PROVIDER" : "sends texts: SMS_PROVIDER"
    const variable = `${channel.toUpperCase()}_PROVIDER`
    for (const { name, provider } of routes[channel].flatMap(({ value }) => value)) {
      const other = channel === "sms" ? name.replace(/-voice$/, "") : `${name}-voice`
      const near = other !== name && fileNames("").includes(other) ? other : undefined
      if (!/^(console|inbox)$/.test(name) && (provider.channel ?? "sms") !== channel)
        complaints.push([`${variable} names ${name}, which ${place} is its place${didYouMean(near)}`])
    }
  }
}

/** Countries that settings name and nobody knows, each with the one that may be meant. */
async function unknownCountries(env: Environment, complaints: Complaint[]) {
  const named = Object.entries(env).flatMap(([name, value = ""]) => {
    const list = /^(DEFAULT_COUNTRY|(ALLOW|DENY)_DESTINATIONS)$/.test(name) ? value.split(/[\s,]+/) : []
    const behind = /_(?:PROVIDER|SENDER)_([A-Z]{2})$/.exec(name)?.[1] ?? ""
    return [...list, behind].map((code) => [name, code] as const)
  })
  const codes = named.filter(([, code]) => /^[A-Z]{2}$/.test(code))
  const known = codes.length > 0 ? (await loadNumbers()).getCountries().map(String) : []
  for (const [name, code] of codes.filter(([, code]) => !known.includes(code))) {
    const meant = await (await import("./meant.ts")).countryMeant(code)
    complaints.push([`${name} is wrong: ${code} is no country of ISO 3166${didYouMean(meant)}`])
  }
}

/** What works and is doubtful all the same. */
export function doubts({ gateway: { settings, world }, providers, warnings }: Prepared): string[] {
  const { env } = world
  const told = [...warnings]
  if (settings.keys.some((key) => key.length < 32))
    told.push("a GATEWAY_SECRET of less than 32 bytes can be guessed from one token")
  if (isProduction(env) && !settings.ALLOW_DESTINATIONS)
    told.push("without ALLOW_DESTINATIONS anyone can make you pay for messages to any country")
  if (isProduction(env) && providers.has("console")) told.push("SMS_PROVIDER=console prints every code and sends none")
  for (const page of fileNames("pages/")) {
    const token = `${variablePrefix(page)}_TOKEN`
    if (env[token] && !settings.PAGES?.includes(page)) told.push(`${token} is set, and PAGES does not name ${page}`)
  }
  for (const { name, provider, senders } of providers.values()) {
    const lacking = senders.length + settings.senders.length > 0 ? [] : senderVariables(name, provider, env)
    if (lacking.length > 0)
      told.push(`${name} takes no message without a sender: set ${lacking.join(" or ")} if the messages bring none`)
  }
  return told
}

/** The variables of which a provider needs one where a message brings no sender; none where it can do without. */
export function senderVariables(name: string, { needsSender, env: schemas }: Provider, env: Environment): string[] {
  const own = needsSender ? [`${variablePrefix(name)}_SENDER`] : []
  if (typeof needsSender !== "function") return own
  const values = Object.fromEntries(
    Object.entries(schemas).map(([variable, schema]) => [variable, v.safeParse(schema, env[variable]).output]),
  )
  const isInPlace = (variable: string) => !env[variable] && !needsSender({ ...values, [variable]: "set" })
  return needsSender(values) ? [...own, ...Object.keys(schemas).filter(isInPlace)] : []
}

const sample: Message = { recipient: "+12223334444", body: "Your code is 326162", sender: "", code: "326162" }

/** Values of a provider that would fail at the first message: what no header can carry, and placeholders that are none. */
async function wrongValues(
  ready: Ready,
  shared: Pick<Gateway, "world" | "settings" | "helpers">,
): Promise<Complaint[]> {
  const { name, provider } = ready
  const { world } = shared
  const { env } = world
  const NAME = variablePrefix(name)
  const complaints: Complaint[] = []
  const unknown = /\{(?!(?:code|body|locale|sender|recipient)\})\w+\}/.exec(env[`${NAME}_VARIABLES`] ?? "")?.[0]
  const known = "{code}, {body}, {locale}, {sender}, {recipient}"
  if (unknown) complaints.push([`${NAME}_VARIABLES holds ${unknown}: there are ${known}`])
  const url = env[`${NAME}_URL`]
  if (url && !isSafeUrl(url))
    complaints.push([`${NAME}_URL is wrong: expected an https URL, or http at a private address`, `${NAME}_URL=`])
  const key = env[`${NAME}_REPORT_KEY`]
  if (key !== undefined && !/^[\w-]{16,}$/.test(key))
    complaints.push([
      `${NAME}_REPORT_KEY is wrong: expected at least 16 letters, digits, - or _`,
      `${NAME}_REPORT_KEY=`,
    ])
  const odd = Object.keys(provider.env).filter((key) => /[^\t -~]/.test(env[key] ?? ""))
  if (odd.length === 0 || provider.routes) return complaints
  // Whether they can be sent is told by a call that is built and goes nowhere.
  const nowhere = { ...world, print: () => {}, fetch: () => Promise.reject(new Error("ENOTFOUND")) }
  const { signal } = new AbortController()
  const result = await ask(ready, sample, { ...shared, world: nowhere }, signal, false)
  if ("code" in result && result.code === "exception")
    complaints.push([`${odd.join(" or ")} holds a character that cannot be sent: copy it again`, `${odd[0]}=`])
  return complaints
}

/** The package that an import did not find. */
export const lackingPackage = (error: Error) =>
  /(?:package|module|Import|dependency) ["'](?!file:)([^"'./][^"']*)["'](?! does not provide an export)/.exec(
    error.message,
  )?.[1]

/** Why a file was not imported, in one sentence with its cure. */
export const whyNot = async (kind: keyof Kinds, name: string, thrown: unknown): Promise<string> =>
  (await import("./broken.ts")).whyNot(kind, name, thrown)
