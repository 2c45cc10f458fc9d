/** Every file in providers/platforms/ against its fixture: who may call, what a call becomes, and what it is told. */
import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { describe, test } from "node:test"
import * as v from "valibot"
import {
  type Fault,
  type Message,
  type Outcome,
  type Platform,
  type ProblemCode,
  type Provider,
  problems,
  StartError,
  variablePrefix,
  type World,
} from "../main.ts"
import {
  keySetOf,
  outcomes,
  type PlatformFixture,
  type Proof,
  prove,
  type Sample,
  type Told,
  textOf,
  tokens,
} from "./lib/platform.ts"
import { accepted, sign, start } from "./lib/world.ts"

/** PLATFORM=name proves that one alone. */
const only = process.env.PLATFORM
const namesIn = (folder: string) =>
  readdirSync(new URL(folder, import.meta.url)).flatMap((file) => {
    const name = /^(.*)\.ts$/.exec(file)?.[1]
    return name && (!only || only === name) ? name : []
  })
const names = namesIn("../providers/platforms/").sort()
const fixtureNames = namesIn("./fixtures/platforms/").sort()

/** All calls are made now: a platform's file may look at the clock of the machine. */
const now = Date.now()
const minute = 60_000
const everyProblem = Object.keys(problems) as ProblemCode[]

const loaded = new Map<string, { platform: Platform; fixture: PlatformFixture }>()
for (const name of fixtureNames.filter((name) => names.includes(name))) {
  // Outside of describe: Deno runs nothing that an asynchronous describe registers.
  const platform: Platform = (await import(`../providers/platforms/${name}.ts`)).default
  const fixture: PlatformFixture = (await import(`./fixtures/platforms/${name}.ts`)).default
  loaded.set(name, { platform, fixture })
}

/** A provider that keeps what it is asked to send, as a whole; where `refusal` stands, it blames the number. */
function acme(messages: Message[], channel: "sms" | "voice", refusal?: string, fault: Fault = "recipient"): Provider {
  return {
    docs: "https://example.com/",
    url: "https://example.com",
    ...(channel === "voice" && { channel }),
    env: {},
    request: (message) => {
      messages.push(message)
      return refusal ? { code: "21211", reason: refusal, fault } : { id: "m-1" }
    },
    receipt: () => ({ code: 0 }),
  }
}

/** Whose keys are at this address, where a platform's keys are at one. */
const ownerOf = (proofs: Proof[], { url }: Request) =>
  proofs.find(({ signature, secrets }) => signature?.key === "ed25519" && secrets.includes(url))

/** An answer that has the platforms' keys at their addresses. */
function withKeys(proofs: Proof[], answer: Answer = accepted): Answer {
  return (request, init) => {
    const owner = ownerOf(proofs, request)
    return owner ? Response.json(keySetOf(owner, request.url)) : answer(request, init)
  }
}

/** A gateway with this one platform, whose provider is the shared one by configuration. */
async function serve(name: string, proof: Proof, env: World["env"] = {}, answer?: Answer, world?: Partial<World>) {
  const limits = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
  const settings = { PLATFORMS: name, [proof.variable]: proof.secrets[0], ...limits, ...env }
  const started = await start(settings, withKeys([proof], answer), { clock: () => now, ...world })
  const send = async (body: string, headers: Record<string, string>) =>
    await started.call(
      { method: "POST", headers: { "content-type": "application/json", ...headers }, body },
      `/${name}`,
    )
  const sent = () => started.calls.filter(({ request }) => !ownerOf([proof], request)).length
  return { ...started, send, sent }
}
type Answer = NonNullable<Parameters<typeof start>[1]>

/** The first sample's body, as it goes over the wire, with another recipient where one is given. */
function bodyOf(fixture: PlatformFixture, number?: string): string {
  return number === undefined ? textOf(fixture.samples[0].body, now) : bodyWith(fixture, fixture.recipient, number)
}

/** The first sample's body with another value at a dotted path, or with none there. */
function bodyWith({ samples }: PlatformFixture, path: string, value: unknown): string {
  const copy: unknown = JSON.parse(textOf(samples[0].body, now))
  const keys = path.split(".")
  const last = keys.pop() ?? ""
  const holder: object = Object(keys.reduce((value, key) => Object(value)[key], copy))
  assert.ok(Object.hasOwn(holder, last), `${path} is not there`)
  if (value === undefined) Reflect.deleteProperty(holder, last)
  else Reflect.set(holder, last, value)
  return JSON.stringify(copy)
}

async function unproven(response: Response, sent: number, title: string) {
  assert.equal(response.status, 401, title)
  assert.equal(response.headers.get("content-type"), "application/problem+json", title)
  assert.equal(Object(await response.json()).code, "authentication_failed", title)
  assert.equal(sent, 0, `${title}: a provider was called`)
}

/** An answer with what differs from call to call replaced, and what people may read. */
async function told(response: Response): Promise<Told & { text: string }> {
  const headers = Object.fromEntries([...response.headers].map(([key, value]) => [key, value.replace(/;.*/, "")]))
  const raw = await response.text()
  const text = raw
    .replace(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, "{id}")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "{date}")
  const body = headers["content-type"]?.includes("json") ? JSON.parse(text) : text
  return { status: response.status, headers, body, text: raw }
}

