/** The floor: the least code that does the same work, with what the runtime itself has and no package. */
import { createHmac, timingSafeEqual } from "node:crypto"
import { Agent, createServer, request } from "node:http"

type Answer = [status: number, text: string]

const { SECRET = "", PORT, PROVIDER_URL } = process.env
const { Bun, Deno } = globalThis as unknown as {
  Bun?: { serve(options: object): unknown }
  Deno?: { serve(options: object, handle: (request: Request) => Promise<Response>): unknown }
}
const address = { port: Number(PORT), hostname: "127.0.0.1" }
const headers = { authorization: "a key of 16 bytes", "content-type": "application/json" }

function isGenuine(authorization: string): boolean {
  const [header = "", claims = "", signature = ""] = authorization.slice("Bearer ".length).split(".")
  const given = Buffer.from(signature, "base64url")
  const own = createHmac("sha256", SECRET).update(`${header}.${claims}`).digest()
  if (given.length !== own.length || !timingSafeEqual(given, own)) return false
  const { alg } = JSON.parse(Buffer.from(header, "base64url").toString())
  const { aud, sub, exp } = JSON.parse(Buffer.from(claims, "base64url").toString())
  return alg === "HS256" && aud === "urn:smstask" && sub === "urn:Auth0" && exp * 1_000 > Date.now()
}

const agent = new Agent({ keepAlive: true })

function postByNode(url: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method: "POST", agent, headers }, (response) => {
      let answer = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk))
      response.on("end", () => resolve(answer))
    })
    call.on("error", reject).end(text)
  })
}

const postByFetch = (url: string, body: string) => fetch(url, { method: "POST", headers, body }).then((r) => r.text())
const post = Bun || Deno ? postByFetch : postByNode

async function handle(authorization: string, text: string): Promise<Answer> {
  if (!isGenuine(authorization)) return [401, ""]
  const { recipient, body, sender } = JSON.parse(text)
  if (!/^\+[1-9]\d{6,14}$/.test(recipient) || typeof body !== "string" || body === "") return [400, ""]
  let id = "none"
  if (PROVIDER_URL) {
    const message = { channel: "sms", to: recipient.slice(1), content: body, from: sender }
    const answer = await post(`${PROVIDER_URL}/v1/message`, JSON.stringify({ messages: [message] }))
    id = JSON.parse(answer).messages[0].apiMessageId
  }
  console.log(JSON.stringify({ time: new Date(), level: "info", event: "accepted", id }))
  return [200, JSON.stringify({ id })]
}

async function answer(request: Request): Promise<Response> {
  if (request.method === "GET") return new Response("ok")
  const [status, text] = await handle(request.headers.get("authorization") ?? "", await request.text())
  return new Response(text, { status, headers: { "content-type": "application/json" } })
}

if (Bun) Bun.serve({ ...address, fetch: answer, development: false })
else if (Deno) Deno.serve({ ...address, onListen() {} }, answer)
else {
  createServer((request, response) => {
    if (request.method === "GET") return void response.end("ok")
    let text = ""
    request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
    request.on("end", async () => {
      const [status, answer] = await handle(request.headers.authorization ?? "", text)
      response.writeHead(status, { "content-type": "application/json" }).end(answer)
    })
  }).listen(address)
}
