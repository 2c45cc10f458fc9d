import * as v from "valibot"
import { type Command, clean, describe, importFile, type Provider, variablePrefix, type World } from "../../main.ts"
import { nearest } from "../parts/check.ts"
import { fileNames } from "../parts/files.ts"

/** Name, region, how the contract is known and the vendor's page, then the variables. */
function show(name: string, provider: Provider, { env, print }: World) {
  const { region, evidence, docs, url, countries, channel, needsSender } = provider
  print([name, channel, region, evidence && `(${evidence})`, docs].filter(Boolean).join("  "))
  if (countries) print(`  serves    ${countries.join(", ")}`)
  const tell = (variable: string, isOptional: boolean, what: string | undefined) => {
    const state = env[variable] ? "set" : isOptional ? "optional" : "missing"
    print(`  ${state.padEnd(8)}  ${variable}: ${what}`)
  }
  const NAME = variablePrefix(name)
  if (url === undefined && !provider.env[`${NAME}_URL`]) tell(`${NAME}_URL`, false, "base URL of your account")
  for (const [variable, schema] of Object.entries(provider.env))
    tell(variable, v.is(schema, undefined), describe(schema))
  if (needsSender) tell(`${NAME}_SENDER`, Boolean(env.SMS_SENDER), "the sender, which it needs (or SMS_SENDER)")
}

/** The names of what is listed: all, or the one that was asked for. */
export function asked(kind: "" | "platforms/", names: string[]): string[] {
  const known = fileNames(kind)
  if (known.length < 2) throw new Error("Deno has no permission to read providers/: --allow-read=<its path>")
  for (const name of names) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    throw new Error(`there is no providers/${kind}${name}.ts${near ? `; did you mean ${near}?` : ""}`)
  }
  return names.length > 0 ? names : known
}

/** Lists the providers, each with its variables and which are set. */
export default {
  async run(names, given) {
    const world = { ...given, env: clean(given.env) }
    for (const name of asked("", names)) {
      const provider = await importFile("", name, world)
      if (typeof provider !== "string") show(name, provider, world)
      else world.print(`${name}  ${provider}`)
      if (typeof provider === "string") process.exitCode = 1
    }
  },
} satisfies Command
