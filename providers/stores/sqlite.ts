import { closeSync, openSync } from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import { setTimeout as sleep } from "node:timers/promises"
import { type StoreFile, tryOr } from "../../main.ts"
import { withSpare } from "../parts/store.ts"

/** Milliseconds that one process waits for another to end its write, which takes far less. Nothing else runs meanwhile. */
const patience = 100
/** So many writes later, and each minute, at most so many rows that ended are deleted. */
const sweep = { writes: 200, rows: 1_000, period: 60_000 }

/**
 * Counts are windows that begin with the first message that they count; values and sums end, too. `n` counts, `value` is JSON.
 * A write-ahead log lets others read while one writes.
 */
const schema = `
  PRAGMA busy_timeout = ${patience};
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, n INTEGER NOT NULL, ends INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL, ends INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS counts_end ON counts (ends);
  CREATE INDEX IF NOT EXISTS kept_end ON kept (ends);
`

/** Opens the file, which only its owner can read. Throws what a person can mend. */
async function openFile(path: string): Promise<DatabaseSync> {
  try {
    closeSync(openSync(path, "a", 0o600))
    // An older Node lacks it, and would end where the one file is linked, before it says so.
    const sqlite = await import("node:sqlite")
    const database = new sqlite.DatabaseSync(path)
    // Where several processes make the file at once, SQLite lets only one do so and asks the others to come again.
    for (let tries = 0; tries < 50 && !isMade(database); tries += 1) await sleep(20)
    database.exec(schema)
    return database
  } catch (cause) {
    const { name, code, message } = Object(cause)
    const flags = `--allow-read=.env,providers,${path} --allow-write=${path}`
    const why =
      name === "NotCapable" ? `Deno has no permission for it: ${flags}` : `it cannot be opened: ${code ?? message}`
    throw new Error(`the file of sqlite: ${why}`, { cause })
  }
}

function isMade(database: DatabaseSync): boolean {
  try {
    database.exec(schema)
    return true
  } catch (error) {
    if (/locked|busy/i.test(Object(error).message)) return false
    throw error
  }
}

/** Each statement is one step for all processes. A window of more than twice its period is another's clock, or no window. */
function prepare(database: DatabaseSync) {
  const isOpen = "ends > :now AND ends < :now + 2 * :period AND n >= 0"
  return {
    take: database.prepare(`
      INSERT INTO counts VALUES (:key, 1, :now + :period) ON CONFLICT (key) DO UPDATE SET
        n = CASE WHEN ${isOpen} THEN n + 1 ELSE 1 END, ends = CASE WHEN ${isOpen} THEN ends ELSE :now + :period END
      WHERE NOT (${isOpen} AND n >= :most) RETURNING n`),
    wait: database.prepare("SELECT ends FROM counts WHERE key = :key"),
    giveBack: database.prepare("UPDATE counts SET n = n - 1 WHERE key = :key AND n > 0 AND ends > :now"),
    get: database.prepare("SELECT value FROM kept WHERE key = :key AND ends > :now"),
    set: database.prepare("INSERT OR REPLACE INTO kept VALUES (:key, :value, :ends)"),
    // What is no whole number, or one that JavaScript cannot hold, begins anew.
    add: database.prepare(`
      INSERT INTO kept VALUES (:key, CAST(:by AS INTEGER), :ends) ON CONFLICT (key) DO UPDATE SET
        ends = :ends, value = CAST(:by AS INTEGER) +
        CASE WHEN ends > :now AND length(value) < 16 AND value NOT GLOB '*[^0-9]*' THEN value ELSE 0 END
      RETURNING value`),
    sweep: ["counts", "kept"].map((table) =>
      database.prepare(
        `DELETE FROM ${table} WHERE key IN (SELECT key FROM ${table} WHERE ends <= :now LIMIT ${sweep.rows})`,
      ),
    ),
  }
}

/** A file that the processes of one host share, as STORE=sqlite:limits.db. Node, Bun and Deno bring SQLite along. */
export default {
  async open(url, site) {
    const path = url.replace(/^sqlite:(\/\/)?/, "")
    if (!path) throw new Error("sqlite: needs a file, as sqlite:limits.db")
    const statements = prepare(await openFile(path))
    let writes = 0
    const deleteEnded = () => {
      for (const statement of statements.sweep) statement.run({ now: Date.now() })
    }
    const sweepNow = () => tryOr(deleteEnded, undefined)
    const countWrite = () => {
      writes += 1
      if (writes % sweep.writes === 0) sweepNow()
    }
    sweepNow()
    setInterval(sweepNow, sweep.period).unref()
    return withSpare(
      {
        take(key, { name, count, period }) {
          countWrite()
          const id = `${name}:${period}:${key}`
          const now = Date.now()
          if (statements.take.get({ key: id, now, period, most: count })) return 0
          return Math.max(1, Number(Object(statements.wait.get({ key: id })).ends) - now || 1)
        },
        giveBack: (key, { name, period }) =>
          statements.giveBack.run({ key: `${name}:${period}:${key}`, now: Date.now() }),
        get(key) {
          const text = Object(statements.get.get({ key: `${key}`, now: Date.now() })).value
          return tryOr(() => JSON.parse(text ?? "null"), undefined) ?? undefined
        },
        set(key, value, period) {
          countWrite()
          statements.set.run({ key: `${key}`, value: JSON.stringify(value), ends: Date.now() + period })
        },
        add(key, by, period) {
          const now = Date.now()
          if (by === 0) {
            const text = Object(statements.get.get({ key: `${key}`, now })).value
            return /^\d{1,15}$/.test(text) ? Number(text) : 0
          }
          return Number(Object(statements.add.get({ key: `${key}`, by, now, ends: now + period })).value)
        },
      },
      site,
    )
  },
} satisfies StoreFile
