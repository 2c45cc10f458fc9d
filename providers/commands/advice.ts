/**
 * Advice for a failing start and for `check`: what may be meant by a name or a value, what is doubtful, and what a line of
 * `.env` loses. It only adds words; nothing that protects stands here.
 * @module
 */
import { randomBytes } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import * as v from "valibot"
import {
  assignment,
  type Complaint,
  cleanEnvironment,
  createCollector,
  decodeEnvFile,
  describeNoError,
  type Environment,
  type Files,
  families,
  fileName,
  importFile,
  loadNumbers,
  type Page,
  type Platform,
  type Prepared,
  type Provider,
  placeOf,
  problems,
  redact,
  type Settings,
  StartError,
  textFamilies,
  tryOr,
  typeNames,
  type Variable,
  variablePrefix,
  variables,
} from "../../main.ts"
import { missingPackage } from "../lib.ts"
import { configured, listFiles } from "../parts/names.ts"

/** The same error with what may have been meant, and what is doubtful and may be why something is missing or wrong. */
export async function explain(error: StartError, given: Environment): Promise<StartError> {
  const { values, doubts } = lintEnvFile()
  const env = { ...values, ...cleanEnvironment(given) }
  const explained = await Promise.all(error.complaints.map((complaint) => mend(complaint, env)))
  const used = await importUsed(env)
  const isAtFault = ({ file }: Used) => error.complaints.some(({ setting = "" }) => setting in file.env)
  return new StartError([
    ...explained.map(fillIn),
    ...listSenderless(used.filter(isAtFault), env),
    ...[...doubts, ...listUnread(used, env)].map((text) => ({ text })),
    ...listUnnamed(env),
  ])
}

/** What a line to paste holds where nothing nearer is meant. */
const examples: Record<string, string> = {
  ALLOW_DESTINATIONS: "US,CA",
  CODE_TEXT: "Your code is {code}",
  CODE_SPEECH: "Your code is {code}",
  DEFAULT_COUNTRY: "US",
  GATEWAY_ALLOW_IPS: "127.0.0.1",
  GATEWAY_URL: "https://sms.example.com",
  HTTP_BODY: `'{"to": "{recipient}", "text": "{body}"}'`,
  HTTP_SUCCESS: "status",
  HTTP_URL: "'https://sms.example.com/send?to={recipient}&text={body}'",
  SMS_TTL: "5m",
  STORE: "redis://127.0.0.1:6379",
}

/** The complaint with a value in its line to paste: the setting's default, or an example. */
function fillIn(complaint: Complaint): Complaint {
  const { setting = "", suggestion } = complaint
  const schema: unknown = Reflect.get(variables, setting)
  const fallback: unknown = Object(Reflect.get(Object(schema), "pipe"))[0]?.default
  const own = setting === "GATEWAY_SECRET" ? randomBytes(32).toString("base64url") : examples[setting]
  const value = suggestion || own || (typeof fallback === "string" ? fallback : "")
  return value ? { ...complaint, suggestion: value } : complaint
}

// ───────────────────────────── Names and values: what may be meant ─────────────────────────────

/** Levenshtein's distance of two words, or `most` where it is not less. */
function distance(one: string, other: string, most: number): number {
  if (Math.abs(one.length - other.length) >= most) return most
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1]
    for (let at = 0; at < other.length; at += 1) {
      const replaced = (row[at] ?? 0) + Number(letter !== other[at])
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1))
    }
    if (Math.min(...next) >= most) return most
    row = next
  }
  return Math.min(most, row.at(-1) ?? most)
}

/** The closest of `known`, where a slip of the hand explains the difference. Of four letters two others make another word. */
export function nearest(written: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = (written.length < 5 ? 1 : Math.max(2, written.length / 4)) + 0.5
  for (const name of known) {
    const apart = distance(written, name, least)
    if (apart < least) best = name
    least = Math.min(least, apart)
  }
  return best
}
export const didYouMean = (name: string | undefined) => (name ? `; did you mean ${name}?` : "")

/** A file's name out of what people write for it: a path, an ending, capitals, blanks. */
const toFileName = (written: string) =>
  written
    .trim()
    .toLowerCase()
    .replace(/^.*[\\/]/, "")
    .replace(/\.[cm]?[jt]sx?(\.txt)?$/, "")
    .replace(/[\s_.]+/g, "-")

/** The one to three files that a written name may mean: itself, one that it is a part of, one near. */
export function fileMeant(kind: keyof Files, written: string, isVoice = false): string | undefined {
  const known = listFiles(kind)
  const name = toFileName(written)
  if (isVoice && known.includes(`${name}-voice`)) return `${name}-voice`
  if (known.includes(name)) return name
  const longer = known.filter((one) => `-${one}-`.includes(`-${name}-`) && one.endsWith("-voice") === isVoice)
  if (longer.length > 0 && longer.length < 4) return longer.join(" or ")
  const near = nearest(name, known) ?? known.filter((one) => name.startsWith(`${one}-`)).at(-1)
  const voice = isVoice ? known.find((one) => one === `${near}-voice`) : undefined
  return voice ?? near
}

