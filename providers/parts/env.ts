/**
 * `.env`, read alike on every runtime.
 * @module
 */
import { readFileSync } from "node:fs"
import { parseEnv } from "node:util"
import { attempt, type Environment, StartError } from "../../main.ts"

/** The names that `.env` set. */
export const namesInFile: string[] = []

/** `.env` of the working directory, in UTF-8 or UTF-16. Bun reads it too, but replaces every `$` in it by its own rules. */
export function readEnvFile(): Environment {
  const bytes = attempt(() => readFileSync(".env"), undefined)
  if (!bytes) return {}
  const coding = bytes[0] === 0xff ? "utf-16le" : bytes[0] === 0xfe ? "utf-16be" : "utf-8"
  const values = parseEnv(new TextDecoder(coding).decode(bytes))
  const isChanged = (name: string) =>
    process.versions.bun && values[name]?.includes("$") && ![undefined, values[name]].includes(process.env[name])
  const changed = Object.keys(values).find(isChanged)
  const text = `${changed} in .env holds a $, which Bun replaces by rules of its own: start with bun --no-env-file main.ts`
  if (changed) throw new StartError([[text]])
  namesInFile.push(...Object.keys(values))
  return values
}
