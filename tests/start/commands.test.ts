import assert from "node:assert/strict"
import { test } from "node:test"
import { jwtVerify } from "jose"
import { actionIn, connectionIn, readmeActions } from "../lib/auth0.ts"
import { provider, run } from "../lib/process.ts"
import { secret } from "../lib/world.ts"

const slow = { timeout: 30_000 }
const key = new TextEncoder().encode(secret)
const command = async (args: string[], env: Record<string, string> = {}) => {
  const { ended, stdout, stderr } = run(args, env)
  return { code: await ended, stdout: stdout(), stderr: stderr() }
}

for (const args of [
  ["--help"],
  ["-h"],
  ["token", "--help"],
  ["send", "--help"],
  ["providers", "--help"],
  ["platforms", "--help"],
  ["help"],
]) {
  test(`${args.join(" ")} prints the commands`, slow, async () => {
    const { code, stdout } = await command(args)
    assert.equal(code, 0)
    for (const name of ["serve", "check", "platforms", "token", "send", "providers"])
      assert.match(stdout, new RegExp(`main\\.ts.* ${name}|${name}`))
  })
}

test("token prints a token that the gateway takes, for an hour or as long as asked", slow, async () => {
  const { code, stdout } = await command(["token"], { GATEWAY_SECRET: secret })
  assert.equal(code, 0)
  const { payload } = await jwtVerify(stdout.trim(), key, { audience: "urn:smstask", subject: "urn:Auth0" })
  assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 3600)
  const env = {
    GATEWAY_SECRET: Buffer.from(secret).toString("base64url"),
    GATEWAY_SECRET_BASE64: "true",
    GATEWAY_AUDIENCE: "urn:x",
    GATEWAY_SUBJECT: "any",
    GATEWAY_ISSUER: "me",
  }
  const other = await command(["token", "--expires", "10m"], env)
  const verified = await jwtVerify(other.stdout.trim(), key, { audience: "urn:x", issuer: "me" })
  assert.equal((verified.payload.exp ?? 0) - (verified.payload.iat ?? 0), 600)
  assert.equal(verified.payload.sub, undefined)
})

test("platforms auth0 prints the body of POST /api/v2/connections", slow, async () => {
  const env = {
    GATEWAY_SECRET: secret,
    GATEWAY_URL: "https://sms.example.com/",
    SMS_SENDER: "+15005550006",
    GATEWAY_AUDIENCE: "urn:x",
  }
  const { code, stdout } = await command(["platforms", "auth0"], env)
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^auth0 {2}POST https:\/\/sms\.example\.com\/ {2}https:\S+\n {2}set {7}GATEWAY_SECRET: .*\n {2}set {7}GATEWAY_URL: .*\n\nThe usual way/,
  )
  // What its other ways need stands there alone.
  assert.equal(actionIn(stdout), readmeActions()[0])
  const [, before = "", ...parts] = stdout.replace(actionIn(stdout), "").split(/\n\n+/)
  const [steps = "", whole = "", action = "", connection = ""] = parts
  const usual = before + steps
  assert.match(action, /GATEWAY_URL=https:\/\/sms\.example\.com\/ and GATEWAY_TOKEN/)
  assert.match(usual, /GATEWAY_URL=https:\/\/sms\.example\.com\/ and GATEWAY_SECRET/)
  assert.doesNotMatch(usual + connection, /PLATFORMS|AUTH0_TOKEN/)
  assert.match(whole, /PLATFORMS=auth0 and AUTH0_TOKEN [\s\S]*URL: https:\/\/sms\.example\.com\/auth0$/m)
  assert.deepEqual(connectionIn(stdout), {
    name: "sms",
    strategy: "sms",
    options: {
      name: "sms",
      provider: "sms_gateway",
      gateway_url: "https://sms.example.com/",
      gateway_authentication: {
        method: "bearer",
        subject: "urn:Auth0",
        audience: "urn:x",
        secret,
        secret_base64_encoded: false,
      },
      forward_req_info: true,
      from: "+15005550006",
      syntax: "md_with_macros",
      template: "Your verification code is: @@password@@",
      totp: { time_step: 300, length: 6 },
      disable_signup: false,
      brute_force_protection: true,
    },
  })
})

