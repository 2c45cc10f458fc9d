/** Three lines of Hono, for the time to start; what listens is the runtime's own, as in main.ts. */
import { Hono } from "hono"

const app = new Hono().get("/health", (c) => c.text("ok"))
const { Bun, Deno } = globalThis as unknown as {
  Bun?: { serve(options: object): unknown }
  Deno?: { serve(options: object, handle: typeof app.fetch): unknown }
}
const address = { port: Number(process.env.PORT), hostname: "127.0.0.1" }
if (Bun) Bun.serve({ ...address, fetch: app.fetch })
else if (Deno) Deno.serve({ ...address, onListen() {} }, app.fetch)
else (await import("@hono/node-server")).serve({ ...address, fetch: app.fetch })
