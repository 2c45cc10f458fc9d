/**
 * What was meant by a value that is none: the right writing, where one is near. Loaded where a start fails. It is made of known
 * words, digits and host names; nothing else of a value is told.
 * @module
 */
import { randomBytes } from "node:crypto"
import * as v from "valibot"
import { type Complaint, type Environment, type Kinds, loadNumbers, type Variable, variables } from "../../main.ts"
import { didYouMean, nearest } from "./check.ts"
import { asFileName, fileNames, misnamed } from "./files.ts"

const itemsOf = (written: string, between: RegExp) => written.split(between).flatMap((item) => item.trim() || [])
const either = (names: string[]) => (names.length > 0 && names.length < 4 ? names.join(" or ") : undefined)

/** The known names that one written name may stand for: itself, one that it is a part of, one near, one that it begins with. */
function namesNear(written: string, known: string[]): string[] {
  const name = asFileName(written)
  if (known.includes(name)) return [name]
  const longer = known.filter((one) => `-${one}-`.includes(`-${name}-`) && !one.endsWith("-voice"))
  if (either(longer)) return longer
  const near = nearest(name, known)
  if (near) return [near]
  return known.filter((one) => name.startsWith(`${one}-`)).slice(-1)
}

/** The same among those that speak, whose names end in -voice; or else among all. */
function voicesNear(written: string, known: string[]): string[] {
  const speaking = known.flatMap((name) => /^(.*)-voice$/.exec(name)?.[1] ?? [])
  const found = namesNear(asFileName(written).replace(/-voice$/, ""), speaking)
  return found.length > 0 ? found.map((name) => `${name}-voice`) : namesNear(written, known)
}

/** The file, or the few, that one name may mean. */
export const fileMeant = (kind: keyof Kinds, written: string) => either(namesNear(written, fileNames(kind)))

/** A list of files. What stands alone is left out of a longer one. */
function filesMeant(kind: keyof Kinds, written: string, near = namesNear): string | undefined {
  const known = fileNames(kind)
  const isKnown = (word: string) => known.includes(asFileName(word))
  const wordsOf = (item: string) => (item.split(/\s+/).every(isKnown) ? item.split(/\s+/) : [item])
  const found = itemsOf(written, /[,;|&+]/)
    .flatMap(wordsOf)
    .map((item) => near(item, known))
  const [first = []] = found
  if (found.length === 1) return either(first)
  if (found.some(({ length }) => length !== 1)) return undefined
  const names = new Set(found.flat())
  for (const alone of ["console", "inbox"]) if (names.size > 1) names.delete(alone)
  return [...names].join()
}

/** Names that people use in place of the two letters, beside the English ones that the runtime knows. */
const countryWords: Record<string, string> = {
  ...{ UK: "GB", EN: "GB", ENGLAND: "GB", "GREAT BRITAIN": "GB", GBR: "GB", USA: "US", AMERICA: "US" },
  ...{ DEU: "DE", GER: "DE", AUT: "AT", CHE: "CH", ESP: "ES", POL: "PL", PRT: "PT", SWE: "SE", DNK: "DK", IRL: "IE" },
  ...{ TUR: "TR", TURKEY: "TR", MEX: "MX", CHN: "CN", JPN: "JP", KOR: "KR", "SOUTH KOREA": "KR", UAE: "AE", IRN: "IR" },
}

/** The country of ISO 3166 that is meant by its name, by three letters, in small ones, or by its calling code. */
export async function countryMeant(written: string): Promise<string | undefined> {
  const { getCountries, parsePhoneNumberFromString } = await loadNumbers()
  const known = getCountries().map(String)
  const name = written.trim().toUpperCase()
  const exact = countryWords[name] ?? known.find((code) => code === name)
  if (exact) return exact
  const [, callingCode] = /^(?:\+|00)?([1-9]\d{0,2})$/.exec(name) ?? []
  if (callingCode) return parsePhoneNumberFromString(`+${callingCode}${"2".repeat(10)}`)?.getPossibleCountries()[0]
  const english = new Intl.DisplayNames("en", { type: "region" })
  const byName = new Map(known.map((code) => [english.of(code)?.toUpperCase() ?? "", code]))
  if (byName.has(name)) return byName.get(name)
  // Of three letters the first two are right more often than not, which is too seldom to be said.
  return name.length > 4 ? byName.get(nearest(name, byName.keys()) ?? "") : undefined
}

async function destinationsMeant(written: string): Promise<string | undefined> {
  const one = async (item: string) => {
    // More digits than begin a number may be a whole one.
    const [, digits] = /^(?:\+|00)?([1-9]\d{0,6})$/.exec(item.replace(/[\s()-]/g, "")) ?? []
    return digits ? `+${digits}` : await countryMeant(item)
  }
  const items = itemsOf(written, /[,;|&]/)
  const whole = await Promise.all(items.map(one))
  if (!whole.includes(undefined)) return whole.join()
  // Blanks may stand between two of them, and inside of a name or a whole number.
  const words = itemsOf(written, /[\s,;|&]+/)
  const found = words.some((word) => /^[1-9]/.test(word)) ? [undefined] : await Promise.all(words.map(one))
  return found.includes(undefined) ? undefined : found.join()
}

