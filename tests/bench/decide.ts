/** What ROUTING=adaptive adds to a message between its reading and its acceptance: the choice, its line of the log, the counts. */
import {
  type Gateway,
  type Inbound,
  loadFile,
  once,
  type Provider,
  prepare,
  readMessage,
  type World,
} from "../../main.ts"
import { token } from "./calls.ts"
import { type Aim, table } from "./figures.ts"

const messages = 10_000
/** So many messages are measured together. Of such batches the quickest counts: others use the machine, too. */
const batch = 50

/** Accepts without a call, so that nothing but the gateway is measured. */
const instant: Provider = { docs: "", env: {}, url: "", request: () => ({ id: "x-1" }), receipt: () => ({ id: "" }) }

async function prepareGateway(routing: string, providers: number): Promise<Gateway> {
  const names = Array.from({ length: providers }, (_, at) => `p${at}`)
  const world: World = {
    env: { GATEWAY_TOKEN: token, SMS_PROVIDER: names.join(), ROUTING: routing, LOG_FORMAT: "json" },
    clock: Date.now,
    monotonic: () => performance.now(),
    // No copy is refreshed while a message is measured.
    after: () => () => {},
    fetch: async () => new Response(),
    print() {},
    load: async (path) => (names.includes(path) ? { default: instant } : await loadFile(path)),
  }
  return (await prepare(world, true)).gateway
}

/** Microseconds for a message. */
async function cost(routing: string, providers: number, inbounds: Inbound[]): Promise<number> {
  const gateway = await prepareGateway(routing, providers)
  const route = gateway.routes.sms[0]?.value ?? []
  for (const { name } of route)
    for (let at = 0; at < 50; at += 1)
      gateway.learning?.count({ provider: name, country: "US", channel: "sms" }, at % 3 ? "good" : "bad", "verified")
  let least = Number.POSITIVE_INFINITY
  for (let from = 0; from < inbounds.length; from += batch) {
    const began = performance.now()
    for (const inbound of inbounds.slice(from, from + batch))
      if ("problem" in (await once({ ...inbound, route }, gateway))) throw new Error("a message was refused")
    least = Math.min(least, ((performance.now() - began) * 1_000) / batch)
  }
  return least
}

export async function decide(rounds: number): Promise<Aim[]> {
  const own = await prepareGateway("ordered", 1)
  const inbounds: Inbound[] = []
  for (let n = 0; n < messages; n += 1) {
    const arrival = { id: `${n}`, caller: "", about: { request: `${n}` }, deadline: Number.POSITIVE_INFINITY }
    const written = {
      recipient: `+1201${2_000_000 + ((n * 736_877) % 7_999_993)}`,
      body: `Your code is ${100_000 + n}`,
      sender: "",
    }
    inbounds.push((await readMessage(written, arrival, own)) as Inbound)
  }
  const rows: (string | number)[][] = []
  const aims: Aim[] = []
  for (const providers of [2, 5]) {
    const found: Record<string, number[]> = { ordered: [], adaptive: [] }
    // The first round is for the compiler.
    for (let round = 0; round <= rounds; round += 1)
      for (const routing of ["ordered", "adaptive"]) {
        const us = await cost(routing, providers, inbounds)
        if (round > 0) found[routing]?.push(us)
      }
    const [ordered, adaptive] = [Math.min(...(found.ordered ?? [])), Math.min(...(found.adaptive ?? []))]
    rows.push([`${providers} providers`, ordered, adaptive, adaptive - ordered])
    aims.push({ what: `µs more with ${providers} providers`, ratio: adaptive - ordered, most: 10, noise: 0 })
  }
  table("from the reading of a message to its acceptance, in µs", ["", "ordered", "adaptive", "more"], rows)
  return aims
}
