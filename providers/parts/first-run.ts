/**
 * The token of a run that has neither secret nor token: kept for an hour in a file for this user alone, so that the printed curl outlives a
 * restart of `--watch`.
 * @module
 */
import { lstatSync, readFileSync, unlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { tryOr } from "../../main.ts"

/** Gives the token kept by the last run, else `token`, which is kept now; where nothing can be kept, `token`. */
export function rememberToken(token: string): string {
  // Deno asks for a permission of its own.
  const uid = tryOr(() => process.getuid?.(), undefined)
  if (uid === undefined) return token
  const path = `${tryOr(tmpdir, ".")}/smstask-first-run-${uid ?? ""}`
  const { mtimeMs = 0, mode = 0, uid: owner = -1 } = tryOr(() => lstatSync(path), undefined) ?? {}
  const isOurs = mode === 0o100600 && owner === uid && mtimeMs > Date.now() - 3_600_000
  const kept = isOurs ? tryOr(() => readFileSync(path, "utf8"), "") : ""
  if (/^[\w-]{43}$/.test(kept)) return kept
  return tryOr(() => {
    if (mode) unlinkSync(path)
    writeFileSync(path, token, { mode: 0o600, flag: "wx" })
    return token
  }, token)
}
