import { type Command, clean, describe, importFile, variablePrefix } from "../../main.ts"
import { asked } from "./providers.ts"

/** Lists the platforms that can call; of one, its variables, the URL to enter, and the steps on the platform's side. */
export default {
  async run(names, world) {
    const env = clean(world.env)
    const base = env.GATEWAY_URL?.replace(/\/$/, "") ?? "https://<the address of this gateway>"
    for (const name of asked("platforms/", names)) {
      const platform = await importFile("platforms/", name, world)
      if (typeof platform === "string") {
        world.print(`${name}  ${platform}`)
        process.exitCode = 1
        continue
      }
      const isNamed = env.PLATFORMS?.split(",").some((one) => one.trim() === name)
      world.print(`${name}  POST ${base}/${name}  ${platform.docs}`)
      world.print(`  ${(isNamed ? "set" : "missing").padEnd(8)}  PLATFORMS: names ${name}`)
      const variables = Object.entries(platform.env)
      for (const [variable, schema] of variables.length > 0 ? variables : [])
        world.print(`  ${(env[variable] ? "set" : "unset").padEnd(8)}  ${variable}: ${describe(schema)}`)
      if (variables.length === 0) {
        const variable = `${variablePrefix(name)}_TOKEN`
        world.print(
          `  ${(env[variable] ? "set" : "missing").padEnd(8)}  ${variable}: a token of at least 32 characters`,
        )
      }
      if (names.length > 0) world.print(`\n${platform.setup(`${base}/${name}`, env)}`)
    }
  },
} satisfies Command
