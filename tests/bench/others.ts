/** Beside the samples that platforms document: the same calls, on the same runtime, with the same provider behind. */
import { readFileSync } from "node:fs"
import { calls, hookSecret, signed } from "./calls.ts"
import { type Aim, samples, shuffled, table } from "./figures.ts"
import { type Figures, measure, sign, targetOf, warm } from "./load.ts"
import { command, type Environment, here, type Runtime, root, sending, start, startProvider } from "./servers.ts"

const account = { TWILIO_ACCOUNT_SID: "AC0123456789", TWILIO_AUTH_TOKEN: "a token of Twilio's" }
const hook = { ...account, SEND_SMS_HOOK_SECRET: hookSecret, TWILIO_PHONE_NUMBER: "+15005550006" }
const own = {
  ...account,
  PLATFORMS: "supabase",
  SUPABASE_SECRET: hookSecret,
  SMS_PROVIDER: "twilio",
  SMS_SENDER: "+15005550006",
}

/** Who answers one platform's call: the files that somebody has to own, the program first, and its path. */
interface Candidate {
  name: string
  runtime: Runtime
  files: string[]
  env: (url: string) => Environment
  path: string
}

const pairs: { platform: keyof typeof calls; all: Candidate[] }[] = [
  {
    platform: "supabase",
    all: [
      {
        name: "Supabase's Edge Function",
        runtime: "Deno",
        files: [`${here}supabase.js`],
        env: (url) => ({ ...hook, TWILIO_URL: url }),
        path: "/",
      },
      {
        name: "smstask, PLATFORMS=supabase",
        runtime: "Deno",
        files: [`${root}main.ts`, `${root}providers/platforms/supabase.ts`, `${root}providers/twilio.ts`],
        env: (url) => ({ ...own, TWILIO_URL: url }),
        path: "/supabase",
      },
    ],
  },
  {
    platform: "auth0",
    all: [
      { name: "Auth0's Express", runtime: "Node", files: [`${here}express.js`], env: sending, path: "/" },
      {
        name: "smstask, POST /",
        runtime: "Node",
        files: [`${root}main.ts`, `${root}providers/clickatell.ts`],
        env: sending,
        path: "/",
      },
    ],
  },
]

/** Lines that hold code. */
function linesOf(files: string[]): number {
  const text = files.map((file) => readFileSync(file, "utf8")).join("\n")
  const isCode = (line: string) => line.trim() !== "" && !/^\s*(\/\/|\/\*\*?|\*)/.test(line)
  return text.split("\n").filter(isCode).length
}

/** What the caller is told, and after how many seconds, where the provider takes the message and never answers. */
async function hanging({ files: [file = ""], ...of }: Candidate, platform: keyof typeof calls, url: string) {
  const { port, stop } = await start(command(of.runtime, file), of.env(url))
  const { headers, body } = signed(calls[platform], 0)
  const fields = headers.map((header) => header.split(": ") as [string, string])
  const init = { method: "POST", headers: fields, body, signal: AbortSignal.timeout(30_000) }
  const started = performance.now()
  const answer = await fetch(`http://127.0.0.1:${port}${of.path}`, init)
    .then(async (response) => `${response.status} ${(await response.text()).slice(0, 60)}`)
    .catch((error: Error) => (error.name === "TimeoutError" ? "nothing" : `a broken connection: ${error.message}`))
  const seconds = (performance.now() - started) / 1_000
  await stop()
  return { answer, seconds }
}

/** All of them at once, since they wait. */
async function tellHanging() {
  const provider = await startProvider("never")
  const each = pairs.flatMap(({ platform, all }) => all.map((candidate) => ({ platform, candidate })))
  const rows = each.map(async ({ platform, candidate }) => {
    const { seconds, answer } = await hanging(candidate, platform, provider.url)
    return [candidate.name, answer === "nothing" ? "not within 30" : seconds, answer]
  })
  table("when the provider never answers", ["server", "answered after s", "with"], await Promise.all(rows))
  await provider.stop()
}

/** The servers of a pair live through all rounds; their calls hold the time, so that they are signed just before. */
async function compared({ platform, all }: (typeof pairs)[number], url: string, rounds: number) {
  const call = calls[platform]
  sign(call)
  const found = samples<Figures>()
  const servers = await Promise.all(
    all.map(async ({ name, runtime, files: [file = ""], env, path }) => {
      const server = await start(command(runtime, file), env(url))
      return { server, target: { ...targetOf(server, name, call), path } }
    }),
  )
  const first = new Map<string, number>()
  for (const { target } of servers) first.set(target.name, (await warm(target)).first)
  for (let round = 0; round < rounds; round += 1)
    for (const { target } of shuffled(servers)) found.add(target.name, await measure(target, 64))
  for (const { server } of servers) await server.stop()
  const theirs = all[0]?.name ?? ""
  return all.map(({ name, runtime, files }) => {
    const figure = (field: keyof Figures) => found.of(name, field)
    const ratio = (figure("rps") / found.of(theirs, "rps")).toFixed(2)
    const load = [first.get(name) ?? Number.NaN, figure("rps"), ratio, figure("p99"), figure("cpu"), figure("rss")]
    return [runtime, name, ...load, String(linesOf(files))]
  })
}

export async function others(rounds: number): Promise<Aim[]> {
  const provider = await startProvider()
  const rows: (string | number)[][] = []
  for (const pair of pairs) rows.push(...(await compared(pair, provider.url, rounds)))
  await provider.stop()
  const head = [
    "runtime",
    "server",
    "first second req/s",
    "warm",
    "× theirs",
    "p99 ms",
    "CPU µs",
    "MiB",
    "lines of code",
  ]
  table("the same call, 64 connections", head, rows)
  await tellHanging()
  return []
}
