/**
 * What packing could lose: of each kind of file that a setting or a command names, one is used here. It runs on main.ts, and
 * with SMSTASK on dist/smstask.js and on the executable. All else is proven on main.ts, from which both are made.
 */
import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { test } from "node:test"
import { copy, patient, provider, root, run, serving, until } from "../lib/process.ts"
import { httpEnv, message, secret, sign } from "../lib/world.ts"

const slow = { timeout: 60_000 }
/** The packages of STORE and PAGES=metrics are no part of the one file. */
const isOneFile = process.env.SMSTASK?.endsWith(".js") ?? false
const command = async (args: string[], env: Record<string, string> = {}) => {
  const { ended, stdout, stderr } = run(args, env)
  return { code: await ended, stdout: stdout(), stderr: stderr() }
}
const namesIn = (folder: string) =>
  readdirSync(`${root}${folder}`).flatMap((file) => /^([a-z].*)\.ts$/.exec(file)?.[1] ?? [])

test("it knows the commands, its version and every provider and platform", slow, async () => {
  assert.match((await command(["--help"])).stdout, /platforms[\s\S]*providers/)
  assert.match((await command(["--version"])).stdout, /^smstask \d+\.\d+\.\d+, (Bun|Deno|Node) [\d.]+\n$/)
  assert.match((await command(["token"], { GATEWAY_SECRET: secret })).stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  assert.match((await command(["check"], { GATEWAY_SECRET: secret })).stdout, /^SMS {8}console\n/)
  const providers = await command(["providers"])
  const names = [...providers.stdout.matchAll(/^[a-z][\w-]*(?= )/gm)].map(([name]) => name)
  for (const name of namesIn("providers").filter((name) => name !== "contract" && name !== "lib"))
    assert.ok(names.includes(name), name)
  const platforms = await command(["platforms"])
  for (const name of namesIn("providers/platforms"))
    assert.match(platforms.stdout, new RegExp(`^${name}  POST `, "m"), name)
  assert.deepEqual([providers.code, platforms.code, providers.stderr, platforms.stderr], [0, 0, "", ""])
})

test("it serves messages, a platform and the pages, in UTF-8, and stops on SIGTERM", slow, async () => {
  const taken: string[] = []
  const { url, close } = await provider((_, response, body) => {
    taken.push(body)
    response.end('{"id":"m-1"}')
  })
  const token = "a-token-of-more-than-32-characters-01234"
  const env = {
    ...{ GATEWAY_SECRET: secret, ...httpEnv, HTTP_URL: `${url}/send`, ...patient },
    ...{ GATEWAY_ALLOW_IPS: "127.0.0.1", ALLOW_DESTINATIONS: "US", PLATFORMS: "auth0", AUTH0_TOKEN: token },
    ...{ PAGES: "log,metrics", LOG_TOKEN: `${token}-log`, METRICS_TOKEN: `${token}-metrics` },
  }
  await copy({}, async (folder) => {
    const gateway = await serving(env, folder)
    const call = async (path: string, bearer: string, body?: unknown) => {
      const headers = { authorization: `Bearer ${bearer}` }
      const init = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers }
      const response = await fetch(gateway.url + path, init)
      return `${response.status} ${response.headers.get("content-type")?.startsWith("text/event") ? "" : await response.text()}`
    }
    assert.equal(await call("health", ""), "200 ok\n")
    assert.match(await call("", await sign(), message), /^200 .*"receipt":"m-1"/)
    assert.equal(JSON.parse(taken[0] ?? "").text, message.body)
    assert.match(await call("auth0", token, { ...message, body: "another 1111" }), /^200 /)
    assert.match(await call("", await sign(), { ...message, recipient: "+4915112345678" }), /^422 /)
    assert.match(await call("metrics", env.METRICS_TOKEN), /^200 [\s\S]*smstask_messages_total\{.*"accepted"\} 1\n/)
    const page = await fetch(`${gateway.url}log`, { headers: { accept: "text/html" } })
    assert.match(await page.text(), /<html[\s\S]*<\/html>/)
    gateway.kill("SIGTERM")
    assert.equal(await gateway.ended, 0)
    assert.match(gateway.stdout(), /"recipient":"\+1•••4444"[\s\S]*"event":"stopped"/)
    assert.equal(gateway.stderr(), "")
  })
  close()
})

test("it reads .env and a provider file that lie beside it", slow, async () => {
  const source = `import * as v from "valibot"
    import type { Provider } from "../main.ts"
    const env = { ACME_KEY: v.pipe(v.string(), v.description("the key")) }
    export default {
      docs: "https://acme.example", url: "https://acme.example", env,
      request: (_, { ACME_KEY }) => ({ id: ACME_KEY.length + " letters" }),
      receipt: ({ status }) => ({ code: status }),
    } satisfies Provider<typeof env>`
  const files = { "providers/acme.ts": source, ".env": "SMS_PROVIDER=acme\nACME_KEY='four'\n" }
  await copy(files, async (folder) => {
    const { ended, stdout, stderr } = run(["send", "+12223334444", "hello"], {}, folder)
    assert.equal(await ended, 0, stderr())
    assert.equal(JSON.parse(stdout()).receipt, "4 letters")
  })
})

test("a store that there is not, and a package that it does not hold, are told by name", slow, async () => {
  const base = { GATEWAY_SECRET: secret, ...patient }
  const unknown = await command([], { ...base, STORE: "memcached://127.0.0.1" })
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /STORE is wrong: [\s\S]*STORE=/)
  const metrics = { ...base, PAGES: "metrics", METRICS_TOKEN: "a-token-of-more-than-32-characters-01234" }
  const redis = { ...base, STORE: "redis://127.0.0.1:9" }
  if (isOneFile) {
    const { code, stderr } = await command([], redis)
    assert.equal(code, 1)
    assert.match(stderr, /STORE needs a package: npm install @redis\/client/)
    await tells(metrics, /PAGES=metrics needs a package: npm install prom-client/)
  } else {
    await tells(redis, /"store_away"/)
    await tells(metrics, /"listening"/)
  }
})

/** It starts, says this, and stops. */
async function tells(env: Record<string, string>, pattern: RegExp) {
  const gateway = await serving(env)
  await until(gateway.stdout, pattern)
  gateway.kill()
  assert.equal(await gateway.ended, 0)
}
