import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { describe, test } from "node:test"
import * as v from "valibot"
import {
  type Answer,
  faultNames,
  gateway,
  loadNumbers,
  type Message,
  type Provider,
  type Receipt,
  readNumber,
} from "../main.ts"
import { sample as anySample, type Fixture } from "./lib/fixture.ts"
import { secret, sign } from "./lib/world.ts"

/** PROVIDER=name proves that one alone. */
const only = process.env.PROVIDER
const namesIn = (folder: string) =>
  readdirSync(new URL(folder, import.meta.url))
    .flatMap((file) => /^(.*)\.ts$/.exec(file)?.[1] ?? [])
    .filter((name) => !only || only === name)
    .sort()
const numbers = await loadNumbers()
const authorization = `Bearer ${await sign()}`
const names = namesIn("../providers/")
const fixtures = namesIn("./fixtures/")
/** What is no provider, or calls nobody: what it does is tested by a file of its own. */
const withoutCalls = ["contract", "lib", "inbox"]
/** Loaded before the first test: a run that is forced to end, and Deno in a describe, miss what is registered after a wait. */
const files: [name: string, provider: Provider, fixture: Fixture][] = []
for (const name of fixtures)
  files.push([name, (await import(`../providers/${name}.ts`)).default, (await import(`./fixtures/${name}.ts`)).default])

type Reply = Fixture["accepted"][number] | Fixture["refused"][number]

const responseOf = ({ status, headers = {}, body }: Omit<Reply, "title">) =>
  new Response(status === 204 ? null : typeof body === "string" ? body : JSON.stringify(body), { status, headers })

const answerOf = ({ status, headers, body }: Omit<Reply, "title">): Answer => {
  const text = typeof body === "string" ? body : JSON.stringify(body)
  const answer: Answer = { status, headers: new Headers(headers), text, json: undefined }
  try {
    answer.json = JSON.parse(text)
  } catch {}
  return answer
}

/** A request as HTTP text; form fields and JSON as they go over the wire, headers in the order of their names. */
async function httpOf(request: Request): Promise<string> {
  const headers = [...request.headers].map(([name, value]) => `${name}: ${value.replace(/;\s*charset=utf-8$/i, "")}`)
  const body = await request.text()
  return [`${request.method} ${request.url}`, ...headers.sort(), ...(body ? ["", body] : [])].join("\n")
}

/** Every answer that differs from `json` in one node: gone, null, or of another type. */
function* damaged(json: unknown, path: string[] = []): Generator<[path: string, json: unknown]> {
  if (typeof json !== "object" || json === null) return
  for (const key of Object.keys(json)) {
    const value: unknown = Reflect.get(json, key)
    const at = [...path, key].join(".")
    const others = [null, true, -1.5, "", {}, [], "\u0000"].filter(
      (other) => typeof other !== typeof value || other === "",
    )
    for (const other of others) {
      const copy = structuredClone(json)
      Reflect.set(copy, key, other)
      yield [at, copy]
    }
    const without = structuredClone(json)
    Reflect.deleteProperty(without, key)
    yield [at, without]
    for (const [inner, damagedValue] of damaged(value, [...path, key])) {
      const copy = structuredClone(json)
      Reflect.set(copy, key, damagedValue)
      yield [inner, copy]
    }
  }
}

/** Names that every object has, which a table that is looked into by them would give as functions. */
const inherited = ["constructor", "__proto__", "toString"]

/** Every answer in which one text is `word` in its place. */
function* worded(json: unknown, word: string): Generator<unknown> {
  if (typeof json === "string") yield word
  if (typeof json !== "object" || json === null) return
  for (const key of Object.keys(json)) {
    for (const inner of worded(Reflect.get(json, key), word)) {
      const copy = structuredClone(json)
      Reflect.set(copy, key, inner)
      yield copy
    }
  }
}

test("every provider has a fixture, and every fixture a provider", () => {
  if (only) assert.ok(names.length > 0, `there is no providers/${only}.ts`)
  const called = names.filter((name) => !withoutCalls.includes(name))
  const lacking = called.filter((name) => !fixtures.includes(name))
  assert.deepEqual(lacking, [], `tests/fixtures/${lacking[0]}.ts is missing: copy one and change it`)
  assert.deepEqual(fixtures, called)
})

