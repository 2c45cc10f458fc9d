import { type Command, prepare } from "../../main.ts"
import { doubts } from "../parts/check.ts"
import { summary } from "../parts/summary.ts"

/** Says all that serving would, and what is doubtful in it. Fails where the gateway would not start. */
export default {
  async run(args, world) {
    if (args.length > 0) throw new Error("check takes nothing behind it: it reads the same settings as serving does")
    const prepared = await prepare({ ...world, print: () => {} }, true)
    const { HOST, PORT } = prepared.gateway.settings
    for (const [word, what] of summary(prepared, `http://${HOST}:${PORT}/`, false))
      world.print(`${word.padEnd(10)} ${what}`)
    const doubtful = doubts(prepared)
    for (const doubt of doubtful) world.print(`doubtful   ${doubt}`)
    world.print(doubtful.length > 0 ? "It would start." : "It would start, and nothing is doubtful.")
    process.exit(0)
  },
} satisfies Command
