/** The provider of this machine, for Bun: it accepts as Clickatell and Twilio do, after `DELAY` ms or `never`. */
const { PORT, DELAY = "0" } = process.env
const headers = { "content-type": "application/json" }
const clickatell = JSON.stringify({ messages: [{ apiMessageId: "77f8a2b0", accepted: true, to: "1", error: null }] })
const twilio = JSON.stringify({ sid: "SM0123456789abcdef", status: "queued", error_code: null })

Bun.serve({
  port: Number(PORT),
  hostname: "127.0.0.1",
  idleTimeout: 0,
  async fetch(request) {
    if (request.method === "GET") return new Response("ok")
    await request.text()
    if (DELAY === "never") await new Promise(() => {})
    if (DELAY !== "0") await Bun.sleep(Number(DELAY))
    if (request.url.endsWith("/Messages.json")) return new Response(twilio, { status: 201, headers })
    return new Response(clickatell, { status: 202, headers })
  },
})