const units = "(ms|msecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
/** `16 sec` as `16s`, `16000` as `16s`, 0 as off; a number alone is of the unit that the setting is told with. */
export function durationMeant(written: string, usual: string): string | undefined {
  const [, digits, unit = usual] = new RegExp(`^(\\d{1,7})\\s*${units}?$`, "i").exec(written) ?? []
  if (digits === undefined) return /^(none|no|never|false|disabled?|unlimited)$/i.test(written) ? "off" : undefined
  const count = Number(digits)
  const isMilliseconds = /^m(s|illi)/i.test(unit) || (count >= 1_000 && unit === usual && !/[a-z]$/i.test(written))
  if (count === 0) return "off"
  if (/^d/i.test(unit)) return `${count * 24}h`
  return isMilliseconds ? `${Math.ceil(count / 1_000)}s` : `${count}${unit.slice(0, 1).toLowerCase()}`
}

/** `5/10` and `5 per 10 min` as `5/10m`, `5/hour` as `5/1h`, and a number alone for ten minutes. */
function limitMeant(written: string): string | undefined {
  const [count = "", period = "10m", ...rest] = written.split(/\s*(?:\/|\bper\b|\bin\b|:|,)\s*/i)
  if (rest.length > 0 || !/^\d{1,9}$/.test(count)) return durationMeant(written, "m") === "off" ? "off" : undefined
  if (Number(count) === 0) return "off"
  const length = durationMeant(/^\d/.test(period) ? period : `1${period}`, "m")
  return length && `${Number(count)}/${length}`
}

const yes: Record<string, string> = {
  ...{ yes: "true", y: "true", "1": "true", on: "true" },
  ...{ no: "false", n: "false", "0": "false", off: "false" },
}
function optionMeant(written: string, options: readonly string[]): string | undefined {
  const word = written.toLowerCase()
  const plain = options.includes("true") ? (yes[word] ?? word) : word
  return options.find((option) => option === plain) ?? nearest(plain, options)
}

/** An address without its path; a name alone is taken for one of https. */
function addressMeant(written: string): string | undefined {
  const name = "(?:[a-z\\d-]{1,40}\\.){1,6}[a-z]{2,20}|(?:\\d{1,3}\\.){3}\\d{1,3}|localhost"
  const address = new RegExp(`^(?:(https?):/+)?(${name})(:\\d+)?(?:/[^?#@\\s]*)?$`, "i")
  const [, scheme, host, port = ""] = address.exec(written) ?? []
  const usual = host === "localhost" ? "http" : "https"
  return host && `${scheme ?? usual}://${host}${port}`.toLowerCase()
}

function rulesMeant(written: string): string | undefined {
  const items = itemsOf(written, /[\s,;|]+/).map((item) => item.replace(/^localhost$/i, "127.0.0.1"))
  return items.every((item) => /^[\da-f.:]+(\/\d{1,3})?$/i.test(item)) ? items.join() : undefined
}

/** A store's scheme; what follows it may hold a password. */
export function storeMeant(written: string): string | undefined {
  const [, scheme = "", rest = ""] = /^([a-z-]+)(:.*)?$/is.exec(written) ?? []
  const known = fileNames("stores/")
  const others: Record<string, string> = { valkey: "redis", keydb: "redis", dragonfly: "redis", deno: "deno-kv" }
  const meant = others[scheme.toLowerCase()] ?? nearest(scheme.toLowerCase(), known)
  if (!meant) return /^[\w.-]+:\d{2,5}$/.test(written) ? `redis://${written}` : undefined
  if (meant === "deno-kv") return "deno-kv:"
  return rest.startsWith("://") ? `${meant}://…` : `${meant}://localhost:6379`
}

const listed = /^(SMS|VOICE)_PROVIDER(_|$)/
const nearOf = (name: string) => (name.startsWith("VOICE") ? voicesNear : namesNear)
const kindOf = (name: string): keyof Kinds | undefined =>
  listed.test(name) ? "" : ({ PLATFORMS: "platforms/", PAGES: "pages/" } as const)[name]

type Reading = (written: string) => string | undefined | Promise<string | undefined>
/** How the values of a setting are read that its schema does not take. */
const readings: Record<string, Reading> = {
  DEFAULT_COUNTRY: countryMeant,
  ALLOW_DESTINATIONS: destinationsMeant,
  DENY_DESTINATIONS: destinationsMeant,
  GATEWAY_URL: addressMeant,
  GATEWAY_ALLOW_IPS: rulesMeant,
  GATEWAY_TRUST_PROXY: (written) => (/^(true|yes|on)$/i.test(written) ? "1" : undefined),
  DEADLINE: (written) => durationMeant(written, "s"),
  ATTEMPT_TIMEOUT: (written) => durationMeant(written, "s"),
  DUPLICATE_WINDOW: (written) => durationMeant(written, "s"),
  RESEND_WINDOW: (written) => durationMeant(written, "m"),
  PORT: (written) => /^\D*(\d{1,5})\D*$/.exec(written)?.[1],
  HOST: (written) => addressMeant(written)?.replace(/^https?:\/\/|:\d+$/g, ""),
  STORE: storeMeant,
}