test("platforms refuses an address that serving would refuse, and prints how a token is made", slow, async () => {
  const wrong = await command(["platforms", "auth0"], { GATEWAY_URL: "https://sms.example.com/sms" })
  assert.equal(wrong.code, 1)
  assert.match(
    wrong.stderr,
    /GATEWAY_URL is wrong: expected the public address of this gateway, .*no path behind it; did you mean https:\/\/sms\.example\.com\?$/m,
  )
  assert.equal(wrong.stdout, "")
  const { stdout } = await command(["platforms", "okta"])
  const [, source = ""] =
    /^1\. Make a token with node -p "([^"]+)" and set it here as OKTA_TOKEN\.$/m.exec(stdout) ?? []
  assert.equal(source, "crypto.randomBytes(32).toString('hex')")
})

test("platforms lists every platform with its variables, and of one the steps", slow, async () => {
  const { stdout } = await command(["platforms"])
  for (const name of ["auth0", "supabase"]) assert.match(stdout, new RegExp(`^${name}  POST `, "m"))
  const one = await command(["platforms", "supabase"], {
    GATEWAY_URL: "https://sms.example.com",
    PLATFORMS: "supabase",
  })
  assert.equal(one.code, 0)
  assert.match(
    one.stdout,
    /set {7}PLATFORMS[\s\S]*unset {5}SUPABASE_SECRET[\s\S]*URL: https:\/\/sms\.example\.com\/supabase/,
  )
})

test("send says that a test number gets nothing, and asks nobody", slow, async () => {
  const env = { GATEWAY_SECRET: secret, TEST_NUMBERS: "+1201555" }
  const { code, stdout, stderr } = await command(["send", "+12015550100", "Your code is 326162"], env)
  assert.equal(code, 0)
  assert.match(stdout, /"provider": "test"/)
  assert.match(stderr, /The number is one of TEST_NUMBERS: nothing was sent\.\n$/)
  assert.doesNotMatch(stdout + stderr, /326162/)
})

test("check says what serving would, what is doubtful, and fails where nothing would start", slow, async () => {
  const limits = { LIMIT_TOTAL: "9/1m, 90/1h", DENY_TYPES: "premium,pager", TEST_NUMBERS: "+12015550100,+1201556" }
  const good = await command(["check"], { GATEWAY_SECRET: secret, ...limits })
  assert.equal(good.code, 0)
  assert.match(
    good.stdout,
    /^SMS {8}console\n[\s\S]*callers +POST \/ by a token signed with GATEWAY_SECRET\n[\s\S]*^limits +LIMIT_RECIPIENT 5\/10m; LIMIT_PREFIX 50\/10m; LIMIT_TOTAL 9\/1m,90\/1h$/m,
  )
  assert.match(good.stdout, /\ntypes +no premium, pager numbers\ntests +2 of TEST_NUMBERS, sent to nobody\n/)
  const contrary = { GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "10.0.0.1", GATEWAY_SECRET: secret }
  const lists = { ALLOW_DESTINATIONS: "US,DE", DENY_DESTINATIONS: "DE" }
  const { stdout: told } = await command(["check"], { ...contrary, ...lists })
  assert.match(told, /doubtful +GATEWAY_AUTH=none asks for no token, although GATEWAY_SECRET or GATEWAY_TOKEN is set/)
  assert.match(told, /doubtful +ALLOW_DESTINATIONS and DENY_DESTINATIONS name DE, which is denied: leave out one/)
  const coarse = await command(["check"], { GATEWAY_SECRET: secret, ALLOW_DESTINATIONS: "+44,+1900,+881,US" })
  assert.match(
    coarse.stdout,
    /doubtful +ALLOW_DESTINATIONS names \+44 by digits, so that DENY_TYPES does not hold there/,
  )
  assert.equal(coarse.stdout.match(/by digits/g)?.length, 1)
  const inbox = { SMS_PROVIDER: "inbox", HOST: "::1" }
  const spoken = { GATEWAY_SECRET: secret, VOICE_PROVIDER: "console", LIMIT_RECIPIENT: "off" }
  const voice = await command(["check"], { ...spoken, ...inbox })
  assert.match(voice.stdout, /^limits +LIMIT_VOICE 3\/10m; LIMIT_PREFIX 50\/10m$/m)
  assert.match(voice.stdout, /^look at +http:\/\/\[::1\]:3000\/inbox$/m)
  const doubtful = await command(["check"], { GATEWAY_SECRET: "a secret of 24 bytes....", LOG_FORMATS: "json" })
  assert.match(doubtful.stdout, /doubtful +a GATEWAY_SECRET, or one before it, of less than 32 bytes/)
  assert.match(doubtful.stdout, /doubtful +LOG_FORMATS is no setting; did you mean LOG_FORMAT\?/)
  const { stdout } = await command(["check"], {
    ...{ GATEWAY_SECRET: secret, SMS_PROVIDER: "twilio", TWILIO_AUTH_TOKEN: "x" },
    TWILIO_ACCOUNT_SID: "AC00000000000000000000000000000000",
  })
  assert.match(stdout, /doubtful +twilio takes no message without a sender: set TWILIO_SENDER or TWILIO_MESSAGING_/)
  const bad = await command(["check"], { GATEWAY_SECRET: secret, PORT: "x" })
  assert.equal(bad.code, 1)
  assert.match(bad.stderr, /PORT is wrong/)
})

