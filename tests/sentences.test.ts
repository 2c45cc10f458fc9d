/** SENTENCE_<CODE>: what the person who logs in reads, in the language of the call. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { loadFile, type Platform, problems, type World } from "../main.ts"
import { accepted, message, start, status } from "./lib/world.ts"

const token = "0123456789abcdef0123456789abcdef"
const bearer = { authorization: `Bearer ${token}` }

/** A platform that is told the whole outcome. */
const echo: Platform = {
  docs: "https://example.com/",
  env: {},
  read: (fields) => ({ ...fields }),
  answer: (outcome) => Response.json(outcome),
  setup: () => "",
}
const load: NonNullable<World["load"]> = async (path) =>
  path === "platforms/echo" ? { default: echo } : await loadFile(path)

/** The sentence of each message that is posted to it. */
async function listening(env: Record<string, string>, answer = accepted) {
  const { post } = await start({ PLATFORMS: "echo", ECHO_TOKEN: token, ...env }, answer, { load })
  return async (more: object) => {
    const outcome: unknown = await (await post({ ...message, ...more }, bearer, "/echo")).json()
    return Reflect.get(Object(outcome), "sentence")
  }
}

const limited = { LIMIT_TOTAL: "1/10m", DUPLICATE_WINDOW: "off" }
const texts = {
  SENTENCE_RATE_LIMITED: "Wait.",
  SENTENCE_RATE_LIMITED_DE: "Bitte warten.",
  SENTENCE_RATE_LIMITED_PT_BR: "Aguarde.",
  SENTENCE_RATE_LIMITED_ZH_HANT: "請稍候。",
}
const locales: [locale: string | undefined, sentence: string][] = [
  [undefined, "Wait."],
  ["fr", "Wait."],
  ["de", "Bitte warten."],
  ["de-AT", "Bitte warten."],
  ["de_CH", "Bitte warten."],
  ["DE", "Bitte warten."],
  ["pt-BR", "Aguarde."],
  ["pt", "Aguarde."],
  ["zh-Hant-TW", "請稍候。"],
  ["not a locale", "Wait."],
]
for (const [locale, sentence] of locales) {
  test(`the sentence for the locale ${locale} is ${sentence}`, async () => {
    const read = await listening({ ...limited, ...texts })
    await read({})
    assert.equal(await read({ locale }), sentence)
  })
}

test("with no sentence for its language it is English, and so it is with none at all", async () => {
  const english = "Too many codes were requested. Please try again later."
  const german = await listening({ ...limited, SENTENCE_RATE_LIMITED_DE: "Bitte warten." })
  await german({})
  assert.equal(await german({ locale: "de" }), "Bitte warten.")
  assert.equal(await german({ locale: "fr" }), english)
  assert.equal(await german({}), english)
  const none = await listening(limited)
  await none({})
  assert.equal(await none({ locale: "de" }), english)
})

test("each outcome has a sentence of its own, wherever on its way a message ends", async () => {
  const codes = ["accepted", ...Object.keys(problems)].map((code) => code.toUpperCase())
  const own = Object.fromEntries(codes.map((code) => [`SENTENCE_${code}_DE`, `Satz ${code}`]))
  const cases: [code: string, more: object, env?: Record<string, string>, answer?: () => Response][] = [
    ["ACCEPTED", {}],
    ["ACCEPTED", { recipient: "+12015550100" }, { TEST_NUMBERS: "+12015550100" }],
    // A number that can be none has the sentence of a bad one.
    ["INVALID_RECIPIENT", { recipient: "+12" }],
    ["INVALID_MESSAGE", { body: "" }],
    ["UNSUPPORTED_CHANNEL", { channel: "voice" }],
    ["DESTINATION_NOT_ALLOWED", {}, { ALLOW_DESTINATIONS: "DE" }],
    ["DESTINATION_NOT_ALLOWED", { recipient: "+19002345678" }],
    ["DELIVERY_REJECTED", {}, {}, status(500)],
  ]
  for (const [code, more, env = {}, answer] of cases) {
    const read = await listening({ ...own, ...env }, answer)
    assert.equal(await read({ ...more, locale: "de-DE" }), `Satz ${code}`, `${code} ${JSON.stringify(more)}`)
  }
})

test("a call that cannot be read has the sentence for no language", async () => {
  const { post } = await start({ PLATFORMS: "echo", ECHO_TOKEN: token, SENTENCE_INVALID_MESSAGE: "No." }, accepted, {
    load,
  })
  const outcome: unknown = await (await post("no JSON", bearer, "/echo")).json()
  assert.equal(Reflect.get(Object(outcome), "sentence"), "No.")
})

test("a call that is not proven reads none of them", async () => {
  const env = { PLATFORMS: "echo", ECHO_TOKEN: token, SENTENCE_AUTHENTICATION_FAILED: "canary" }
  const { post } = await start(env, accepted, { load })
  const response = await post(message, { authorization: "Bearer wrong" }, "/echo")
  assert.equal(response.status, 401)
  assert.doesNotMatch(await response.text(), /canary/)
})

test("Logto's toast is in the language of its call", async () => {
  const { post, calls } = await start({ ...limited, ...texts, PLATFORMS: "logto", LOGTO_TOKEN: token })
  const send = async (locale: string) => {
    const body = { to: "12223334444", type: "SignIn", payload: { code: "326162", locale } }
    return await (await post(body, bearer, "/logto")).text()
  }
  assert.equal(await send("de"), "")
  assert.equal(await send("de"), "Bitte warten.")
  assert.equal(await send("pt-BR"), "Aguarde.")
  assert.equal(calls.length, 1)
})