/** The value that a setting should have had, or undefined where nothing is near. */
async function valueMeant(name: string, written: string): Promise<string | undefined> {
  const kind = kindOf(name)
  if (kind !== undefined) return filesMeant(kind, written, nearOf(name))
  const schema = (variables as Record<string, Variable>)[name]
  const options: unknown = Reflect.get(Object(Reflect.get(schema ?? {}, "wrapped")), "options")
  const read = name.startsWith("LIMIT_") ? limitMeant : readings[name]
  const found = Array.isArray(options) ? optionMeant(written, options) : await read?.(written)
  return schema && found !== written && v.is(schema, found) ? found : undefined
}

/** The name of a setting that should have ended in a country, in digits or in a language. */
async function nameMeant(name: string, start: string): Promise<string | undefined> {
  const end = name.slice(start.length)
  const language = end.toUpperCase().replaceAll("-", "_")
  if (start.startsWith("CODE_")) return /^[A-Z]{2,3}(_[A-Z\d]+)*$/.test(language) ? start + language : undefined
  const [, digits] = /^(?:\+|00)?([1-9]\d{0,6})$/.exec(end) ?? []
  const found = digits ?? (await countryMeant(end.replaceAll("_", " ")))
  return found && start + found
}

const placeholder =
  /\{\{\s*\.?[a-z_]+\s*\}\}|\$?\{\s*[a-z_]+\s*\}|@@[a-z_]+@@|%(?:s|code|otp|pin)\b|[<[](?:code|otp|pin)[>\]]/i

/** What to write in place of a value, as the end of a sentence, and where it is one value alone, that. */
async function hint(name: string, written: string): Promise<[said: string, value?: string]> {
  const value = await valueMeant(name, written)
  const [left] = /^CODE_(TEXT|SPEECH)/.test(name) ? (placeholder.exec(written) ?? []) : []
  if (left) return [didYouMean(`{code} in place of ${left}`)]
  const other = kindOf(name) === "" && !value ? misnamed("", asFileName(written)) : undefined
  if (other) return [`; rename providers/${other} to ${asFileName(written)}.ts, and write ${asFileName(written)}`]
  if (name === "ALLOW_DESTINATIONS" && /^(\*|all|any)$/i.test(written)) return ["; leave it out to allow every country"]
  if (name === "STORE" && /^(memory|none|off|local)\b/i.test(written)) return ["; leave it out to keep all in memory"]
  return value && !/ or |…/.test(value) ? [didYouMean(value), value] : [didYouMean(value)]
}

/** The setting that names a file which is not there, and what it should have named. */
async function misnaming(text: string, env: Environment): Promise<Complaint | undefined> {
  const [, kind = "", file = ""] = /^there is no providers\/(platforms\/|pages\/)?(\S+)\.ts/.exec(text) ?? []
  const names = (key: string) => kindOf(key) === kind && itemsOf(env[key] ?? "", /,/).includes(file)
  const key = Object.keys(env).find(names)
  if (!key) return undefined
  const found = either(nearOf(key)(file, fileNames(kind as keyof Kinds)))
  const list = kind === "pages/" ? "" : `; main.ts ${kind.slice(0, -1) || "providers"} lists what there is`
  const advice = text.endsWith("read it") ? didYouMean(found) || list : ""
  const [, value = ""] = await hint(key, env[key] ?? "")
  return [`${key} is wrong: ${text}${advice}`, `${key}=${value}`]
}

/** A complaint with what may have been meant, and with the line that mends it. */
async function mended(complaint: Complaint, env: Environment): Promise<Complaint> {
  const [text, line = ""] = complaint
  const [, token] = /^(\w+_TOKEN) is (?:missing|wrong)\b.*at least 32 characters/.exec(text) ?? []
  if (token) return [text, `${token}=${randomBytes(24).toString("base64url")}`]
  const [, name, start] = /^(\S+) is wrong: (?:after (\S+_) stand|expected)/.exec(text) ?? []
  if (!name) return (await misnaming(text, env)) ?? complaint
  if (start) return [text + didYouMean(await nameMeant(name, start))]
  const written = env[name] ?? ""
  if (text.includes("v1,whsec_") && !written.startsWith("v1,")) return [`${text}; v1,whsec_ is a part of it`, line]
  const [said, value] = await hint(name, written)
  return [text + said, value ? `${name}=${value}` : line]
}

/** Adds to complaints what may have been meant. */
export async function propose(env: Environment, complaints: Complaint[]) {
  for (const [at, complaint] of complaints.entries()) complaints[at] = await mended(complaint, env)
}
