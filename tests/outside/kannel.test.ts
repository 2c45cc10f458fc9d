/**
 * providers/kannel.ts, held against Kannel itself and its fake SMSC: Debian's. `KANNEL` names another folder with its three
 * programs. On Node alone.
 */
import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { provider, type Run, serving, until } from "../lib/process.ts"
import { httpEnv, secret, sign } from "../lib/world.ts"

const { KANNEL, CI } = process.env
const [bearerbox, smsbox] = [join(KANNEL ?? "/usr/sbin", "bearerbox"), join(KANNEL ?? "/usr/sbin", "smsbox")]
const fakesmsc = join(KANNEL ?? "/usr/lib/kannel/test", "fakesmsc")
const missing = [bearerbox, smsbox, fakesmsc].find((file) => !existsSync(file))
const skip = missing && `there is no ${missing}: apt-get install kannel kannel-extras`
if (skip && CI === "true") throw new Error(skip)

const limit = 60_000
const folder = mkdtempSync(join(tmpdir(), "smstask-kannel-"))
const children: ChildProcess[] = []
after(() => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true })
})

/** Ports that are free now, all of them different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
  await Promise.all(servers.map((server) => once(server, "listening")))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), "close")))
  return ports
}

/** Starts one of Kannel's programs, which is ended by its id after a minute at most, and gives what it told so far. */
function start(file: string, args: string[]): () => string {
  const child = spawn(file, args, { cwd: folder, timeout: limit, killSignal: "SIGKILL" })
  children.push(child)
  let told = ""
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (told += text))
  return () => told
}

const password = "fo/o b&ar"
const configuration = (ports: { admin: number; box: number; smsc: number; sendsms: number }) => `
group = core
admin-port = ${ports.admin}
admin-interface = 127.0.0.1
admin-password = "a word that nobody needs"
smsbox-port = ${ports.box}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = fake
host = 127.0.0.1
port = ${ports.smsc}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = ${ports.sendsms}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = tester
password = "${password}"
concatenation = true
max-messages = 10
black-list-regex = "^\\\\+120255501"

group = sendsms-user
username = short
password = "${password}"

group = sms-service
keyword = default
text = "nothing"
`

describe("Kannel", { timeout: limit, skip }, () => {
  let gateway: Run & { url: string }
  let short: Run & { url: string }
  let received = () => ""
  let smsc = 0

  before(async () => {
    const [admin = 0, box = 0, free = 0, sendsms = 0, port = 0] = await freePorts(5)
    smsc = free
    const file = join(folder, "kannel.conf")
    writeFileSync(file, configuration({ admin, box, smsc, sendsms }))
    const routing = start(bearerbox, ["-v", "0", file])
    await until(routing, /MAIN: Start-up done/)
    const sending = start(smsbox, ["-v", "0", file])
    await until(sending, /Connected to bearerbox/)
    const next = await provider((_, response) => response.end('{"id":"next"}'))
    const env = {
      ...httpEnv,
      GATEWAY_SECRET: secret,
      HTTP_URL: next.url,
      GATEWAY_URL: `http://127.0.0.1:${port}`,
      SMS_PROVIDER: "kannel,http",
      SMS_TTL: "5m",
      KANNEL_URL: `http://127.0.0.1:${sendsms}/cgi-bin/sendsms`,
      KANNEL_USERNAME: "tester",
      KANNEL_PASSWORD: password,
      KANNEL_SENDER: "ACME",
      KANNEL_REPORT_KEY: "sampleReportKey0001",
    }
    gateway = await serving({ ...env, PORT: `${port}` })
    short = await serving({ ...env, KANNEL_USERNAME: "short", SMS_PROVIDER: "kannel" })
  })
  after(() => {
    gateway?.kill()
    short?.kill()
  })

  const post = async (recipient: string, body: string, to = gateway) => {
    const headers = { authorization: `Bearer ${await sign()}` }
    return await fetch(to.url, { method: "POST", headers, body: JSON.stringify({ recipient, body, sender: "" }) })
  }
  /** The texts that the fake SMSC got for a number, with `+` for a blank in those that come in parts. */
  const partsFor = (recipient: string) =>
    [...received().matchAll(/Got message \d+: <ACME (\+\d+) (.*)>/g)].flatMap(([, to, rest]) =>
      to === recipient && rest ? rest : [],
    )

  test("without an SMSC a text is perhaps sent, and the next provider is asked", async () => {
    const response = await post("+12025550201", "Your code is 111111")
    assert.equal(response.status, 200)
    await until(
      gateway.stdout,
      /"event":"refused"[^\n]*"provider":"kannel"[^\n]*"code":"queued"[^\n]*"fault":"provider"/,
    )
    await until(gateway.stdout, /"event":"accepted"[^\n]*"provider":"http"/)
    received = start(fakesmsc, ["-H", "127.0.0.1", "-r", `${smsc}`, "-i", "1"])
    await until(received, /Got message 1: <ACME \+12025550201 text Your code is 111111>/)
    await until(gateway.stdout, /"event":"delivered"[^\n]*"provider":"kannel"/)
  })

  test("a text beyond ASCII arrives as it was, and its delivery is reported", async () => {
    assert.equal((await post("+12025550202", "Grüße von A & B: 326162 ist dein Code")).status, 200)
    await until(received, /Got message \d+: <ACME \+12025550202 text Grüße von A & B: 326162 ist dein Code>/)
    await until(gateway.stdout, /(?:"event":"delivered"[^\n]*"provider":"kannel"[\s\S]*){2}/)
  })

  test("a text beyond GSM-7 goes as UCS-2", async () => {
    assert.equal((await post("+12025550203", "код 4711")).status, 200)
    await until(received, /<ACME \+12025550203 ucs-2 %04%3A%04%3E%044%00\+%004%007%001%001>/)
  })

  test("a long text arrives in parts, with its code at the end", async () => {
    assert.equal((await post("+12025550204", `${"x".repeat(170)} 326162`)).status, 200)
    await until(received, /<ACME \+12025550204 udh [^>]* data x+\+326162>/)
    const parts = partsFor("+12025550204")
    assert.equal(parts.length, 2)
    const text = parts.map((part) => part.replace(/^udh \S+ data /, "")).join("")
    assert.equal(text, `${"x".repeat(170)}+326162`)
  })

  test("a group without concatenation and max-messages loses the code of a long text, and nobody tells", async () => {
    assert.equal((await post("+12025550205", `${"x".repeat(170)} 326162`, short)).status, 200)
    await until(received, /<ACME \+12025550205 text x+>/)
    assert.doesNotMatch(partsFor("+12025550205").join(""), /326162/)
  })

  test("a receiver that its black list denies is no fault of the number, and the next provider is asked", async () => {
    assert.equal((await post("+12025550155", "Your code is 222222")).status, 200)
    await until(gateway.stdout, /"event":"refused"[^\n]*"code":"400"[^\n]*denied[^\n]*"fault":"account"/)
    assert.doesNotMatch(received(), /12025550155/)
  })
})
