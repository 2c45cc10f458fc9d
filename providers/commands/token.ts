import { parseArgs } from "node:util"
import * as v from "valibot"
import { type Command, duration, signToken } from "../../main.ts"
import { settingsOf } from "../parts/settings.ts"

/** Prints a token that calls the gateway, as Auth0 signs one for each call. */
export default {
  async run(args, world) {
    const { values } = parseArgs({ args, options: { expires: { type: "string", default: "1h" } } })
    const life = v.safeParse(duration, values.expires)
    if (!life.success) throw new Error("--expires must be a duration such as 30s, 10m or 1h")
    world.print(await signToken(settingsOf(world.env, "token"), world.clock(), life.output))
  },
} satisfies Command
