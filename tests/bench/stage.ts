/**
 * A message as far as one stage of its way, and what comes before that: under load each stage costs what this server takes
 * more than the one before. STAGE is the last of `names`. See stages.ts.
 */
import { Hono } from "hono"
import { type Arrival, createClient, createOwnProof, once, prepare, readMessage, type World } from "../../main.ts"

const { PORT, STAGE = "", GATEWAY_SECRET = "", CLICKATELL_URL = "", CLICKATELL_API_KEY = "" } = process.env
const names = ["server", "call", "proof", "read", "send"]
const last = names.indexOf(STAGE)
const reaches = (name: string) => names.indexOf(name) <= last

const clocks = { clock: Date.now, monotonic: () => performance.now() }
const provider = { SMS_PROVIDER: "clickatell", CLICKATELL_API_KEY, CLICKATELL_URL }
const fetch = await createClient()
const world: World = { ...clocks, env: { GATEWAY_SECRET, LOG_FORMAT: "json", ...provider }, fetch, print() {} }
const { gateway } = await prepare(world, true)
// The log is the last stage, which only main.ts has.
gateway.log = () => {}
const prove = createOwnProof(gateway.settings, world.clock)
const signal = new AbortController().signal

/** The call to the provider, with nothing around it. */
async function call(recipient: string, body: string): Promise<unknown> {
  const headers = { authorization: CLICKATELL_API_KEY, "content-type": "application/json" }
  const message = { channel: "sms", to: recipient.slice(1), content: body }
  const request = new Request(`${CLICKATELL_URL}/v1/message`, {
    method: "POST",
    headers,
    body: JSON.stringify({ messages: [message] }),
  })
  const answer = await fetch(request, { signal, isFresh: false, redirect: "manual" })
  return JSON.parse(new TextDecoder().decode(await answer.bytes()))
}

async function answer(request: Request): Promise<object> {
  if (reaches("proof") && "problem" in (await prove({ headers: request.headers, text: "" })))
    throw new Error("unproven")
  const written = JSON.parse(await request.text())
  if (STAGE === "server") return { id: "none" }
  const id = crypto.randomUUID()
  const arrival: Arrival = { id, caller: "", about: { request: id }, deadline: clocks.monotonic() + 15_000 }
  const inbound = reaches("read") ? await readMessage(written, arrival, gateway) : undefined
  if (inbound && "problem" in inbound) throw new Error(inbound.detail)
  if (inbound && reaches("send")) return await once(inbound, gateway)
  return { id, answer: await call(written.recipient, written.body) }
}

const app = new Hono().get("/health", (c) => c.text("ok"))
app.post("/", async (c) => c.json(await answer(c.req.raw)))

const { Bun, Deno } = globalThis as unknown as {
  Bun?: { serve(options: object): unknown }
  Deno?: { serve(options: object, handle: typeof app.fetch): unknown }
}
const address = { port: Number(PORT), hostname: "127.0.0.1" }
if (Bun) Bun.serve({ ...address, fetch: app.fetch, development: false })
else if (Deno) Deno.serve({ ...address, onListen() {} }, app.fetch)
else (await import("@hono/node-server")).serve({ ...address, fetch: app.fetch })
