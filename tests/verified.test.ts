/** The verified wire: whose code was entered, what that counts for, and what it costs whoever pumps messages. */
import assert from "node:assert/strict"
import { createHmac } from "node:crypto"
import { readdirSync } from "node:fs"
import { describe, test } from "node:test"
import { createApp, type Platform, prepare, StartError, type World } from "../main.ts"
import type { Learning } from "../providers/parts/routing.ts"
import { type PlatformFixture, prove } from "./lib/platform.ts"
import {
  type Answers,
  blame,
  type Line,
  message,
  problem,
  providers,
  route,
  secret,
  sign,
  standing,
  start,
  status,
  take,
  until,
} from "./lib/world.ts"

const { recipient } = message
const both = { a: () => take("a-1"), b: () => take("b-1") }

type Counted = { route: Parameters<Learning["count"]>[0]; mark: string; why: string }
/** A gateway of these providers that learns: `counted` is what it is told. */
async function learn(answers: Answers = both, env: World["env"] = {}, rest: Partial<World> = {}) {
  const given = providers(answers)
  const time = standing()
  const lines: string[] = []
  const counted: Counted[] = []
  const unlimited = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off", DUPLICATE_WINDOW: "off" }
  const world: World = {
    env: { GATEWAY_SECRET: secret, ...given.env, ...unlimited, ...env },
    fetch: async (request, init) => await given.answer(request, init),
    load: given.load,
    print: (line) => lines.push(line),
    ...time.world,
    ...rest,
  }
  const prepared = await prepare(world, true)
  prepared.gateway.learning = {
    count: (route, mark, why) => void counted.push({ route, mark, why }),
    arrange: (route) => ({ arranged: route, candidates: [], reason: "" }),
    tell() {},
    accepted() {},
  }
  const app = await createApp(prepared)
  const post = async (body: unknown, path = "/", headers: Record<string, string> = {}) => {
    const authorization = `Bearer ${await sign()}`
    const text = typeof body === "string" ? body : JSON.stringify(body)
    const init = { method: "POST", headers: { authorization, ...headers }, body: text }
    return await app.request(path, init, { address: () => "127.0.0.1" })
  }
  const events = () => lines.map((line): Line => JSON.parse(line))
  const count = (event: string) => events().filter((line) => line.event === event).length
  const send = async (more: object = {}) => assert.equal((await post({ ...message, ...more })).status, 200)
  /** Tells that a code was entered, and waits until that is counted. */
  const verify = async (body: unknown, path = "/verified", headers: Record<string, string> = {}) => {
    const before = count("verified") + count("unmatched")
    const response = await post(body, path, headers)
    assert.equal(response.status, 204, await response.clone().text())
    assert.equal(await response.text(), "")
    await until(() => count("verified") + count("unmatched") > before)
  }
  const marks = () => counted.map(({ route, mark, why }) => `${route.provider} ${mark} ${why}`)
  return { post, send, verify, marks, counted, events, count, lines, time, asked: given.asked }
}

test("the last provider that accepted is good, and those before it are bad", async () => {
  const { send, verify, marks, counted, events } = await learn()
  for (const _ of [1, 2, 3]) await send()
  await verify({ recipient })
  assert.deepEqual(marks(), ["a bad again", "b bad again", "a good verified"])
  assert.deepEqual(counted.at(-1)?.route, { provider: "a", country: "US", channel: "sms" })
  const [verified] = events().filter(({ event }) => event === "verified")
  assert.ok(verified)
  const { provider, country, receipt, recipient: masked, ms } = verified
  // By provider and country the page of the log counts it.
  assert.deepEqual([provider, country, receipt, masked, ms], ["a", "US", "a-1", "+1•••4444", 0])
})

test("a second call for the same acceptance changes nothing, at once or later", async () => {
  const { send, verify, post, marks, count } = await learn()
  await send()
  await Promise.all([post({ recipient }, "/verified"), post({ recipient }, "/verified")])
  await verify({ recipient })
  assert.deepEqual(marks(), ["a good verified"])
  await send()
  await verify({ recipient })
  assert.equal(count("verified"), 2)
  assert.deepEqual(marks(), ["a good verified", "a good verified"])
})

