/** What the tests share: a gateway in a world of their own, with every call caught and every line kept. */
import assert from "node:assert/strict"
import { setImmediate as turn } from "node:timers/promises"
import { SignJWT } from "jose"
import { gateway, loadFile, type Message, type Provider, StartError, type World } from "../../main.ts"
import { explain } from "../../providers/commands/advice.ts"

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

/** The error of a failing start has the advice that a person reads. */
const startOrExplain: typeof gateway = (world) =>
  gateway(world).catch(async (error: unknown) => {
    throw error instanceof StartError ? await explain(error, world.env) : error
  })

/** Starts a gateway whose calls `answer` answers. `post` sends a message with a good token. */
export async function start(env: World["env"] = {}, answer: Answer = accepted, rest: Partial<World> = {}) {
  const lines: string[] = []
  const calls: { request: Request; init: Parameters<World["fetch"]>[1]; text: string }[] = []
  const app = await startOrExplain({
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
  const post = async (body: unknown = message, headers: Record<string, string> = {}, path = "/") => {
    const text = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body)
    const authorization = `Bearer ${await sign()}`
    return await call({ method: "POST", headers: { authorization, ...headers }, body: text as string }, path)
  }
  const events = () => lines.filter((line) => line.startsWith("{")).map((line): Line => JSON.parse(line))
  /** The first line of this event. */
  const line = (event: string): Partial<Line> => events().find((one) => one.event === event) ?? {}
  return { app, call, post, lines, events, line, calls }
}

/** The problem of an answer, whatever its shape, for assertions on its members. */
export async function problem(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>
}

/** Lets everything else go on until `holds`. */
export async function until(holds: () => boolean) {
  const ends = Date.now() + 30_000
  while (!holds()) {
    assert.ok(Date.now() < ends, `it never came to ${holds}`)
    await turn()
  }
}

/** An answer that never comes, though the clock goes on to whatever is waited for next. */
type Silence = () => Promise<Response>

/** Clocks that stand until they are moved: `pass` moves both, `step` the wall clock alone, as an administrator does. */
export function standing(start = Date.now()) {
  const timers = new Set<{ ends: number; resolve: () => void }>()
  let [passed, stepped] = [0, 0]
  const pass = (milliseconds: number) => {
    passed += milliseconds
    for (const timer of timers) if (timer.ends <= passed && timers.delete(timer)) timer.resolve()
  }
  const step = (milliseconds: number) => {
    stepped += milliseconds
  }
  const after: World["after"] = (milliseconds, resolve) => {
    const timer = { ends: passed + milliseconds, resolve }
    timers.add(timer)
    return () => timers.delete(timer)
  }
  const silence: Silence = async () => {
    await silenceOnce()
    return await new Promise(() => {})
  }
  /** Lets the clock go on to whatever is waited for next. */
  const silenceOnce = async () => {
    await until(() => timers.size > 0)
    pass(Math.min(...[...timers].map(({ ends }) => ends)) - passed)
  }
  const world = { clock: () => start + passed + stepped, monotonic: () => passed, after } satisfies Partial<World>
  return { world, pass, step, silence, silenceOnce }
}

export type Answers = Record<string, (message: Message) => Response | Promise<Response>>
type Files = Record<string, Partial<Provider>>

/**
 * Provider files of these names, handed over by `load`, in one route. They take `{ id }` as an acceptance, and
 * `{ code, reason, fault }` as a refusal; `asked` keeps who was asked.
 */
export function providers(answers: Answers, files: Files = {}) {
  const asked: string[] = []
  const file = (name: string): Provider => ({
    docs: "https://example.com/",
    env: {},
    url: `https://${name}.example.com`,
    request: (message, _, { url }) => new Request(url, { method: "POST", body: JSON.stringify(message) }),
    receipt({ status, json }) {
      const { id, code = status, reason, fault } = Object(json)
      return status === 200 && typeof id === "string" ? { id } : { code, reason, fault }
    },
    ...files[name],
  })
  const load: World["load"] = async (path) => (path in answers ? { default: file(path) } : await loadFile(path))
  const answer: Answer = async (request) => {
    const [name = ""] = new URL(request.url).host.split(".")
    asked.push(name)
    const text = await request.text()
    return (await answers[name]?.((text ? JSON.parse(text) : {}) as Message)) ?? new Response(null, { status: 599 })
  }
  return { load, answer, asked, env: { SMS_PROVIDER: Object.keys(answers).join() } }
}

/** A gateway of these providers whose clock stands. `send` posts a text, and to a number, that were never there before. */
export async function route(answers: Answers, env: World["env"] = {}, files: Files = {}, time = standing()) {
  const given = providers(answers, files)
  const unlimited = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
  const rest = { ...time.world, load: given.load }
  const gateway = await start({ ...given.env, ...unlimited, ...env }, given.answer, rest)
  let count = 0
  const send = async (recipient?: string, more: object = {}) => {
    count += 1
    const own = `+1222333${String(count).padStart(4, "0")}`
    const response = await gateway.post({ ...message, body: `code ${count}`, recipient: recipient ?? own, ...more })
    return { status: response.status, answer: await problem(response) }
  }
  return { ...gateway, asked: given.asked, send, time }
}

/** Answers of `providers`. */
export const take = (id = "x-1") => Response.json({ id })
export const status = (code: number) => () => new Response(null, { status: code })
export const blame = (fault: string) => () => Response.json({ code: "told", reason: "so", fault }, { status: 400 })
export const cutOff = () => Promise.reject(Object.assign(new Error("reset"), { code: "ECONNRESET" }))
export const notReached = () => Promise.reject(Object.assign(new Error("x"), { code: "ECONNREFUSED" }))
