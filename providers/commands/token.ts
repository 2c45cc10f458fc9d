import { parseArgs } from "node:util"
import { SignJWT } from "jose/jwt/sign"
import * as v from "valibot"
import { type Command, duration, readSettings, type Settings, StartError } from "../../main.ts"
import { didYouMean, durationMeant } from "./advice.ts"

function read(args: string[]): string {
  try {
    return parseArgs({ args, options: { expires: { type: "string", default: "1h" } } }).values.expires
  } catch {
    throw new Error("token has one option, --expires, with a duration: main.ts token --expires 10m")
  }
}

/** A token such as Auth0 signs for each call, valid for `life` milliseconds. */
async function signToken(settings: Settings, now: number, life: number): Promise<string> {
  const jwt = new SignJWT().setProtectedHeader({ alg: "HS256", typ: "JWT" })
  if (settings.GATEWAY_AUDIENCE !== "any") jwt.setAudience(settings.GATEWAY_AUDIENCE)
  if (settings.GATEWAY_SUBJECT !== "any") jwt.setSubject(settings.GATEWAY_SUBJECT)
  if (settings.GATEWAY_ISSUER) jwt.setIssuer(settings.GATEWAY_ISSUER)
  jwt.setIssuedAt(new Date(now)).setExpirationTime(new Date(now + life))
  return await jwt.sign(settings.keys[0] ?? new Uint8Array())
}

/** Prints a token that calls the gateway, as Auth0 signs one for each call. */
export default {
  async run(args, world) {
    const written = read(args)
    const life = v.safeParse(duration, written)
    const near = life.success ? undefined : durationMeant(written, "m")
    if (!life.success) throw new Error(`--expires must be a duration such as 30s, 10m or 1h${didYouMean(near)}`)
    const settings = await readSettings(world.env)
    if (settings.keys.length === 0 && settings.GATEWAY_TOKEN)
      throw new Error(
        "token signs with GATEWAY_SECRET, which is not set: a caller sends GATEWAY_TOKEN itself as Bearer",
      )
    if (settings.keys.length === 0)
      throw new StartError([{ text: "token needs GATEWAY_SECRET", setting: "GATEWAY_SECRET" }])
    world.print(await signToken(settings, world.clock(), life.output))
  },
} satisfies Command