test("another number, one that nobody texted and one of fifteen minutes ago count for nobody", async () => {
  const { send, verify, marks, time } = await learn()
  await send()
  await verify({ recipient: "+12223334445" })
  time.pass(900_000)
  await verify({ recipient })
  assert.deepEqual(marks(), [])
  await send()
  time.pass(899_999)
  await verify({ recipient })
  assert.deepEqual(marks(), ["a good verified"])
})

test("an acceptance that is too old is no bad mark, though a younger one is verified", async () => {
  const { send, verify, marks, time } = await learn()
  await send()
  time.pass(600_000)
  await send()
  time.pass(600_000)
  await verify({ recipient })
  assert.deepEqual(marks(), ["a good verified"])
})

test("a number is known in every spelling, as JSON and as a form", async () => {
  for (const [body, type] of [
    [JSON.stringify({ recipient: "(222) 333-4444" }), "application/json"],
    ["recipient=%2B1+222+333+4444&code=987654", "application/x-www-form-urlencoded"],
    [JSON.stringify({ recipient: "001 222 333 4444", body: "a text", code: "987654" }), "text/plain"],
  ] as const) {
    const { send, verify, marks, lines, asked } = await learn(both, { DEFAULT_COUNTRY: "US" })
    await send()
    await verify(body, "/verified", { "content-type": type })
    assert.deepEqual(marks(), ["a good verified"])
    // What it is told is never a message, and its code is nobody's.
    assert.deepEqual(asked, ["a"])
    assert.doesNotMatch(lines.join("\n"), /987654|2223334444|a text/)
  }
})

test("a number without a country counts by its calling code", async () => {
  const { send, verify, counted } = await learn(both, { DENY_TYPES: "none" })
  const satellite = "+870773111632"
  await send({ recipient: satellite })
  await verify({ recipient: satellite })
  assert.deepEqual(counted[0]?.route, { provider: "a", country: "870", channel: "sms" })
})

test("who has entered a code does not ask again: the order begins anew", async () => {
  const { send, verify, asked, count } = await learn()
  await send()
  await verify({ recipient })
  await send()
  await send()
  assert.deepEqual(asked, ["a", "a", "b"])
  assert.equal(count("again"), 1)
})

test("a message that nobody accepted, and one that was repeated, are no acceptances", async () => {
  let a = status(500)
  const { post, send, verify, marks } = await learn({ a: () => a() }, { DUPLICATE_WINDOW: "15s" })
  assert.equal((await post(message)).status, 502)
  await verify({ recipient })
  assert.deepEqual(marks(), ["a bad refused"])
  a = () => take("a-2")
  await send()
  await send()
  await verify({ recipient })
  assert.deepEqual(marks(), ["a bad refused", "a good verified"])
})

test("a user of POST / is found by the id alone", async () => {
  const { send, verify, marks } = await learn()
  await send({ user: "u-1" })
  await send({ user: "u-1" })
  await verify({ user: "u-2" })
  await verify({ platform: "okta", user: "u-1" })
  assert.deepEqual(marks(), ["a bad again"])
  await verify({ user: "u-1" })
  assert.deepEqual(marks(), ["a bad again", "b good verified"])
  await verify({ recipient })
  assert.deepEqual(marks(), ["a bad again", "b good verified"])
})

