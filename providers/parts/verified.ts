/**
 * The verified wire: `POST /verified`, and the hooks of platforms at `POST /<name>/verified`, tell that a code was entered.
 * Who delivered it is found by the acceptances of the last 15 minutes.
 * @module
 */
import * as v from "valibot"
import {
  acceptanceKey,
  acceptances,
  answer,
  brief,
  type Caller,
  describeIssues,
  type Fields,
  findAcceptances,
  type Gateway,
  invalid,
  isInUse,
  type Limit,
  lineOf,
  loadNumbers,
  maskNumber,
  type Person,
  type Problem,
  readCall,
  readNumber,
  receive,
  refuse,
  refuseCall,
  type Settings,
  userId,
} from "../../main.ts"

/** "" is whoever calls `POST /`. */
const PlatformUser = v.object({
  user: userId,
  platform: v.pipe(v.string(), v.regex(/^[a-z0-9-]{0,40}$/, "must be a platform's name")),
})
/** An acceptance is settled once. */
const once: Limit = { name: "SETTLED", count: 1, period: acceptances.period }
/** A signed call counts once. */
const each: Limit = { name: "VERIFIED_CALL", count: 1, period: 86_400_000 }
/** Calls for one person. */
const most: Limit = { name: "VERIFIED", count: 10, period: 600_000 }

/** Takes the word of a caller that a code was entered. Nothing that it answers tells whether one was sent. */
export async function takeVerified(request: Request, caller: Caller, gateway: Gateway): Promise<Response> {
  const { settings, clocks, log } = gateway
  const { name, platform } = caller
  const id = crypto.randomUUID()
  const about: Fields = name ? { request: id, platform: name } : { request: id }
  const limit = Math.min(settings.DEADLINE, platform.deadline ?? settings.DEADLINE)
  const arrived = await receive(request, caller, limit, clocks)
  if ("problem" in arrived) return refuseCall(arrived, request.headers, caller, about, log)
  const counting = countOnce(arrived, request.headers, caller, about, gateway)
  // Where a login waits for the answer, it is the same whatever comes of the call.
  const inItsWords = platform.verified?.answer?.()
  if (inItsWords) {
    counting.then((problem) => problem && refuse(log, problem.problem, problem.detail, { about }))
    return inItsWords
  }
  const problem = await counting
  return problem ? answer(problem, about, caller, gateway) : new Response(null, { status: 204 })
}

/** Counts a call, but no signed one that came before: whoever recorded it could bring it again. */
async function countOnce(
  { text, proofId }: { text: string; proofId?: string | undefined },
  headers: Headers,
  caller: Caller,
  about: Fields,
  gateway: Gateway,
): Promise<Problem | undefined> {
  const isRepeated = proofId && (await gateway.store.take(`${caller.name}:${proofId}`, each)) > 0
  return isRepeated ? undefined : await countPerson(text, headers, caller, about, gateway)
}

/** Counts what a call tells, and does not wait for that; or gives the problem of the call. */
async function countPerson(
  text: string,
  headers: Headers,
  { name, platform }: Caller,
  about: Fields,
  gateway: Gateway,
): Promise<Problem | undefined> {
  const expected = name ? `what ${name} sends` : "{recipient}, or {platform, user}"
  const call = await readCall(text, headers, expected, (fields) => platform.verified?.read(fields), gateway.world)
  if ("problem" in call) return call
  if (!call.written) return undefined
  const found = await findPerson(call.written, name, gateway.settings)
  if ("problem" in found) return found
  const retryAfter = await gateway.store.take(found.key, most)
  const detail = `at most ${most.count} calls for one person are taken in 10 minutes`
  if (retryAfter > 0) return { problem: "rate_limited", detail, retryAfter }
  countVerified(found.key, { ...about, ...found.fields }, gateway)
  return undefined
}

/** The key by which the acceptances of a person are found, and what the log tells of the person. */
async function findPerson(
  { recipient, platform, user }: Person,
  caller: string,
  { DEFAULT_COUNTRY }: Settings,
): Promise<{ key: string; fields: Fields } | Problem> {
  if (recipient === undefined || recipient === null) {
    const parsed = v.safeParse(PlatformUser, { user, platform: caller || (platform ?? "") })
    if (!parsed.success) return invalid(user === undefined ? "recipient is missing" : describeIssues(parsed.issues))
    return { key: acceptanceKey(parsed.output), fields: {} }
  }
  const written = v.safeParse(brief, recipient)
  if (!written.success) return invalid(describeIssues(written.issues, "recipient"))
  const number = readNumber(written.output, DEFAULT_COUNTRY, await loadNumbers())
  if ("problem" in number) return number
  const fields = { recipient: maskNumber(number.recipient, number.callingCode) }
  return { key: acceptanceKey({ line: lineOf(number.recipient) }), fields }
}

/**
 * The last provider that accepted for this person has delivered, and those before it have not. Each acceptance counts once,
 * whichever call and whichever instance comes first.
 */
async function countVerified(key: string, about: Fields, gateway: Gateway) {
  const { store, world, settings, log, learning, feedback, unverified } = gateway
  const found = await findAcceptances(key, gateway)
  const tellUnmatched = () => log("info", "unmatched", { ...about, reason: "no acceptance is left to verify" })
  // Who got the code has nothing to ask again for.
  if (found.length > 0) store.set(key, "", acceptances.period)
  for (const [index, acceptance] of found.entries()) {
    const { provider, country, channel, receipt, at } = acceptance
    const isVerified = index === 0
    const isSettled = (await store.take(acceptance.id, once)) > 0
    if (isSettled && isVerified) return tellUnmatched()
    if (isSettled || !isInUse(provider, gateway)) continue
    log("info", isVerified ? "verified" : "unverified", {
      ...about,
      provider,
      country,
      receipt,
      ms: world.clock() - at,
    })
    const next = found[index - 1]
    // Asking again within RESEND_WINDOW was bad already.
    const isCounted = next && next.channel === channel && next.at - at < settings.RESEND_WINDOW
    if (!isCounted) learning?.count({ provider, country, channel }, isVerified ? "good" : "bad", "verified")
    unverified?.settle(acceptance, isVerified)
    feedback?.(acceptance, isVerified)
  }
  if (found.length === 0) tellUnmatched()
}
