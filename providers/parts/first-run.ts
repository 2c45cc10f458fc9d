/**
 * The token of a run that has neither secret nor token: kept for an hour for this user alone, so that the printed curl outlives a
 * restart of `--watch`.
 * @module
 */
import { lstatSync, readFileSync, unlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { tryOr } from "../../main.ts"

const hour = 3_600_000
const isToken = (text: unknown): text is string => typeof text === "string" && /^[\w-]{43}$/.test(text)

/** Gives the token kept by the last run, else `token`, which is kept now; where nothing can be kept, `token`. */
export function rememberToken(token: string): string {
  if ("Deno" in globalThis) return tryOr(() => rememberOnDeno(token), token)
  const uid = tryOr(() => process.getuid?.(), undefined)
  if (uid === undefined) return token
  const path = `${tryOr(tmpdir, ".")}/smstask-first-run-${uid ?? ""}`
  const { mtimeMs = 0, mode = 0, uid: owner = -1 } = tryOr(() => lstatSync(path), undefined) ?? {}
  const isOurs = mode === 0o100600 && owner === uid && mtimeMs > Date.now() - hour
  const kept = isOurs ? tryOr(() => readFileSync(path, "utf8"), "") : ""
  if (isToken(kept)) return kept
  return tryOr(() => {
    if (mode) unlinkSync(path)
    writeFileSync(path, token, { mode: 0o600, flag: "wx" })
    return token
  }, token)
}

/** Deno writes no file without a permission, and its localStorage needs none: it is this main.ts's own, for this user. */
function rememberOnDeno(token: string): string {
  const storage: Storage = Reflect.get(globalThis, "localStorage")
  const name = "smstask-first-run"
  const { kept, time = 0 } = Object(tryOr(() => JSON.parse(storage.getItem(name) ?? ""), undefined))
  const age = Date.now() - time
  if (isToken(kept) && age >= 0 && age < hour) return kept
  storage.setItem(name, JSON.stringify({ kept: token, time: Date.now() }))
  return token
}
