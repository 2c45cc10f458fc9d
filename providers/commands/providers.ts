import * as v from "valibot"
import {
  type Command,
  clean,
  describe,
  fileName,
  importFile,
  type Provider,
  variablePrefix,
  type World,
} from "../../main.ts"
import { didYouMean, senderVariables } from "../parts/check.ts"
import { fileNames } from "../parts/files.ts"
import { fileMeant } from "../parts/meant.ts"

/** Name, region, how the contract is known and the vendor's page, then the variables. */
function show(name: string, provider: Provider, { env, print }: World) {
  const { region, evidence, docs, url, countries, channel } = provider
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
  const [sender, ...others] = senderVariables(name, provider, env)
  const instead = ["SMS_SENDER", ...others].join(" or ")
  if (sender) tell(sender, Boolean(env.SMS_SENDER), `the sender, which it needs (or ${instead})`)
}

/** The names of what is listed: all, or the one that was asked for. */
export function asked(kind: "" | "platforms/", names: string[]): string[] {
  const known = fileNames(kind)
  if (known.length < 2) throw new Error("Deno has no permission to read providers/: --allow-read=<its path>")
  for (const name of names) {
    if (known.includes(name)) continue
    const what = v.is(fileName, name) ? `there is no providers/${kind}${name}.ts` : `${name} is no file's name`
    throw new Error(what + didYouMean(fileMeant(kind, name)))
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