/** Names that people use in place of the two letters, beside the English ones that the runtime knows. */
const countryWords = new Map(
  Object.entries({ UK: "GB", ENGLAND: "GB", "GREAT BRITAIN": "GB", GBR: "GB", USA: "US", AMERICA: "US", TURKEY: "TR" }),
)

/** The country of ISO 3166 that is meant by its name, by its letters in small ones, or by its calling code. */
async function countryMeant(written: string): Promise<string | undefined> {
  const { getCountries, parsePhoneNumberFromString } = await loadNumbers()
  const known = getCountries().map(String)
  const name = written.trim().toUpperCase()
  const exact = countryWords.get(name) ?? known.find((code) => code === name)
  if (exact) return exact
  const [, callingCode] = /^(?:\+|00)?([1-9]\d{0,2})$/.exec(name) ?? []
  if (callingCode) return parsePhoneNumberFromString(`+${callingCode}${"2".repeat(10)}`)?.getPossibleCountries()[0]
  const english = new Intl.DisplayNames("en", { type: "region" })
  const byName = new Map(known.map((code) => [english.of(code)?.toUpperCase() ?? "", code]))
  // Of three letters the first two are right more often than not, which is too seldom to be said.
  return byName.get(name) ?? (name.length > 4 ? byName.get(nearest(name, byName.keys()) ?? "") : undefined)
}

/** `16 sec` as `16s`, `16000` as `16s`, 0 as off; a number alone is of the unit that the setting is told with. */
export function durationMeant(written: string, unit: string): string | undefined {
  const units = "(ms|msecs?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
  const [, digits, word = ""] = new RegExp(`^(\\d{1,7})\\s*${units}?$`, "i").exec(written) ?? []
  if (digits === undefined) return /^(none|no|never|false|disabled?|unlimited)$/i.test(written) ? "off" : undefined
  const count = Number(digits)
  if (count === 0) return "off"
  if (/^d/i.test(word)) return `${count * 24}h`
  const isMilliseconds = /^m(s|illi)/i.test(word) || (count >= 1_000 && !word)
  return isMilliseconds ? `${Math.ceil(count / 1_000)}s` : `${count}${(word || unit).slice(0, 1).toLowerCase()}`
}

/** A window, or a list of them. */
function limitMeant(written: string): string | undefined {
  const windows = written.split(/[,;&|]|\band\b/).map((one) => windowMeant(one.trim()))
  return windowMeant(written) ?? (windows.every((one) => one?.includes("/")) ? windows.join() : undefined)
}

/** `5/10` and `5 per 10 min` as `5/10m`, `5/hour` as `5/1h`, and a number alone for ten minutes. */
function windowMeant(written: string): string | undefined {
  const [count = "", period = "10m", ...rest] = written.split(/ ?(?:\/|\bper\b|\bin\b|:|,) ?/i)
  if (rest.length > 0 || !/^\d{1,9}$/.test(count)) return durationMeant(written, "m") === "off" ? "off" : undefined
  const length = durationMeant(/^\d/.test(period) ? period : `1${period}`, "m")
  return Number(count) === 0 ? "off" : length && `${Number(count)}/${length}`
}

/** The folder whose files a setting names; undefined for every other setting. */
function folderOf(setting: string): keyof Files | undefined {
  if (/^(SMS|VOICE)_PROVIDER(_|$)/.test(setting)) return ""
  return [...settingOf].find(([folder, name]) => name === setting && folder !== "stores/")?.[0]
}

/** The list with what each of its items may mean; undefined where one of them may mean nothing. */
async function listMeant(written: string, meant: (item: string) => string | undefined | Promise<string | undefined>) {
  // A blank may stand between two of them, and inside of one.
  for (const between of [/[,;|&+]/, /[,;|&+\s]+/]) {
    const items = written.split(between).flatMap((item) => item.trim() || [])
    const found = await Promise.all(items.map(meant))
    if (found.length > 0 && found.every(Boolean)) return [...new Set(found)].join()
  }
  return undefined
}

/** Countries and the first digits of numbers. More digits than begin a number may be a whole one, and are not told. */
async function destinationsMeant(written: string): Promise<string | undefined> {
  const itemMeant = (item: string) => {
    const [, digits] = /^(?:\+|00)?([1-9]\d{0,6})$/.exec(item) ?? []
    return digits ? `+${digits}` : countryMeant(item)
  }
  // A blank may stand inside of a country's name, and of a whole number.
  const items = written.split(/[,;|&]/).map((item) => item.trim())
  const whole = await Promise.all(items.map(itemMeant))
  if (whole.every(Boolean)) return whole.join()
  return items.some((item) => /\d \d/.test(item)) ? undefined : await listMeant(written, itemMeant)
}

/** A list of files, with blanks between them too where each word is one. */
async function filesMeant(kind: keyof Files, written: string, isVoice: boolean): Promise<string | undefined> {
  const known = listFiles(kind)
  const words = written.split(/[,;|&+\s]+/).map(toFileName)
  if (!isVoice && words.every((word) => known.includes(word))) return [...new Set(words)].join()
  return await listMeant(written, (item) => fileMeant(kind, item, isVoice))
}

