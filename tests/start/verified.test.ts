/** The verified wire from outside: main.ts as a user starts it, two providers on the loopback, and calls of POST /verified. */
import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:net"
import { after, test } from "node:test"
import { load } from "../lib/auth0.ts"
import { provider, type Run, run, serving, until } from "../lib/process.ts"
import { whySkipped } from "../lib/programs.ts"

const slow = { timeout: 60_000 }
const token = "a-token-of-more-than-32-characters-01234"
const recipient = "+12223334444"

/** Both vendors at one address of this machine: `told` keeps what they are told of entered codes. */
async function vendors() {
  const told: string[] = []
  let sent = 0
  const { url } = await provider((request, response, body) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://vendor")
    response.setHeader("content-type", "application/json")
    if (pathname.endsWith("/Feedback.json")) told.push(`twilio ${pathname.split("/").at(-2)} ${body}`)
    if (pathname === "/conversions/sms")
      told.push(`vonage ${searchParams.get("message-id")} delivered=${searchParams.get("delivered")}`)
    sent += 1
    if (pathname.endsWith("/Messages.json")) {
      response.writeHead(201)
      response.end(JSON.stringify({ sid: `SM${sent}`, status: "queued" }))
      return
    }
    response.end(
      pathname === "/sms/json" ? JSON.stringify({ messages: [{ status: "0", "message-id": `V${sent}` }] }) : "{}",
    )
  })
  const env = {
    SMS_PROVIDER: "twilio,vonage-sms",
    TWILIO_URL: url,
    TWILIO_ACCOUNT_SID: "AC00000000000000000000000000000000",
    TWILIO_AUTH_TOKEN: "0123456789abcdef0123456789abcdef",
    VONAGE_SMS_URL: url,
    VONAGE_API_KEY: "abcd1234",
    VONAGE_API_SECRET: "SampleSecret0001",
    SMS_SENDER: "+15005550006",
    GATEWAY_TOKEN: token,
    LIMIT_RECIPIENT: "off",
    DUPLICATE_WINDOW: "off",
    TWILIO_FEEDBACK: "on",
    VONAGE_SMS_FEEDBACK: "on",
  }
  return { env, told }
}

const call = async ({ url }: { url: string }, path: string, body: object, bearer = token) => {
  const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" }
  return await fetch(new URL(path, url), { method: "POST", headers, body: JSON.stringify(body) })
}
const send = async (gateway: { url: string }, text: string, to = recipient) => {
  const response = await call(gateway, "/", { recipient: to, body: text })
  assert.equal(response.status, 200, await response.clone().text())
  return Object(await response.json()).provider
}
const eventsOf = ({ stdout }: Run, ...names: string[]) =>
  stdout()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): Record<string, unknown> => JSON.parse(line))
    .filter(({ event }) => names.includes(String(event)))

test("two providers, a code that is entered, and both vendors told once", slow, async () => {
  const { env, told } = await vendors()
  const gateway = await serving(env)
  assert.equal(await send(gateway, "first 326162"), "twilio")
  assert.equal(await send(gateway, "second 326163"), "vonage-sms")
  for (const body of [{ recipient }, { recipient }, { recipient: "+12223334445" }])
    assert.equal((await call(gateway, "/verified", body)).status, 204)
  await until(gateway.stdout, /(?:"event":"unmatched"[\s\S]*){2}/)
  await until(gateway.stdout, /(?:"event":"feedback"[\s\S]*){2}/)
  assert.deepEqual(
    eventsOf(gateway, "verified", "unverified").map(({ event, provider }) => `${provider} ${event}`),
    ["vonage-sms verified", "twilio unverified"],
  )
  assert.deepEqual(told.sort(), ["twilio SM1 Outcome=unconfirmed", "vonage V2 delivered=true"])
  // Whoever entered a code asks for the next one, and not again.
  assert.equal(await send(gateway, "third 326164"), "twilio")
  await until(gateway.stdout, /(?:"event":"accepted"[\s\S]*){3}/)
  assert.equal(eventsOf(gateway, "again").length, 1)
  assert.equal((await call(gateway, "/verified", { recipient }, "x".repeat(40))).status, 401)
  for (const word of [token, "326162", "2223334444"]) assert.ok(!gateway.stdout().includes(word), word)
  gateway.kill("SIGKILL")
})

test("a flood of calls is answered 204 and then 429, while messages go on", slow, async () => {
  const { env } = await vendors()
  const gateway = await serving(env)
  const statuses = await Promise.all(
    Array.from({ length: 200 }, async () => (await call(gateway, "/verified", { recipient })).status),
  )
  assert.equal(statuses.filter((status) => status === 204).length, 10)
  assert.equal(statuses.filter((status) => status === 429).length, 190)
  assert.equal(await send(gateway, "in the flood 326162"), "twilio")
  gateway.kill("SIGKILL")
})