/** The code of the gateway that stands behind each outcome. */
const codes = {
  accepted: "accepted",
  badNumber: "invalid_recipient",
  limited: "rate_limited",
  refused: "destination_not_allowed",
  rejected: "delivery_rejected",
  timeout: "delivery_timeout",
  invalid: "invalid_message",
  malformed: "invalid_message",
  unspoken: "unsupported_channel",
  fraud: "suspected_fraud",
} as const

/** Why the last call was rejected, by the log. */
function reasonIn(lines: string[]): string {
  const line = lines.findLast((line) => line.includes('"rejected"'))
  return line ? String(JSON.parse(line).reason) : ""
}

/** Compares an answer with the fixture's, and gives its text. */
async function isTold(
  response: Response,
  fixture: PlatformFixture,
  outcome: keyof typeof codes,
  title: string,
  detail = "",
) {
  const { unspoken, fraud } = fixture
  const expected = { unspoken, fraud, ...fixture.answers }[outcome]
  assert.ok(expected, `${title}: the fixture has no answer`)
  const { text, ...actual } = await told(response)
  const code = codes[outcome]
  const sentence = code === "accepted" ? "" : problems[outcome === "invalid" ? "invalid_recipient" : code][2]
  if (expected.own) {
    assert.equal(actual.status, expected.status, title)
    assert.equal(Object(actual.body).code ?? "accepted", expected.own, title)
  } else {
    const fields = JSON.stringify(detail).slice(1, -1)
    const filled = JSON.parse(
      JSON.stringify(expected).replaceAll("{sentence}", sentence).replaceAll("{detail}", fields),
    )
    assert.deepEqual(actual, { headers: {}, body: "", ...filled }, title)
  }
  return text
}

/** Every body that differs from `json` in one node: gone, or of another type. */
function* damaged(json: unknown): Generator<unknown> {
  yield* [null, [], [json], {}, "", "text", 0, true]
  if (typeof json !== "object" || json === null) return
  for (const key of Object.keys(json)) {
    const value: unknown = Reflect.get(json, key)
    const copyWith = (other: unknown) => {
      const copy = structuredClone(json)
      if (other === undefined) Reflect.deleteProperty(copy, key)
      else Reflect.set(copy, key, other)
      return copy
    }
    for (const other of [undefined, -1.5, "\u0000", "x".repeat(2_000), "😀\ud800", { toString: 1 }])
      yield copyWith(other)
    for (const inner of damaged(value)) yield copyWith(inner)
  }
}

/** Digits, DEFAULT_COUNTRY, and the number that is meant where the platform always sends the country, and where not. */
const numbers: [
  digits: string,
  country: string | undefined,
  always: string | undefined,
  national: string | undefined,
][] = [
  ["2025551501", "US", "+2025551501", "+12025551501"],
  ["8185550101", "US", "+8185550101", "+18185550101"],
  ["9876543210", "IN", undefined, "+919876543210"],
  ["07911123456", "GB", "+447911123456", "+447911123456"],
  ["447911123456", "GB", "+447911123456", "+447911123456"],
  ["447911123456", "US", "+447911123456", undefined],
  ["15550100123", "US", "+15550100123", "+15550100123"],
  ["15550100123", undefined, "+15550100123", "+15550100123"],
  ["07911123456", undefined, undefined, undefined],
  ["3035551212", undefined, undefined, undefined],
]

test("every platform has a fixture, and every fixture a platform", () => {
  if (only) assert.ok(names.length > 0, `there is no providers/platforms/${only}.ts`)
  assert.deepEqual(fixtureNames, names)
})

