/**
 * A client of node:http for Node. It follows no redirect, repeats nothing by itself, and keeps its connections.
 * @module
 */
import { Agent, request as askPlainly, type IncomingMessage } from "node:http"
import { request as askByTls, Agent as TlsAgent } from "node:https"
import { pipeline, type Readable } from "node:stream"
import { createBrotliDecompress, createUnzip, createZstdDecompress } from "node:zlib"
import type { Reply, World } from "../../main.ts"

/** What fetch sends by itself; identity is asked for, and some code their answers all the same. */
const usual = { accept: "*/*", "accept-encoding": "identity", "user-agent": "smstask" }
const decoders = {
  gzip: createUnzip,
  "x-gzip": createUnzip,
  deflate: createUnzip,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/** The bytes of an answer, decoded where it comes coded. */
function bodyOf(answer: IncomingMessage): Readable {
  const decode = decoders[answer.headers["content-encoding"] as keyof typeof decoders]
  return decode ? pipeline(answer, decode(), () => {}) : answer
}

function replyOf(answer: IncomingMessage): Reply {
  const received = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)])
  const body = bodyOf(answer)
  const bytes = async () => {
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  const text = async () => (await bytes()).toString()
  const arrayBuffer = async () => new Uint8Array(await bytes()).buffer
  return { status: answer.statusCode ?? 0, headers: new Headers(received), body, text, arrayBuffer }
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
      const asked = ask(url, options, (answer) => resolve(replyOf(answer)))
      asked.on("error", reject).end(body)
    })
  }
}
