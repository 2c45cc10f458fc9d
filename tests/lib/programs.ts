/** Programs that some tests need and that npm does not bring: Debian's, or those that `CHROMIUM` and `PROMETHEUS` name. */
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

const { CI, CHROMIUM, PATH = "", PROMETHEUS = "/usr/bin" } = process.env
const paths = {
  "redis-server": PATH.split(delimiter).map((folder) => join(folder, "redis-server")),
  chromium: [CHROMIUM ?? "/usr/bin/chromium"],
  prometheus: [join(PROMETHEUS, "prometheus")],
}
export type Program = keyof typeof paths

/** Where a program is. */
export const pathOf = (program: Program) => paths[program].find(existsSync) ?? paths[program][0] ?? program

/** Why tests of this program are skipped; false where it is there, and in CI, where they must not be. */
export const lacks = (program: Program) =>
  !paths[program].some(existsSync) && CI !== "true" && `no ${program} here: apt-get install ${program}`
