/** Programs that some tests need and that npm does not bring: Debian's, or those that `CHROMIUM` and `PROMETHEUS` name. */
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

const { CI, CHROMIUM = "/usr/bin/chromium", PATH = "", PROMETHEUS = "/usr/bin" } = process.env
const places = {
  "redis-server": PATH.split(delimiter).map((folder) => join(folder, "redis-server")),
  chromium: [CHROMIUM],
  prometheus: [join(PROMETHEUS, "prometheus")],
  "kannel-extras": ["/usr/lib/kannel/test/fakesmsc"],
}
export type Program = keyof typeof places

/** Its path; undefined where it is not installed. */
export const find = (program: Program) => places[program].find(existsSync)

export const advice = (program: Program) => `no ${program} here: apt-get install ${program}`

/** Why a test that needs it is skipped; false where it is there. With CI=true nothing is skipped: the test fails. */
export const whySkipped = (program: Program) => CI !== "true" && !find(program) && advice(program)