for (const [title, body, detail] of [
  ["nothing", "", /the body must be a JSON object or a UTF-8 form/],
  ["no member that it knows", {}, /recipient is missing/],
  ["a member of ours", { problem: "toString", detail: "x" }, /recipient is missing/],
  ["what is no number", { recipient: "hello" }, /recipient must/],
  ["a number that is no text", { recipient: 12223334444 }, /recipient must be text/],
  ["a user that is no text", { user: 7 }, /user must be text/],
  ["a user that is too long", { user: "x".repeat(201) }, /user must be text of 1 to 200 characters/],
  ["a platform that is no name", { user: "u", platform: "../x" }, /^platform must be a platform's name$/],
] as [string, unknown, RegExp][])
  test(`it is refused with ${title}`, async () => {
    const { post, events } = await learn()
    const response = await post(body, "/verified")
    assert.equal(response.status, 400)
    const { code, detail: told } = await problem(response)
    assert.equal(code, "invalid_message")
    assert.match(String(told), detail)
    assert.equal(events().at(-1)?.event, "rejected")
  })

test("who proves nothing is told nothing, and counts nothing", async () => {
  const { send, post, marks } = await learn(both, { GATEWAY_TOKEN: "0123456789abcdef0123456789abcdef" })
  await send()
  for (const authorization of [
    "",
    "Bearer x",
    `Bearer ${await sign({ key: "another key of more than 32 bytes!!" })}`,
  ]) {
    const response = await post({ recipient }, "/verified", { authorization })
    assert.equal(response.status, 401)
    assert.equal((await problem(response)).code, "authentication_failed")
  }
  assert.deepEqual(marks(), [])
  assert.equal(
    (await post({ recipient }, "/verified", { authorization: "Bearer 0123456789abcdef0123456789abcdef" })).status,
    204,
  )
})

test("it is fenced as every path: address, size, method", async () => {
  const fenced = await learn(both, { GATEWAY_ALLOW_IPS: "10.0.0.0/8" })
  assert.equal((await fenced.post({ recipient }, "/verified")).status, 403)
  const { post } = await learn()
  assert.equal((await post({ recipient, more: "x".repeat(70_000) }, "/verified")).status, 413)
  const { call } = await start()
  const got = await call({ method: "GET" }, "/verified")
  assert.deepEqual([got.status, got.headers.get("allow")], [405, "POST"])
})

test("ten calls for one person are taken in ten minutes, known or not, and others are not held up", async () => {
  const { post, time } = await learn()
  for (let calls = 0; calls < 10; calls += 1) assert.equal((await post({ recipient }, "/verified")).status, 204)
  const response = await post({ recipient }, "/verified")
  assert.equal(response.status, 429)
  assert.equal((await problem(response)).code, "rate_limited")
  assert.equal(response.headers.get("retry-after"), "600")
  assert.equal((await post({ recipient: "+12223334445" }, "/verified")).status, 204)
  time.pass(600_000)
  assert.equal((await post({ recipient }, "/verified")).status, 204)
})

test("a hook's call that is not the platform's names the field at fault", async () => {
  const env = {
    GATEWAY_SECRET: "",
    PLATFORMS: "logto",
    LOGTO_TOKEN: "0123456789abcdef0123456789abcdef",
    LOGTO_VERIFIED_SECRET: "fedcba9876543210fedcba9876543210",
  }
  const { call, events } = await start(env)
  for (const [body, detail] of [
    ["{}", /^event is missing$/],
    ['{"event": "PostSignIn", "user": {"primaryPhone": 1}}', /^user\.primaryPhone must be text$/],
    ['{"user": {}', /its JSON breaks at/],
  ] as const) {
    const signature = createHmac("sha256", env.LOGTO_VERIFIED_SECRET).update(body).digest("hex")
    const headers = { "content-type": "application/json", "logto-signature-sha-256": signature }
    assert.equal((await call({ method: "POST", body, headers }, "/logto/verified")).status, 400)
    assert.match(String(events().at(-1)?.reason), detail)
  }
})

test("with PLATFORMS alone nobody could prove it at POST /verified, which is not there", async () => {
  const { call } = await start({
    GATEWAY_SECRET: "",
    PLATFORMS: "logto",
    LOGTO_TOKEN: "0123456789abcdef0123456789abcdef",
  })
  assert.equal((await call({ method: "POST", body: "{}" }, "/verified")).status, 404)
})

test("a store that is away costs no word: the memory counts", async () => {
  const env = { STORE: "redis://127.0.0.1:1" }
  const time = { monotonic: () => performance.now(), clock: Date.now, after: setTimer }
  const { send, verify, marks } = await learn(both, env, time)
  await send()
  await send()
  await verify({ recipient })
  await verify({ recipient })
  assert.deepEqual(marks(), ["a bad again", "b good verified"])
})
const setTimer: NonNullable<World["after"]> = (milliseconds, run) =>
  clearTimeout.bind(null, setTimeout(run, milliseconds))

test("what another wrote into the store counts as absent", async () => {
  for (const foreign of ["x", "1 2 3", `${Date.now()} id sms US a - x`, "\n\n", "9".repeat(4_000)]) {
    const given = providers(both)
    const time = standing()
    const prepared = await prepare(
      {
        env: { GATEWAY_SECRET: secret, ...given.env },
        fetch: async (request, init) => await given.answer(request, init),
        load: given.load,
        print() {},
        ...time.world,
      },
      true,
    )
    await prepared.gateway.store.set("accepted:12223334444", foreign, 900_000)
    const app = await createApp(prepared)
    const headers = { authorization: `Bearer ${await sign()}` }
    const response = await app.request("/", { method: "POST", headers, body: JSON.stringify(message) })
    assert.equal(response.status, 200, foreign)
  }
})

test("without its file the call is refused loudly, and messages go on", async () => {
  const given = providers(both)
  const load: World["load"] = async (path) => {
    if (path === "parts/verified") throw new Error("Cannot find module 'file:///x/providers/parts/verified.ts'")
    return (await given.load?.(path)) as { default?: unknown }
  }
  const { post, lines } = await start(given.env, given.answer, { load })
  assert.equal((await post()).status, 200)
  assert.equal((await post({ recipient }, {}, "/verified")).status, 500)
  assert.match(lines.join("\n"), /"event":"failure","reason":"[^"]*there is no providers\/parts\/verified\.ts/)
})

