import { type Command, clean, isFirstRun, prepare } from "../../main.ts"
import { doubts } from "../parts/check.ts"
import { summary } from "../parts/summary.ts"

/** Says all that serving would, and what is doubtful in it. Fails where the gateway would not start. */
export default {
  async run(args, world) {
    if (args.length > 0) throw new Error("check takes nothing behind it: it reads the same settings as serving does")
    const env = clean(world.env)
    // What a first run would make for itself.
    const isFirst = isFirstRun(env)
    const own = isFirst ? { GATEWAY_TOKEN: "made-at-the-start-of-a-first-run-and-for-it-alone", HOST: "127.0.0.1" } : {}
    const prepared = await prepare({ ...world, env: { ...env, ...own }, print: () => {} }, true)
    const { HOST, PORT } = prepared.gateway.settings
    for (const [word, what] of summary(prepared, `http://${HOST}:${PORT}/`, isFirst))
      world.print(`${word.padEnd(10)} ${what}`)
    const nobody = "only this machine could call: set GATEWAY_SECRET, GATEWAY_TOKEN or PLATFORMS"
    const doubtful = [...(isFirst ? [nobody] : []), ...doubts(prepared)]
    for (const doubt of doubtful) world.print(`doubtful   ${doubt}`)
    world.print(doubtful.length > 0 ? "It would start." : "It would start, and nothing is doubtful.")
    process.exit(0)
  },
} satisfies Command
