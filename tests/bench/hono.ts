/** The least that one would write with Hono for the same story: prove the token, read the number, call the provider. */
import { Hono } from "hono"
import { jwt } from "hono/jwt"
import parsePhoneNumber from "libphonenumber-js/min"

const { PORT, SECRET = "", PROVIDER_URL } = process.env
const headers = { authorization: "a key of 16 bytes", "content-type": "application/json" }

const app = new Hono().get("/health", (c) => c.text("ok"))
app.use(jwt({ secret: SECRET, alg: "HS256", verification: { aud: "urn:smstask" } }))
app.post("/", async (c) => {
  const { recipient, body, sender } = await c.req.json()
  const number = parsePhoneNumber(recipient)
  if (!number?.isPossible()) return c.text("the number is wrong", 400)
  const message = { channel: "sms", to: number.number.slice(1), content: body, from: sender }
  const call = { method: "POST", headers, body: JSON.stringify({ messages: [message] }) }
  const answer = await fetch(`${PROVIDER_URL}/v1/message`, call)
  return c.json({ id: JSON.parse(await answer.text()).messages[0].apiMessageId })
})

/** What listens is the runtime's own, as in main.ts. */
const { Bun, Deno } = globalThis as unknown as {
  Bun?: { serve(options: object): unknown }
  Deno?: { serve(options: object, handle: typeof app.fetch): unknown }
}
const address = { port: Number(PORT), hostname: "127.0.0.1" }
if (Bun) Bun.serve({ ...address, fetch: app.fetch })
else if (Deno) Deno.serve({ ...address, onListen() {} }, app.fetch)
else (await import("@hono/node-server")).serve({ ...address, fetch: app.fetch })
