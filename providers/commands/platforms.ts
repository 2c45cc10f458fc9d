import { type Command, describe, parseVariables, type Variable, variablePrefix, variables } from "../../main.ts"
import { chooseNames, configured, loadOrTell } from "./providers.ts"

/** Lists the platforms that can call; of one, its variables, the URL to enter, and the steps on the platform's side. */
export default {
  async run(names, world) {
    const { env } = world
    // An address that would not start would be entered wrong on the platform's side, too.
    parseVariables(env, { GATEWAY_URL: variables.GATEWAY_URL })
    const base = env.GATEWAY_URL?.replace(/\/$/, "") ?? "https://<the address of this gateway>"
    for (const name of chooseNames("platforms/", names)) {
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
