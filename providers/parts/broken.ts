/**
 * Why a file of providers/ was not imported, in one sentence with its cure. Loaded where one was not.
 * @module
 */
import { stripVTControlCharacters } from "node:util"
import { type Kinds, redact } from "../../main.ts"
import { lackingPackage, placeOf, thrownInstead } from "./check.ts"
import { fileNames, misnamed } from "./files.ts"

const settingOf: Record<keyof Kinds, string> = {
  "": "SMS_PROVIDER",
  "platforms/": "PLATFORMS",
  "pages/": "PAGES",
  "stores/": "STORE",
}

/** Where a file lies that may be meant by one that is not there. */
function elsewhere(kind: keyof Kinds, name: string): string {
  const other = misnamed(kind, name)
  if (other) return `; providers/${kind}${other} is there: rename it to ${name}.ts`
  const kinds = Object.keys(settingOf) as (keyof Kinds)[]
  const place = kinds.find((one) => one !== kind && name !== "console" && fileNames(one).includes(name))
  return place === undefined ? "" : `; providers/${place}${name}.ts is there: name it in ${settingOf[place]}`
}

const nobody = { recipient: "", body: "", sender: "" }
/** A text that a file made is told as one line of at most 200 characters, without numbers and what looks like a key. */
function safe(text: string): string {
  const [line = ""] = text.slice(0, 1_000).trim().split("\n")
  const isKey = /(?=[^\s"'`]*\d)(?=[^\s"'`]*[A-Za-z])[^\s"'`/.:]{16,}/g
  return redact(line.replace(isKey, "•"), [], nobody, true)
}

/** What a file threw. */
function told(thrown: unknown, name: string): string {
  if (!(thrown instanceof Error)) return safe(thrownInstead(thrown))
  const own = RegExp.escape(name)
  const place = placeOf(thrown, new RegExp(own)) || placeOf(thrown).replace(/^main\.ts\b.*/, "")
  const behind = place && ` (${place})`
  const isInside = new RegExp(`\\n\\s+at .*\\b${own}\\.[jt]s:\\d`).test(thrown.stack ?? "")
  const isUnread = /^(SyntaxError|AggregateError|BuildMessage|ResolveMessage)$/.test(thrown.name) && !isInside
  // What the runtime says of a file that it cannot read holds names and signs of that alone.
  if (!isUnread && !/^ERR_/.test(Reflect.get(thrown, "code")))
    return `it throws ${safe(`${thrown.name}: ${thrown.message}`)}${behind}`
  const [first] = [Reflect.get(thrown, "errors") ?? thrown].flat()
  const [line = ""] = stripVTControlCharacters(`${Object(first).message}`).split("\n")
  return line.replace(/ at (file:|\/)\S+:\d+:\d+$/, "") + behind
}

export function whyNot(kind: keyof Kinds, name: string, thrown: unknown): string {
  const place = `providers/${kind}${name}.ts`
  if (!fileNames(kind).includes(name))
    return `there is no ${place}, or no permission to read it${elsewhere(kind, name)}`
  const lacking = thrown instanceof Error ? lackingPackage(thrown) : undefined
  if (lacking) return `${place} needs a package: npm install ${lacking}`
  return `${place} cannot be loaded: ${told(thrown, name)}`
}
