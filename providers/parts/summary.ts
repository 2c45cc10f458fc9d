/**
 * What is in force, for a person who just started the gateway: a few lines on standard error, where the log is for people.
 * @module
 */
import { type Prepared, type Ready, type Targeted, variablePrefix } from "../../main.ts"
import { say } from "./say.ts"

const routeOf = ({ target, value }: Targeted<Ready[]>) => {
  const names = value.map(({ name }) => name).join(", then ")
  if (!target) return names
  return `${/^\d/.test(target) ? `+${target}…` : target}: ${names}`
}

const shown = (target: string) => (/^\d/.test(target) ? `+${target}` : target)

/** Routes, callers, limits, destinations, and where to look; as pairs of a word and what is in force. */
export function summary({ gateway, callers, pages, providers }: Prepared, address: string, isFirstRun: boolean) {
  const { settings, routes, world, limits } = gateway
  const { env } = world
  const proofs = [
    settings.keys.length > 0 && !isFirstRun && "a token signed with GATEWAY_SECRET",
    env.GATEWAY_TOKEN && !isFirstRun && "GATEWAY_TOKEN",
    settings.GATEWAY_AUTH === "none" && "anyone in GATEWAY_ALLOW_IPS",
    isFirstRun && "a token of its own, in the curl that it prints",
  ].filter(Boolean)
  const platforms = callers.map(({ name, isSigned }) => {
    return `POST /${name} by ${variablePrefix(name)}_${isSigned ? "SECRET" : "TOKEN"}`
  })
  const looks = [...(providers.has("inbox") ? ["inbox"] : []), ...pages.map(({ name }) => name)]
  const words: [string, string][] = [
    ["SMS", routes.sms.map(routeOf).join("; ")],
    ["voice", routes.voice.map(routeOf).join("; ")],
    ["callers", [...(proofs.length > 0 ? [`POST / by ${proofs.join(" or ")}`] : []), ...platforms].join("; ")],
    ["only from", settings.GATEWAY_ALLOW_IPS?.join(", ") ?? ""],
    ["limits", limits.map(({ name, count, period }) => `${name} ${count} in ${period / 1_000} s`).join("; ")],
    ["to", settings.ALLOW_DESTINATIONS?.map(shown).join(", ") ?? "every country (ALLOW_DESTINATIONS is not set)"],
    ["not to", settings.DENY_DESTINATIONS?.map(shown).join(", ") ?? ""],
    ["store", settings.STORE ? `${settings.STORE.split(":")[0]}, shared by instances` : ""],
    ["look at", looks.map((name) => `${address}${name}`).join(", ")],
    ["try", isFirstRun ? "" : 'main.ts check; main.ts send +12223334444 "Your code is 326162"'],
  ]
  return words.filter(([, what]) => what)
}

/** Tells it on standard error. */
export function tell(prepared: Prepared, address: string, isFirstRun: boolean) {
  for (const [word, what] of summary(prepared, address, isFirstRun)) say(`  ${word.padEnd(10)} ${what}`)
}
