/**
 * What lies in the folders of files.
 * @module
 */
import { readdirSync } from "node:fs"
import { pathToFileURL } from "node:url"
import * as v from "valibot"
import { attempt, fileName, type Kinds } from "../../main.ts"

/** The names of all files of a folder; a bundle brings a list of what lies in it. */
export function fileNames(kind: keyof Kinds): string[] {
  const inBundle: string[] | undefined = Reflect.get(globalThis, "smstaskFiles")
  const here = pathToFileURL("./providers/")
  const bases = inBundle ? [here] : [new URL("../", import.meta.url), here]
  const beside = bases.flatMap((base) => attempt(() => readdirSync(new URL(kind, base)), []))
  const within = (inBundle ?? []).flatMap((path) => (path.startsWith(kind) ? path.slice(kind.length) : []))
  const names = [...beside, ...within].flatMap((file) => /^([^/]+)\.[jt]s$/.exec(file)?.[1] ?? [])
  return [...new Set(kind ? names : ["console", ...names])]
    .filter((name) => v.is(fileName, name) && name !== "contract")
    .sort()
}
