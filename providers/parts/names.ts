/**
 * The names of the files that a setting may name, for commands and for words. Where this file is not there, a 404 says less.
 * @module
 */
import { readdirSync } from "node:fs"
import { pathToFileURL } from "node:url"
import * as v from "valibot"
import { type Files, fileName, tryOr } from "../../main.ts"

let platforms: string[] | undefined
/** Platforms whose admin writes the body of the call: each is a part of configured.md, and calls `POST /`. */
export const configured = [
  ...["kratos", "keycloak", "wso2-is", "pingone", "privacyidea", "linotp", "frappe", "midpoint", "salesforce"],
  ...["authentik-mapping", "apereo-cas", "better-auth", "supertokens", "cognito"],
]

/** What is said of the path of a platform that is not served; undefined where the path is none. */
export function describeUnserved(path: string): string | undefined {
  platforms ??= listFiles("platforms/")
  const [, name = "", hook] = /^\/([^/]+)(\/verified)?\/?$/.exec(path) ?? []
  if (!platforms.includes(name)) return undefined
  return hook ? `${path} is not served: see main.ts platforms ${name}` : `PLATFORMS does not name ${name}`
}

/** The names of all files of a folder, here and in the working directory. A bundle brings a list of what lies in it. */
export function listFiles(kind: keyof Files): string[] {
  const here = pathToFileURL(`./providers/${kind}`)
  const bundled: string[] | undefined = Reflect.get(globalThis, "smstaskFiles")
  const beside = bundled
    ? bundled.flatMap((path) => (path.startsWith(kind) ? path.slice(kind.length) : []))
    : tryOr(() => readdirSync(new URL(`../${kind}`, import.meta.url)), [])
  const files = [...beside, ...tryOr(() => readdirSync(here), [])]
  const names = files.flatMap((file) => /^([^/]+)\.[jt]s$/.exec(file)?.[1] ?? [])
  const isName = (name: string) => v.is(fileName(), name) && !(kind === "" && /^(contract|lib)$/.test(name))
  return [...new Set(kind === "" ? ["console", ...names] : names)].filter(isName).sort()
}
