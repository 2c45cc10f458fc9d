/**
 * What Deno's own OpenTelemetry shows of the gateway, as Deno Deploy has it switched on for good: what console prints is its
 * log, and every span of a call holds the whole URL. A receiver of this process takes both.
 */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { test } from "node:test"
import { provider, root, until } from "../lib/process.ts"
import { message } from "../lib/world.ts"

const deno = `${root}tests/node_modules/.bin/deno`
const token = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4"
const logToken = "the-token-that-reads-the-log-0123456789"

interface Telemetry {
  resourceLogs?: { scopeLogs: { logRecords: { body: { stringValue: string } }[] }[] }[]
  resourceSpans?: { scopeSpans: { spans: { attributes: { key: string; value: { stringValue?: string } }[] }[] }[] }[]
}

/** An OTLP receiver (HTTP, JSON): the texts of the log, and the URLs of the spans. */
async function receiver() {
  const logs: string[] = []
  const urls: string[] = []
  const { url, close } = await provider((_, response, body) => {
    const { resourceLogs = [], resourceSpans = [] }: Telemetry = JSON.parse(body)
    for (const { scopeLogs } of resourceLogs)
      for (const { logRecords } of scopeLogs) logs.push(...logRecords.map(({ body }) => body.stringValue))
    for (const { scopeSpans } of resourceSpans)
      for (const { attributes } of scopeSpans.flatMap(({ spans }) => spans))
        urls.push(...attributes.flatMap(({ key, value }) => (key === "url.full" ? (value.stringValue ?? []) : [])))
    response.setHeader("content-type", "application/json").end("{}")
  })
  return { url, close, logs, urls }
}

/** Starts the gateway as Deno Deploy does, with its telemetry for `endpoint`. */
function startOnDeploy(endpoint: string, env: Record<string, string>) {
  const own = { PORT: "0", HOST: "127.0.0.1", NO_COLOR: "1", GATEWAY_TOKEN: token, PAGES: "log", LOG_TOKEN: logToken }
  const deploy = { DENO_DEPLOY: "1", DENO_DEPLOYMENT_ID: "x", ALLOW_DESTINATIONS: "US" }
  const otel = { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" }
  return spawn(deno, ["run", "--allow-all", `${root}main.ts`], {
    env: { ...process.env, ...own, ...deploy, ...otel, ...env },
    cwd: root,
  })
}

/** Sends a message and looks at the log on Deno Deploy, until that says SIGINT; gives what was received of it. */
async function onDeploy(env: Record<string, string>) {
  const { url, close, logs, urls } = await receiver()
  const child = startOnDeploy(url, env)
  try {
    let printed = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text))
    const [, address = ""] = await until(() => printed, /"address":"([^"]+)"/)
    const headers = { authorization: `Bearer ${token}` }
    const body = JSON.stringify({ ...message, recipient: "+14155550123" })
    const { status } = await fetch(address, { method: "POST", headers, body })
    await (await fetch(`${address}log?token=${logToken}`, { redirect: "manual" })).arrayBuffer()
    const ended = once(child, "exit")
    // Deno's own kill makes every exit look like one.
    process.kill(child.pid ?? 0, "SIGINT")
    const [code] = await ended
    return { status, code, logs, urls: urls.map((one) => decodeURIComponent(one)), printed }
  } finally {
    child.kill("SIGKILL")
    close()
  }
}

test("on Deno Deploy each line of the log is one call of console, and SIGINT ends it", {
  timeout: 60_000,
}, async () => {
  const { url, close } = await provider((_, response) => response.end('{"status":"success","sms":23434}'))
  const account = { VOIP_MS_USERNAME: "ops@example.com", VOIP_MS_PASSWORD: "sampleVoipmsApiPassword" }
  const env = { SMS_PROVIDER: "voip-ms", VOIP_MS_URL: url, ...account }
  const { status, code, logs, urls, printed } = await onDeploy(env)
  close()
  assert.deepEqual([status, code], [200, 0])
  assert.deepEqual(
    logs.map((line) => JSON.parse(line).event).filter((event) => event !== "routed"),
    ["listening", "received", "accepted", "stopping", "stopped"],
  )
  assert.equal(printed, logs.join(""))
  assert.doesNotMatch(logs.join(), /326162|4155550123|sampleVoipms/)
  const called = urls.filter((one) => one.startsWith(url))
  assert.deepEqual(called, [`${url}/api/v1/rest.php`])
})

test("a span holds the whole URL of every call, in and out, and the start says so", { timeout: 60_000 }, async () => {
  const { url, close } = await provider((_, response) => response.end("OK: 519545"))
  const account = { SMSBIURAS_UID: "1234", SMSBIURAS_API_KEY: "sbSampleKey" }
  const { status, logs, urls } = await onDeploy({ SMS_PROVIDER: "smsbiuras", SMSBIURAS_URL: url, ...account })
  close()
  assert.equal(status, 200)
  const [called = ""] = urls.filter((one) => one.startsWith(url))
  for (const part of ["sbSampleKey", "14155550123", "326162"]) assert.ok(called.includes(part), called)
  assert.ok(urls.some((one) => one.includes(`/log?token=${logToken}`)))
  const [warning = ""] = logs
  assert.equal(
    JSON.parse(warning).reason,
    "Deno Deploy traces every call: smsbiuras has SMSBIURAS_API_KEY, the number and the code in its URL, which traces show",
  )
  assert.doesNotMatch(logs.join(), /326162|4155550123|sbSampleKey/)
})

test("on Deno Deploy console tells why it does not start", { timeout: 60_000 }, async () => {
  const { url, close, logs } = await receiver()
  const [code] = await once(startOnDeploy(url, { SMS_PROVIDER: "inbox" }), "exit")
  close()
  assert.equal(code, 1)
  assert.match(logs.join(""), /SMS_PROVIDER=inbox shows every code to whoever opens it/)
})
