import { readFileSync } from "node:fs"
import { type Command, describe, parseVariables, tryOr, type Variable, variablePrefix, variables } from "../../main.ts"
import { configured } from "../parts/names.ts"
import { chooseNames, loadOrTell } from "./providers.ts"

/** What configured.md says of a platform that needs no file, with this gateway's address. */
function readSection(name: string, base: string): string {
  const page = new URL("../platforms/configured.md", import.meta.url)
  const sections = tryOr(() => readFileSync(page, "utf8"), "").split(/^(?=## )/m)
  const found = sections.find((section) => section.startsWith(`## ${name}\n`))
  if (!found) throw new Error(`${name} needs no file: see providers/platforms/configured.md#${name}, which is not here`)
  return found.replaceAll("https://gateway.example", () => base).trimEnd()
}

/** Lists the platforms that can call; of one, its variables, the URL to enter, and the steps on the platform's side. */
export default {
  async run(names, world) {
    const { env } = world
    // An address that would not start would be entered wrong on the platform's side, too.
    parseVariables(env, { GATEWAY_URL: variables.GATEWAY_URL })
    const base = env.GATEWAY_URL?.replace(/\/$/, "") ?? "https://<the address of this gateway>"
    const withFile = names.filter((name) => !configured.includes(name))
    for (const name of names.filter((name) => configured.includes(name))) world.print(readSection(name, base))
    if (names.length > 0 && withFile.length === 0) return
    for (const name of chooseNames("platforms/", withFile)) {
      const platform = await loadOrTell("platforms/", name, world)
      if (!platform) continue
      const { usual } = platform
      world.print(`${name}  POST ${base}/${usual ? "" : name}  ${platform.docs}`)
      const isNamed = env.PLATFORMS?.split(",").some((one) => one.trim() === name)
      const tell = (variable: string, isSet: unknown, otherwise: string, what: string | undefined) =>
        world.print(`  ${(isSet ? "set" : otherwise).padEnd(8)}  ${variable}: ${what}`)
      if (!usual) tell("PLATFORMS", isNamed, "missing", `names ${name}`)
      const own = Object.entries<Variable>(platform.env)
      const shown = usual ? Object.entries<Variable>(variables).filter(([one]) => usual.includes(one as "PORT")) : own
      for (const [variable, schema] of shown) tell(variable, env[variable], "unset", describe(schema))
      const token = `${variablePrefix(name)}_TOKEN`
      if (shown.length === 0) tell(token, env[token], "missing", "a token of at least 32 characters")
      if (names.length > 0) world.print(`\n${platform.setup(`${base}/${name}`, env)}`)
    }
    if (names.length === 0)
      world.print(`\nThese need no file, and call POST /: ${configured.join(", ")}: providers/platforms/configured.md`)
  },
} satisfies Command
