/**
 * A client of node:http for Node. It follows no redirect, repeats nothing by itself, keeps its connections, and hands over
 * what it reads as it comes: main.ts decompresses.
 * @module
 */
import type { IncomingMessage, OutgoingHttpHeaders, RequestOptions } from "node:http"
import type { LookupFunction } from "node:net"
import type { Reply, World } from "../../main.ts"

/** The client of a protocol, with its pool. An import of node:http would load fetch, too, which takes as long as main.ts. */
function open(protocol: string) {
  const builtin = process.getBuiltinModule
  const { Agent, request: ask } = protocol === "https:" ? builtin("node:https") : builtin("node:http")
  return { ask, pool: new Agent({ keepAlive: true, scheduling: "lifo" }) }
}

/** What fetch sends by itself; identity is asked for, and some code their answers all the same. */
const defaults = { accept: "*/*", "accept-encoding": "identity", "user-agent": "smstask" }

/** Some vendors send a header twice; Node joins those. */
function headersOf({ headers }: IncomingMessage): Reply["headers"] {
  const has = (name: string) => Object.hasOwn(headers, name.toLowerCase())
  return { has, get: (name) => (has(name) ? String(headers[name.toLowerCase()]) : null) }
}

function replyOf(answer: IncomingMessage): Reply {
  const bytes = () =>
    new Promise<Uint8Array<ArrayBuffer>>((resolve, reject) => {
      const chunks: Buffer<ArrayBuffer>[] = []
      answer.on("data", (chunk) => chunks.push(chunk))
      answer.on("end", () => resolve(Buffer.concat(chunks)))
      answer.on("error", reject)
    })
  return { status: answer.statusCode ?? 0, headers: headersOf(answer), body: answer, bytes }
}

/** Who waits for the address of a name, by the question. */
const questions = new Map<string, Parameters<LookupFunction>[2][]>()
/** Asks for the address of a name once for all that wait: a few names that nobody answers for would hold up every other. */
const lookUpOnce: LookupFunction = (name, options, callback) => {
  const question = `${name} ${options.all} ${options.family}`
  const waiting = questions.get(question)
  if (waiting) return void waiting.push(callback)
  const all = [callback]
  questions.set(question, all)
  process.getBuiltinModule("node:dns").lookup(name, options, (...told: Parameters<typeof callback>) => {
    questions.delete(question)
    for (const tell of all) tell(...told)
  })
}

export function clientOfNode(): World["fetch"] {
  const clients = new Map<string, ReturnType<typeof open>>()
  return async (request, { signal, isFresh }) => {
    signal?.throwIfAborted()
    const { protocol, hostname, port, pathname, search } = new URL(request.url)
    const body = request.body ? await request.bytes() : undefined
    const headers: OutgoingHttpHeaders = { ...defaults }
    for (const [name, value] of request.headers) headers[name] = value
    if (body) headers["content-length"] = body.length
    const host = hostname.replace(/^\[|\]$/g, "")
    const { ask, pool } = clients.get(protocol) ?? open(protocol)
    clients.set(protocol, { ask, pool })
    const target = { method: request.method, protocol, host, port, path: pathname + search }
    const agent = isFresh ? false : pool
    const options: RequestOptions = { ...target, headers, agent, lookup: lookUpOnce, maxHeaderSize: 65_536 }
    return await new Promise((resolve, reject) => {
      // A throw inside of a listener would end the process.
      const take = (answer: IncomingMessage) => {
        try {
          resolve(replyOf(answer))
        } catch (error) {
          answer.destroy()
          reject(error)
        }
      }
      const asked = ask(options, take)
      asked.on("upgrade", (answer, socket) => {
        socket.destroy()
        take(answer)
      })
      asked.on("error", reject).end(body)
      // Node's own option of this name watches every event of the call, which costs a seventh of it.
      signal?.addEventListener("abort", () => asked.destroy(), { once: true })
    })
  }
}