test("no file builds Basic by itself, since btoa knows Latin-1 alone", () => {
  for (const name of fixtures) {
    const source = readFileSync(new URL(`../providers/${name}.ts`, import.meta.url), "utf8")
    assert.ok(!/\bbtoa\(/.test(source), `providers/${name}.ts uses btoa: basic of lib.ts is there for it`)
  }
})

test("each code that blames the recipient stands on a line of its own, with the vendor's words in a comment", () => {
  for (const [name, { faults }] of files) {
    const lines = readFileSync(new URL(`../providers/${name}.ts`, import.meta.url), "utf8").split("\n")
    const worded = lines.flatMap((line) => /^\s*"?([^"\s,]+)"?,? \/\/ .*\p{L}{2}/u.exec(line)?.[1] ?? [])
    for (const code of faults?.recipient ?? [])
      assert.ok(worded.includes(String(code)), `providers/${name}.ts has no words beside ${code}`)
  }
})

for (const [name, provider, fixture] of files) {
  describe(name, () => {
    const channel = provider.channel ?? "sms"
    const route = channel === "voice" ? { SMS_PROVIDER: "console", VOICE_PROVIDER: name } : { SMS_PROVIDER: name }
    const sample: Message = { ...anySample, recipient: fixture.recipient ?? anySample.recipient, channel }
    const NAME = name.toUpperCase().replaceAll("-", "_")
    const judge = (answer: Answer, env: Fixture["env"] = fixture.env): Receipt =>
      provider.receipt(answer, v.parse(v.object(provider.env), env))

    /** Sends `message` through the gateway and gives its answer, its log and the calls that it made. */
    const deliver = async (message: Message, replies: Omit<Reply, "title">[], env: Fixture["env"] = {}) => {
      const calls: Request[] = []
      const lines: string[] = []
      const left = [...(fixture.logins ?? []), ...replies]
      const app = await gateway({
        env: { GATEWAY_SECRET: secret, ...route, ...fixture.env, ...env },
        fetch: async (request) => {
          calls.push(request)
          return responseOf(left.shift() ?? { status: 599, body: "" })
        },
        clock: () => fixture.clock ?? Date.now(),
        print: (line) => lines.push(line),
        ...(fixture.nonce && { nonce: () => fixture.nonce ?? "" }),
      })
      const response = await app.request("/", {
        method: "POST",
        headers: { authorization },
        body: JSON.stringify(message),
      })
      return { status: response.status, answer: await response.text(), lines, calls }
    }
    /** What came of the sample message by each reply: several tests look at it. */
    const delivered = new Map<Reply, ReturnType<typeof deliver>>()
    const deliverSample = (reply: Reply) => {
      const before = delivered.get(reply) ?? deliver(sample, [reply])
      delivered.set(reply, before)
      return before
    }

    test("says where it sends and how its contract is known", () => {
      assert.match(provider.docs, name === "http" ? /README/ : /^https:\/\//)
      if (name !== "http") assert.ok(provider.region && provider.evidence, "region and evidence must say where and how")
    })

    test("is tried with a number that it serves", () => {
      const number = readNumber(sample.recipient, undefined, numbers)
      assert.ok(!("problem" in number), "the fixture's recipient")
      assert.equal(number.recipient, sample.recipient)
      if (provider.countries) assert.ok(provider.countries.includes(number.country), number.country)
    })

    test("is no place for the other channel's messages", async () => {
      const other = channel === "voice" ? "sms" : "voice"
      const { status, calls } = await deliver({ ...sample, channel: other }, [], {
        SMS_PROVIDER: channel === "voice" ? "console" : name,
      })
      assert.equal(status, channel === "voice" ? 200 : 422)
      assert.equal(calls.length, 0)
    })

    if (provider.countries) {
      test("a number of another country is refused before any call", async () => {
        const elsewhere = provider.countries?.includes("IS") ? "+37060123456" : "+3546111234"
        const { status, calls, lines } = await deliver({ ...sample, recipient: elsewhere }, [])
        assert.equal(status, 502)
        assert.equal(calls.length, 0)
        assert.match(lines.join("\n"), /"code":"country","reason":"serves [A-Z, ]+","fault":"account"/)
      })
    }

    for (const { title, message, env, code, fault } of fixture.uncalled ?? []) {
      test(`${title} is refused before any call`, async () => {
        const { status, calls, lines } = await deliver({ ...sample, ...message }, [], env)
        assert.equal(status, 502)
        assert.equal(calls.length, 0)
        const refused = lines
          .map((line): Record<string, unknown> => JSON.parse(line))
          .find(({ event }) => event === "refused")
        assert.equal(refused?.code, code)
        assert.equal(refused?.fault, fault)
      })
    }

    for (const { title = "the sample message", message, env, http } of fixture.calls) {
      test(`${title} becomes the documented call`, async () => {
        const { calls, answer } = await deliver({ ...sample, ...message }, [fixture.accepted[0]], env)
        const call = calls.at(-1)
        assert.ok(call, "no call was made")
        assert.equal((await httpOf(call)).replace(JSON.parse(answer).id, "{key}"), http.trim())
      })
    }

    test("another sender and another address take the place of the message's and the provider's own", async () => {
      const env = {
        [`${NAME}_SENDER`]: "+4915112345678",
        ...(!provider.env[`${NAME}_URL`] && { [`${NAME}_URL`]: "http://127.0.0.1:9/base/" }),
      }
      const { calls } = await deliver(sample, [fixture.accepted[0]], env)
      const call = calls.at(-1)
      assert.ok(call, "no call was made")
      if (!provider.env[`${NAME}_URL`]) assert.ok(call.url.startsWith("http://127.0.0.1:9/base"), call.url)
      assert.doesNotMatch(await httpOf(call), /15005550006/)
    })

    for (const reply of fixture.accepted) {
      test(`accepts: ${reply.title}`, async () => {
        assert.deepEqual(judge(answerOf(reply)), { id: reply.id })
        const { status, answer } = await deliverSample(reply)
        assert.equal(status, 200, answer)
      })

      test(`never accepts under 500, 429 or 204: ${reply.title}`, () => {
        for (const status of [500, 429, 204, 301].filter((other) => other !== reply.status))
          assert.ok(!("id" in judge(answerOf({ ...reply, status }))), String(status))
      })

      test(`judges without its marks: ${reply.title}`, () => {
        for (const text of ["", "null", "[]", "{}", '"OK"', "<html>", "0", "OK", "\u0000"]) {
          const receipt = judge(answerOf({ ...reply, body: text }))
          assert.ok(!("id" in receipt) || text === reply.body, `accepts ${JSON.stringify(text)}`)
        }
        if (typeof reply.body === "string") return
        const marks = reply.marks ?? fixture.marks
        const seen = new Set<string>()
        for (const [path, body] of damaged(reply.body)) {
          const receipt = judge(answerOf({ ...reply, body }))
          assert.ok("id" in receipt ? typeof receipt.id === "string" : "code" in receipt, path)
          if (!marks.includes(path)) continue
          seen.add(path)
          assert.ok(!("id" in receipt), `accepts without ${path}: ${JSON.stringify(body)}`)
        }
        assert.deepEqual([...seen].sort(), [...marks].sort(), "marks that the answer does not have")
      })
    }

    for (const reply of fixture.refused) {
      test(`refuses: ${reply.title}`, async () => {
        const receipt = judge(answerOf(reply))
        assert.ok(!("id" in receipt))
        assert.equal(String(receipt.code), String(reply.code))
        if (reply.reason !== undefined) assert.equal(receipt.reason, reply.reason)
        const { status, lines } = await deliverSample(reply)
        assert.equal(
          status,
          ["recipient", "fraud"].includes(reply.fault) ? 422 : 502,
          `the fault is not ${reply.fault}`,
        )
        const events = lines.map((line): Record<string, unknown> => JSON.parse(line))
        assert.equal(events.find(({ event }) => event === "refused")?.fault, reply.fault)
        assert.ok(!("id" in judge(answerOf({ ...reply, status: 500 }))))
      })
    }

    test("a name that every object has is a word like any other, wherever an answer holds it", () => {
      for (const reply of [...fixture.accepted, ...fixture.refused]) {
        for (const body of inherited.flatMap((word) => [word, ...worded(reply.body, word)])) {
          const receipt = judge(answerOf({ ...reply, body }))
          if ("id" in receipt) assert.equal(typeof receipt.id, "string", JSON.stringify(body))
          else {
            const { code, reason, fault } = receipt
            assert.ok(["string", "number"].includes(typeof code), `${JSON.stringify(body)}: ${code}`)
            assert.ok(["string", "undefined"].includes(typeof reason), `${JSON.stringify(body)}: ${reason}`)
            assert.ok(fault === undefined || faultNames.includes(fault), `${JSON.stringify(body)}: ${fault}`)
          }
        }
      }
    })

    test("nothing of the message or of the variables reaches log or answer", async () => {
      const echo = {
        title: "an echo",
        code: 400,
        fault: "provider" as const,
        status: 400,
        body: `${JSON.stringify(fixture.env)} ${JSON.stringify(sample)} ${sample.recipient.slice(1)}`,
      }
      for (const reply of [...fixture.accepted, ...fixture.refused, echo]) {
        const { lines, answer } = await deliverSample(reply)
        const told = `${lines.join("\n")}\n${answer}`
        const secrets = Object.entries(fixture.env).flatMap(([key, value]) =>
          /URL|SENDER|REGION/.test(key) || value.length < 6 ? [] : value,
        )
        for (const word of [sample.body, sample.code ?? "", sample.recipient.slice(1), ...secrets]) {
          assert.ok(!told.includes(word), `${word} stands in ${told}`)
        }
      }
    })
  })
}
