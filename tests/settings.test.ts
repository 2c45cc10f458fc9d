import assert from "node:assert/strict"
import { test } from "node:test"
import { gateway, StartError, variables } from "../main.ts"
import { httpEnv, secret, start } from "./world.ts"

/** The error with which a gateway of these settings does not start. */
async function failure(env: Record<string, string>): Promise<string> {
  const world = { env: { GATEWAY_SECRET: secret, ...env }, fetch, clock: Date.now, print: () => {} }
  const error: unknown = await gateway(world).then(
    () => undefined,
    (error) => error,
  )
  assert.ok(error instanceof StartError, `it starts with ${JSON.stringify(env)}`)
  return error.message
}

const wrong: [env: Record<string, string>, told: RegExp][] = [
  [{ PORT: "80x" }, /PORT is wrong: expected is a port, 0 to 65535/],
  [{ PORT: "65536" }, /PORT/],
  [{ PORT: "-1" }, /PORT/],
  [{ PORT: "3e3" }, /PORT/],
  [{ HOST: "local host" }, /HOST/],
  [{ LOG_FORMAT: "xml" }, /LOG_FORMAT is wrong: expected is pretty or json/],
  [{ GATEWAY_TOKEN: "short-canary" }, /GATEWAY_TOKEN is wrong: expected is a static bearer token of at least 32/],
  [{ GATEWAY_TOKEN: "canary with spaces, and more than 32 characters" }, /GATEWAY_TOKEN/],
  [{ GATEWAY_AUTH: "off" }, /GATEWAY_AUTH/],
  [{ GATEWAY_AUTH: "none" }, /GATEWAY_AUTH=none lets anyone send at your cost/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "*" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "10.0.0.1, 0.0.0.0/0" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "::/0" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "::/00" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "::ffff:0.0.0.0/96" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: " , " }, /GATEWAY_ALLOW_IPS is wrong/],
  [{ GATEWAY_ALLOW_IPS: "," }, /GATEWAY_ALLOW_IPS is wrong: expected is addresses and CIDR ranges/],
  [{ GATEWAY_ALLOW_IPS: "10.0.0.1/33" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_ALLOW_IPS: "10.0.0.256" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_ALLOW_IPS: "10.0.0.1/8/8" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_ALLOW_IPS: "10.0.0.1:80" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_ALLOW_IPS: "example.com" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_TRUST_PROXY: "true" }, /GATEWAY_TRUST_PROXY/],
  [{ GATEWAY_SECRET_BASE64: "yes" }, /GATEWAY_SECRET_BASE64 is wrong: expected is true/],
  [{ GATEWAY_SECRET_BASE64: "true", GATEWAY_SECRET: "canary!canary" }, /GATEWAY_SECRET is wrong/],
  [
    { GATEWAY_SECRET_BASE64: "true", GATEWAY_SECRET_PREVIOUS: "canary!canary", GATEWAY_SECRET: "YWJj" },
    /GATEWAY_SECRET_PREVIOUS is wrong/,
  ],
  [{ GATEWAY_URL: "sms.example.com" }, /GATEWAY_URL/],
  [{ DEFAULT_CALLING_CODE: "0044" }, /DEFAULT_CALLING_CODE/],
  [{ DEADLINE: "16" }, /DEADLINE is wrong: expected is a duration such as 16s/],
  [{ ATTEMPT_TIMEOUT: "0s" }, /ATTEMPT_TIMEOUT/],
  [{ SMS_SENDER: "canary-sender-too-long" }, /SMS_SENDER is wrong: expected is a number, a short code/],
  [{ SMS_SENDER_DE: "Acme" }, /SMS_SENDER_DE is wrong: after SMS_SENDER_ stand the digits/],
  [{ SMS_SENDER_049: "Acme" }, /SMS_SENDER_049/],
  [{ SMS_PROVIDER_55: "Twilio" }, /SMS_PROVIDER_55 is wrong: expected is a provider's name/],
  [{ SMS_PROVIDER: "," }, /SMS_PROVIDER/],
  [{ SMS_PROVIDER: "console,twilio" }, /console and inbox stand alone/],
  [
    { SMS_PROVIDER: "twillio" },
    /there is no providers\/twillio\.ts, .*known are .*clickatell, clickatell-legacy.*, console.*twilio/,
  ],
  [
    { SMS_PROVIDER: "twilio" },
    /TWILIO_ACCOUNT_SID is missing: expected is Account SID[\s\S]*TWILIO_AUTH_TOKEN is missing/,
  ],
  [{ SMS_PROVIDER: "twilio", TWILIO_ACCOUNT_SID: "canary" }, /TWILIO_ACCOUNT_SID is wrong: expected is Account SID/],
  [{ SMS_PROVIDER: "twilio,plivo" }, /TWILIO_AUTH_TOKEN is missing[\s\S]*PLIVO_AUTH_ID is missing/],
  [{ ...httpEnv, HTTP_SENDER_X: "Acme" }, /HTTP_SENDER_X is wrong/],
  [{ NODE_ENV: "production" }, /SMS_PROVIDER is missing/],
  [{ DENO_DEPLOY: "1" }, /SMS_PROVIDER is missing/],
]
for (const [env, told] of wrong) {
  test(`it does not start with ${JSON.stringify(env)}`, async () => {
    const message = await failure(env)
    assert.match(message, told)
    assert.doesNotMatch(message, /canary/)
  })
}

