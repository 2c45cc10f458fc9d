/**
 * `.env`, read alike on every runtime.
 * @module
 */
import { readFileSync } from "node:fs"
import { parseEnv } from "node:util"
import { type Complaint, type Environment, StartError } from "../../main.ts"

/** The names that `.env` set, each with its line. */
export const linesInFile = new Map<string, number>()
/** What is doubtful about `.env`. */
export const doubtsOfFile: string[] = []

/** The file's bytes; undefined where there is none. */
function readBytes(): Uint8Array | undefined {
  try {
    return readFileSync(".env")
  } catch (error) {
    const { code, name } = Object(error)
    if (code && code !== "ENOENT" && name !== "NotCapable")
      throw new StartError([[`.env is there and cannot be read: ${code}`]])
    if (name === "NotCapable")
      doubtsOfFile.push(".env is not read, since Deno has no permission: --allow-read=.env,providers")
    return undefined
  }
}

const start = /^[ \t]*(?:export[ \t]+)?(?<name>[\w.-]+)[ \t]*=/
const quoted = "(?<quote>[\"'`])(?<inside>[\\s\\S]*?)\\k<quote>(?<behind>[^\\n]*)"
/** `NAME=value`: in quotes, over several lines and with what stands behind, or to the end of the line. */
const assignment = new RegExp(`${start.source}(?<blank>[ \\t]*)(?:${quoted}|(?<bare>[^\\n]*))$`, "gm")
type Written = Record<"name" | "blank" | "quote" | "inside" | "behind" | "bare", string | undefined>

/** The first line outside of every value that is neither empty nor a comment. */
function strayLine(text: string): number {
  const outside = text.replace(assignment, (found) => found.replace(/[^\n]/g, ""))
  return outside.split("\n").findIndex((line) => /^\s*[^\s#]/.test(line)) + 1
}

const hasMore = (behind: string) => /^\s*[^\s#]/.test(behind)

/** What is wrong with the quotes of a value, as the end of a sentence; undefined where nothing is. */
function wrongQuotes({ quote, inside = "", behind = "", bare = "" }: Written): string | undefined {
  if (/^["'`]/.test(bare)) return "begins with a quote that does not end: write it at both ends"
  // The quote that ends it begins another value, or stands inside of one.
  const [, ...lines] = inside.split("\n")
  if (lines.some((line) => start.test(line)) && (/=[ \t]*$/.test(inside) || hasMore(behind)))
    return "begins with a quote that ends in another line: write it at both ends of the value"
  if (quote === '"' && inside.endsWith("\\"))
    return 'holds \\", which runtimes read differently: put single quotes around it'
  return undefined
}

/** What is lost of a value that can be read, as the end of a sentence; undefined where nothing is. */
function lost({ blank, behind = "", bare = "" }: Written): string | undefined {
  if (hasMore(behind)) return "has more behind the quote that ends it, which nothing reads"
  if (/^[“”„‘’«]/.test(bare)) return "stands in typographic quotes, which belong to it then: write \" or '"
  const isCut = /[^\s#]#/.test(bare.replace(/\s#.*/, "")) || (blank === "" && /^#./.test(bare))
  return isCut ? "is cut at its #: put it in quotes" : undefined
}

/** How a line of `.env` is told. Its name may be all of a secret, whose base64 ends in "=": only what can be a setting is told. */
export const isTellable = (name: string) => /^[A-Z]{1,12}\d{0,3}(_[A-Z]{0,12}\d{0,3}){0,6}$/.test(name)

/** Tells values that are read otherwise than they look: complains of the wrong ones, and keeps the doubtful ones. */
function judge(text: string): Complaint[] {
  const complaints: Complaint[] = []
  const lines = new Map<string | undefined, number>()
  for (const { index, groups } of text.matchAll(assignment)) {
    const written = groups as Written
    const line = text.slice(0, index).split("\n").length
    const { name = "" } = written
    const place = isTellable(name) ? `${name} in line ${line} of .env` : `the value in line ${line} of .env`
    const [wrong, doubt, before] = [wrongQuotes(written), lost(written), lines.get(written.name)]
    if (wrong) complaints.push([`${place} ${wrong}`])
    else if (doubt) doubtsOfFile.push(`${place} ${doubt}`)
    if (before) doubtsOfFile.push(`${place} stands in line ${before}, too: the last one is read`)
    lines.set(written.name, line)
    linesInFile.set(name, line)
  }
  return complaints
}

/** `.env` of the working directory, in UTF-8 or UTF-16. Bun reads it too, but replaces every `$` in it by its own rules. */
export function readEnvFile(): Environment {
  const bytes = readBytes()
  if (!bytes) return {}
  // With no byte order mark, UTF-16 shows by the zero beside the first letter.
  const isLittle = bytes[0] === 0xff || bytes[1] === 0
  const coding = isLittle ? "utf-16le" : bytes[0] === 0xfe || bytes[0] === 0 ? "utf-16be" : "utf-8"
  const text = new TextDecoder(coding).decode(bytes).replace(/\r\n?/g, "\n")
  const values = parseEnv(text)
  const stray = strayLine(text)
  if (stray > 0) doubtsOfFile.push(`line ${stray} of .env is no NAME=value, and nothing reads it`)
  const isChanged = (name: string) =>
    process.versions.bun && values[name]?.includes("$") && ![undefined, values[name]].includes(process.env[name])
  const changed = Object.keys(values).find(isChanged)
  const told = `${changed} in .env holds a $, which Bun replaces by rules of its own: start with bun --no-env-file main.ts`
  const complaints = judge(text)
  if (changed) complaints.push([told])
  if (complaints.length > 0) throw new StartError(complaints)
  return values
}