test("--version names the version and the runtime", slow, async () => {
  const { code, stdout } = await command(["--version"])
  assert.equal(code, 0)
  assert.match(stdout, /^smstask \d+\.\d+\.\d+, (Bun|Deno|Node) [\d.]+\n$/)
})

test(
  "send goes along the configured route, prints every attempt and exits with 0 only when accepted",
  slow,
  async () => {
    const { url, close } = await provider((_, response, body) => {
      response.end(body.includes("no") ? '{"error":"no"}' : '{"id":"m-9"}')
    })
    const env = {
      SMS_PROVIDER: "http",
      HTTP_URL: url,
      HTTP_BODY: "to={recipient}&from={sender}&text={body}",
      HTTP_SUCCESS: '"id":"(.+?)"',
    }
    const sent = await command(["send", "+1 222 333 4444", "Your code is 326162", "--sender", "Acme"], env)
    assert.equal(sent.code, 0)
    const { id, attempts, ...rest } = JSON.parse(sent.stdout)
    assert.match(id, /^[\da-f-]{36}$/)
    assert.deepEqual(rest, { provider: "http", receipt: "m-9" })
    assert.equal(attempts[0].outcome, "accepted")
    assert.match(sent.stderr, /accepted/)
    assert.match(sent.stderr, /The provider answered 200: \{"id":"m-9"\}/)
    assert.doesNotMatch(sent.stderr + sent.stdout, /326162|2223334444/)
    const refused = await command(["send", "+12223334444", "no"], env)
    assert.equal(refused.code, 1)
    assert.equal(JSON.parse(refused.stdout).problem, "delivery_rejected")
    close()
  },
)

test(
  "send shows what the provider answered without secrets, number and text, wherever its 500 characters end",
  slow,
  async () => {
    const key = "canary-key-0123456789-abcdefghij"
    let before = 0
    const { url, close } = await provider((_, response, body) => {
      response.statusCode = 400
      response.end(`${"x ".repeat(before / 2)}key ${key} to +12223334444 ${body} "code 326162" ${key}`)
    })
    const env = {
      SMS_PROVIDER: "http",
      HTTP_URL: url,
      HTTP_BODY: "to={recipient}&text={body}",
      HTTP_HEADERS: JSON.stringify({ "x-api-key": key }),
      HTTP_SUCCESS: '"id":"(.+?)"',
    }
    // What is cut first leaves the beginning of a secret behind.
    for (before of [0, 440, 470, 484, 490, 496, 498]) {
      const { code, stdout, stderr } = await command(["send", "+12223334444", "Your code is 326162"], env)
      assert.equal(code, 1)
      const [, told = ""] = /The provider answered 400: (.*)/.exec(stderr) ?? []
      assert.ok(told.length > 0 && told.length <= 500, `${told.length} characters`)
      assert.doesNotMatch(stdout + stderr, /canary|ca?n?a?$|2223334444|326162|Your code/m, String(before))
      assert.doesNotMatch(told, /\bkey [^•\s]/)
    }
    close()
  },
)

