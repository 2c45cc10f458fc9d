/**
 * The world of a host that calls a function for each request, such as Cloudflare Workers or AWS Lambda. tests/hosts has an
 * entry for each.
 * @module
 */
import { cleanEnvironment, type World } from "../../main.ts"

/**
 * Makes a world of the host's variables. Those that are no texts, such as a Worker's bindings, are left out. NODE_ENV is
 * production unless it is set.
 */
export function hostWorld(env: Readonly<Record<string, unknown>>): World {
  const texts = Object.entries(env).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : []))
  const given = Object.fromEntries(texts)
  const { NODE_ENV = "production", LOG_FORMAT = "json" } = cleanEnvironment(given)
  return {
    env: { ...given, NODE_ENV, LOG_FORMAT },
    fetch: askDecoded,
    clock: Date.now,
    monotonic: () => performance.now(),
    print: (line) => console.log(line),
    isOneOfMany: true,
  }
}

/** Asks by the host's fetch, which decompresses and keeps the header that says otherwise. */
const askDecoded: World["fetch"] = async (request, { isFresh: _, ...init }) => {
  const reply = await fetch(request, init)
  const headers = new Headers(reply.headers)
  for (const name of ["content-encoding", "content-length"]) headers.delete(name)
  return new Response(reply.body, { status: reply.status, headers })
}