for (const [name, { platform, fixture }] of loaded) {
  const NAME = variablePrefix(name)

  describe(name, () => {
    test("says where its contract is, how long it waits, and what to enter", () => {
      assert.match(platform.docs, /^https:\/\//)
      assert.ok(platform.deadline === undefined || (platform.deadline >= 1_000 && platform.deadline <= 60_000))
      const steps = platform.setup(`https://sms.example.com/${name}`, {})
      assert.ok(steps.includes(`https://sms.example.com/${name}`), steps)
      const ofCalls = Object.keys(platform.env)
      assert.ok(ofCalls.length > 0)
      for (const variable of ofCalls) {
        assert.match(variable, new RegExp(`^${NAME}_(SECRET|JWKS|TOKEN|VERIFIED_SECRET)$`))
        assert.ok(steps.includes(variable), `${variable} stands in no step`)
        const schema = platform.env[variable] as { wrapped?: v.GenericSchema } & v.GenericSchema
        assert.ok(v.getDescription(schema.wrapped ?? schema), `${variable} is not described`)
      }
      const variables = ofCalls.filter((variable) => !variable.endsWith("_VERIFIED_SECRET"))
      assert.deepEqual([...new Set(fixture.proofs.map(({ variable }) => variable))].sort(), variables.sort())
      assert.equal(fixture.verified !== undefined, platform.verified !== undefined, "verified and its fixture")
    })

    for (const proof of fixture.proofs) proofs(name, fixture, proof)
    for (const sample of fixture.samples) becomes(name, platform, fixture, sample)
    for (const outcome of outcomes) answers(name, fixture, outcome)
    if (fixture.fraud)
      test("is told when a provider suspects fraud", async () => {
        const load = async (path: string) =>
          path === "acme" ? { default: acme([], "sms", "pumping", "fraud") } : await import(`../providers/${path}.ts`)
        const { send } = await serve(name, fixture.proofs[0], { SMS_PROVIDER: "acme" }, undefined, { load })
        const body = bodyOf(fixture)
        await isTold(await send(body, prove(fixture.proofs[0], body, { now })), fixture, "fraud", "fraud")
      })
    const speaks = fixture.samples.some(({ becomes }) => typeof becomes === "object" && becomes.channel === "voice")
    assert.equal(fixture.unspoken !== undefined, speaks, "unspoken and a sample of a call")

    test("JSON that is broken tells its place", async () => {
      const { send, lines } = await serve(name, fixture.proofs[0])
      const body = `{"a": "x",}`
      const response = await send(body, prove(fixture.proofs[0], body, { now }))
      const reason = `the body must be a JSON object or a UTF-8 form: what ${name} sends; its JSON breaks at line 1, column 11`
      // What a signature says of content needs content.
      if (response.status === 401) return assert.equal(fixture.proofs[0].signature?.isOfContent, true)
      assert.equal(reasonIn(lines), reason)
      await isTold(response, fixture, "malformed", "broken", reason)
    })

    test("its path may end with a slash", async () => {
      const [proof] = fixture.proofs
      const body = bodyOf(fixture)
      const { call, sent } = await serve(name, proof)
      const slashed = async (headers: Record<string, string>, path: string) =>
        await call({ method: "POST", headers: { ...headers, "content-type": "application/json" }, body }, path)
      await unproven(await slashed({}, `/${name}/`), sent(), "no proof")
      await isTold(await slashed(prove(proof, body, { now }), `/${name}/`), fixture, "accepted", "a slash")
      assert.equal(sent(), 1)
      assert.equal((await slashed(prove(proof, body, { now }), `/${name}//`)).status, 404)
      assert.equal((await call({ method: "PUT" }, `/${name}/`)).status, 405)
      const without = await start()
      for (const path of [`/${name}`, `/${name}/`]) {
        const response = await without.call({ method: "POST", headers: prove(proof, body, { now }), body }, path)
        assert.equal(response.status, 404)
        assert.equal(Object(await response.json()).detail, `PLATFORMS does not name ${name}`)
      }
    })

    test("what an unproven call is told is short where people read it, and says what is wrong elsewhere", async () => {
      const { send, lines } = await serve(name, fixture.proofs[0])
      const told = await (await send(bodyOf(fixture), {})).text()
      if (fixture.isShown) assert.equal(told, '{"code":"authentication_failed"}')
      else assert.equal(JSON.parse(told).detail, reasonIn(lines))
      assert.match(reasonIn(lines), /is missing$/)
    })

    test("answers every refusal, each time anew, and never with more than it is told", async () => {
      const { answer } = platform
      if (!answer) return
      for (const code of ["accepted", ...everyProblem] as const)
        for (const isPerhapsSent of [true, false]) {
          const status = code === "accepted" ? 200 : problems[code][0]
          const outcome: Outcome = { code, status, id: "an-id", sentence: "A sentence.", isPerhapsSent, retryAfter: 7 }
          const first: Response = answer(outcome)
          const second: Response = answer(outcome)
          assert.ok(first instanceof Response && first !== second, code)
          assert.ok(first.status < 300 || first.status >= 400, "it redirects")
          assert.doesNotMatch(await first.text(), /undefined|null|NaN|\[object/, code)
          // What may have gone out is told alike whatever came after, and what did not is a failure, late or not.
          if (!code.startsWith("delivery_")) continue
          const told = fixture.answers[isPerhapsSent ? "timeout" : "rejected"]
          const text = (await second.text())
            .replace(code, "delivery_rejected")
            .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "{date}")
          const body = text.replaceAll("an-id", "{id}").replaceAll("A sentence.", "{sentence}")
          const whole =
            typeof told.body === "string" ? told.body : told.body === undefined ? "" : JSON.stringify(told.body)
          assert.deepEqual([second.status, body], [told.status, whole], code)
        }
    })

    test("a body that is not the platform's names the field that is missing or wrong", async () => {
      const { send, sent, lines } = await serve(name, fixture.proofs[0])
      for (const path of fixture.required)
        for (const value of [undefined, 20, null]) {
          const body = bodyWith(fixture, path, value)
          const response = await send(body, prove(fixture.proofs[0], body, { now }))
          // A mark of other events is no field of this one.
          if (response.status === 204) continue
          const reason = reasonIn(lines)
          const words = value === undefined ? "is missing" : "must be"
          assert.ok(
            reason.split("; ").some((one) => one.startsWith(`${path} ${words}`)),
            `${path}: ${reason}`,
          )
          await isTold(response, fixture, "malformed", path, reason)
        }
      assert.equal(sent(), 0)
    })

    test("a number means what its platform and DEFAULT_COUNTRY say of its country", async () => {
      assert.equal(platform.isInternational ?? false, fixture.isInternational)
      for (const [digits, country, always, national] of numbers) {
        const { send, calls } = await serve(name, fixture.proofs[0], country ? { DEFAULT_COUNTRY: country } : {})
        const body = bodyOf(fixture, digits)
        const expected = fixture.isInternational ? always : national
        const response = await send(body, prove(fixture.proofs[0], body, { now }))
        await isTold(response, fixture, expected ? "accepted" : "invalid", `${digits} from ${country}`)
        // A platform's keys are fetched before, by a call with no body.
        const call = calls.find(({ text }) => text)
        assert.equal(call && JSON.parse(call.text).to, expected, `${digits} from ${country}`)
      }
    })

    test("junk of every type in every field is never a failure", { timeout: 60_000 }, async () => {
      const { send, lines } = await serve(name, fixture.proofs[0])
      const bodies = [...damaged(JSON.parse(bodyOf(fixture)))].map((json) => JSON.stringify(json))
      for (const text of [...bodies, "", "{", "\u0000", "a=b&c", "<x/>"]) {
        const { status } = await send(text, prove(fixture.proofs[0], text, { now }))
        assert.ok(status < 500, `${status} for ${text.slice(0, 500)}`)
      }
      assert.doesNotMatch(lines.join("\n"), /"event":"failure"|internal_error/)
    })

    test("answers in time, and DEADLINE can only shorten it", async () => {
      for (const [DEADLINE, most] of [
        ["1s", 1_000],
        ["600s", platform.deadline ?? 600_000],
      ] as const) {
        const asked: number[] = []
        const after: World["after"] = (milliseconds) => {
          asked.push(milliseconds)
          return () => {}
        }
        const { send } = await serve(name, fixture.proofs[0], { DEADLINE, ATTEMPT_TIMEOUT: "600s" }, undefined, {
          after,
        })
        const body = bodyOf(fixture)
        await isTold(await send(body, prove(fixture.proofs[0], body, { now })), fixture, "accepted", DEADLINE)
        assert.equal(Math.max(...asked), most)
      }
    })

    test("a form and any content type are read alike", async () => {
      const body = bodyOf(fixture)
      const { send } = await serve(name, fixture.proofs[0])
      const fields: Record<string, unknown> = JSON.parse(body)
      if (Object.values(fields).every((value) => typeof value === "string")) {
        const form = new URLSearchParams(fields as Record<string, string>).toString()
        const headers = {
          ...prove(fixture.proofs[0], form, { now }),
          "content-type": "application/x-www-form-urlencoded",
        }
        await isTold(await send(form, headers), fixture, "accepted", "a form")
      }
      for (const type of ["text/plain", "application/octet-stream", "application/json; charset=utf-8"]) {
        const headers = { ...prove(fixture.proofs[0], body, { now }), "content-type": type }
        await isTold(await send(body, headers), fixture, "accepted", type)
      }
    })

    const { greet } = fixture
    assert.equal(greet !== undefined, platform.greet !== undefined, "greet and its fixture")
    if (greet) {
      test("is greeted behind the same proof", async () => {
        const [proof] = fixture.proofs
        const { call } = await serve(name, proof)
        const ask = async (headers: Record<string, string>) => await call({ headers }, `/${name}`)
        const greeted = await told(await ask({ ...greet.headers, ...prove(proof, "", { now }) }))
        assert.deepEqual({ ...greeted, text: "" }, { ...greet.told, text: "" })
        await unproven(await ask(greet.headers), 0, "without its proof")
        const wrong = prove(proof, "", { now, secrets: [proof.secrets[1]] })
        await unproven(await ask({ ...greet.headers, ...wrong }), 0, "another token")
        for (const [header, value] of Object.entries(greet.headers)) {
          const hostile = { ...prove(proof, "", { now }), [header]: `${value}"<script>` }
          const response = await ask(hostile)
          assert.equal(response.status, 400)
          assert.doesNotMatch(await response.text(), /script/)
        }
      })
    } else {
      test("answers POST alone", async () => {
        const { call } = await serve(name, fixture.proofs[0])
        for (const method of ["GET", "PUT", "DELETE"]) {
          const response = await call({ method, headers: prove(fixture.proofs[0], "", { now }) }, `/${name}`)
          assert.equal(response.status, 405)
          assert.equal(response.headers.get("allow"), "POST")
        }
      })
    }
  })
}

/** Who is let in by one of the platform's proofs, and who is not. */
function proofs(name: string, fixture: PlatformFixture, proof: Proof) {
  const { title, variable, secrets, signature } = proof
  const [own, other] = secrets
  const body = bodyOf(fixture)
  const good = () => prove(proof, body, { now })
  const isDated = signature?.signed.includes("{seconds}") ?? false

  /** Calls that prove nothing. */
  const bad: [title: string, headers: Record<string, string>, body?: string][] = [
    ["no header at all", {}],
    ["another key", prove(proof, body, { now, secrets: [other] })],
    ["an empty secret", prove(proof, body, { now, secrets: [""] })],
    ["the variable's name", prove(proof, body, { now, secrets: [variable] })],
    ...Object.keys(proof.headers).flatMap((gone): typeof bad => {
      const { [gone]: value = "", ...rest } = good()
      return [
        [`${gone} is gone`, rest],
        [`${gone} is empty`, { ...rest, [gone]: "" }],
        [`${gone} is cut`, { ...rest, [gone]: value.slice(0, -4) }],
        [`${gone} is longer`, { ...rest, [gone]: `${value}00` }],
      ]
    }),
    ["a token of POST / as a bearer", { authorization: `Bearer ${tokens[1]}` }],
  ]
  if (signature) {
    bad.push(
      ["a bearer in place of a signature", { authorization: `Bearer ${own}` }],
      ["the secret itself in place of a signature", prove({ ...proof, signature: undefined as never }, body, { now })],
      ...[...body].flatMap((letter, at): typeof bad => {
        if (at % 61 !== 0) return []
        const changed = `${body.slice(0, at)}${letter === "1" ? "2" : "1"}${body.slice(at + 1)}`
        return [[`byte ${at} of the body changed`, good(), changed]]
      }),
      ...(signature.isOfContent
        ? []
        : [["a blank behind the body", good(), `${body} `] satisfies (typeof bad)[number]]),
      ["no body", good(), ""],
      ["the signature of an empty body", prove(proof, "", { now })],
    )
  }
  if (isDated) {
    bad.push(
      ["six minutes ago", prove(proof, body, { now: now - 6 * minute })],
      ["in six minutes", prove(proof, body, { now: now + 6 * minute })],
      [
        "a moment that is no number",
        Object.fromEntries(Object.entries(good()).map(([key, value]) => [key, value.replace(/\d{10}/, "1e9")])),
      ],
      [
        "a moment that was not signed",
        Object.fromEntries(
          Object.entries(good()).map(([key, value]) => [
            key,
            value.replace(/\d{10}/, String(Math.floor(now / 1_000) - 1)),
          ]),
        ),
      ],
    )
  }
  if (proof.headers && Object.values(proof.headers).some((value) => value.includes("{id}")))
    bad.push([
      "an id that was not signed",
      Object.fromEntries(Object.entries(good()).map(([key, value]) => [key, value.replace("msg_", "msg-")])),
    ])

  test(`${title} lets in`, async () => {
    const { send } = await serve(name, proof)
    await isTold(await send(body, good()), fixture, "accepted", "now")
    if (!isDated) return
    for (const away of [-290_000, 290_000]) {
      const { send } = await serve(name, proof)
      await isTold(await send(body, prove(proof, body, { now: now + away })), fixture, "accepted", `${away} ms away`)
    }
  })

  test(`${title} keeps out whoever does not prove it`, async () => {
    const { send, sent, lines } = await serve(name, proof, { GATEWAY_TOKEN: tokens[1] })
    for (const [title, headers, text = body] of bad) await unproven(await send(text, headers), sent(), title)
    await unproven(await send(body, { authorization: `Bearer ${await sign()}` }), sent(), "a token of GATEWAY_SECRET")
    const log = lines.join("\n")
    for (const secret of [own, other, own.replace(/^(v1,)?whsec_/, "")])
      assert.ok(!log.includes(secret), "a secret in the log")
    assert.equal((await send(body, good())).status, fixture.answers.accepted.status)
  })

  // Keys at an address are changed there.
  if (signature?.key !== "ed25519")
    test(`${title} goes on while the secret is changed`, async () => {
      const third = `${other.slice(0, -8)}QUFB${other.slice(-4)}`
      for (const list of [`${other},${own}`, `${own}, ${other}`]) {
        const { send, sent } = await serve(name, proof, { [variable]: list })
        for (const secret of [own, other]) {
          const text = bodyOf(fixture, secret === own ? "+15550100131" : "+15550100132")
          const headers = prove(proof, text, { now, secrets: [secret], id: `msg_${secret.length}` })
          await isTold(await send(text, headers), fixture, "accepted", list)
        }
        const before = sent()
        const response = await send(body, prove(proof, body, { now, secrets: [third] }))
        await unproven(response, sent() - before, "a third secret")
      }
      if (!signature?.between) return
      for (const list of [
        [third, own],
        [own, third],
      ]) {
        const { send } = await serve(name, proof)
        await isTold(
          await send(body, prove(proof, body, { now, secrets: list })),
          fixture,
          "accepted",
          "two signatures",
        )
      }
      const { send, sent } = await serve(name, proof)
      await unproven(await send(body, prove(proof, body, { now, secrets: [third, other] })), sent(), "two others")
    })

  if (signature) {
    test(`${title}: the same call again sends nothing, and is told the same`, async () => {
      let time = now
      const { send, sent } = await serve(name, proof, {}, undefined, { clock: () => time })
      const [first, ...later] = [0, 1, 60_000, 240_000].map((wait) => async () => {
        time = now + wait
        return await told(await send(body, good()))
      })
      const answer = await first?.()
      for (const again of later) {
        const repeated = await again()
        assert.deepEqual({ ...repeated, text: "" }, { ...answer, text: "" })
        if (!answer?.text.includes("date")) assert.equal(repeated.text, answer?.text)
      }
      assert.equal(sent(), 1)
    })

    test(`${title}: the same call twice at once sends one message`, async () => {
      const { send, sent } = await serve(name, proof)
      const [first, second] = await Promise.all(
        [send(body, good()), send(body, good())].map(async (call) => await told(await call)),
      )
      assert.deepEqual({ ...first, text: "" }, { ...second, text: "" })
      assert.equal(first?.status, fixture.answers.accepted.status)
      assert.equal(sent(), 1)
    })

    test(`${title}: a call that failed may come again`, async () => {
      let isDown = true
      const { send, sent } = await serve(name, proof, {}, () =>
        Response.json({ id: "m-1" }, { status: isDown ? 500 : 200 }),
      )
      await isTold(await send(body, good()), fixture, "rejected", "first")
      isDown = false
      await isTold(await send(body, good()), fixture, "accepted", "again")
      assert.equal(sent(), 2)
    })
  }

  test(`${title}: without a secret, or with a short one, nothing starts`, async () => {
    const failure = async (value: string | undefined) => {
      const error: unknown = await serve(name, proof, { [variable]: value }).then(
        () => assert.fail(`it starts with ${value}`),
        (error) => error,
      )
      assert.ok(error instanceof StartError, String(error))
      return error.message
    }
    for (const value of [undefined, "", " ", ","])
      assert.match(await failure(value), new RegExp(`${variable}|${NAME(name)}_SECRET or`))
    for (const value of ["canary", `${signature?.prefix ?? ""}Y2FuYXJ5`, `${own},canary`, `canary,${own}`]) {
      const message = await failure(value)
      assert.match(message, new RegExp(`${variable} is (too short|wrong)`), value)
      assert.doesNotMatch(message, /canary|Y2FuYXJ5/)
    }
    if (signature?.key === "ed25519") await failure(own.replace("https", "http"))
    if (!signature) for (const value of [own.slice(0, 31), `${own} x`]) await failure(value)
  })
}
const NAME = variablePrefix

/** What a call of the platform becomes, as its file reads it and as a provider gets it. */
function becomes(
  name: string,
  platform: Platform,
  fixture: PlatformFixture,
  { title, headers, env = {}, body, age = 0, becomes, says, vectors = [] }: Sample,
) {
  const [proof] = fixture.proofs
  const text = textOf(body, now - age)

  test(`reads: ${title}`, async () => {
    const messages: Message[] = []
    const providers = { acme: acme(messages, "sms"), speaker: acme(messages, "voice") }
    const load = async (path: string) =>
      path in providers ? { default: Reflect.get(providers, path) } : await import(`../providers/${path}.ts`)
    const settings = { SMS_PROVIDER: "acme", VOICE_PROVIDER: "speaker", ...env }
    const { send, lines } = await serve(name, proof, settings, undefined, { load })
    const response = await send(text, { ...headers, ...prove(proof, text, { now }) })
    if (becomes === "nothing") {
      assert.equal(response.status, 204)
      assert.equal(await response.text(), "")
    } else if (typeof becomes === "string") await isTold(response, fixture, becomes, title, reasonIn(lines))
    if (says !== undefined) assert.equal(reasonIn(lines), says)
    if (typeof becomes === "string") return assert.deepEqual(messages, [])

    const { ip, key, user, sender = "", ...message } = becomes
    assert.ok(response.ok, await response.text())
    const got = Object.fromEntries(Object.entries(messages[0] ?? {}).filter(([, value]) => value !== undefined))
    assert.deepEqual(got, { sender, ...message })
    const written = platform.read(JSON.parse(text), now)
    assert.deepEqual([written?.ip, written?.key], [ip, key])
    if (user !== undefined) assert.equal(written?.user, user)
    assert.equal(messages.length, 1)
    const log = lines.join("\n")
    for (const word of [message.body, message.code, message.recipient.slice(1), ip])
      assert.ok(!word || !log.includes(word), `${word} stands in the log`)
  })

  if (typeof becomes === "object" && becomes.key !== undefined)
    test(`sends once, however it is proven again: ${title}`, async () => {
      let time = now
      const settings = { DUPLICATE_WINDOW: "off", ...env }
      const { send, sent } = await serve(name, proof, { SMS_PROVIDER: "http", ...settings }, undefined, {
        clock: () => time,
      })
      if (becomes.channel === "voice") return
      const first = await told(await send(text, prove(proof, text, { now: time })))
      time += 5 * minute
      const second = await told(await send(text, prove(proof, text, { now: time, id: "msg_another" })))
      assert.deepEqual({ ...second, text: "" }, { ...first, text: "" })
      assert.equal(first.status, fixture.answers.accepted.status)
      assert.equal(sent(), 1)
    })

  if (typeof becomes === "object" && becomes.channel === "voice")
    test(`is told where nothing speaks: ${title}`, async () => {
      const { send, sent } = await serve(name, proof, env)
      await isTold(await send(text, prove(proof, text, { now })), fixture, "unspoken", title)
      assert.equal(sent(), 0)
    })

  for (const [index, { seconds, headers }] of vectors.entries()) {
    test(`takes the platform's own signature ${index + 1}: ${title}`, async () => {
      const moment = seconds * 1_000
      const original = textOf(body, moment - age)
      for (const away of [0, 299_000, -299_000]) {
        const { send } = await serve(name, proof, {}, undefined, { clock: () => moment + away })
        assert.notEqual((await send(original, headers)).status, 401, `${away} ms away`)
      }
      const { send, sent } = await serve(name, proof, {}, undefined, { clock: () => moment })
      await unproven(await send(original.replace("1", "2"), headers), sent(), "another body")
    })
  }
}

/** A call that times out as soon as it is made. */
function impatient() {
  const waiting: (() => void)[] = []
  const after: World["after"] = (_, run) => {
    waiting.push(run)
    return () => waiting.splice(waiting.indexOf(run), 1)
  }
  const hang = () => {
    setTimeout(() => {
      for (const end of waiting) end()
    })
    return new Promise<never>(() => {})
  }
  return { after, hang }
}

/** What the platform is told of each outcome. */
function answers(name: string, fixture: PlatformFixture, outcome: (typeof outcomes)[number]) {
  const [proof] = fixture.proofs
  const words = "not a mobile: ask +15550100123, code 987-6"
  const failing = () => Response.json({ error: words }, { status: 500 })
  const loadAcme = async (path: string) =>
    path === "acme" ? { default: acme([], "sms", words) } : await import(`../providers/${path}.ts`)
  const { after, hang } = impatient()
  const reset = () => Promise.reject(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }))
  type Case = {
    title: string
    env?: Record<string, string>
    body?: string
    answer?: Answer
    world?: Partial<World>
    sent: number
  }
  const cases: Record<(typeof outcomes)[number], Case[]> = {
    accepted: [{ title: "a provider took it", sent: 1 }],
    badNumber: [
      {
        title: "a provider blames the number",
        env: { SMS_PROVIDER: "acme" },
        world: { load: loadAcme },
        sent: 0,
      },
    ],
    limited: [{ title: "a limit is used up", env: { LIMIT_TOTAL: "1/10m" }, sent: 1 }],
    refused: [
      { title: "the destination is denied", env: { DENY_DESTINATIONS: "+1" }, sent: 0 },
      { title: "the destination is not allowed", env: { ALLOW_DESTINATIONS: "FR" }, sent: 0 },
    ],
    rejected: [
      { title: "no provider accepts it", answer: failing, sent: 1 },
      { title: "no provider can be reached", answer: () => Promise.reject(new Error("connect ECONNREFUSED")), sent: 1 },
    ],
    timeout: [
      { title: "the provider keeps silent", answer: hang, world: { after }, sent: 2 },
      { title: "the provider's connection broke", answer: reset, sent: 2 },
    ],
    invalid: [
      { title: "the number is none", body: bodyOf(fixture, "+1555"), sent: 0 },
      { title: "the number is a text", body: bodyOf(fixture, "call me"), sent: 0 },
      { title: "the number is too short", body: bodyOf(fixture, "+1202555"), sent: 0 },
    ],
    malformed: [
      { title: "there are no fields", body: "{}", sent: 0 },
      { title: "it is a list", body: "[]", sent: 0 },
    ],
  }
  for (const { title, env = {}, body = bodyOf(fixture), answer, world, sent } of cases[outcome]) {
    test(`is told when ${title}`, async () => {
      const gateway = await serve(name, proof, env, answer, world)
      if (outcome === "limited") assert.equal((await gateway.post()).status, 200)
      const response = await gateway.send(body, prove(proof, body, { now }))
      const expected = fixture.answers[outcome]
      // A broken connection is no timeout in the gateway's own words.
      const isOwn = expected.own && title.includes("broke")
      const reason = reasonIn(gateway.lines)
      const text = isOwn ? await response.text() : await isTold(response, fixture, outcome, title, reason)
      assert.equal(gateway.sent(), sent)
      // The gateway's own answer tells what a provider said, less what must not be told.
      const foreign = expected.own ? [] : ["not a mobile", "21211"]
      for (const word of [...foreign, "987-6", "5550100123", proof.secrets[0]]) assert.ok(!text.includes(word), text)
      const told = gateway.lines.join("\n")
      for (const word of ["5550100123", proof.secrets[0]]) assert.ok(!told.includes(word), told)
    })
  }
}

