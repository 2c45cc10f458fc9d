import * as v from "valibot"
import {
  type Command,
  describe,
  type Environment,
  type Files,
  fileName,
  importFile,
  type Provider,
  StartError,
  variablePrefix,
  type World,
} from "../../main.ts"
import { configured, listFiles } from "../parts/names.ts"
import { didYouMean, fileMeant, nearest, senderVariables } from "./advice.ts"

/** A variable of a provider, with what it needs to be told. */
interface Row {
  name: string
  isOptional: boolean
  what: string
}

/** The variables of a provider in their order: its own, and the sender where it needs one. */
function listRows(name: string, provider: Provider, env: Environment): Row[] {
  const NAME = variablePrefix(name)
  const rows = Object.entries(provider.env).map(([variable, schema]) => {
    return { name: variable, isOptional: v.is(schema, undefined), what: describe(schema) ?? "" }
  })
  if (provider.url === undefined && !provider.env[`${NAME}_URL`])
    rows.unshift({ name: `${NAME}_URL`, isOptional: false, what: "base URL of your account" })
  const feedback = "on, where the vendor is to be told whose codes were entered"
  if (provider.verified) rows.push({ name: `${NAME}_FEEDBACK`, isOptional: true, what: feedback })
  const [sender, ...others] = senderVariables(name, provider, env)
  const instead = ["SMS_SENDER", ...others].join(" or ")
  if (sender) {
    const isOptional = Boolean(env.SMS_SENDER)
    rows.push({ name: sender, isOptional, what: `the sender, which it needs (or ${instead})` })
  }
  return rows
}

/** Name, channel, region, how the contract is known and the vendor's page, then the variables. */
function show(name: string, provider: Provider, { env, print }: World) {
  const { region, evidence, docs, countries, channel } = provider
  print([name, channel, region, evidence && `(${evidence})`, docs].filter(Boolean).join("  "))
  if (countries) print(`  serves    ${countries.join(", ")}`)
  for (const { name: variable, isOptional, what } of listRows(name, provider, env)) {
    const state = (env[variable] ?? env[`${variable}_FILE`]) ? "set" : isOptional ? "optional" : "missing"
    print(`  ${state.padEnd(8)}  ${variable}: ${what}`)
  }
  const oneOf = describeAlternatives(provider)
  if (oneOf) print(`  ${oneOf}`)
}

/** Which of its optional variables it needs all the same; undefined where it needs none. */
function describeAlternatives({ alternatives }: Provider): string | undefined {
  const oneOf = alternatives?.map((names) => names.join(" and ")).join(", or ")
  return oneOf && `${oneOf} must be set.`
}

/** Lines for `.env`. What is optional stands in comments, and no value of the environment is printed. */
function showLines(name: string, provider: Provider, { env, print }: World) {
  print(`# ${name}: ${provider.docs}`)
  print(`${provider.channel === "voice" ? "VOICE" : "SMS"}_PROVIDER=${name}`)
  const oneOf = describeAlternatives(provider)
  if (oneOf) print(`# ${oneOf}`)
  for (const { name: variable, isOptional, what } of listRows(name, provider, env)) {
    print(`# ${what}`)
    print(`${isOptional ? "# " : ""}${variable}=<value>`)
  }
}

/** One line: name, region, and how many of its variables are set. */
function showInIndex(name: string, provider: Provider, { env, print }: World) {
  const { region = "", channel } = provider
  const rows = listRows(name, provider, env)
  const set = rows.filter((row) => env[row.name]).length
  const counted = rows.length > 0 ? `${set} of ${rows.length} set` : "no variables"
  print(`${name.padEnd(28)}  ${(channel ?? "text").padEnd(5)}  ${counted.padEnd(12)}  ${region}`.trimEnd())
}

/** Whether a provider is of this channel, of this part of the world, or has this word in its name. */
function isLike(word: string, name: string, { region = "", countries = [], channel }: Provider): boolean {
  if (/^(voice|calls?)$/.test(word)) return channel === "voice"
  if (/^(sms|texts?)$/.test(word)) return channel !== "voice"
  const english = new Intl.DisplayNames("en", { type: "region" })
  const places = [region, ...countries.flatMap((code) => [code, english.of(code)])].join(", ").toLowerCase()
  // Two letters are a country's, and "us" is in Russia.
  if (!/^[a-z]{2}$/.test(word)) return places.includes(word) || name.includes(word)
  const country = english.of(word.toUpperCase())?.toLowerCase() ?? word
  return places.includes(country) || places.split(/[^a-z]+/).includes(word)
}

/** The names of what is listed: all, or those that are given. */
export function chooseNames(kind: "" | "platforms/", names: string[]): string[] {
  const known = listFiles(kind)
  if (known.length < 2) throw new Error("Deno has no permission to read providers/: --allow-read=<its path>")
  for (const name of names) {
    if (known.includes(name)) continue
    // What was typed may be a secret or a number.
    const told = /^[\w./-]{1,40}$/.test(name) && !/\d{4}/.test(name) ? name : "that"
    const what = v.is(fileName(), name) ? `there is no providers/${kind}${name}.ts` : `no file can be called ${told}`
    throw new Error(what + didYouMean(fileMeant(kind, name) ?? nearest(name.toLowerCase(), configured)))
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

/** Lists the providers, those that fit words, or the variables of those that are named. */
export default {
  async run(args, world) {
    const words = args.filter((word) => word !== "--env")
    const known = chooseNames("", [])
    const asksLines = words.length < args.length
    const isByName = words.length > 0 && words.every((word) => known.includes(word))
    if (asksLines && !isByName) throw new Error("--env stands behind the name of a provider: providers twilio --env")
    if (isByName) return await showEach(words, asksLines ? showLines : show, world)
    const found = new Map<string, Provider>()
    for (const name of known) {
      const provider = await loadOrTell("", name, world)
      if (provider && words.every((word) => isLike(word.toLowerCase(), name, provider))) found.set(name, provider)
    }
    // One word may be a misspelt name.
    if (found.size === 0 && words.length === 1) chooseNames("", words)
    if (found.size === 0)
      throw new Error(
        `no provider fits all of these words: ${words.filter((word) => /^[a-z-]{1,20}$/i.test(word)).join(" ")}`,
      )
    for (const [name, provider] of found) showInIndex(name, provider, world)
    world.print(`\n${found.size} providers. main.ts providers NAME tells the variables, with --env as lines for .env.`)
    world.print("Words narrow the list: main.ts providers india, main.ts providers voice")
  },
} satisfies Command

async function showEach(names: string[], print: typeof show, world: World) {
  for (const name of names) {
    const provider = await loadOrTell("", name, world)
    if (provider) print(name, provider, world)
  }
}
