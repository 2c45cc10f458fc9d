/** smstask as it can be installed: with hardly anything beside it, with a thousand providers, and as one file. */
import { spawnSync } from "node:child_process"
import { cpSync, statSync, symlinkSync } from "node:fs"
import { folder, root } from "./servers.ts"

/** main.ts with its parts, one provider, and copies of another. */
function copied(name: string, others: number): string {
  const copy = `${folder}/${name}`
  const files = ["main.ts", "package.json", "deno.json"]
  const own = ["contract.ts", "lib.ts", "clickatell.ts", "parts"].map((path) => `providers/${path}`)
  for (const file of [...files, ...own]) cpSync(`${root}${file}`, `${copy}/${file}`, { recursive: true })
  symlinkSync(`${root}node_modules`, `${copy}/node_modules`)
  for (let n = 0; n < others; n += 1) cpSync(`${root}providers/plivo.ts`, `${copy}/providers/plivo${n}.ts`)
  return `${copy}/main.ts`
}
const made = new Map<string, string>()
const once = (name: string, make: () => string) => {
  const file = made.get(name) ?? make()
  made.set(name, file)
  return file
}

/** In a folder where nothing else can cost anything. */
export const bare = () => once("bare", () => copied("bare", 0))
export const crowded = () => once("crowded", () => copied("crowded", 1_000))

/** What `npm run build` makes, alone in a folder. */
export const oneFile = () =>
  once("one file", () => {
    const { status, stderr } = spawnSync(process.execPath, [`${root}tests/tools/build.ts`], { encoding: "utf8" })
    if (status !== 0) throw new Error(`npm run build failed: ${stderr}`)
    const file = `${folder}/alone/smstask.js`
    cpSync(`${root}dist/smstask.js`, file)
    console.log(`\nthe one file has ${(statSync(file).size / 1_024).toFixed(0)} KiB`)
    return file
  })