test("each platform's secret opens its own path, beside POST /, and no other", async () => {
  const env: Record<string, string> = { PLATFORMS: [...loaded.keys()].join(), GATEWAY_TOKEN: `own-${tokens[0]}` }
  const mine = new Map<string, Proof>()
  for (const [name, { fixture }] of loaded) {
    // Tokens alike in every fixture are told apart by their platform's name.
    const [first] = fixture.proofs
    const proof: Proof = first.signature ? first : { ...first, secrets: [`${name}-${tokens[0]}`, tokens[1]] }
    mine.set(name, proof)
    env[proof.variable] = proof.secrets[0]
  }
  const limits = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off" }
  const owners = [...mine.values()]
  const { call, calls, post } = await start({ ...limits, ...env }, withKeys(owners), { clock: () => now })
  const sent = () => calls.filter(({ request }) => !ownerOf(owners, request)).length
  const send = async (name: string, headers: Record<string, string>, body: string) =>
    await call({ method: "POST", headers: { ...headers, "content-type": "application/json" }, body }, `/${name}`)
  for (const [name, { fixture }] of loaded) {
    const body = bodyOf(fixture)
    const before = sent()
    for (const [other, proof] of mine) {
      if (other === name) continue
      await unproven(await send(name, prove(proof, body, { now }), body), sent() - before, `${other} at /${name}`)
      // Another's secret in the platform's own way.
      const disguised = prove(mine.get(name) as Proof, body, { now, secrets: [proof.secrets[0]] })
      await unproven(await send(name, disguised, body), sent() - before, `the secret of ${other} at /${name}`)
    }
    const owner = [{ authorization: `Bearer ${env.GATEWAY_TOKEN}` }, { authorization: `Bearer ${await sign()}` }]
    for (const headers of owner) await unproven(await send(name, headers, body), sent() - before, `POST / at /${name}`)
    const proven = prove(mine.get(name) as Proof, body, { now })
    await unproven(await send("", proven, '{"recipient":"+12223334444","body":"x"}'), sent() - before, `${name} at /`)
    await isTold(await send(name, proven, body), fixture, "accepted", name)
  }
  assert.equal((await post()).status, 200)
})

