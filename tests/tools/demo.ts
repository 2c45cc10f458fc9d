/**
 * A whole login on this machine: a local Auth0 tenant and the gateway, until Ctrl-C. Prints the steps as curl commands
 * that work as pasted into another terminal.
 *
 *     npm run demo                  the connection's gateway, as in tenants from before March 2025
 *     npm run demo -- --action      the Action of providers/platforms/README.md, as in every other
 */
import { spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { existsSync } from "node:fs"
import type { Server } from "node:http"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { serve } from "@hono/node-server"
import { connectionIn, readmeActions, tenant } from "../lib/auth0.ts"

const { PORT = "3000" } = process.env
const gatewayUrl = `http://127.0.0.1:${PORT}/`
const tenantPort = Number(PORT) + 1
const tenantUrl = `http://127.0.0.1:${tenantPort}`
const phone = "+12223334444"
const { values } = parseArgs({ options: { action: { type: "boolean", default: false } } })
const [action] = values.action ? readmeActions() : []

const main = fileURLToPath(new URL("../../main.ts", import.meta.url))
const hasInbox = existsSync(new URL("../../providers/inbox.ts", import.meta.url))
const GATEWAY_SECRET = randomBytes(32).toString("base64url")
const env = {
  PATH: process.env.PATH,
  GATEWAY_SECRET,
  GATEWAY_URL: gatewayUrl,
  SMS_PROVIDER: hasInbox ? "inbox" : "console",
  SMS_SENDER: "+15005550006",
  LOG_FORMAT: "pretty",
  HOST: "127.0.0.1",
  PORT,
} as unknown as NodeJS.ProcessEnv

// From a folder where no .env is: the project's own must change nothing here.
const cwd = fileURLToPath(new URL(".", import.meta.url))
const { stdout, stderr } = spawnSync(process.execPath, [main, "platforms", "auth0"], { env, cwd, encoding: "utf8" })
if (!stdout) throw new Error(stderr)
const connection = JSON.stringify(connectionIn(stdout))

const app = tenant({
  managementToken: "demo",
  secrets: { GATEWAY_URL: gatewayUrl, GATEWAY_SECRET },
  log: (type, description) => console.log(`tenant's log: ${type}  ${description}`),
  ...(action && { action }),
})
const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: tenantPort }) as Server
server.on("error", (error) => {
  console.error(error.message)
  process.exit(1)
})
await once(server, "listening")

const gateway = spawn(process.execPath, [main], { env, cwd, stdio: ["ignore", "inherit", "inherit"] })
gateway.on("exit", (code) => process.exit(code ?? 1))
// Ctrl-C reaches the gateway by itself; a signal to this process alone is passed on.
process.on("SIGINT", () => {}).on("SIGTERM", () => gateway.kill())
while (!(await fetch(`${gatewayUrl}health`).catch(() => undefined))?.ok) await new Promise((go) => setTimeout(go, 50))

const json = '-H "Content-Type: application/json"'
const start = JSON.stringify({ client_id: "demo", connection: "sms", phone_number: phone, send: "code" })
const grant_type = "http://auth0.com/oauth/grant-type/passwordless/otp"
const complete = JSON.stringify({ grant_type, client_id: "demo", username: phone, otp: "CODE", realm: "sms" })
const page = `open ${gatewayUrl}inbox, or: curl -sS "${gatewayUrl}inbox/messages?recipient=%2B${phone.slice(1)}&wait=10"`

console.log(`
A whole login, step by step: paste each into another terminal. The messages go by ${
  action ? "the Action of providers/platforms/README.md" : "the connection's gateway"
}.

1. Create the connection (what "main.ts platforms auth0" prints):

curl -sS ${tenantUrl}/api/v2/connections -H "Authorization: Bearer demo" ${json} -d '${connection}'

2. Start a login:

curl -sS ${tenantUrl}/passwordless/start ${json} -d '${start}'

3. Read the code ${hasInbox ? `(${page})` : "(it comes up below)"}, and type it in:

printf 'Code: '; read -r CODE

4. Complete the login:

curl -sS ${tenantUrl}/oauth/token ${json} -d '${complete.replace("CODE", `'"$CODE"'`)}'

Ctrl-C ends it.
`)
