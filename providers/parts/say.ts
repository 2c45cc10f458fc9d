/**
 * Standard error, for people.
 * @module
 */
import { writeSync } from "node:fs"
import { attempt } from "../../main.ts"

/** Writes a line to standard error as it is: on a terminal, Bun's console.error makes it red. */
export const say = (text: string): void => void attempt(() => writeSync(2, `${text}\n`), 0)