test("GATEWAY_AUTH=none opens POST / alone, and a platform that is not named has no path", async () => {
  for (const [name, { fixture }] of loaded) {
    const open = { GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "127.0.0.1" }
    const { send, call, sent } = await serve(name, fixture.proofs[0], open)
    await unproven(await send(bodyOf(fixture), {}), sent(), name)
    const body = '{"recipient":"+12223334444","body":"Your code is 326162"}'
    assert.equal((await call({ method: "POST", body })).status, 200)
    const elsewhere = await call(
      { method: "POST", body, headers: prove(fixture.proofs[0], body, { now }) },
      `/${name}`,
      "10.0.0.1",
    )
    assert.equal(elsewhere.status, 403)
    const without = await start({ [fixture.proofs[0].variable]: fixture.proofs[0].secrets[0] })
    const text = bodyOf(fixture)
    const response = await without.call(
      { method: "POST", body: text, headers: prove(fixture.proofs[0], text, { now }) },
      `/${name}`,
    )
    assert.equal(response.status, 404)
  }
})

test("where both a secret and a token are set, both are asked for", async () => {
  for (const [name, { fixture }] of loaded) {
    const signed = fixture.proofs.find(({ signature }) => signature)
    const static_ = fixture.proofs.find(({ signature }) => !signature)
    if (!signed || !static_) continue
    const body = bodyOf(fixture)
    const { send, sent } = await serve(name, signed, { [static_.variable]: static_.secrets[0] })
    await unproven(await send(body, prove(signed, body, { now })), sent(), "the signature alone")
    await unproven(await send(body, prove(static_, body, { now })), sent(), "the token alone")
    const both = { ...prove(static_, body, { now }), ...prove(signed, body, { now }) }
    await isTold(await send(body, both), fixture, "accepted", "both")
  }
})

