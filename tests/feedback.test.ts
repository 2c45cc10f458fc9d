/** Every provider file that tells its vendor whether a code was entered, against its fixture; and what becomes of such a call. */
import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { describe, test } from "node:test"
import type { Provider } from "../main.ts"
import { sample as anySample, type Fixture } from "./lib/fixture.ts"
import { providers, standing, start, take, until } from "./lib/world.ts"

/** PROVIDER=name proves that one alone. */
const only = process.env.PROVIDER
const files = readdirSync(new URL("./fixtures/", import.meta.url)).filter((file) => file.endsWith(".ts"))
const names = files.map((file) => file.replace(/\.ts$/, "")).filter((name) => !only || only === name)
/** Loaded before the first test: a run that is forced to end, and Deno in a describe, miss what is registered after a wait. */
const loaded: [name: string, provider: Provider, fixture: Fixture][] = []
for (const name of names)
  loaded.push([
    name,
    (await import(`../providers/${name}.ts`)).default,
    (await import(`./fixtures/${name}.ts`)).default,
  ])

type Sent = { request: Request; text: string }
/** A call as HTTP text, headers in the order of their names. */
const httpOf = ({ request, text }: Sent) => {
  const headers = [...request.headers].map(([name, value]) => `${name}: ${value.replace(/;\s*charset=utf-8$/i, "")}`)
  return [`${request.method} ${request.url}`, ...headers.sort(), ...(text ? ["", text] : [])].join("\n")
}

for (const [name, provider, fixture] of loaded) {
  const { feedback } = fixture
  const NAME = name.toUpperCase().replaceAll("-", "_")
  const sample = {
    ...anySample,
    recipient: fixture.recipient ?? anySample.recipient,
    channel: provider.channel ?? "sms",
  }
  const serve = (env: Record<string, string>, body: unknown = fixture.accepted[0].body) => {
    const { status, headers = {} } = fixture.accepted[0]
    const text = typeof body === "string" ? body : JSON.stringify(body)
    return start(
      { SMS_PROVIDER: name, ...fixture.env, DUPLICATE_WINDOW: "off", ...env },
      () => new Response(text, { status, headers }),
      {
        clock: () => fixture.clock ?? 1_769_636_620_000,
        ...(fixture.nonce && { nonce: () => fixture.nonce ?? "" }),
      },
    )
  }

  test(`${name}: has a fixture for what its vendor is told, where it tells any`, () => {
    assert.equal(feedback !== undefined, provider.verified !== undefined)
  })
  if (!feedback) continue

  describe(name, () => {
    test("tells whose code was entered, and whose was not", async () => {
      const { post, calls, events } = await serve({ [`${NAME}_FEEDBACK`]: "on" })
      for (const body of [sample.body, `${sample.body} again`]) await post({ ...sample, body })
      if (feedback.call) assert.equal(httpOf(calls[0] as Sent), feedback.call.trim())
      const sent = calls.length
      assert.equal((await post({ recipient: sample.recipient }, {}, "/verified")).status, 204)
      const told = feedback.unverified ? 2 : 1
      await until(() => events().filter(({ event }) => event === "feedback").length === told)
      const expected = [feedback.verified, ...(feedback.unverified ? [feedback.unverified] : [])]
      assert.deepEqual(
        calls
          .slice(sent)
          .map((call) => httpOf(call))
          .sort(),
        expected.map((http) => http.trim()).sort(),
      )
    })

    test("tells nothing, and asks for nothing, unless it is switched on", async () => {
      for (const env of [{}, { [`${NAME}_FEEDBACK`]: "off" }] as Record<string, string>[]) {
        const { post, calls, events } = await serve(env)
        await post(sample)
        if (feedback.call) assert.notEqual(httpOf(calls[0] as Sent), feedback.call.trim())
        await post({ recipient: sample.recipient }, {}, "/verified")
        await until(() => events().some(({ event }) => event === "verified"))
        assert.equal(calls.length, 1)
      }
    })
  })
}

/** A provider that tells its vendor, whose answers are `answer`'s. */
async function tell(answer: () => Response | Promise<Response>, verified?: Provider["verified"], time = standing()) {
  const file: Partial<Provider> = {
    verified:
      verified ?? ((id, isVerified, _, { url }) => new Request(`${url}/told/${id}/${isVerified}`, { method: "POST" })),
  }
  const given = providers({ a: () => take("x-1") }, { a: file })
  const env = { ...given.env, A_FEEDBACK: "on", LIMIT_RECIPIENT: "off" }
  const isTold = (request: Request) => request.url.includes("/told/")
  const gateway = await start(env, (request, init) => (isTold(request) ? answer() : given.answer(request, init)), {
    load: given.load,
    ...time.world,
  })
  await gateway.post({ ...anySample })
  const response = await gateway.post({ recipient: anySample.recipient }, {}, "/verified")
  assert.equal(response.status, 204)
  return { ...gateway, told: () => gateway.calls.filter(({ request }) => isTold(request)) }
}

for (const [title, answer, code, level] of [
  ["what the vendor takes", () => new Response(null, { status: 201 }), "201", "info"],
  ["a refusal", () => new Response("{}", { status: 402 }), "402", "warn"],
  ["a redirect", () => Response.redirect("https://elsewhere.example/"), "302", "warn"],
  [
    "a vendor that is not reached",
    () => Promise.reject(Object.assign(new Error("x"), { code: "ECONNREFUSED" })),
    "refused",
    "warn",
  ],
] as [string, () => Response | Promise<Response>, string, string][])
  test(`the log tells ${title}, and nothing is told twice`, async () => {
    const { events, line, told } = await tell(answer)
    await until(() => events().some(({ event }) => event === "feedback"))
    const { provider, receipt, code: given, level: found } = line("feedback")
    assert.deepEqual({ provider, receipt, code: given, level: found }, { provider: "a", receipt: "x-1", code, level })
    assert.equal(told().length, 1)
  })

test("a vendor that keeps silent is waited for no longer than five seconds, and by nobody", async () => {
  const time = standing()
  const { line, told, events } = await tell(() => new Promise(() => {}), undefined, time)
  await until(() => told().length === 1)
  time.pass(4_999)
  assert.equal(line("feedback").event, undefined)
  time.pass(1)
  await until(() => events().some(({ event }) => event === "feedback"))
  assert.equal(line("feedback").code, "timeout")
  assert.equal(told()[0]?.init.signal?.aborted, true)
})

test("an answer that is not read to its end is ended", async () => {
  const { told, events } = await tell(() => new Response("moved", { status: 302 }))
  await until(() => events().some(({ event }) => event === "feedback"))
  assert.equal(told()[0]?.init.signal?.aborted, true)
})

test("what a file throws is told, and fails nothing", async () => {
  const { line, events, told } = await tell(take, () => {
    throw new Error("the code is 326162")
  })
  await until(() => events().some(({ event }) => event === "feedback"))
  assert.equal(line("feedback").code, "exception")
  assert.equal(told().length, 0)
})

test("a setting that is neither on nor off, or of a file that tells nothing, keeps it from starting", async () => {
  const given = providers({ a: () => take() })
  for (const [value, text] of [
    ["yes", /A_FEEDBACK is wrong: expected on or off/],
    ["on", /A_FEEDBACK is on, and a takes no word of entered codes/],
  ] as const)
    await assert.rejects(start({ ...given.env, A_FEEDBACK: value }, given.answer, { load: given.load }), text)
})
