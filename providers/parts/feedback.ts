/**
 * Tells vendors whether the codes that they delivered were entered, where `<NAME>_FEEDBACK` is on: after everything else, once,
 * and never again whatever comes of it.
 * @module
 */
import {
  type Acceptance,
  call,
  type Gateway,
  type LoadedProvider,
  StartError,
  variablePrefix,
  withTimeout,
} from "../../main.ts"

/** A vendor that is silent for so long is no longer waited for. In milliseconds. */
const patience = 5_000

/** Gives what tells vendors, of the providers that `<NAME>_FEEDBACK` is set for. Throws a StartError where one takes none. */
export function createFeedback(named: LoadedProvider[], gateway: Gateway): Gateway["feedback"] {
  const { env } = gateway.world
  const complaints = named.flatMap(({ name, provider }) => {
    const setting = `${variablePrefix(name)}_FEEDBACK`
    if (!/^(on|off)$/.test(env[setting] ?? "")) return [{ text: `${setting} is wrong: expected on or off`, setting }]
    if (env[setting] === "on" && !provider.verified)
      return [{ text: `${setting} is on, and ${name} takes no word of entered codes`, setting, suggestion: "off" }]
    return []
  })
  if (complaints.length > 0) throw new StartError(complaints)
  const providers = new Map(named.flatMap((one) => (one.context.isFeedback ? [[one.name, one] as const] : [])))
  return (acceptance, isVerified) => {
    const provider = providers.get(acceptance.provider)
    if (provider) tell(provider, acceptance, isVerified, gateway)
  }
}

/** Tells one vendor of one acceptance. Never throws. */
async function tell(loaded: LoadedProvider, { receipt }: Acceptance, isVerified: boolean, gateway: Gateway) {
  const { clocks, log } = gateway
  // An id that was hidden in part, or that there never was, names no message.
  if (receipt === "" || receipt.includes("•")) return
  const began = clocks.monotonic()
  const code = await askVendor(loaded, receipt, isVerified, gateway).catch(() => "exception")
  if (code === undefined) return
  const ms = Math.round(clocks.monotonic() - began)
  log(/^2\d\d$/.test(code) ? "info" : "warn", "feedback", { provider: loaded.name, receipt, code, ms })
}

/** Makes the call. Gives the answer's status, or why there is none; undefined where nothing is to be told. */
async function askVendor(
  { provider, values, context }: LoadedProvider,
  receipt: string,
  isVerified: boolean,
  { world, clocks }: Gateway,
): Promise<string | undefined> {
  const request = await provider.verified?.(receipt, isVerified, values, context)
  if (!request) return undefined
  const abort = new AbortController()
  const answering = call(request, world, { signal: abort.signal, isFresh: false })
  const answer = await withTimeout(patience, clocks, answering)
  // Ends a call that is in flight, and an answer that was not read to its end.
  if (!answer || "outcome" in answer) abort.abort()
  if (!answer) return "timeout"
  return String("outcome" in answer ? answer.code : answer.status)
}