test("platforms tells what to enter on a platform that needs no file, with this gateway's address", slow, async () => {
  const { code, stdout } = await command(["platforms", "keycloak"], { GATEWAY_URL: "https://sms.acme.com" })
  assert.equal(code, 0)
  assert.match(stdout, /^## keycloak\n[\s\S]*\| SMS API URL \| `https:\/\/sms\.acme\.com\/` \|/)
  assert.doesNotMatch(stdout, /gateway\.example|^## wso2/m)
})

test("send --voice speaks by VOICE_PROVIDER", slow, async () => {
  const env = { SMS_PROVIDER: "inbox", VOICE_PROVIDER: "console" }
  const { code, stdout, stderr } = await command(["send", "--voice", "+12223334444", "hello"], env)
  assert.equal(code, 0)
  assert.match(stdout, /hello[\s\S]*"provider": "console"/)
  assert.match(stderr, /VOICE_PROVIDER is console: the text was printed, and nothing was sent\./)
})

test("send prints the text where the provider is console, even in production without a secret", slow, async () => {
  const { code, stdout } = await command(["send", "+12223334444", "hello"], {
    SMS_PROVIDER: "console",
    NODE_ENV: "production",
  })
  assert.equal(code, 0)
  assert.match(stdout, /To \+12223334444:\n {2}hello/)
})

test(
  "providers is an index: a line for each, with its region and how many of its variables are set",
  slow,
  async () => {
    const { code, stdout } = await command(["providers"], { TWILIO_ACCOUNT_SID: "AC-canary" })
    assert.equal(code, 0)
    assert.match(stdout, /^console +text +no variables$/m)
    assert.match(stdout, /^twilio +text +1 of 7 set +Global$/m)
    assert.match(stdout, /^twilio-voice +voice +1 of \d+ set +Global$/m)
    assert.match(stdout, /^kannel +text +0 of \d+ set +/m)
    assert.match(
      stdout,
      /^\d+ providers\. main\.ts providers NAME tells the variables, with --env as lines for \.env\.$/m,
    )
    assert.doesNotMatch(stdout, /canary|missing/)
  },
)

const chosen: [words: string[], some: string[], none: string[]][] = [
  [["india"], ["msg91", "fast2sms", "two-factor"], ["twilio", "plivo"]],
  [["IN"], ["msg91"], ["infobip", "bulksms"]],
  [["us"], ["bandwidth"], ["smsc-ru", "mobizon"]],
  [["voice"], ["twilio-voice", "smsc-ru-voice"], ["twilio", "msg91"]],
  [["voice", "global"], ["twilio-voice"], ["smsc-ru-voice", "twilio"]],
  [["Twilio"], ["twilio", "twilio-verify", "twilio-voice"], ["plivo"]],
]
for (const [words, some, none] of chosen) {
  test(`providers ${words.join(" ")} lists those that fit`, slow, async () => {
    const { stdout } = await command(["providers", ...words])
    const names = [...stdout.matchAll(/^([a-z][\w-]*) +(?:text|voice) /gm)].map(([, name]) => name)
    for (const name of some) assert.ok(names.includes(name), `${name} is not in ${names}`)
    for (const name of none) assert.ok(!names.includes(name), name)
  })
}

test("providers of a name tells its variables, and which of them are set", slow, async () => {
  const { code, stdout } = await command(["providers", "twilio", "kannel"], { TWILIO_ACCOUNT_SID: "AC-canary" })
  assert.match(stdout, /^ {2}TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET must be set\.$/m)
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^twilio {2}Global {2}\(vendor\) {2}https:\/\/www\.twilio\.com\/\S+\n {2}set {7}TWILIO_ACCOUNT_SID: Account SID.*\n {2}optional {2}TWILIO_AUTH_TOKEN: .*\n {2}optional {2}TWILIO_API_KEY/m,
  )
  assert.match(stdout, /^ {2}missing {3}KANNEL_URL: .+$/m)
  assert.match(stdout, /^ {2}missing {3}TWILIO_SENDER: .*\(or SMS_SENDER or TWILIO_MESSAGING_SERVICE_SID\)$/m)
  assert.doesNotMatch(stdout, /canary/)
})

test("providers NAME --env prints lines to paste, and a value left as it is does not start", slow, async () => {
  const { code, stdout } = await command(["providers", "plivo", "--env"], { PLIVO_AUTH_ID: "canary" })
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^# plivo: https:\S+\nSMS_PROVIDER=plivo\n# .+\nPLIVO_AUTH_ID=<value>\n# .+\nPLIVO_AUTH_TOKEN=<value>\n/,
  )
  assert.doesNotMatch(stdout, /canary|=$/m)
  const pasted = Object.fromEntries(stdout.split("\n").flatMap((line) => [/^(\w+)=(.*)$/.exec(line)?.slice(1) ?? []]))
  const { code: failed, stderr } = await command(["check"], { GATEWAY_SECRET: secret, ...pasted })
  assert.equal(failed, 1)
  assert.match(stderr, /PLIVO_AUTH_ID holds a placeholder: .*\n.*PLIVO_AUTH_TOKEN holds a placeholder/)
})