test("a flood of messages to one country that nobody verifies ends with LIMIT_UNVERIFIED", slow, async () => {
  const { env } = await vendors()
  const gateway = await serving({ ...env, LIMIT_UNVERIFIED: "3/1h", LIMIT_PREFIX: "off" })
  const statuses: number[] = []
  for (let sent = 0; sent < 5; sent += 1)
    statuses.push((await call(gateway, "/", { recipient: `+49151123456${sent}0`, body: `code ${sent}` })).status)
  assert.deepEqual(statuses, [200, 200, 200, 429, 429])
  assert.equal(await send(gateway, "elsewhere"), "twilio")
  gateway.kill("SIGKILL")
})

test("the post-login Action that platforms auth0 prints tells it, and fails no login", slow, async () => {
  const { env } = await vendors()
  const gateway = await serving(env)
  const printed = run(["platforms", "auth0"], env)
  await printed.ended
  const [, source = ""] = /^(exports\.onExecutePostLogin[\s\S]*?^\})$/m.exec(printed.stdout()) ?? []
  const action = load(source, { URL })
  const login = (secrets: object, strategy = "sms", phone_number: string | undefined = recipient, protocol = "oidc") =>
    action.onExecutePostLogin?.(
      { connection: { strategy }, user: { phone_number }, transaction: { protocol }, secrets },
      {},
    )
  const secrets = { GATEWAY_URL: gateway.url, GATEWAY_TOKEN: token }
  await send(gateway, "code 326162")
  // Nothing that happens here reaches the person who logs in.
  for (const broken of [{}, { GATEWAY_URL: "http://127.0.0.1:1/" }, { ...secrets, GATEWAY_TOKEN: "wrong" }])
    assert.equal(await login(broken), undefined)
  await login(secrets, "auth0")
  await login(secrets, "sms", recipient, "oauth2-refresh-token")
  assert.equal(eventsOf(gateway, "verified", "unmatched").length, 0)
  await login(secrets)
  await until(gateway.stdout, /"event":"verified"/)
  gateway.kill("SIGKILL")
})

const options = { timeout: 60_000, skip: whySkipped("redis-server") }
const servers = new Set<ReturnType<typeof spawn>>()
after(() => {
  for (const server of servers) server.kill("SIGKILL")
})

test(
  "two instances on one store know each other's acceptances, count them once, and a restart forgets none",
  options,
  async () => {
    const free = createServer().listen(0, "127.0.0.1")
    await once(free, "listening")
    const { port } = free.address() as { port: number }
    free.close()
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    const server = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] })
    servers.add(server)
    let output = ""
    server.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
    await until(() => output, /Ready to accept connections/)
    const { env, told } = await vendors()
    const shared = { ...env, STORE: `redis://127.0.0.1:${port}` }
    const [one, other] = await Promise.all([serving(shared), serving(shared)])
    // No message waits until the store has its acceptance.
    const kept = () => {
      const ask = (...args: string[]) =>
        spawnSync("redis-cli", ["-p", String(port), ...args], { encoding: "utf8" }).stdout
      const keys = ask("keys", "smstask:*")
        .split("\n")
        .filter((key) => /^smstask:[\w-]+$/.test(key))
      return keys.map((key) => ask("get", key)).join()
    }
    // A first message loads what it needs, and a busy machine may take the store for late meanwhile.
    const acceptances = () => kept().split(" twilio ").length
    const sendUntilKept = async (gateway: Run & { url: string }, start: string) => {
      const before = acceptances()
      for (let at = 0; at < 10 && acceptances() === before; at += 1) {
        await call(gateway, "/", { recipient: `${start}${at}`, body: `warm ${at}` })
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    }
    await sendUntilKept(one, "+1222333555")
    await sendUntilKept(other, "+1222333666")
    const before = acceptances()
    assert.equal(await send(one, "first"), "twilio")
    await until(() => String(acceptances() > before), /true/)
    assert.equal(await send(other, "second"), "vonage-sms")
    await until(kept, / vonage-sms /)
    await Promise.all([call(one, "/verified", { recipient }), call(other, "/verified", { recipient })])
    await until(() => one.stdout() + other.stdout(), /"event":"unverified"/)
    await until(() => one.stdout() + other.stdout(), /"event":"unmatched"/)
    const counted = [...eventsOf(one, "verified", "unverified"), ...eventsOf(other, "verified", "unverified")]
    assert.deepEqual(counted.map(({ event, provider }) => `${provider} ${event}`).sort(), [
      "twilio unverified",
      "vonage-sms verified",
    ])
    await until(() => told.join("\n"), /twilio[\s\S]*vonage|vonage[\s\S]*twilio/)
    assert.equal(told.length, 2)
    const third = await send(one, "third")
    await until(kept, new RegExp(` ${third} `))
    one.kill("SIGTERM")
    other.kill("SIGTERM")
    await Promise.all([one.ended, other.ended])
    const again = await serving(shared)
    // A busy machine may take the store for late at first.
    for (let at = 0; at < 9 && !/"event":"verified"/.test(again.stdout()); at += 1) {
      assert.equal((await call(again, "/verified", { recipient })).status, 204)
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    await until(again.stdout, /"event":"verified"/)
    again.kill("SIGKILL")
    server.kill("SIGKILL")
  },
)