test("names that are no file's name never reach an import", async () => {
  for (const name of [
    "../main",
    "..%2fmain",
    "%2e%2e/main",
    "twilio.ts",
    "./twilio",
    "Twilio",
    "twilio?x",
    "twilio#",
    "a/b",
    "..\\x",
    "https://x",
    "data:text/javascript,1",
    "-a",
    "a--b",
    "a_b",
    "sms",
    "gateway",
    "default",
    "health",
    "a".repeat(41),
    "__proto__",
    "tw\u0000ilio",
  ]) {
    assert.match(await failure({ SMS_PROVIDER: name }), /SMS_PROVIDER is wrong: expected is a provider's name/, name)
  }
  assert.match(await failure({ SMS_PROVIDER: "constructor" }), /there is no providers\/constructor\.ts/)
})

test("everything that is wrong is told at once, with the lines to add at the end", async () => {
  const message = await failure({
    PORT: "x",
    SMS_SENDER_X: "y",
    SMS_PROVIDER: "twilio",
    GATEWAY_AUTH: "none",
    GATEWAY_TOKEN: "z",
  })
  for (const name of ["PORT", "SMS_SENDER_X", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "GATEWAY_TOKEN"])
    assert.match(message, new RegExp(`^  ${name} is`, "m"))
  assert.match(message, /Set in the environment or in \.env:\n( {2}[A-Z_]+=.*\n)* {2}[A-Z_]+=.*$/)
})

const urls: [url: string, isGood: boolean][] = [
  ["https://sms.example.com/x", true],
  ["http://127.0.0.1:8080/x", true],
  ["http://localhost:8080/", true],
  ["http://[::1]:8080/", true],
  ["http://10.1.2.3/", true],
  ["http://172.31.0.1/", true],
  ["http://192.168.1.1/", true],
  ["http://kannel:13013/cgi-bin", true],
  ["http://[fd00::1]/", true],
  ["http://sms.example.com/", false],
  ["http://172.32.0.1/", false],
  ["http://10.evil.com/", false],
  ["http://127.0.0.1.evil.com/", false],
  ["http://[2001:db8::1]/", false],
  ["https://user:pass@sms.example.com/", false],
  ["ftp://localhost/", false],
  ["file:///etc/passwd", false],
  ["sms.example.com", false],
]
for (const [url, isGood] of urls) {
  test(`${url} ${isGood ? "may" : "may not"} take the place of a provider's address`, async () => {
    const env = { SMS_PROVIDER: "plivo", PLIVO_AUTH_ID: "a", PLIVO_AUTH_TOKEN: "b", PLIVO_URL: url }
    if (isGood) assert.ok(await start(env))
    else assert.match(await failure(env), /PLIVO_URL is wrong/)
  })
}

const templates: [env: Record<string, string>, isGood: boolean][] = [
  [{ HTTP_URL: "https://{recipient}.example.com/" }, false],
  [{ HTTP_URL: "{body}" }, false],
  [{ HTTP_URL: "https://example.com:{code}/" }, false],
  [{ HTTP_URL: "{sender}://example.com/" }, false],
  [{ HTTP_URL: "https://example.com{body}" }, false],
  [{ HTTP_URL: "https://example.com/?to={number}" }, false],
  [{ HTTP_URL: "https://example.com?to={recipient}" }, true],
  [{ HTTP_URL: "http://example.com/" }, false],
  [{ HTTP_HEADERS: "{" }, false],
  [{ HTTP_HEADERS: '{"x": 1}' }, false],
  [{ HTTP_HEADERS: '{"x y": "z"}' }, false],
  [{ HTTP_HEADERS: '{"x": "{code}"}' }, false],
  [{ HTTP_HEADERS: '{"x": "a\\nb"}' }, false],
  [{ HTTP_BODY: '{"to": {recipient}}' }, false],
  [{ HTTP_BODY: '{"to": {recipient_digits}}' }, true],
  [{ HTTP_BODY: '{"to": "{recipients}"}' }, false],
  [{ HTTP_BODY: "to={to}" }, false],
  [{ HTTP_SUCCESS: "(" }, false],
  [{ HTTP_SUCCESS: "" }, false],
  [{ HTTP_SUCCESS: "status" }, true],
  [{ HTTP_STATUS: "2xx" }, false],
  [{ HTTP_STATUS: "200, 204" }, true],
  [{ HTTP_METHOD: "post" }, false],
]
for (const [env, isGood] of templates) {
  test(`the http provider ${isGood ? "starts" : "does not start"} with ${JSON.stringify(env)}`, async () => {
    if (isGood) assert.ok(await start(env))
    else assert.match(await failure({ ...httpEnv, ...env }), new RegExp(`${Object.keys(env)[0]} is (wrong|missing)`))
  })
}

test("an empty variable counts as unset", async () => {
  const empty = Object.fromEntries(Object.keys(variables).map((name) => [name, " "]))
  assert.ok(await start({ ...empty, GATEWAY_SECRET: secret, SMS_SENDER: "", SMS_PROVIDER_44: "", HTTP_METHOD: "" }))
})

const warnings: [env: Record<string, string>, told: RegExp][] = [
  [{ GATEWAY_SECRET: "MySecretToSignTheToken" }, /less than 32 bytes/],
  [{ GATEWAY_SECRET_PREVIOUS: "short" }, /less than 32 bytes/],
  [{ NODE_ENV: "production", SMS_PROVIDER: "console" }, /console prints every code/],
]
for (const [env, told] of warnings) {
  test(`it warns at start about ${Object.keys(env).join(" and ")}`, async () => {
    const { events } = await start(env)
    assert.ok(events().some(({ event, reason }) => event === "warning" && told.test(String(reason))))
  })
}

test("it does not warn about what is right", async () => {
  assert.deepEqual((await start()).events(), [])
})
