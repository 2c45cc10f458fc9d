/**
 * What lies in the folders of files.
 * @module
 */
import { readdirSync } from "node:fs"
import { pathToFileURL } from "node:url"
import * as v from "valibot"
import { attempt, fileName, type Kinds } from "../../main.ts"

/** What a folder of files holds, beside main.ts and in the working directory. */
function entries(kind: keyof Kinds): string[] {
  const here = pathToFileURL("./providers/")
  const bases = Reflect.get(globalThis, "smstaskFiles") ? [here] : [new URL("../", import.meta.url), here]
  return bases.flatMap((base) => attempt(() => readdirSync(new URL(kind, base)), []))
}

/** The names of all files of a folder; a bundle brings a list of what lies in it. */
export function fileNames(kind: keyof Kinds): string[] {
  const inBundle: string[] = Reflect.get(globalThis, "smstaskFiles") ?? []
  const within = inBundle.flatMap((path) => (path.startsWith(kind) ? path.slice(kind.length) : []))
  const names = [...entries(kind), ...within].flatMap((file) => /^([^/]+)\.[jt]s$/.exec(file)?.[1] ?? [])
  return [...new Set(kind ? names : ["console", ...names])]
    .filter((name) => v.is(fileName, name) && name !== "contract" && name !== "lib")
    .sort()
}

/** A file's name out of what people write for it: a path, an ending, capitals, blanks. */
export const asFileName = (written: string) =>
  written
    .trim()
    .toLowerCase()
    .replace(/^.*[\\/]/, "")
    .replace(/\.[cm]?[jt]sx?(\.txt)?$/, "")
    .replace(/[\s_.]+/g, "-")

/** A file that lies there for `name` in another writing, or with another ending. */
export const misnamed = (kind: keyof Kinds, name: string): string | undefined =>
  entries(kind).find(
    (file) => /\.\w+$/.test(file) && ![`${name}.ts`, `${name}.js`].includes(file) && asFileName(file) === name,
  )
