/** The provider of this machine, for Bun: it accepts every message as Clickatell does, after `DELAY` milliseconds. */
const { PORT, DELAY = "0" } = process.env
const accepted = JSON.stringify({ messages: [{ apiMessageId: "77f8a2b0", accepted: true, to: "1", error: null }] })
const headers = { "content-type": "application/json" }

Bun.serve({
  port: Number(PORT),
  hostname: "127.0.0.1",
  async fetch(request) {
    if (request.method === "GET") return new Response("ok")
    await request.text()
    if (DELAY !== "0") await Bun.sleep(Number(DELAY))
    return new Response(accepted, { status: 202, headers })
  },
})
