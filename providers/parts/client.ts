/**
 * A client of node:http for Node. It follows no redirect, repeats nothing by itself, keeps its connections, and hands over
 * what it reads as it comes: main.ts decompresses.
 * @module
 */
import { Agent, request as askPlainly, type IncomingMessage } from "node:http"
import { request as askByTls, Agent as TlsAgent } from "node:https"
import type { Reply, World } from "../../main.ts"

/** What fetch sends by itself; identity is asked for, and some code their answers all the same. */
const usual = { accept: "*/*", "accept-encoding": "identity", "user-agent": "smstask" }

function replyOf(answer: IncomingMessage): Reply {
  const received = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)])
  const bytes = async () => {
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  const arrayBuffer = async () => new Uint8Array(await bytes()).buffer
  return { status: answer.statusCode ?? 0, headers: new Headers(received), body: answer, arrayBuffer }
}

export function clientOfNode(): World["fetch"] {
  const kept = { keepAlive: true, scheduling: "lifo" } as const
  const pooled = { "http:": new Agent(kept), "https:": new TlsAgent(kept) }
  return async (request, { signal, isFresh }) => {
    const url = new URL(request.url)
    const body = request.body ? Buffer.from(await request.arrayBuffer()) : undefined
    const length = body && { "content-length": body.length }
    const headers = { ...usual, ...Object.fromEntries(request.headers), ...length }
    const ask = url.protocol === "https:" ? askByTls : askPlainly
    const agent = isFresh ? false : pooled[url.protocol as "http:"]
    const options = { method: request.method, headers, agent, maxHeaderSize: 65_536, ...(signal && { signal }) }
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
      const asked = ask(url, options, take)
      asked.on("upgrade", (answer, socket) => {
        socket.destroy()
        take(answer)
      })
      asked.on("error", reject).end(body)
    })
  }
}