/** The value that a setting should have had; undefined where nothing is near. Holds known names, countries and digits alone. */
async function valueMeant(setting: string, written: string): Promise<string | undefined> {
  const folder = folderOf(setting)
  if (folder !== undefined) return await filesMeant(folder, written, setting.startsWith("VOICE"))
  if (setting === "DENY_TYPES") return await listMeant(written, (item) => nearest(item.toLowerCase(), typeNames))
  if (setting === "DEFAULT_COUNTRY") return await countryMeant(written)
  if (setting === "GATEWAY_TRUST_PROXY") return /^(true|yes|on)$/i.test(written) ? "1" : undefined
  if (setting === "GATEWAY_URL") return addressMeant(written)
  if (/_DESTINATIONS$/.test(setting)) return await destinationsMeant(written)
  if (setting.startsWith("LIMIT_")) return limitMeant(written)
  const options: unknown = Reflect.get(
    Object(Reflect.get(Object(Reflect.get(variables, setting)), "wrapped")),
    "options",
  )
  if (Array.isArray(options)) return nearest(written.toLowerCase(), options)
  const isDuration = /^(DEADLINE|ATTEMPT_TIMEOUT|SMS_TTL|(DUPLICATE|RESEND)_WINDOW)$/.test(setting)
  return isDuration ? durationMeant(written, setting === "RESEND_WINDOW" ? "m" : "s") : undefined
}

/** `https://` and the host of an address; undefined where it holds more than names, which may be secret. */
function addressMeant(written: string): string | undefined {
  const [, host] =
    /^(?:https?:\/\/)?((?:[a-z][a-z\d-]{0,30}\.){1,5}[a-z]{2,20})(?:\/[\w/-]{0,40})?$/i.exec(written) ?? []
  return host && `https://${host}`
}

/** The folder and the settings of files, for one that lies in another folder. */
const settingOf = new Map<keyof Files, string>([
  ["", "SMS_PROVIDER"],
  ["platforms/", "PLATFORMS"],
  ["pages/", "PAGES"],
  ["stores/", "STORE"],
  ["routing/", "ROUTING"],
])

// ───────────────────────────── Complaints: with the line that mends them ─────────────────────────────

/** A complaint with what may have been meant, and with the line that mends it. */
async function mend(complaint: Complaint, env: Environment): Promise<Complaint> {
  const { text, setting = "", file, unknown, cause } = complaint
  if (file) return await mendFile(complaint, file, env)
  if (unknown === "PORT" && cause) return { ...complaint, text: explainListening(text, cause) }
  const ends = unknown?.startsWith("SENTENCE_") ? `: expected SENTENCE_ and one of ${outcomes.join(", ")}` : ""
  if (unknown) return { ...complaint, text: text + ends + didYouMean(await nameMeant(text, unknown)) }
  const [, start] = /: expected (\S+_) and /.exec(text) ?? []
  // The line to paste must not have the wrong name.
  const meant = start && (await targetMeant(setting, start))
  if (start) return { ...complaint, text: text + didYouMean(meant), setting: meant ?? start.slice(0, -1) }
  const written = env[setting] ?? ""
  if (/_TOKEN$/.test(setting) && /\b32 characters/.test(text))
    return { ...complaint, suggestion: randomBytes(24).toString("base64url") }
  if (text.includes("v1,whsec_") && written && !written.startsWith("v1,"))
    return { ...complaint, text: `${text}; v1,whsec_ is a part of it` }
  const [, host] = setting === "HOST" ? (/^(localhost|[\d.]{7,15}):\d+$/.exec(written) ?? []) : []
  if (host)
    return { ...complaint, text: `${text}: it holds a port, which PORT is for${didYouMean(host)}`, suggestion: host }
  const value = written && !complaint.suggestion ? await valueMeant(setting, written) : undefined
  const folder = folderOf(setting)
  if (!value && folder !== undefined) return { ...complaint, text: text + findElsewhere(folder, toFileName(written)) }
  const ofStore = setting === "STORE" ? storeMeant(written) : undefined
  const nearer = ofStore && !ofStore.includes("…") ? { suggestion: ofStore } : {}
  if (!value || value === written) return { ...complaint, text: text + hintOf(setting, written), ...nearer }
  const isOne = !value.includes(" or ")
  const schema: Variable | undefined = Reflect.get(variables, setting)
  if (isOne && schema && !v.is(schema, value)) return complaint
  return { ...complaint, text: text + didYouMean(value), ...(isOne && { suggestion: value }) }
}

const outcomes = ["accepted", ...Object.keys(problems)].map((code) => code.toUpperCase())