// ───────────────────────────── Hooks of platforms ─────────────────────────────

const hooks: [name: string, platform: Platform, fixture: PlatformFixture][] = []
for (const file of readdirSync(new URL("./fixtures/platforms/", import.meta.url))) {
  const platform: Platform = (await import(`../providers/platforms/${file}`)).default
  if (platform.verified)
    hooks.push([file.replace(".ts", ""), platform, (await import(`./fixtures/platforms/${file}`)).default])
}

for (const [name, , fixture] of hooks) {
  const { verified } = fixture
  if (!verified) continue
  const { proof, answer } = verified
  const [own] = fixture.proofs
  const path = `/${name}/verified`
  const env = { PLATFORMS: name, [own.variable]: own.secrets[0], [proof.variable]: proof.secrets[0] }
  const open = async () => {
    const gateway = await learn(both, env)
    const tell = async (
      body: unknown,
      secrets: string[] = [proof.secrets[0]],
      headers: Record<string, string> = {},
    ) => {
      const text = JSON.stringify(body)
      return await gateway.post(text, path, {
        ...headers,
        authorization: "",
        ...prove(proof, text, { now: gateway.time.world.clock(), secrets }),
      })
    }
    return { ...gateway, tell }
  }
  const isTold = async (response: Response, otherwise: number) => {
    assert.equal(response.status, answer?.status ?? otherwise)
    if (answer) assert.deepEqual(await response.json(), answer.body)
  }

  describe(`${name}'s hook`, () => {
    for (const { title, headers: sent, body, means } of verified.samples)
      test(`${title} means ${typeof means === "string" ? means : Object.keys(means)}`, async () => {
        const { post, tell, marks, events, count } = await open()
        const text = JSON.stringify(fixture.samples[0].body)
        const headers = {
          "content-type": "application/json",
          ...prove(own, text, { now: events().length ? 0 : Date.now() }),
        }
        assert.ok((await post(text, `/${name}`, { authorization: "", ...headers })).ok)
        await isTold(await tell(body, undefined, sent), means === "invalid" ? 400 : 204)
        if (typeof means === "string") {
          assert.equal(count("rejected"), means === "invalid" ? 1 : 0)
          return assert.deepEqual(marks(), [])
        }
        await until(() => count("verified") === 1)
        assert.deepEqual(marks(), ["a good verified"])
        assert.equal(events().find(({ event }) => event === "verified")?.platform, name)
        await isTold(await tell(body), 204)
        assert.deepEqual(marks(), ["a good verified"])
      })

    for (const { title, headers: sent, body, signature } of verified.samples) {
      if (!signature) continue
      test(`the platform's own signature is taken: ${title}`, async () => {
        const { post } = await open()
        const text = JSON.stringify(body)
        const headers = { ...sent, authorization: "", ...signature }
        await isTold(await post(text, path, headers), 204)
        assert.equal((await post(text.replace("1", "2"), path, headers)).status, 401)
      })
    }

    test("an unproven call is a plain 401", async () => {
      const { tell, post } = await open()
      const [sample] = verified.samples
      for (const response of [
        await tell(sample?.body, [proof.secrets[1]]),
        await post(sample?.body, path, { authorization: "" }),
        await post(sample?.body, path),
      ]) {
        assert.equal(response.status, 401)
        assert.equal((await problem(response)).code, "authentication_failed")
      }
    })

    test("it is answered alike when too many come", async () => {
      const { tell, count } = await open()
      const [sample] = verified.samples
      for (let calls = 0; calls < 12; calls += 1)
        await isTold(await tell({ ...Object(sample?.body), calls }), calls < 10 ? 204 : 429)
      await until(() => count("rejected") === 2)
    })
  })
}

