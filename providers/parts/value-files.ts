/**
 * Values that files hold (Docker's and Kubernetes' secrets): `<NAME>_FILE` names the file of `<NAME>`, wherever that is a variable
 * that is read.
 * @module
 */
import { readFileSync, statSync } from "node:fs"
import * as v from "valibot"
import {
  cleanEnvironment,
  createCollector,
  type Environment,
  type Files,
  families,
  fileName,
  importFile,
  StartError,
  textFamilies,
  tryOr,
  variablePrefix,
  variables,
  type World,
} from "../../main.ts"

/** The environment with these values. A variable whose own name ends in `_FILE` keeps its meaning. Throws a StartError. */
export async function readValueFiles(world: World): Promise<Environment> {
  const { complaints, collect } = createCollector()
  const env = { ...world.env }
  const readKnown = async (names: string[], starts: string[]) => {
    const isVariable = (name: string) => names.includes(name) || starts.some((start) => name.startsWith(start))
    for (const [key, path] of Object.entries(env)) {
      const [, name] = /^(.+)_FILE$/.exec(key) ?? []
      if (!name || !path || names.includes(key) || !isVariable(name)) continue
      if (env[name] === undefined) env[name] = await collect(() => readValueFile(name, path))
      else complaints.push({ text: `${name} and ${key} are both set: leave one of them out` })
      delete env[key]
    }
  }
  const own = [...Object.keys(families), ...textFamilies]
  const starts = own.map((name) => `${name}_`)
  await readKnown([...Object.keys(variables), ...own], starts)
  // Files of providers are imported here only where a name is left that may be theirs.
  if (Object.keys(env).some((key) => key.endsWith("_FILE"))) {
    const used = await listUsedVariables({ ...world, env })
    await readKnown(used.names, used.starts)
  }
  if (complaints.length > 0) throw new StartError(complaints)
  return env
}

/** The variables of the providers, platforms and pages that settings name. What cannot be imported is told by the start. */
async function listUsedVariables(world: World): Promise<{ names: string[]; starts: string[] }> {
  const { collect } = createCollector()
  const names: string[] = []
  const starts: string[] = []
  for (const [setting, value = ""] of Object.entries(world.env)) {
    const [kind] = folders.find(([, pattern]) => pattern.test(setting)) ?? []
    if (kind === undefined) continue
    const files = value.split(",").map((one) => one.trim().replace(/:\d+$/, ""))
    for (const name of files.filter((one) => v.is(fileName(), one))) {
      const file = await collect(() => importFile(kind, name, world))
      const prefix = variablePrefix(name)
      const common = ["URL", "SENDER", "REPORT_KEY", "SECRET", "TOKEN"].map((end) => `${prefix}_${end}`)
      names.push(...Object.keys(file?.env ?? {}), ...common)
      starts.push(`${prefix}_SENDER_`)
    }
  }
  return { names, starts }
}
const folders: [Exclude<keyof Files, "stores/" | "routing/">, RegExp][] = [
  ["", /^(SMS|VOICE)_PROVIDER(_|$)/],
  ["platforms/", /^PLATFORMS$/],
  ["pages/", /^PAGES$/],
]

/** The value that a file holds, cleaned like every other value. No error tells its path, which may be a secret in the wrong place. */
function readValueFile(name: string, path: string): string {
  const refuse = (fault: string): never => {
    throw new StartError([{ text: `${name}_FILE is wrong: ${fault}` }])
  }
  const bytes = readSmallFile(path, refuse)
  const decoder = new TextDecoder("utf-8", { fatal: true })
  const text = tryOr(() => decoder.decode(bytes), undefined) ?? refuse("its file holds no UTF-8 text")
  return cleanEnvironment({ text }).text ?? refuse("its file is empty")
}

function readSmallFile(path: string, refuse: (fault: string) => never): Uint8Array {
  try {
    const stats = statSync(path)
    if (stats.isFile() && stats.size <= 65_536) return readFileSync(path)
  } catch (error) {
    const { name, code } = Object(error)
    if (name === "NotCapable") return refuse("Deno has no permission to read its file: add it to --allow-read")
    return refuse(code === "ENOENT" ? "there is no such file" : `its file cannot be read: ${code}`)
  }
  return refuse("it must name a file, of at most 64 KiB")
}
