/**
 * Packages that few settings need, and that may be missing.
 * @module
 */

/** The command that brings these packages. What npx took from its cache finds only what is installed with it. */
export function installLine(packages: string[]): string {
  const isCached = /[\\/]_npx[\\/]/.test(process.argv[1] ?? "")
  return ["npm install", ...(isCached ? ["smstask"] : []), ...packages].join(" ")
}
