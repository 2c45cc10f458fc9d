import {
  addressAt,
  type Command,
  type Fields,
  isFirstRun,
  type LoadedProvider,
  type Prepared,
  prepare,
  type Targeted,
  variablePrefix,
} from "../../main.ts"

/** More digits than begin a number may be a whole one, which no log holds. */
const showTarget = (target: string) =>
  /^\d/.test(target) ? `+${target.slice(0, 7)}${target.length > 7 ? "…" : ""}` : target
const showRoute = ({ target, value }: Targeted<LoadedProvider[]>) => {
  const names = value.map(({ name }) => name).join(", then ")
  return target ? `${showTarget(target)}: ${names}` : names
}

/** The limits as they are written, that of calls only where there are any. */
function showLimits({ gateway: { routes, settings, limits } }: Prepared): string {
  const all = [...limits, ...settings.LIMIT_UNVERIFIED.map((one) => ({ name: "LIMIT_UNVERIFIED", ...one }))]
  const names = [...new Set(all.map(({ name }) => name))]
  const told = names.filter((name) => name !== "LIMIT_VOICE" || routes.voice.length > 0)
  const writtenOf = (name: string) => all.flatMap((limit) => (limit.name === name ? limit.written : [])).join()
  return told.map((name) => `${name} ${writtenOf(name)}`).join("; ")
}

/** What is in force, as pairs of a word and a text: routes, callers, limits, destinations, and where to look. */
function summarize(prepared: Prepared, address: string, isFirst: boolean) {
  const { gateway, callers, pages, providers } = prepared
  const { settings, routes, world } = gateway
  const { env } = world
  const proofs = [
    settings.keys.length > 0 && !isFirst && "a token signed with GATEWAY_SECRET",
    env.GATEWAY_TOKEN && !isFirst && "GATEWAY_TOKEN",
    settings.GATEWAY_AUTH === "none" && "anyone in GATEWAY_ALLOW_IPS",
    isFirst && "a token of its own, in the curl that it prints",
  ].filter(Boolean)
  const platforms = callers.map(({ name, isSigned, platform }) => {
    const own = Object.keys(platform.env).find((variable) => variable.endsWith("_JWKS"))
    return `POST /${name} by ${own ?? `${variablePrefix(name)}_${isSigned ? "SECRET" : "TOKEN"}`}`
  })
  const looks = [...(providers.has("inbox") ? ["inbox"] : []), ...pages.map(({ name }) => name)]
  const words: [word: string, text: string][] = [
    ["SMS", routes.sms.map(showRoute).join("; ")],
    ["voice", routes.voice.map(showRoute).join("; ")],
    ["callers", [...(proofs.length > 0 ? [`POST / by ${proofs.join(" or ")}`] : []), ...platforms].join("; ")],
    ["only from", settings.GATEWAY_ALLOW_IPS?.join(", ") ?? ""],
    [
      "limits",
      showLimits(prepared) + (settings.GUARD === "observe" ? "; all of them only logged (GUARD=observe)" : ""),
    ],
    ["to", settings.ALLOW_DESTINATIONS?.map(showTarget).join(", ") ?? "every country (ALLOW_DESTINATIONS is not set)"],
    ["not to", settings.DENY_DESTINATIONS?.map(showTarget).join(", ") ?? ""],
    ["types", settings.DENY_TYPES.length > 0 ? `no ${settings.DENY_TYPES.join(", ")} numbers` : ""],
    ["tests", settings.TEST_NUMBERS ? `${settings.TEST_NUMBERS.length} of TEST_NUMBERS, sent to nobody` : ""],
    ["store", settings.STORE ? `${settings.STORE.split(":")[0]}, shared by instances` : ""],
    ["look at", looks.map((name) => `${address}${name}`).join(", ")],
    ["try", isFirst ? "" : 'main.ts send +<your number> "Your code is 326162"'],
  ]
  return words.filter(([, text]) => text)
}

/** What is in force at a start: lines for a terminal, or fields of the log's line. */
export function describeStart(
  prepared: Prepared,
  address: string,
  isFirst: boolean,
): { fields: Fields; lines: string } {
  const words = summarize(prepared, address, isFirst)
  if (prepared.gateway.settings.LOG_FORMAT === "pretty")
    return { fields: {}, lines: words.map(([word, text]) => `  ${word.padEnd(10)} ${text}`).join("\n") }
  const told = words.filter(([word]) => word !== "try")
  const named = told.map(([word, text]) => [word.toLowerCase().replaceAll(" ", "_"), text])
  return { fields: Object.fromEntries(named), lines: "" }
}

/** Says all that serving would, and what is doubtful in it. Throws a StartError where the gateway would not start. */
export default {
  async run(args, world) {
    if (args.length > 0) throw new Error("check takes nothing behind it: it reads the same settings as serving does")
    const { env } = world
    // What a first run would make for itself.
    const isFirst = isFirstRun(env)
    const first = isFirst
      ? { GATEWAY_TOKEN: "made-at-the-start-of-a-first-run-and-for-it-alone", HOST: "127.0.0.1" }
      : {}
    const prepared = await prepare({ ...world, env: { ...env, ...first }, print: () => {} }, true)
    const { HOST, PORT } = prepared.gateway.settings
    for (const [word, text] of summarize(prepared, addressAt(HOST, PORT), isFirst))
      world.print(`${word.padEnd(10)} ${text}`)
    // The start imports this file for its summary, and needs no advice.
    const { listDoubts } = await import("./advice.ts")
    const nobody = "only this machine could call: set GATEWAY_SECRET, GATEWAY_TOKEN or PLATFORMS"
    const doubts = [...(isFirst ? [nobody] : []), ...listDoubts(prepared)]
    for (const doubt of doubts) world.print(`doubtful   ${doubt}`)
    world.print(doubts.length > 0 ? "It would start." : "It would start, and nothing is doubtful.")
    await world.flush?.()
    process.exit(0)
  },
} satisfies Command