test("a hook's call that was recorded counts once, whoever brings it again", async () => {
  const [, , fixture] = hooks.find(([name]) => name === "logto") ?? assert.fail()
  const { proofs, samples, verified } = fixture
  const { proof, samples: told } = verified ?? assert.fail()
  const env = { PLATFORMS: "logto", [proofs[0].variable]: proofs[0].secrets[0], [proof.variable]: proof.secrets[0] }
  const { post, marks, count, time } = await learn(both, env)
  const prover = { now: time.world.clock(), secrets: [proof.secrets[0]] }
  const recorded = JSON.stringify(told.find(({ means }) => typeof means === "object")?.body)
  for (const _ of [1, 2, 3]) {
    const text = JSON.stringify(samples[0].body)
    const headers = { "content-type": "application/json", ...prove(proofs[0], text, { now: time.world.clock() }) }
    assert.ok((await post(text, "/logto", { authorization: "", ...headers })).ok)
    const hook = { authorization: "", ...prove(proof, recorded, prover) }
    assert.equal((await post(recorded, "/logto/verified", hook)).status, 204)
    await until(() => count("verified") === 1)
    time.pass(3_600_000)
  }
  assert.deepEqual(marks(), ["a good verified"])
})

test("a hook with a secret of its own is there where that is set, and not where it is short", async () => {
  const env = { PLATFORMS: "logto", LOGTO_TOKEN: "0123456789abcdef0123456789abcdef" }
  const { call } = await start(env)
  const response = await call({ method: "POST", body: "{}" }, "/logto/verified")
  assert.equal(response.status, 404)
  assert.equal((await problem(response)).detail, "/logto/verified is not served: see main.ts platforms logto")
  await assert.rejects(start({ ...env, LOGTO_VERIFIED_SECRET: "short" }), (error) => {
    assert.ok(error instanceof StartError)
    assert.match(error.message, /LOGTO_VERIFIED_SECRET is wrong/)
    return true
  })
})

// ───────────────────────────── LIMIT_UNVERIFIED ─────────────────────────────

const pumped = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off", LIMIT_UNVERIFIED: "5/1h" }
const number = (index: number, start = "+1222333") => `${start}${String(index).padStart(4, "0")}`

test("a flood to one country that nobody verifies ends, and another country goes on", async () => {
  const { send } = await route(both, pumped)
  for (let sent = 0; sent < 5; sent += 1) assert.equal((await send()).status, 200)
  const { status: refused, answer } = await send()
  assert.deepEqual([refused, answer.code, answer.detail], [429, "rate_limited", "LIMIT_UNVERIFIED is used up"])
  assert.equal((await send("+4915112345678")).status, 200)
})

