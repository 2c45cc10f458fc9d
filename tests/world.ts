/** What the tests share: a gateway in a world of their own, with every call caught and every line kept. */
import { SignJWT } from "jose"
import { gateway, type World } from "../main.ts"

export const secret = "the secret of these tests, longer than 32 bytes"
export const message = {
  recipient: "+12223334444",
  body: "Grüße von A & B: 326162 ist dein Code",
  sender: "+15005550006",
}

/** A provider by configuration alone, so that these tests rest on no vendor's contract. */
export const httpEnv = {
  SMS_PROVIDER: "http",
  HTTP_URL: "https://sms.example.com/send",
  HTTP_BODY: '{"to":"{recipient}","from":"{sender}","text":"{body}"}',
  HTTP_SUCCESS: '"id":"([^"]+)"',
}

export const accepted = () => Response.json({ id: "m-1" })

interface Token {
  claims?: Record<string, unknown>
  key?: string | Uint8Array
  alg?: string
}

/** A token as Auth0 signs it, less what `claims` sets to undefined. */
export async function sign({ claims = {}, key = secret, alg = "HS256" }: Token = {}): Promise<string> {
  const all = { aud: "urn:smstask", sub: "urn:Auth0", ...claims }
  const bytes = typeof key === "string" ? new TextEncoder().encode(key) : key
  return await new SignJWT(all).setProtectedHeader({ alg }).sign(bytes)
}

type Answer = (request: Request, init: RequestInit) => Response | Promise<Response>

export interface Line {
  level: string
  event: string
  [name: string]: unknown
}

/** Starts a gateway whose calls `answer` answers. `post` sends a message with a good token. */
export async function start(env: World["env"] = {}, answer: Answer = accepted, rest: Partial<World> = {}) {
  const lines: string[] = []
  const calls: { request: Request; init: RequestInit; text: string }[] = []
  const app = await gateway({
    env: { GATEWAY_SECRET: secret, ...httpEnv, ...env },
    fetch: async (request, init) => {
      calls.push({ request, init, text: await request.clone().text() })
      return await answer(request, init)
    },
    clock: Date.now,
    print: (line) => lines.push(line),
    ...rest,
  })
  const call = async (init: RequestInit, path = "/", address = "127.0.0.1") =>
    await app.request(path, init, { address: () => address })
  const post = async (body: unknown = message, headers: Record<string, string> = {}) => {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    return await call({ method: "POST", headers: { authorization: `Bearer ${await sign()}`, ...headers }, body: text })
  }
  const events = () => lines.filter((line) => line.startsWith("{")).map((line): Line => JSON.parse(line))
  return { app, call, post, lines, events, calls }
}

/** The problem of an answer, whatever its shape, for assertions on its members. */
export async function problem(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>
}