/** The name of a setting that should have ended in a country, in digits or in a language. */
async function targetMeant(setting: string, start: string): Promise<string | undefined> {
  const end = setting.slice(start.length)
  const language = end.toUpperCase().replaceAll("-", "_")
  if (/^(CODE|SENTENCE)_/.test(start)) return /^[A-Z]{2,3}(_[A-Z\d]+)*$/.test(language) ? start + language : undefined
  const [, digits] = /^(?:\+|00)?([1-9]\d{0,6})$/.exec(end) ?? []
  const found = digits ?? (await countryMeant(end.replaceAll("_", " ")))
  return found && start + found
}

/** What to say of a value that stands for none. */
function hintOf(setting: string, written: string): string {
  const placeholder =
    /\{\{ ?\.?[a-z_]{1,20} ?\}\}|\$?\{ ?[a-z_]{1,20} ?\}|@@[a-z_]{1,20}@@|%(?:s|code|otp|pin)\b|[<[](?:code|otp|pin)[>\]]/i
  const [left] = /^CODE_(TEXT|SPEECH)/.test(setting) ? (placeholder.exec(written) ?? []) : []
  if (left && left !== "{code}") return didYouMean(`{code} in place of ${left}`)
  if (left) return ": another { or $ before it would be sent"
  if (/^HTTP_(URL|BODY)$/.test(setting)) return hintAtPlaceholders(written)
  if (setting === "ALLOW_DESTINATIONS" && /^(\*|all|any)$/i.test(written))
    return "; leave it out to allow every country"
  if (setting === "STORE" && ![undefined, written].includes(storeMeant(written))) return didYouMean(storeMeant(written))
  if (setting === "STORE" && /^(memory|none|off|local)\b/i.test(written)) return "; leave it out to keep all in memory"
  return ""
}

/** What other programs call the five placeholders of the http provider. */
const placeholderWords: Record<string, string> = {
  ...{ to: "recipient", number: "recipient", phone: "recipient", phonenumber: "recipient", mobile: "recipient" },
  ...{ msisdn: "recipient", destination: "recipient", receiver: "recipient", recipients: "recipient" },
  ...{ recipientdigits: "recipient_digits", digits: "recipient_digits" },
  ...{ from: "sender", source: "sender", originator: "sender", senderid: "sender" },
  ...{ text: "body", message: "body", msg: "body", content: "body", sms: "body" },
  ...{ otp: "code", pin: "code", token: "code", password: "code", passcode: "code" },
}

