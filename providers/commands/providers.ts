import * as v from "valibot"
import {
  type Command,
  cleanEnvironment,
  describe,
  type Files,
  fileName,
  importFile,
  listFiles,
  type Provider,
  StartError,
  variablePrefix,
  type World,
} from "../../main.ts"
import { didYouMean, fileMeant, senderVariables } from "./advice.ts"

/** Name, region, how the contract is known and the vendor's page, then the variables. */
function show(name: string, provider: Provider, { env, print }: World) {
  const { region, evidence, docs, url, countries, channel } = provider
  print([name, channel, region, evidence && `(${evidence})`, docs].filter(Boolean).join("  "))
  if (countries) print(`  serves    ${countries.join(", ")}`)
  const tell = (variable: string, isOptional: boolean, what: string | undefined) => {
    const state = (env[variable] ?? env[`${variable}_FILE`]) ? "set" : isOptional ? "optional" : "missing"
    print(`  ${state.padEnd(8)}  ${variable}: ${what}`)
  }
  const NAME = variablePrefix(name)
  if (url === undefined && !provider.env[`${NAME}_URL`]) tell(`${NAME}_URL`, false, "base URL of your account")
  for (const [variable, schema] of Object.entries(provider.env))
    tell(variable, v.is(schema, undefined), describe(schema))
  if (provider.verified) tell(`${NAME}_FEEDBACK`, true, "on, where the vendor is to be told whose codes were entered")
  const [sender, ...others] = senderVariables(name, provider, env)
  const instead = ["SMS_SENDER", ...others].join(" or ")
  if (sender) tell(sender, Boolean(env.SMS_SENDER), `the sender, which it needs (or ${instead})`)
}

/** The names of what is listed: all, or those that are given. */
export function chooseNames(kind: "" | "platforms/", names: string[]): string[] {
  const known = listFiles(kind)
  if (known.length < 2) throw new Error("Deno has no permission to read providers/: --allow-read=<its path>")
  for (const name of names) {
    if (known.includes(name)) continue
    const what = v.is(fileName(), name) ? `there is no providers/${kind}${name}.ts` : `${name} is no file's name`
    throw new Error(what + didYouMean(fileMeant(kind, name)))
  }
  return names.length > 0 ? names : known
}

/** Imports a file; where it cannot be, tells why, and the command fails. */
export async function loadOrTell<K extends keyof Files>(
  kind: K,
  name: string,
  world: World,
): Promise<Files[K] | undefined> {
  try {
    return await importFile(kind, name, world)
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    world.print(`${name}  ${error.complaints.map(({ text }) => text).join("; ")}`)
    process.exitCode = 1
    return undefined
  }
}

/** Lists the providers, each with its variables and which are set. */
export default {
  async run(names, given) {
    const world = { ...given, env: cleanEnvironment(given.env) }
    for (const name of chooseNames("", names)) {
      const provider = await loadOrTell("", name, world)
      if (provider) show(name, provider, world)
    }
  },
} satisfies Command
