/**
 * The job, the rules and the metrics of providers/pages/README.md, held against Prometheus itself: Debian's, or the folder
 * that `PROMETHEUS` names. On Node alone.
 */
import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { after, test } from "node:test"
import { history, metricsToken } from "../lib/history.ts"
import { serving, until } from "../lib/process.ts"
import { find, whySkipped } from "../lib/programs.ts"
import { message, secret, sign } from "../lib/world.ts"

const prometheus = find("prometheus") ?? "prometheus"
const promtool = join(dirname(prometheus), "promtool")
const options = { timeout: 60_000, skip: whySkipped("prometheus") }
const readme = readFileSync(new URL("../../providers/pages/README.md", import.meta.url), "utf8")
const [job = "", rules = ""] = [...readme.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml)
const folder = mkdtempSync(join(tmpdir(), "smstask-prometheus-"))
after(() => rmSync(folder, { recursive: true }))
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

function check(args: string[], input = "") {
  const { status, stdout, stderr } = spawnSync(promtool, args, { cwd: folder, input, encoding: "utf8" })
  assert.equal(status, 0, stdout + stderr)
  return stdout + stderr
}

test("the README's job and rules are ones that Prometheus takes", options, () => {
  file("smstask-rules.yml", rules)
  const token = file("smstask-token", metricsToken)
  const told = check(["check", "config", file("prometheus.yml", job.replace("/etc/prometheus/smstask-token", token))])
  assert.match(told, /3 rules found/)
})

test("the metrics are ones that Prometheus has nothing to say about", options, async () => {
  const { call, past } = await history()
  await past(4_200)
  const response = await call({ headers: { authorization: `Bearer ${metricsToken}` } }, "/metrics")
  assert.equal(check(["check", "metrics"], await response.text()), "")
})

const quiet = "0+0x1600"
/** What stands in a series minute by minute, and which alerts are on at its end. */
const cases: [title: string, series: Record<string, string>, at: string, alert: string, labels: string[]][] = [
  [
    "messages arrive and none is accepted",
    {
      'smstask_received_total{platform="/"}': "0+2x20",
      'smstask_messages_total{platform="/",code="accepted"}': "5+0x20",
    },
    "15m",
    "SmstaskAcceptsNothing",
    [""],
  ],
  [
    "one in two messages is accepted",
    {
      'smstask_received_total{platform="/"}': "0+2x20",
      'smstask_messages_total{platform="/",code="accepted"}': "0+1x20",
    },
    "15m",
    "SmstaskAcceptsNothing",
    [],
  ],
  [
    "nothing arrives at night",
    { 'smstask_received_total{platform="/"}': quiet, 'smstask_messages_total{platform="/",code="accepted"}': quiet },
    "1h",
    "SmstaskAcceptsNothing",
    [],
  ],
  [
    "after one of two providers people ask again more often than the day before",
    {
      'smstask_again_total{provider="twilio"}': "0+1x1500 1502+2x100",
      'smstask_attempts_total{provider="twilio",outcome="accepted",code=""}': "0+20x1600",
      'smstask_again_total{provider="plivo"}': "0+1x1500 1505+5x100",
      'smstask_attempts_total{provider="plivo",outcome="accepted",code=""}': "0+20x1600",
    },
    "1540m",
    "SmstaskAskedAgainTwiceAsOften",
    ["provider: plivo"],
  ],
  [
    "one limit refuses far more than the day before, and another as ever",
    {
      'smstask_guard_refusals_total{limit="LIMIT_PREFIX",guard="enforce"}': "0+0x1500 10+10x20",
      'smstask_guard_refusals_total{limit="LIMIT_RECIPIENT",guard="enforce"}': "0+5x1520",
      'smstask_guard_refusals_total{limit="LIMIT_TOTAL",guard="enforce"}': "0+1x1500 1505+5x20",
    },
    "1515m",
    "SmstaskRefusesTenTimesTheUsual",
    ["limit: LIMIT_PREFIX"],
  ],
]
for (const [title, series, at, alert, labels] of cases) {
  test(`${alert}: ${title}`, options, () => {
    file("smstask-rules.yml", rules)
    const summary = /(?<=summary: ).*/g
    const texts = Object.fromEntries(
      rules
        .split("- alert: ")
        .slice(1)
        .map((rule) => [/^\w+/.exec(rule)?.[0], rule.match(summary)?.[0]?.replace(/^"|"$/g, "")]),
    )
    const expected = labels.map((label) => ({
      exp_labels: Object.fromEntries(label ? [label.split(": ")] : []),
      exp_annotations: { summary: texts[alert]?.replace(/\{\{ \$labels\.\w+ \}\}/, label.split(": ")[1] ?? "") },
    }))
    const unit = {
      rule_files: ["smstask-rules.yml"],
      evaluation_interval: "1m",
      tests: [
        {
          interval: "1m",
          input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
          alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: expected }],
        },
      ],
    }
    // JSON is YAML.
    check(["test", "rules", file("unit.yml", JSON.stringify(unit))])
  })
}

test("a real Prometheus scrapes a served gateway", options, async () => {
  const env = { GATEWAY_SECRET: secret, SMS_PROVIDER: "console", PAGES: "metrics", METRICS_TOKEN: metricsToken }
  const { url, kill } = await serving(env)
  const headers = { authorization: `Bearer ${await sign()}` }
  assert.equal((await fetch(url, { method: "POST", headers, body: JSON.stringify(message) })).status, 200)
  file("smstask-rules.yml", rules)
  const own = job
    .replace("/etc/prometheus/smstask-token", file("smstask-token", metricsToken))
    .replace("scheme: https", "scheme: http\n    scrape_interval: 1s")
    .replace("sms.example.com", `"${new URL(url).host}"`)
  const args = [`--config.file=${file("prometheus.yml", own)}`, `--storage.tsdb.path=${join(folder, "data")}`]
  const child = spawn(prometheus, [...args, "--web.listen-address=127.0.0.1:0"], { cwd: folder })
  let told = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (told += text))
  try {
    const [, address] = await until(() => told, /Listening on[^\n]*address=(127\.0\.0\.1:\d+)/)
    const query = async (expression: string) => {
      const response = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`)
      // It begins with 503, until it is ready.
      if (!response.ok) return undefined
      const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
      return data.result[0]?.value[1]
    }
    const accepted = 'sum(smstask_messages_total{code="accepted"})'
    for (let tries = 0; tries < 100 && (await query(accepted)) === undefined; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(await query(accepted), "1")
    assert.equal(await query("up"), "1")
    assert.equal(await query("smstask_attempt_seconds_count"), "1")
  } finally {
    child.kill()
    kill()
  }
})
