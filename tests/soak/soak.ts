/**
 * 60,000 messages, 64 at a time, through a gateway of its own process and two providers of this one: of the first, 5 % of
 * the calls are reset, 5 % answer 500 and 5 % hang, and for a while in the middle it is down. Then SIGTERM in the middle
 * of a last burst. Prints the figures of the runtime named by the argument, and exits with 1 where one is not as it must be.
 *
 *     npm run soak
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"

const total = 60_000
const atOnce = 64
const secret = "a-token-for-the-soak-of-more-than-32-characters"
const main = fileURLToPath(new URL("../../main.ts", import.meta.url))
const runtimes: Record<string, string[]> = {
  node: ["node"],
  bun: ["bun"],
  deno: ["deno", "run", "--no-prompt", "--allow-net", "--allow-env", "--allow-read=.env,providers"],
}

/** Takes a message and counts it by its text; `misbehave` answers in place of an acceptance when it gives true. */
async function provider(misbehave: (response: ServerResponse, request: IncomingMessage) => boolean) {
  const sent = new Map<string, number>()
  const server = createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text
    })
    request.on("end", () => {
      if (misbehave(response, request)) return
      const { text } = JSON.parse(body)
      sent.set(text, (sent.get(text) ?? 0) + 1)
      response.writeHead(202, { "content-type": "application/json" }).end(`{"id":"m-1","message_uuid":["m-1"]}`)
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const close = () => server.close().closeAllConnections()
  return { url: `http://127.0.0.1:${port}`, sent, close }
}

/** Resident memory of a process in MiB (Linux). */
const memory = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

async function soak(name: string): Promise<boolean> {
  let count = 0
  let isDown = false
  const hung = { count: 0 }
  const first = await provider((response, request) => {
    count += 1
    if (isDown || count % 20 === 3) request.socket.destroy()
    else if (count % 20 === 9) response.writeHead(500).end()
    else if (count % 20 === 15) hung.count += 1
    else return false
    return true
  })
  const second = await provider(() => false)
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    SSL_CERT_FILE: process.env.SSL_CERT_FILE,
    PORT: "0",
    HOST: "127.0.0.1",
    GATEWAY_TOKEN: secret,
    SMS_PROVIDER: "http,plivo",
    HTTP_URL: `${first.url}/send`,
    HTTP_BODY: '{"to":"{recipient}","text":"{body}"}',
    HTTP_SUCCESS: '"id":"(.+?)"',
    PLIVO_URL: second.url,
    PLIVO_AUTH_ID: "id",
    PLIVO_AUTH_TOKEN: "token",
    ATTEMPT_TIMEOUT: "1s",
    DUPLICATE_WINDOW: "1s",
    LIMIT_RECIPIENT: "off",
    LIMIT_PREFIX: "off",
  } as unknown as NodeJS.ProcessEnv
  const [command = "", ...args] = runtimes[name] ?? []
  // The runtime's own file, not the npm package's script around it, so that memory and signals are the runtime's.
  const print = name === "deno" ? ["eval", "console.log(Deno.execPath())"] : ["-p", "process.execPath"]
  const file = spawnSync(command, print, { encoding: "utf8" }).stdout.trim()
  const gateway: ChildProcess = spawn(file, [...args, main], { env, stdio: ["ignore", "pipe", "inherit"] })
  let log = ""
  let timeouts = 0
  const address = await new Promise<string>((resolve) => {
    gateway.stdout?.setEncoding("utf8").on("data", (text: string) => {
      log = `${log}${text}`.slice(-100_000)
      timeouts += text.split('"event":"timeout"').length - 1
      const found = /"address":"([^"]+)"/.exec(log)?.[1]
      if (found) resolve(found)
    })
  })
  const statuses: Record<string, number> = {}
  let next = 0
  const post = async (text: string) => {
    const body = JSON.stringify({ recipient: `+1222${String(1_000_000 + (next % 900_000))}`, body: text, sender: "" })
    const headers = { authorization: `Bearer ${secret}` }
    const status = await fetch(address, { method: "POST", headers, body }).then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      (error: Error) => error.name,
    )
    statuses[status] = (statuses[status] ?? 0) + 1
    return status
  }
  const started = Date.now()
  let half = 0
  const worker = async () => {
    while (next < total) {
      next += 1
      isDown = next > total * 0.4 && next < total * 0.6
      if (next === total / 2) half = memory(gateway.pid ?? 0)
      await post(`soak ${next}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  const seconds = (Date.now() - started) / 1000
  const end = memory(gateway.pid ?? 0)
  const messages = Array.from({ length: total }, (_, index) => {
    const text = `soak ${index + 1}`
    return (first.sent.get(text) ?? 0) + (second.sent.get(text) ?? 0)
  })
  const lost = messages.filter((times) => times === 0).length
  const twice = messages.filter((times) => times > 1).length
  const answered = { ...statuses }

  // A last burst, and SIGTERM in the middle of it: what was taken must be answered.
  const burst = Array.from({ length: 200 }, (_, index) => {
    next += 1
    return post(`burst ${index}`).then((status) => ({ index, status }))
  })
  await new Promise((resolve) => setTimeout(resolve, 30))
  process.kill(gateway.pid ?? 0, "SIGTERM")
  const [code] = await once(gateway, "exit")
  const results = await Promise.all(burst)
  const wasSent = (index: number) => first.sent.has(`burst ${index}`) || second.sent.has(`burst ${index}`)
  const droppedByStop = results.filter(({ index, status }) => status !== 200 && wasSent(index)).length
  first.close()
  second.close()

  const isGood =
    answered["200"] === total && lost === 0 && twice === 0 && end < half * 1.1 && droppedByStop === 0 && code === 0
  console.log(
    JSON.stringify({
      runtime: name,
      seconds,
      answered,
      lost,
      sentTwice: twice,
      timeouts,
      hung: hung.count,
      memoryAtHalf: Math.round(half),
      memoryAtEnd: Math.round(end),
      sigterm: {
        exit: code,
        answered: results.filter(({ status }) => status === 200).length,
        sentButNotAnswered: droppedByStop,
      },
      isGood,
    }),
  )
  return isGood
}

let isGood = true
for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(runtimes))
  isGood = (await soak(name)) && isGood
process.exit(isGood ? 0 : 1)