test("a platform that is missing, misspelt or called like a provider in use keeps the gateway from starting", async () => {
  const failure = async (env: Record<string, string>, load?: World["load"]) => {
    const error: unknown = await start(env, undefined, { ...(load && { load }) }).then(
      () => assert.fail(`it starts with ${JSON.stringify(env)}`),
      (error) => error,
    )
    assert.ok(error instanceof StartError, String(error))
    return error.message
  }
  assert.match(
    await failure({ PLATFORMS: "supabse", SUPABSE_SECRET: tokens[0] }),
    /no providers\/platforms\/supabse\.ts.*did you mean supabase\?/,
  )
  assert.match(await failure({ PLATFORMS: "../supabase" }), /PLATFORMS/)
  const platform: Platform = { docs: "https://example.com/", env: {}, read: () => undefined, setup: () => "" }
  const load = async (path: string) =>
    path === "platforms/http" ? { default: platform } : await import(`../providers/${path}.ts`)
  assert.match(
    await failure({ PLATFORMS: "http", HTTP_TOKEN: tokens[0] }, load),
    /PLATFORMS names http, which is a provider in use/,
  )
})

test("a file whose proof gives nothing to compare lets nobody in", async () => {
  for (const proof of [
    () => ({ token: undefined }),
    () => ({ token: "" }),
    () => undefined,
    () => ({}),
    () => assert.fail(),
  ]) {
    for (const variable of ["LAX_SECRET", "LAX_TOKEN"]) {
      const lax = {
        docs: "https://example.com/",
        env: {},
        proof,
        read: () => ({ recipient: "+12223334444", body: "x" }),
        setup: () => "",
      }
      const load = async (path: string) =>
        path === "platforms/lax" ? { default: lax } : await import(`../providers/${path}.ts`)
      const { call, calls } = await start({ PLATFORMS: "lax", [variable]: tokens[0] }, undefined, { load })
      const response = await call({ method: "POST", body: "{}" }, "/lax")
      await unproven(response, calls.length, `${proof} with ${variable}`)
    }
  }
})

test("the README's table of platforms is what their files say", () => {
  if (only) return
  const readme = readFileSync(new URL("../providers/platforms/README.md", import.meta.url), "utf8")
  for (const [name, { platform }] of loaded) {
    const row = readme.split("\n").find((line) => line.startsWith(`| [${name}](${platform.docs})`))
    assert.ok(row, `the README has no row of ${name}, or another address`)
    for (const variable of Object.keys(platform.env)) assert.ok(row.includes(`\`${variable}\``), `${name}: ${variable}`)
    const deadline = platform.deadline === undefined ? "`DEADLINE`" : `${platform.deadline / 1_000} s`
    assert.match(row, new RegExp(`\\| ${deadline} +\\|$`), `${name}: the README does not say ${deadline}`)
  }
})