test("check says of a first run that it would start, and who could call", slow, async () => {
  const { code, stdout } = await command(["check"])
  assert.equal(code, 0)
  assert.match(stdout, /^callers +POST \/ by a token of its own, in the curl that it prints$/m)
  assert.match(stdout, /^doubtful +only this machine could call: set GATEWAY_SECRET, GATEWAY_TOKEN or PLATFORMS$/m)
})

const failures: [args: string[], told: RegExp, env?: Record<string, string>][] = [
  [["serv"], /there is no command serv: see main\.ts --help/],
  [["connection"], /there is no command connection/],
  [["platform", "auth0"], /there is no command platform: .*; did you mean platforms\?/],
  [["--port", "4000"], /settings are environment variables, as PORT=4000/],
  [["send", "+12223334444", "x", "--from", "Acme"], /send has two options, --sender with a value, and --voice/],
  [["serve", "now"], /serve takes no words behind it/],
  [["check", "x"], /check takes nothing behind it/],
  [[`GATEWAY_SECRET=${"canary".repeat(5)}`], /there is no such command: see main\.ts --help/],
  [["start"], /there is no command start: .*; did you mean serve\?/],
  [["-v"], /did you mean --version\?/],
  [["send", "hello", "+12223334444"], /recipient must be a phone number.*; it stands before the text/],
  [["send", "+1", "222", "333", "4444", "hello"], /; one with blanks stands in quotes/],
  [
    ["token", "1h"],
    /token has one option, --expires, with a duration: main\.ts token --expires/,
    { GATEWAY_SECRET: secret },
  ],
  [["token", "--expires", "1d"], /--expires must be a duration.*; did you mean 24h\?/, { GATEWAY_SECRET: secret }],
  [["providers", "--env"], /--env stands behind the name of a provider: providers twilio --env/],
  [["providers", "voice", "atlantis"], /no provider fits all of these words: voice atlantis/],
  [["providers", "twilio", "canary_12345"], /no provider fits all of these words: twilio\n$/],
  [["providers", "+12223334444"], /no file can be called that/],
  [["providers", "providers/twilio.ts"], /no file can be called providers\/twilio\.ts; did you mean twilio\?/],
  [["providers", "twillio"], /there is no providers\/twillio\.ts; did you mean twilio\?/],
  [["platforms", "supabse"], /did you mean supabase\?/],
  [["send"], /send needs a number and a text/],
  [["send", "+12223334444"], /send needs a number and a text/],
  [["send", "12223334444", "x"], /recipient must begin with \+, or DEFAULT_COUNTRY must be set/],
  [["send", "+12223334444", ""], /send needs a number and a text/],
  [["send", "+12223334444", "x", "--sender", "more than eleven"], /sender must be/],
  [["send", "+12223334444", "x"], /TWILIO_ACCOUNT_SID is missing/, { SMS_PROVIDER: "twilio" }],
  [["send", "+12223334444", "x", "--voice"], /no provider is named for this number: see VOICE_PROVIDER/],
  [["token"], /token needs GATEWAY_SECRET[\s\S]*GATEWAY_SECRET=/],
  [["token"], /a caller sends GATEWAY_TOKEN itself as Bearer/, { GATEWAY_TOKEN: "x".repeat(32) }],
  [
    ["check"],
    /keycloak needs no file: it calls POST \/ with GATEWAY_TOKEN: leave it out of PLATFORMS/,
    { PLATFORMS: "keycloak" },
  ],
  [["token", "--expires", "soon"], /--expires must be a duration/, { GATEWAY_SECRET: secret }],
  [["--unknown"], /there is no command --unknown/],
  [["token", "--unknown"], /token has one option, --expires/, { GATEWAY_SECRET: secret }],
]
for (const [args, told, env] of failures) {
  test(`"${args.join(" ")}" is an error on standard error and exit code 1`, slow, async () => {
    const { code, stdout, stderr } = await command(args, env)
    assert.equal(code, 1)
    assert.match(stderr, told)
    assert.doesNotMatch(stderr, /\bat \S+:\d+:\d+/)
    assert.equal(stdout, "")
  })
}
