/** A file that is missing or broken is missed loudly: with a setting that needs it, the gateway never listens. */
import assert from "node:assert/strict"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { test } from "node:test"
import { copy, root, run, serving } from "../lib/process.ts"
import { secret } from "../lib/world.ts"

const slow = { timeout: 280_000 }
const token = "0123456789abcdef0123456789abcdef"
/** Settings that need every file below. */
const env = {
  GATEWAY_SECRET: secret,
  SMS_PROVIDER: "http,sinch",
  HTTP_URL: "http://127.0.0.1:9/",
  HTTP_BODY: "to={recipient}&text={body}",
  HTTP_SUCCESS: "status",
  SINCH_SERVICE_PLAN_ID: "plan",
  SINCH_API_TOKEN: "token-of-sinch",
  SINCH_SMS_REGION: "us",
  PLATFORMS: "supabase",
  SUPABASE_SECRET: `v1,whsec_${Buffer.from(secret).toString("base64")}`,
  PAGES: "log,metrics",
  LOG_TOKEN: token,
  METRICS_TOKEN: token,
  STORE: "redis://127.0.0.1:1",
  ROUTING: "adaptive",
  LIMIT_TOTAL_FILE: "providers/limit.txt",
  LOG_FORMAT: "json",
  PORT: "0",
  HOST: "127.0.0.1",
}
const files = [
  "http.ts",
  "sinch.ts",
  "lib.ts",
  "platforms/supabase.ts",
  "pages/log.ts",
  "pages/metrics.ts",
  "stores/redis.ts",
  "routing/adaptive.ts",
  "parts/platforms.ts",
  "parts/proof.ts",
  "parts/pages.ts",
  "parts/door.ts",
  "parts/door-page.ts",
  "parts/log-page.ts",
  "parts/log-routes.ts",
  "parts/tally.ts",
  "parts/reports.ts",
  "parts/routing.ts",
  "parts/store.ts",
  "parts/value-files.ts",
]
const sinch = {
  "providers/limit.txt": "100/1m\n",
  "providers/sinch.ts": readFileSync(`${root}providers/sinch.ts`, "utf8"),
}

test("each file that a setting needs, missing or with a slip, keeps the gateway from listening", slow, async () => {
  if (process.env.SMSTASK) return assert.ok(true, "one file has nothing beside it")
  await copy(sinch, async (folder) => {
    for (const file of files) {
      const path = `${folder}/providers/${file}`
      const text = readFileSync(path, "utf8")
      for (const [what, spoil] of [
        ["missing", () => rmSync(path)],
        ["with a slip", () => writeFileSync(path, `${text}\nconst slip = {{`)],
      ] as const) {
        spoil()
        const { ended, stdout, stderr } = run([], env, folder)
        assert.equal(await ended, 1, `${file} ${what}`)
        assert.match(
          stderr(),
          /^smstask cannot start:\n {2}.*(cannot be loaded|there is no providers\/)/,
          `${file} ${what}`,
        )
        assert.doesNotMatch(stdout(), /listening/, `${file} ${what}`)
        writeFileSync(path, text)
      }
    }
    // All of them there, it starts, and a setting with a slip stops it all the same.
    const gateway = await serving(env, folder)
    gateway.kill()
    assert.equal(await gateway.ended, 0)
    const { ended, stderr } = run([], { ...env, GATEWAY_ALOW_IPS: "192.0.2.1" }, folder)
    assert.equal(await ended, 1)
    assert.match(stderr(), /GATEWAY_ALOW_IPS is no setting; did you mean GATEWAY_ALLOW_IPS\?/)
  })
})

test("a file of advice that is missing or broken costs words alone", slow, async () => {
  if (process.env.SMSTASK) return assert.ok(true, "one file has nothing beside it")
  await copy(sinch, async (folder) => {
    const path = `${folder}/providers/commands/advice.ts`
    const text = readFileSync(path, "utf8")
    for (const spoil of [() => writeFileSync(path, `${text}\nconst slip = {{`), () => rmSync(path)]) {
      spoil()
      const { ended, stderr } = run([], { ...env, GATEWAY_ALOW_IPS: "192.0.2.1" }, folder)
      assert.equal(await ended, 1)
      assert.match(stderr(), /GATEWAY_ALOW_IPS is no setting\n/)
    }
  })
})