test("verified messages use nothing up, and 0.3 of those of the last day may stay unverified beyond it", async () => {
  const { post, verify, time } = await learn(both, pumped)
  const go = async (index: number) => (await post({ ...message, recipient: number(index) })).status
  for (let index = 0; index < 20; index += 1) {
    assert.equal(await go(index), 200)
    await verify({ recipient: number(index) })
  }
  const statuses: number[] = []
  for (let index = 100; index < 112; index += 1) statuses.push(await go(index))
  assert.deepEqual(statuses, [...Array(11).fill(200), 429])
  time.pass(2 * 86_400_000)
  const later: number[] = []
  for (let index = 200; index < 206; index += 1) later.push(await go(index))
  assert.deepEqual(later, [200, 200, 200, 200, 200, 429])
})

test("an end user's address has the same budget, and one who verifies what a flood of others does not", async () => {
  const { post } = await learn(both, pumped)
  const countries = ["+4915112345678", "+33612345678", "+447400123456", "+34612345678", "+393123456789", "+41781234567"]
  const statuses: number[] = []
  for (const one of countries) statuses.push((await post({ ...message, recipient: one, ip: "203.0.113.7" })).status)
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429])
  assert.equal((await post({ ...message, recipient: "+41781234568", ip: "203.0.113.8" })).status, 200)
})

test("what no provider took uses nothing up, and a suspicion of fraud does", async () => {
  let answer = status(503)
  const { post } = await learn({ a: () => answer() }, { ...pumped, LIMIT_UNVERIFIED: "2/1h" })
  const go = async (index: number) => (await post({ ...message, recipient: number(index) })).status
  for (let index = 0; index < 4; index += 1) assert.equal(await go(index), 502)
  answer = blame("fraud")
  for (let index = 4; index < 6; index += 1) assert.equal(await go(index), 422)
  answer = () => take()
  assert.equal(await go(6), 429)
})

test("GUARD=observe logs it and lets through", async () => {
  const { send, events } = await route(both, { ...pumped, GUARD: "observe" })
  for (let sent = 0; sent < 7; sent += 1) assert.equal((await send()).status, 200)
  const observed = events().filter(({ event }) => event === "observed")
  assert.deepEqual(
    observed.map(({ reason }) => reason),
    ["LIMIT_UNVERIFIED is used up", "LIMIT_UNVERIFIED is used up"],
  )
})

test("a wire that was forgotten stops no login: after a day without a signal it warns, and lets through", async () => {
  const { post, time, events, verify } = await learn(both, pumped)
  const go = async (index: number) => (await post({ ...message, recipient: number(index) })).status
  for (let index = 0; index < 6; index += 1) await go(index)
  assert.equal(await go(6), 429)
  time.pass(86_400_000)
  for (let index = 10; index < 20; index += 1) assert.equal(await go(index), 200)
  const warnings = events().filter(({ reason }) => String(reason).includes("LIMIT_UNVERIFIED refuses nothing"))
  assert.equal(warnings.length, 1)
  // The first signal shows that somebody tells.
  await verify({ recipient: number(19) })
  const statuses: number[] = []
  for (let index = 30; index < 40; index += 1) statuses.push(await go(index))
  assert.ok(statuses.includes(429), String(statuses))
})

test("it starts only where somebody could tell that a code was entered", async () => {
  const alone = { GATEWAY_SECRET: "", PLATFORMS: "logto", LOGTO_TOKEN: "0123456789abcdef0123456789abcdef" }
  await assert.rejects(start({ ...alone, ...pumped }), /LIMIT_UNVERIFIED needs somebody who tells/)
  await start({ ...alone, ...pumped, LOGTO_VERIFIED_SECRET: "0123456789abcdef" })
  await assert.rejects(start({ LIMIT_UNVERIFIED: "5" }), /LIMIT_UNVERIFIED is wrong/)
})
