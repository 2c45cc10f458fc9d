/**
 * Where messages may go: ALLOW_DESTINATIONS and DENY_DESTINATIONS.
 * @module
 */
import type { Inbound, Settings } from "../../main.ts"

const isDigits = (target: string) => /^\d/.test(target)

/** Whether the closer entry of both lists lets a number through; a tie is denied, and so is what no allowed one fits. */
export function destinationsOf({ ALLOW_DESTINATIONS, DENY_DESTINATIONS = [] }: Settings) {
  return ({ message, country, masked }: Inbound): boolean => {
    const fits = (target: string) => (isDigits(target) ? message.recipient.startsWith(target, 1) : target === country)
    // A country is closer than its calling code, and less close than that and one more digit.
    const closeness = (target: string) => (isDigits(target) ? target.length : masked.indexOf("•") - 0.5)
    const best = (targets: string[]) => Math.max(-1, ...targets.filter(fits).map(closeness))
    const allowed = ALLOW_DESTINATIONS ? best(ALLOW_DESTINATIONS) : 0
    return allowed >= 0 && allowed > best(DENY_DESTINATIONS)
  }
}