/** The right placeholders in place of those that http does not know. No other word of a template is told. */
function hintAtPlaceholders(template: string): string {
  const known = ["recipient", "recipient_digits", "sender", "body", "code"]
  const hints = new Set<string>()
  const inBraces = [...template.matchAll(/[$%{]?\{\s*([\w-]{1,20})\s*\}+/g)]
  // Where braces are, <to> is a tag and [to] a list.
  const others = template.matchAll(/%([\w-]{1,20})%|[<[]([\w-]{1,20})[>\]]/g)
  for (const [left, ...words] of inBraces.length > 0 ? inBraces : others) {
    const word = words.find(Boolean)?.toLowerCase().replace(/[-_]/g, "") ?? ""
    const meant = placeholderWords[word] ?? nearest(word, known)
    if (meant && left !== `{${meant}}`) hints.add(`{${meant}} in place of ${left}`)
  }
  return hints.size > 0 ? didYouMean([...hints].join(", ")) : ""
}

/** What may be meant by a command that is none, as the end of a sentence. */
export function hintAtCommand(name: string): string {
  const near = otherWords.get(name) ?? nearest(name, commands)
  if (near) return didYouMean(near)
  return name.startsWith("-") ? "; settings are environment variables, as PORT=4000" : ""
}

/** What may be meant by the name of a setting, a country, or a provider of the other channel. */
async function nameMeant(text: string, unknown: string): Promise<string | undefined> {
  if (/^[A-Z]{2}$/.test(unknown)) return await countryMeant(unknown)
  if (/^(SMS|VOICE)_PROVIDER names/.test(text)) {
    const other = text.startsWith("SMS") ? unknown.replace(/-voice$/, "") : `${unknown}-voice`
    return listFiles("").includes(other) ? other : undefined
  }
  const known = [...Object.keys(variables), ...Object.keys(families), ...textFamilies]
  const [, name = "", end = ""] = /^(.*?)(_FILE)?$/i.exec(unknown) ?? []
  // Windows knows no other case; elsewhere it is another name.
  const meant = known.includes(name.toUpperCase()) ? name.toUpperCase() : nearest(name, known)
  return meant && meant + end.toUpperCase()
}

/** What other programs call these. */
const otherWords = new Map(
  Object.entries({
    ...{ start: "serve", run: "serve", dev: "serve", up: "serve", list: "providers", ls: "providers", test: "send" },
    ...{ config: "check", validate: "check", doctor: "check", "-v": "--version", "-V": "--version", jwt: "token" },
  }),
)
const commands = ["serve", "check", "send", "providers", "platforms", "token", "openapi", "help", "--help", "--version"]

function explainListening(text: string, cause: unknown): string {
  const words = `${Object(cause).code} ${Object(cause).name} ${Object(cause).message}`
  const start = text.replace(/: [^:]*$/, "")
  if (/EADDRINUSE|AddrInUse|in use/i.test(words))
    return `${start}: another program listens there: end it, or set another PORT`
  if (/EACCES|PermissionDenied/i.test(words))
    return `${start}: ports below 1024 need a right of their own: set another PORT`
  const isElsewhere = /EADDRNOTAVAIL|AddrNotAvailable|ENOTFOUND|EAI_AGAIN|EINVAL|lookup address/i.test(words)
  return isElsewhere ? `${start}: HOST is no address of this machine: leave it out` : text
}

/** A file that is missed or broken: the setting that names it, what may be meant, its package, or the place of its fault. */
async function mendFile(complaint: Complaint, file: string, env: Environment): Promise<Complaint> {
  const [, folder = "", name = ""] = /^(platforms\/|pages\/|stores\/|routing\/)?(.*)$/.exec(file) ?? []
  const kind = folder as keyof Files
  if (file.startsWith("parts/") || file.startsWith("commands/")) return complaint
  const { cause } = complaint
  if (listFiles(kind).includes(name)) return { ...complaint, text: explainBroken(file, name, cause) }
  const needsNone = kind === "platforms/" && configured.includes(name)
  const instead = `it calls POST / with GATEWAY_TOKEN: leave it out of PLATFORMS, and see main.ts platforms ${name}`
  if (needsNone) return { text: `PLATFORMS is wrong: ${name} needs no file: ${instead}` }
  const list =
    kind === "" || kind === "platforms/" ? `; main.ts ${kind.slice(0, -1) || "providers"} lists what there is` : ""
  const isNaming = (key: string) =>
    folderOf(key) === kind && (env[key] ?? "").split(",").some((one) => one.replace(/:\d+$/, "").trim() === name)
  const setting = kind === "stores/" ? "STORE" : Object.keys(env).find(isNaming)
  const elsewhere = findElsewhere(kind, name)
  const meant = kind === "stores/" ? storeMeant(env.STORE ?? "") : fileMeant(kind, name, setting?.startsWith("VOICE"))
  const text = complaint.text + (elsewhere || didYouMean(meant) || list)
  if (!setting) return { ...complaint, text }
  // The address of another store may hold a password.
  const ofStore = meant === "deno-kv:" ? meant : ""
  const value = kind === "stores/" ? ofStore : await valueMeant(setting, env[setting] ?? "")
  const isOne = value && !value.includes(" or ") && !elsewhere
  return { text: `${setting} is wrong: ${text}`, setting, ...(isOne && { suggestion: value }) }
}

/** What a default export is in place of an object; undefined where it is one. */
export function describeExport(file: unknown): string | undefined {
  if (file instanceof Promise) return "it is a Promise: write await before it"
  if (typeof file === "object" && file !== null) return undefined
  const words: Record<string, string> = { undefined: "missing", object: "null", function: "a function or a class" }
  return `it is ${words[typeof file] ?? `a ${typeof file}`}: end the file with export default { … }`
}

/** A store's scheme. What follows it may hold a password. */
function storeMeant(written: string): string | undefined {
  const scheme = written.split(":")[0]?.toLowerCase() ?? ""
  const others = new Map([
    ["keydb", "redis"],
    ["dragonfly", "redis"],
    ["deno", "deno-kv"],
    ["file", "sqlite"],
    ["sqlite3", "sqlite"],
  ])
  const meant = others.get(scheme) ?? nearest(scheme, listFiles("stores/"))
  if (meant === "sqlite") return "sqlite:limits.db"
  return meant === undefined ? undefined : meant === "deno-kv" ? "deno-kv:" : `${meant}://…`
}

/** Where a file lies that may be meant by one that is not there. */
function findElsewhere(kind: keyof Files, name: string): string {
  // A bundle for Cloudflare Workers has no address of its own.
  const folders = [() => new URL(`../${kind}`, import.meta.url), () => pathToFileURL(`./providers/${kind}`)]
  const entries = folders.flatMap((folder) => tryOr(() => readdirSync(folder()), []))
  const isOther = (file: string) => ![`${name}.ts`, `${name}.js`].includes(file) && toFileName(file) === name
  const other = entries.find((file) => /\.\w+$/.test(file) && isOther(file))
  if (other) return `; providers/${kind}${other} is there: rename it to ${name}.ts`
  const place = [...settingOf.keys()].find((one) => one !== kind && name !== "console" && listFiles(one).includes(name))
  return place === undefined ? "" : `; providers/${place}${name}.ts is there: name it in ${settingOf.get(place)}`
}

const nobody = { recipient: "", body: "", sender: "" }
/** The first line of a text that a file made, without numbers and what looks like a key. */
function redactLine(text: string): string {
  const [line = ""] = text.slice(0, 1_000).trim().split("\n")
  const isKey = (word: string) => word.length > 15 && /\d/.test(word) && /[A-Za-z]/.test(word)
  const safe = line.replace(/[^\s"'`/.:]+/g, (word) => (isKey(word) ? "•" : word))
  return redact(safe, [], nobody, "prose")
}

/** Why a file was not imported, in one line of at most 200 characters, without numbers and what looks like a key. */
function explainBroken(file: string, name: string, thrown: unknown): string {
  const place = `providers/${file}.ts`
  const lacking = thrown instanceof Error ? missingPackage(thrown) : undefined
  if (lacking) return `${place} needs a package: npm install ${lacking}`
  if (!(thrown instanceof Error)) return `${place} cannot be loaded: ${redactLine(describeNoError(thrown))}`
  const [first] = [Reflect.get(thrown, "errors") ?? thrown].flat()
  // Bun keeps the place apart, the others in the message or the stack.
  const { file: path, line: row, column } = Object(Object(first).position)
  const own = row ? `${String(path).split("/").at(-1)}:${row}:${column}` : placeOf(thrown, name)
  const at = own || placeOf(thrown).replace(/^main\.ts\b.*/, "")
  const [line = ""] = `${Object(first).message}`.split("\n")
  const isInside = new RegExp(`\\n\\s+at .*\\b${RegExp.escape(name)}\\.[jt]s:\\d`).test(thrown.stack ?? "")
  const isSyntax = /^(SyntaxError|AggregateError|BuildMessage|ResolveMessage)$/.test(thrown.name) && !isInside
  const isUnread = isSyntax || String(Reflect.get(thrown, "code")).startsWith("ERR_")
  const words = isUnread ? redact(line, [], nobody, "prose") : redactLine(`it throws ${thrown.name}: ${line}`)
  return `${place} cannot be loaded: ${words}${at && ` (${at})`}`
}

// ───────────────────────────── Doubts: what works and is doubtful all the same ─────────────────────────────

/** What works and is doubtful all the same. */
export function listDoubts({ gateway, providers, callers, pages, warnings }: Prepared): string[] {
  const { settings, world } = gateway
  const { env } = world
  const ofProviders = [...providers.values()].map(({ name, provider: file }) => ({ name, file }))
  const used: Used[] = [
    ...ofProviders,
    ...callers.map(({ name, platform: file }) => ({ name, file })),
    ...pages.map(({ name, page: file }) => ({ name, file })),
  ]
  const sends = ofProviders.some(({ name }) => !/^(console|inbox)$/.test(name))
  const doubts = [...warnings, ...lintEnvFile().doubts, ...listUnlearned(gateway)]
  const isRoute = [...gateway.routes.sms, ...gateway.routes.voice].some(({ value }) => value.length > 1)
  if (process.versions.bun && isRoute && !process.env.BUN_CONFIG_MAX_HTTP_REQUESTS)
    doubts.push("Bun makes 256 calls at a time, which one silent provider can fill: BUN_CONFIG_MAX_HTTP_REQUESTS=65336")
  const codes = settings.ALLOW_DESTINATIONS?.filter((target) => /^(?!8[78]|979)\d{1,3}$/.test(target)) ?? []
  for (const code of settings.DENY_TYPES.length > 0 ? codes : [])
    doubts.push(`ALLOW_DESTINATIONS names +${code} by digits, so that DENY_TYPES does not hold there: name the country`)
  if (sends && !settings.ALLOW_DESTINATIONS)
    doubts.push("without ALLOW_DESTINATIONS anyone can make you pay for messages to any country")
  for (const { name } of ofProviders) {
    const elsewhere = listFiles("").includes(name) ? "" : findElsewhere("", name)
    if (elsewhere) doubts.push(`${name} is found by some runtimes alone${elsewhere}`)
  }
  const untold = [...listUnnamed(env), ...listSenderless(ofProviders, env)]
  doubts.push(...untold.map(({ text }) => text), ...listContradictions(settings, env), ...listUnread(used, env))
  for (const name of Object.keys(env)) {
    const isLike = /^(CODE|STORE|DEADLINE|ATTEMPT|DEFAULT_C|ROUTING)|^LOG_(?!LEVEL)/.test(name)
    const isKnown = name in variables || /^(CODE_(TEXT|SPEECH)|LOG_TOKEN$)/.test(name)
    if (isLike && !isKnown && isTellable(name))
      doubts.push(`${name} is no setting${didYouMean(nearest(name, Object.keys(variables)))}`)
  }
  return [...new Set(doubts)]
}

/** A file that a setting names: of a provider, a platform or a page. */
interface Used {
  name: string
  file: Provider | Platform | Page
}

/** The files that settings name, as far as they are there and can be loaded. */
async function importUsed(env: Environment): Promise<Used[]> {
  const world = { env, fetch, clock: Date.now, print: () => {} }
  const { collect } = createCollector()
  const used = new Map<string, Used>()
  for (const [setting, value = ""] of Object.entries(env)) {
    const kind = folderOf(setting)
    for (const name of kind === undefined ? [] : value.split(",").map((one) => one.replace(/:\d+ *$/, "").trim())) {
      const isThere = kind !== undefined && kind !== "stores/" && kind !== "routing/" && listFiles(kind).includes(name)
      const file = isThere ? await collect(() => importFile(kind, name, world)) : undefined
      if (file) used.set(`${kind}${name}`, { name, file })
    }
  }
  return [...used.values()]
}

/** Secrets of platforms and tokens of pages that no setting names. */
function listUnnamed(env: Environment): Complaint[] {
  const complaints: Complaint[] = []
  for (const [kind, setting, ends] of [
    ["platforms/", "PLATFORMS", ["SECRET", "TOKEN"]],
    ["pages/", "PAGES", ["TOKEN"]],
  ] as const) {
    const named = (env[setting] ?? "").split(",").flatMap((one) => one.trim() || [])
    const found = listFiles(kind).flatMap((name) => {
      const variable = ends.map((end) => `${variablePrefix(name)}_${end}`).find((variable) => env[variable])
      return variable && !named.includes(name) ? [{ name, variable }] : []
    })
    // A word that is no name may be a secret in the wrong place.
    const known = named.filter((name) => listFiles(kind).includes(name))
    const suggestion = [...known, ...found.map(({ name }) => name)].join()
    for (const { name, variable } of found)
      complaints.push({ text: `${variable} is set, and ${setting} does not name ${name}`, setting, suggestion })
  }
  return complaints
}

/** Providers that need a sender and have none. */
function listSenderless(used: Used[], env: Environment): Complaint[] {
  return used.flatMap(({ name, file }) => {
    const own = new RegExp(`^(SMS|${variablePrefix(name)})_SENDER(_|$)`)
    const hasSender = Object.keys(env).some((variable) => own.test(variable))
    const lacking = hasSender || !("request" in file) ? [] : senderVariables(name, file, env)
    const [setting = ""] = lacking
    const text = `${name} takes no message without a sender: set ${lacking.join(" or ")} if the messages bring none`
    return setting ? [{ text, setting }] : []
  })
}

/** Settings that contradict each other without any harm. What protects is refused at the start. */
function listContradictions(settings: Settings, env: Environment): string[] {
  const doubts: string[] = []
  if (env.ATTEMPT_TIMEOUT && settings.ATTEMPT_TIMEOUT > settings.DEADLINE)
    doubts.push("ATTEMPT_TIMEOUT is longer than DEADLINE, which ends every call")
  const { ALLOW_DESTINATIONS, DENY_DESTINATIONS, DENY_TYPES } = settings
  if (env.DENY_TYPES && DENY_TYPES.length > 0 && !DENY_TYPES.includes("premium"))
    doubts.push("DENY_TYPES stands in place of its default, so that premium numbers are let through: name premium, too")
  const both = DENY_DESTINATIONS?.find((target) => ALLOW_DESTINATIONS?.includes(target))
  // Digits may be a whole number.
  const shown = both && /^\d/.test(both) ? "the same digits" : both
  if (both) doubts.push(`ALLOW_DESTINATIONS and DENY_DESTINATIONS name ${shown}, which is denied: leave out one`)
  const { protocol, hostname = "" } = URL.parse(settings.GATEWAY_URL ?? "") ?? {}
  if (protocol === "http:" && !/^(localhost|127\..*|\[::1\])$/.test(hostname))
    doubts.push("GATEWAY_URL is http: tokens and codes cross the network as they are, write https")
  const isBehindProxy = protocol === "https:" && settings.GATEWAY_TRUST_PROXY === 0
  if (isBehindProxy && settings.GATEWAY_ALLOW_IPS)
    doubts.push("GATEWAY_ALLOW_IPS holds the proxy's address, where one stands in front: see GATEWAY_TRUST_PROXY")
  if (env.HTTP_METHOD?.toUpperCase() === "GET" && env.HTTP_BODY)
    doubts.push("HTTP_BODY is not sent, since HTTP_METHOD is GET")
  const isBroken = (name: string) => /\n/.test(env[name] ?? "") && !/-----BEGIN/.test(env[name] ?? "")
  const isSecret = (name: string) => /_(KEY|SECRET|TOKEN|PASSWORD|SID|ID|LOGIN|USER|USERNAME)$/.test(name)
  for (const name of Object.keys(env).filter(isSecret).filter(isSetting).filter(isBroken))
    doubts.push(`${name} holds a line break: write it in one line`)
  return doubts
}

/** What other programs call a sender, behind the prefix of a provider. */
const senderWords =
  /^(?:FROM|SOURCE|NUMBER|ORIGINATOR|PHONE|PHONE_NUMBER|SENDERID|FROM_(?:NAME|NUMBER|PHONE|PHONE_NUMBER)|SENDER_(?:ID|NAME|NUMBER))$/

/** Variables with the prefix of a file in use that nothing reads, or not as it seems. */
function listUnread(used: Used[], env: Environment): string[] {
  const starts = [...new Set(used.map(({ name }) => `${variablePrefix(name)}_`))]
  const common = ["URL", "SENDER", "TOKEN", "SECRET", "REPORT_KEY", "FEEDBACK"]
  const own = [
    ...used.flatMap(({ file }) => Object.keys(file.env)),
    ...starts.flatMap((start) => common.map((end) => start + end)),
  ]
  const doubts: string[] = []
  for (const name of Object.keys(env)) {
    const start = ["SMS_", ...starts].filter((start) => name.startsWith(start)).sort((a, b) => b.length - a.length)[0]
    const isRead = own.includes(name.replace(/_FILE$/, "")) || name.replace(/_FILE$/, "") in variables
    if (start === undefined || isRead) continue
    const sender = senderWords.test(name.slice(start.length)) ? `${start}SENDER` : undefined
    const isOfCountry = name.endsWith("_SENDER_ID")
    if (isOfCountry && sender && !env[sender])
      doubts.push(`${name} is the sender for Indonesia (ID) alone${didYouMean(sender)}`)
    if (start === "SMS_" ? !sender || isOfCountry : /_(SENDER_\w+|PROXY)$/.test(name)) continue
    // What stands behind a known prefix may be a secret all the same.
    const near = sender ?? nearest(name, own)
    const shown = near || isTellable(name) ? name : "a variable with the prefix of a provider in use"
    doubts.push(`${shown} is read by nothing${didYouMean(near)}`)
  }
  return doubts
}

/** Routes by which nothing is learned, and what is forgotten. */
function listUnlearned({ settings: { ROUTING, STORE }, routes }: Prepared["gateway"]): string[] {
  if (ROUTING === "ordered") return []
  const doubts = Object.entries(routes).flatMap(([channel, all]) =>
    all.flatMap(({ target, value }) => {
      const setting = `${channel.toUpperCase()}_PROVIDER${target && `_${target}`}`
      return value.length === 1
        ? `ROUTING=${ROUTING} learns nothing of ${setting}: a route of one has no other order`
        : []
    }),
  )
  if (!STORE) doubts.push(`ROUTING=${ROUTING} begins anew at each start: STORE=sqlite:limits.db keeps what it learned`)
  return doubts
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

// ───────────────────────────── .env: lines that are read otherwise than they look ─────────────────────────────

/** How a line of `.env` is told. Its name may be all of a secret, whose base64 ends in "=": only what can be a setting is told. */
const isTellable = (name: string) => /^[A-Z]{1,12}\d{0,3}(_[A-Z]{0,12}\d{0,3}){0,6}$/.test(name)

/** What is lost of a value that can be read, as the end of a sentence; undefined where nothing is. */
function describeLoss({ blank, behind = "", bare = "" }: Record<string, string | undefined>): string | undefined {
  if (/^["'`]/.test(bare)) return "begins with a quote that does not end: write it at both ends"
  if (/^\s*[^\s#]/.test(behind)) return "has more behind the quote that ends it, which nothing reads"
  if (/^[“”„‘’«]/.test(bare)) return "stands in typographic quotes, which belong to it then: write \" or '"
  const isCut = /[^\s#]#/.test(bare.replace(/\s#.*/, "")) || (blank === "" && /^#./.test(bare))
  return isCut ? "is cut at its #: put it in quotes" : undefined
}

/** What `.env` sets, and what is doubtful about its lines. Empty where it cannot be read. */
function lintEnvFile(): { values: Environment; doubts: string[] } {
  const text = tryOr(() => decodeEnvFile(readFileSync(".env")), "")
  const doubts: string[] = []
  const lines = new Map<string, number>()
  const values: Record<string, string> = {}
  for (const { index, groups = {} } of text.matchAll(assignment)) {
    const { name = "" } = groups
    const line = text.slice(0, index).split("\n").length
    const place = isTellable(name) ? `${name} in line ${line} of .env` : `the value in line ${line} of .env`
    const loss = describeLoss(groups)
    if (loss) doubts.push(`${place} ${loss}`)
    const before = lines.get(name)
    if (before) doubts.push(`${place} stands in line ${before}, too: the last one is read`)
    if (!isSetting(name))
      doubts.push(isTellable(name) ? `${name} in .env is read by nothing` : `line ${line} of .env is read by nothing`)
    lines.set(name, line)
    values[name] = groups.double ?? groups.single ?? groups.back ?? groups.bare ?? ""
  }
  return { values: cleanEnvironment(values), doubts }
}

/** Whether a name is a setting, or begins as those of a file do. */
function isSetting(written: string): boolean {
  const name = written.replace(/_FILE$/, "")
  if (name in variables || /^(NODE_ENV|TZ|NO_COLOR)$/.test(name)) return true
  const files = (["", "platforms/", "pages/"] as const).flatMap((kind) => listFiles(kind).map(variablePrefix))
  const starts = [...Object.keys(families), ...textFamilies, ...files]
  return starts.some((start) => name === start || name.startsWith(`${start}_`)) || hasOwnVariable(name)
}
/** Some files have variables that do not begin with their name, as AWS_REGION: any word of theirs may be one. */
const hasOwnVariable = (name: string) =>
  /^(AWS|AT|AZURE|GOOGLE)_/.test(name) && v.is(fileName(), name.toLowerCase().replaceAll("_", "-"))
