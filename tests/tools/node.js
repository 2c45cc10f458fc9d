/**
 * Runs a tool of this folder on the Node that runs this file. One that cannot read TypeScript says so in a sentence:
 *
 *     node tests/tools/node.js build.ts
 */
import { readFileSync } from "node:fs"

const [, , tool] = process.argv
const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
const [major = 0, minor = 0] = engines.node.match(/\d+/g).map(Number)
const [ownMajor = 0, ownMinor = 0] = process.versions.node.split(".").map(Number)
if (ownMajor < major || (ownMajor === major && ownMinor < minor)) {
  console.error(`This needs Node ${major}.${minor} or newer, and here is ${process.version}.`)
  process.exit(1)
}
process.argv.splice(1, 2, new URL(tool, import.meta.url).pathname)
await import(`./${tool}`)
