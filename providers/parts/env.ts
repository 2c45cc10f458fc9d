/**
 * `.env`, read alike on every runtime.
 * @module
 */
import { readFileSync } from "node:fs"
import { parseEnv } from "node:util"
import { type Environment, StartError } from "../../main.ts"

/** The names that `.env` set. */
export const namesInFile: string[] = []
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

/** The first line outside of every value that is neither empty nor a comment. */
function strayLine(text: string): number {
  const blank = (found: string) => found.replace(/[^\n]/g, "")
  const assignment = /^[ \t]*(?:export[ \t]+)?[\w.-]+[ \t]*=[ \t]*(?:"[^"]*"|'[^']*'|`[^`]*`)?.*$/gm
  return (
    text
      .replace(assignment, blank)
      .split("\n")
      .findIndex((line) => /^\s*[^\s#]/.test(line)) + 1
  )
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
  if (changed) throw new StartError([[told]])
  namesInFile.push(...Object.keys(values))
  return values
}
