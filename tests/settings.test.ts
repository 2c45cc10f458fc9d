import assert from "node:assert/strict"
import { test } from "node:test"
import * as v from "valibot"
import { gateway, loadFile, type Provider, prepare, StartError, variables } from "../main.ts"
import { explain, listDoubts } from "../providers/commands/advice.ts"
import { basic } from "../providers/lib.ts"
import { httpEnv, providers, secret, start, take } from "./lib/world.ts"

/** What `check` finds doubtful in these settings. */
async function doubtsOf(env: Record<string, string>): Promise<string[]> {
  const world = { env: { GATEWAY_SECRET: secret, ...httpEnv, ...env }, fetch, clock: Date.now, print: () => {} }
  return listDoubts(await prepare(world, true))
}

/** The error with which a gateway of these settings does not start. */
async function failure(env: Record<string, string>): Promise<string> {
  const world = { env: { GATEWAY_SECRET: secret, ...env }, fetch, clock: Date.now, print: () => {} }
  const error: unknown = await gateway(world).then(
    () => undefined,
    (error) => error,
  )
  assert.ok(error instanceof StartError, `it starts with ${JSON.stringify(env)}`)
  return (await explain(error, env)).message
}

const wrong: [env: Record<string, string>, told: RegExp][] = [
  [{ PORT: "80x" }, /PORT is wrong: expected a port, 0 to 65535/],
  [{ PORT: "65536" }, /PORT/],
  [{ PORT: "-1" }, /PORT/],
  [{ PORT: "3e3" }, /PORT/],
  [{ HOST: "local host" }, /HOST/],
  [{ LOG_FORMAT: "xml" }, /LOG_FORMAT is wrong: expected pretty or json/],
  [{ GATEWAY_TOKEN: "short-canary" }, /GATEWAY_TOKEN is wrong: expected a static bearer token of at least 32/],
  [{ GATEWAY_TOKEN: "canary with spaces, and more than 32 characters" }, /GATEWAY_TOKEN/],
  [{ GATEWAY_AUTH: "off" }, /GATEWAY_AUTH/],
  [{ GATEWAY_AUTH: "none" }, /GATEWAY_AUTH=none lets anyone send at your cost/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "*" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "10.0.0.1, 0.0.0.0/0" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "::/0" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "::/00" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "::ffff:0.0.0.0/96" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "0:0:0:0:0:ffff:0:0/96" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "::ffff:10.0.0.0/103" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "0.0.0.0/1,128.0.0.0/1" }, /no range wider than \/8, or \/16 of IPv6/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "10.0.0.0/7" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "8000::/1, ::/1" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: "2001::/15" }, /GATEWAY_AUTH=none/],
  [{ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: " , " }, /GATEWAY_ALLOW_IPS is wrong/],
  [{ GATEWAY_ALLOW_IPS: "," }, /GATEWAY_ALLOW_IPS is wrong: expected addresses and CIDR ranges/],
  [{ GATEWAY_ALLOW_IPS: "10.0.0.1/33" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_ALLOW_IPS: "10.0.0.256" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_ALLOW_IPS: "10.0.0.1/8/8" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_ALLOW_IPS: "10.0.0.1:80" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_ALLOW_IPS: "example.com" }, /GATEWAY_ALLOW_IPS/],
  [{ GATEWAY_TRUST_PROXY: "true" }, /GATEWAY_TRUST_PROXY/],
  [{ GATEWAY_SECRET_BASE64: "yes" }, /GATEWAY_SECRET_BASE64 is wrong: expected true/],
  [{ GATEWAY_SECRET_BASE64: "true", GATEWAY_SECRET: "canary!canary" }, /GATEWAY_SECRET is wrong/],
  [
    { GATEWAY_SECRET_BASE64: "true", GATEWAY_SECRET_PREVIOUS: "canary!canary", GATEWAY_SECRET: "YWJj" },
    /GATEWAY_SECRET_PREVIOUS is wrong/,
  ],
  [{ GATEWAY_URL: "sms.example.com" }, /GATEWAY_URL/],
  [{ GATEWAY_URL: "https://sms.example.com/sms" }, /GATEWAY_URL is wrong: expected .*no path/],
  [{ GATEWAY_URL: "https://user:canary@sms.example.com" }, /GATEWAY_URL/],
  [{ DEFAULT_COUNTRY: "USA" }, /DEFAULT_COUNTRY is wrong: expected the country of numbers without \+/],
  [{ DEFAULT_COUNTRY: "us" }, /DEFAULT_COUNTRY is wrong/],
  [{ DEFAULT_COUNTRY: "+44" }, /DEFAULT_COUNTRY is wrong/],
  [{ DEFAULT_COUNTRY: "UK" }, /DEFAULT_COUNTRY is wrong: UK is no country of ISO 3166; did you mean GB\?/],
  [{ DEFAULT_COUNTRY: "XX" }, /DEFAULT_COUNTRY is wrong: XX is no country of ISO 3166/],
  [{ ALLOW_DESTINATIONS: "US,UK" }, /ALLOW_DESTINATIONS is wrong: UK is no country of ISO 3166; did you mean GB\?/],
  [{ DENY_DESTINATIONS: "EN" }, /DENY_DESTINATIONS is wrong: EN is no country/],
  [{ ALLOW_DESTINATIONS: "USA" }, /ALLOW_DESTINATIONS is wrong: expected countries and \+digits/],
  [{ ALLOW_DESTINATIONS: "+0" }, /ALLOW_DESTINATIONS is wrong/],
  [{ ALLOW_DESTINATIONS: "+1234567890123456" }, /ALLOW_DESTINATIONS is wrong/],
  [{ DENY_DESTINATIONS: "," }, /DENY_DESTINATIONS is wrong/],
  [{ RESEND_WINDOW: "5" }, /RESEND_WINDOW is wrong: expected a duration up to 15m, such as 5m, or off/],
  [{ RESEND_WINDOW: "16m" }, /RESEND_WINDOW is wrong: expected a duration up to 15m/],
  [{ DEADLINE: "600h" }, /DEADLINE is wrong/],
  [{ DUPLICATE_WINDOW: "0s" }, /DUPLICATE_WINDOW is wrong/],
  [
    { TEST_NUMBERS: "+12015550100,12015550101" },
    /TEST_NUMBERS is wrong: expected numbers with \+ and their beginnings/,
  ],
  [{ TEST_NUMBERS: "+120" }, /TEST_NUMBERS is wrong/],
  [{ TEST_NUMBERS: "+0201555" }, /TEST_NUMBERS is wrong/],
  [{ TEST_NUMBERS: "US" }, /TEST_NUMBERS is wrong/],
  [{ TEST_NUMBERS: "canary, +12015550100" }, /TEST_NUMBERS is wrong/],
  [{ DENY_TYPES: "premium,mobile" }, /DENY_TYPES is wrong: expected types of numbers, .* none: premium, shared-cost/],
  [{ DENY_TYPES: "none,premium" }, /DENY_TYPES is wrong/],
  [{ LIMIT_VOICE: "3" }, /LIMIT_VOICE is wrong: expected count\/period/],
  [{ LIMIT_RECIPIENT: "0/10m" }, /LIMIT_RECIPIENT is wrong/],
  [{ LIMIT_TOTAL: "5/10" }, /LIMIT_TOTAL is wrong/],
  [{ LIMIT_RECIPIENT: "1/30s,5" }, /LIMIT_RECIPIENT is wrong: expected count\/period for one number, as 5\/10m or/],
  [{ LIMIT_RECIPIENT: "1/60s,5/1m" }, /LIMIT_RECIPIENT is wrong/],
  [{ LIMIT_PREFIX: "50/10m,off" }, /LIMIT_PREFIX is wrong/],
  [{ CODE_TEXT: "Your code" }, /CODE_TEXT is wrong: expected a text that holds \{code\}/],
  [
    { SENTENCE_RATE_LIMIT: "canary" },
    /SENTENCE_RATE_LIMIT is no setting: expected SENTENCE_ and one of ACCEPTED, INVALID_MESSAGE, .*; did you mean SENTENCE_RATE_LIMITED\?/,
  ],
  [{ SENTENCE_: "canary" }, /SENTENCE_ is no setting: expected SENTENCE_ and one of .*RATE_LIMITED/],
  [
    { PLATFORMS: "okta", SENTENCE_RATE_LIMITED_de: "canary" },
    /SENTENCE_RATE_LIMITED_de is wrong: expected SENTENCE_RATE_LIMITED_ and a language.*; did you mean SENTENCE_RATE_LIMITED_DE\?/,
  ],
  [
    { PLATFORMS: "okta", SENTENCE_ACCEPTED: `canary${"a".repeat(200)}` },
    /SENTENCE_ACCEPTED is wrong: expected a sentence of at most 200/,
  ],
  [{ CODE_TEXT_de: "{code}" }, /CODE_TEXT_de is wrong: expected CODE_TEXT_ and a language/],
  [{ STORE: "localhost:6379" }, /STORE is wrong: there is no providers\/stores\/localhost/],
  [{ PAGES: "nothing" }, /there is no providers\/pages\/nothing\.ts/],
  [
    { GATEWAY_SECRET: "canary one, of two\nlines, canary two" },
    /GATEWAY_SECRET holds a line break: write the secret in/,
  ],
  [{ GATEWAY_SECRET_PREVIOUS: "canary one\r\ncanary two" }, /GATEWAY_SECRET_PREVIOUS holds a line break/],
  [
    { PLATFORMS: "supabase", SUPABASE_SECRET: "v1,whsec_canarycanary\ncanarycanary" },
    /SUPABASE_SECRET holds a line break/,
  ],
  [
    { GATEWAY_SECRET: "<a secret of 32 bytes and more>" },
    /GATEWAY_SECRET holds a placeholder: expected the secret that/,
  ],
  [{ SMS_SENDER: "<value>" }, /SMS_SENDER holds a placeholder: expected a number/],
  [{ GATEWAY_SECRET: "$(openssl rand -base64 canary)" }, /GATEWAY_SECRET holds a placeholder/],
  [{ GATEWAY_SECRET: "openssl rand -base64 canary" }, /GATEWAY_SECRET holds a placeholder/],
  [{ GATEWAY_SECRET: `node -p "crypto.canary(32)"` }, /GATEWAY_SECRET holds a placeholder/],
  [{ GATEWAY_SECRET: "`cat /run/secrets/canary`" }, /GATEWAY_SECRET holds a placeholder/],
  [{ GATEWAY_SECRET: ["$", "{CANARY_OF_THIS_GATEWAY}"].join("") }, /GATEWAY_SECRET holds a placeholder/],
  [{ GATEWAY_TOKEN: "{{.Values.gateway.canary.token}}" }, /GATEWAY_TOKEN holds a placeholder/],
  [{ ALLOWED_DESTINATIONS: "canary" }, /ALLOWED_DESTINATIONS is no setting; did you mean ALLOW_DESTINATIONS\?/],
  [{ DENIED_TYPES: "canary" }, /DENIED_TYPES is no setting; did you mean DENY_TYPES\?/],
  [{ RATE_LIMIT_RECIPIENT: "canary" }, /RATE_LIMIT_RECIPIENT is no setting/],
  [{ SMS_PROVIDER: "plivo", PLIVO_AUTH_ID: "<value>", PLIVO_AUTH_TOKEN: "x" }, /PLIVO_AUTH_ID holds a placeholder/],
  [{ DEADLINE: "16" }, /DEADLINE is wrong: expected a duration such as 16s/],
  [{ ATTEMPT_TIMEOUT: "0s" }, /ATTEMPT_TIMEOUT/],
  [{ SMS_SENDER: "a canary of a sender" }, /SMS_SENDER is wrong: expected a number, a short code/],
  [
    { SMS_SENDER_GER: "Acme" },
    /SMS_SENDER_GER is wrong: expected SMS_SENDER_ and the first digits of numbers, or a country/,
  ],
  [{ SMS_SENDER_UK: "Acme" }, /SMS_SENDER_UK is wrong: UK is no country of ISO 3166; did you mean GB\?/],
  [{ SMS_PROVIDER_UK: "console" }, /SMS_PROVIDER_UK is wrong: UK is no country of ISO 3166; did you mean GB\?/],
  [{ ...httpEnv, HTTP_SENDER_UK: "Acme" }, /HTTP_SENDER_UK is wrong: UK is no country/],
  [{ SMS_PROVIDER_de: "console" }, /SMS_PROVIDER_de is wrong/],
  [{ SMS_SENDER_049: "Acme" }, /SMS_SENDER_049/],
  [{ SMS_PROVIDER_55: "Twilio" }, /SMS_PROVIDER_55 is wrong: expected a provider's name/],
  [{ SMS_PROVIDER: "," }, /SMS_PROVIDER/],
  [{ SMS_PROVIDER: "console,twilio" }, /console and inbox stand alone/],
  [{ SMS_PROVIDER: "twillio" }, /there is no providers\/twillio\.ts, .*; did you mean twilio\?/],
  [{ SMS_PROVIDER: "message-bird" }, /there is no providers\/message-bird\.ts, .*; did you mean messagebird\?/],
  [
    { SMS_PROVIDER: "plvio,twilio" },
    /there is no providers\/plvio\.ts, .*did you mean plivo\?[\s\S]*TWILIO_ACCOUNT_SID/,
  ],
  [
    { SMS_PROVIDER: "nobody-knows-this" },
    /there is no providers\/nobody-knows-this\.ts, or no permission to read it; main\.ts providers lists what there is$/m,
  ],
  [{ SMS_PROVIDER: "contract" }, /SMS_PROVIDER is wrong/],
  [{ SMS_PROVIDER: "lib" }, /SMS_PROVIDER is wrong/],
  [{ VOICE_PROVIDER: "twillio" }, /there is no providers\/twillio\.ts/],
  [{ SMS_PROVIDER: "twilio" }, /TWILIO_ACCOUNT_SID is missing: Account SID/],
  [{ SMS_PROVIDER: "twilio", TWILIO_ACCOUNT_SID: "canary" }, /TWILIO_ACCOUNT_SID is wrong: expected Account SID/],
  [{ SMS_PROVIDER: "twilio,plivo" }, /TWILIO_ACCOUNT_SID is missing[\s\S]*PLIVO_AUTH_ID is missing/],
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

const proposed: [name: string, written: string, meant: string][] = [
  ["SMS_PROVIDER", "twilio.ts", "twilio"],
  ["SMS_PROVIDER", "providers/twilio", "twilio"],
  ["SMS_PROVIDER", "providers/twilio.ts", "twilio"],
  ["SMS_PROVIDER", "Twilio", "twilio"],
  ["SMS_PROVIDER", "twilio sms", "twilio"],
  ["SMS_PROVIDER", "aws_sns", "aws-sns"],
  ["SMS_PROVIDER", "azure", "azure-sms"],
  ["SMS_PROVIDER", "twillio", "twilio"],
  ["SMS_PROVIDER", "Twilio; Plivo", "twilio,plivo"],
  ["SMS_PROVIDER", "twilio plivo", "twilio,plivo"],
  ["SMS_PROVIDER", "twilio,twilio", "twilio"],
  ["SMS_PROVIDER_55", "Twilio", "twilio"],
  ["VOICE_PROVIDER", "Twilio", "twilio-voice"],
  ["VOICE_PROVIDER", "twillio", "twilio-voice"],
  ["PLATFORMS", "Supabase", "supabase"],
  ["PLATFORMS", "supabase.ts", "supabase"],
  ["PLATFORMS", "supabse", "supabase"],
  ["PLATFORMS", "Supabase, Auth0", "supabase,auth0"],
  ["PAGES", "Logs", "log"],
  ["PAGES", "log.ts", "log"],
  ["PAGES", "logs", "log"],
  ["LOG_FORMAT", "JSON", "json"],
  ["GUARD", "Observe", "observe"],
  ["HOST", "0.0.0.0:3000", "0.0.0.0"],
  ["DEADLINE", "16", "16s"],
  ["DEADLINE", "16 sec", "16s"],
  ["ATTEMPT_TIMEOUT", "8000ms", "8s"],
  ["RESEND_WINDOW", "5", "5m"],
  ["DUPLICATE_WINDOW", "0", "off"],
  ["LIMIT_RECIPIENT", "5/10", "5/10m"],
  ["LIMIT_RECIPIENT", "5 per 10 minutes", "5/10m"],
  ["LIMIT_RECIPIENT", "5/hour", "5/1h"],
  ["LIMIT_TOTAL", "1000/1d", "1000/24h"],
  ["LIMIT_RECIPIENT", "1/30 s; 5 per 10 minutes", "1/30s,5/10m"],
  ["LIMIT_TOTAL", "none", "off"],
  ["DEFAULT_COUNTRY", "us", "US"],
  ["DEFAULT_COUNTRY", "usa", "US"],
  ["DEFAULT_COUNTRY", "United States", "US"],
  ["DEFAULT_COUNTRY", "Germny", "DE"],
  ["DEFAULT_COUNTRY", "+44", "GB"],
  ["DENY_TYPES", "Premium; satelite", "premium,satellite"],
  ["ALLOW_DESTINATIONS", "+1,us", "+1,US"],
  ["ALLOW_DESTINATIONS", "us ca", "US,CA"],
  ["DENY_DESTINATIONS", "United States, 0044", "US,+44"],
]
for (const [name, written, meant] of proposed) {
  test(`${name}=${written} proposes ${meant}, in the line to set as well`, async () => {
    const lines = (await failure({ SMS_PROVIDER: "console", [name]: written })).split("\n")
    assert.ok(
      lines.some((line) => line.startsWith(`  ${name} is wrong: `) && line.endsWith(`; did you mean ${meant}?`)),
    )
    assert.ok(lines.includes(`  ${name}=${meant}`))
  })
}

const advised: [env: Record<string, string>, told: RegExp][] = [
  [
    { SMS_PROVIDER: "twilio", TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`, TWILIO_API_KEY: `SK${"0".repeat(32)}` },
    /TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET must be set/,
  ],
  [
    {
      ...{ SMS_PROVIDER: "sinch", SINCH_SMS_REGION: "us", SINCH_SERVICE_PLAN_ID: "a", SINCH_API_TOKEN: "b" },
      SINCH_KEY_ID: "c",
    },
    /SINCH_PROJECT_ID, SINCH_KEY_ID and SINCH_KEY_SECRET go together/,
  ],
  [
    { VOICE_PROVIDER: "twilio-voice", TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`, TWILIO_VOICE_SENDER: "+15005550006" },
    /TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET must be set/,
  ],
  [
    { SMS_PROVIDER: "sinch", SINCH_SMS_REGION: "us", SINCH_KEY_ID: "a", SINCH_PROJECT_ID: "b" },
    /SINCH_SERVICE_PLAN_ID and SINCH_API_TOKEN, or SINCH_PROJECT_ID and SINCH_KEY_ID and SINCH_KEY_SECRET must be set/,
  ],
  [{ SMS_PROVIDER: "aws" }, /did you mean aws-end-user-messaging or aws-sns\?$/m],
  [{ SMS_PROVIDER: "supabase" }, /; providers\/platforms\/supabase\.ts is there: name it in PLATFORMS$/m],
  [{ PLATFORMS: "twilio" }, /PLATFORMS is wrong: .*; providers\/twilio\.ts is there: name it in SMS_PROVIDER$/m],
  [{ PLATFORMS: "nobody" }, /PLATFORMS is wrong: .*; main\.ts platforms lists what there is$/m],
  [{ VOICE_PROVIDER: "twilio" }, /sends texts: SMS_PROVIDER is its place; did you mean twilio-voice\?$/m],
  [{ SMS_PROVIDER: "twilio-voice" }, /speaks: VOICE_PROVIDER is its place; did you mean twilio\?$/m],
  [{ STORE: "Redis://user:canary@x" }, /STORE is wrong: .*did you mean redis:\/\/…\?\n/],
  [{ STORE: "keydb://user:canary@x" }, /STORE is wrong: .*did you mean redis:\/\/…\?\n/],
  [{ STORE: "memory" }, /STORE is wrong: .*; leave it out to keep all in memory$/m],
  [{ ALLOW_DESTINATIONS: "*" }, /; leave it out to allow every country$/m],
  [{ SMS_SENDER_us: "Acme" }, /; did you mean SMS_SENDER_US\?/],
  [{ SMS_SENDER_USA: "Acme" }, /; did you mean SMS_SENDER_US\?/],
  [{ "SMS_SENDER_+44": "Acme" }, /; did you mean SMS_SENDER_44\?/],
  [{ "CODE_TEXT_pt-BR": "{code}" }, /; did you mean CODE_TEXT_PT_BR\?/],
  [{ CODE_TEXT: "canary {CODE}" }, /; did you mean \{code\} in place of \{CODE\}\?/],
  [{ CODE_TEXT: "canary @@password@@" }, /; did you mean \{code\} in place of @@password@@\?/],
  [{ CODE_TEXT: "canary {{code}}" }, /CODE_TEXT is wrong: .*in place of \{\{code\}\}/],
  [{ PLATFORMS: "supabase", SUPABASE_SECRET: `v1,whsec_AA${"=".repeat(30)}` }, /SUPABASE_SECRET is too short/],
  [{ PLATFORMS: "supabase", SUPABASE_SECRET: "whsec_canarycanarycanarycanary00" }, /; v1,whsec_ is a part of it$/m],
  [{ PAGES: "log" }, /LOG_TOKEN is missing[\s\S]*\n {2}LOG_TOKEN=[\w-]{32}$/],
  [{ PAGES: "log", LOG_TOKEN: "canary" }, /LOG_TOKEN is wrong[\s\S]*\n {2}LOG_TOKEN=[\w-]{32}$/],
  [{ sms_provider: "canary" }, /sms_provider is no setting; did you mean SMS_PROVIDER\?/],
]
for (const [env, told] of advised) {
  test(`${JSON.stringify(env)} is told with its cure`, async () => {
    const message = await failure({ SMS_PROVIDER: "console", ...env })
    assert.match(message, told)
    assert.doesNotMatch(message, /canary/)
  })
}

test("what no known word is near gets no proposal", async () => {
  const far = [
    ...[
      ["PORT", "abc"],
      ["DEADLINE", "soon"],
      ["DEFAULT_COUNTRY", "XX"],
      ["LOG_FORMAT", "xml"],
      ["SMS_PROVIDER", "sms"],
    ],
    // A whole number, and what may be a token.
    ...[
      ["ALLOW_DESTINATIONS", "+1 222 333 4444"],
      ["GATEWAY_URL", "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln1234"],
    ],
  ]
  for (const [name = "", written = ""] of far) {
    const message = await failure({ SMS_PROVIDER: "console", [name]: written })
    assert.doesNotMatch(message, /did you mean/, name)
  }
})

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
    assert.match(await failure({ SMS_PROVIDER: name }), /SMS_PROVIDER is wrong: expected a provider's name/, name)
  }
  assert.match(await failure({ SMS_PROVIDER: "constructor" }), /there is no providers\/constructor\.ts/)
})

const misspelt: [name: string, meant?: string][] = [
  ["SMS_PROVIDERS", "SMS_PROVIDER"],
  ["SMS_PROVDER", "SMS_PROVIDER"],
  ["VOICE_PROVIDERS", "VOICE_PROVIDER"],
  ["ALLOW_PREFIX"],
  ["ALLOW_PREFIXES"],
  ["DENY_PREFIXES"],
  ["ALLOW_DESTINATION", "ALLOW_DESTINATIONS"],
  ["DENY_DESTINATION", "DENY_DESTINATIONS"],
  ["LIMIT_RECIPENT", "LIMIT_RECIPIENT"],
  ["LIMIT_RECIPIENTS", "LIMIT_RECIPIENT"],
  ["LIMITS_TOTAL", "LIMIT_TOTAL"],
  ["GATEWAY_SECRETS", "GATEWAY_SECRET"],
  ["GATEWAY_ALLOWED_IPS", "GATEWAY_ALLOW_IPS"],
  ["GATEWAY_ALLOW_IP", "GATEWAY_ALLOW_IPS"],
  ["GUARD_MODE"],
  ["GAETWAY_SECRET", "GATEWAY_SECRET"],
  ["ALLOWED_COUNTRIES"],
  ["BLOCK_DESTINATIONS"],
  ["TEST_NUMBER", "TEST_NUMBERS"],
  ["GATWAY_ALOW_IPS", "GATEWAY_ALLOW_IPS"],
  ["LIMT_RECIPENT", "LIMIT_RECIPIENT"],
  ["ALOW_DESTINATION", "ALLOW_DESTINATIONS"],
  ["DANY_TYPES", "DENY_TYPES"],
  ["ALLOWDESTINATIONS", "ALLOW_DESTINATIONS"],
  ["PLATFORM", "PLATFORMS"],
  ["PAGE", "PAGES"],
  ["DUPLICATE_WINDOWS", "DUPLICATE_WINDOW"],
  ["RESEND_WINDOWS", "RESEND_WINDOW"],
]
for (const [name, meant] of misspelt) {
  test(`${name} stops the start${meant ? `, and ${meant} is proposed` : ""}`, async () => {
    const message = await failure({ ...httpEnv, [name]: "canary" })
    assert.match(message, new RegExp(`^  ${name} is no setting${meant ? `; did you mean ${meant}\\?$` : ""}`, "m"))
    assert.doesNotMatch(message, /canary/)
  })
}

test("a word of PLATFORMS that is no name is in no line to paste", async () => {
  const message = await failure({ ...httpEnv, PLATFORMS: "canary-secret", SUPABASE_SECRET: "x" })
  assert.match(message, /^ {2}PLATFORMS=supabase$/m)
  assert.doesNotMatch(message, /=canary/)
})

test("a slip in STORE stops the start where its value is a store's, and a variable of others does not", async () => {
  for (const name of ["STORES", "STOR", "STROE"])
    assert.match(
      await failure({ ...httpEnv, [name]: "redis://127.0.0.1:1" }),
      new RegExp(`^  ${name} is no setting`, "m"),
    )
  const { events } = await start({ STORES: "a,b", SHORE: "x", STORY: "sqlite" })
  assert.deepEqual(events(), [])
})

const doubtful = [
  "DEFAULT_CALLING_CODE",
  "DEFAULT_COUNTRIES",
  "CODE_PATERN",
  "DEADLINES",
  "ATTEMPT_TIMEOUTS",
  "STORES",
  "LOG_FORMATS",
]
for (const name of doubtful) {
  test(`${name} is doubtful`, async () => {
    const doubts = await doubtsOf({ [name]: "canary" })
    assert.ok(
      doubts.some((doubt) => doubt.startsWith(`${name} is no setting`)),
      doubts.join("\n"),
    )
    assert.doesNotMatch(doubts.join(), /canary/)
  })
}

const others = {
  PATH: "/bin",
  HOME: "/root",
  NODE_ENV: "development",
  NODE_OPTIONS: "--x",
  LOG_LEVEL: "debug",
  GATEWAY_SERVICE_HOST: "10.0.0.1",
  GATEWAY_SERVICE_PORT: "80",
  GATEWAY_PORT_80_TCP_ADDR: "10.0.0.1",
  STORE_SERVICE_PORT: "1",
  TWILIO_ACCOUNT_SID: "of another program",
  TWILIO_PHONE_NUMBER: "+1",
  AWS_REGION: "eu-west-1",
  HTTP_PROXY: "http://x",
  SHELL: "/bin/sh",
  PAGER: "less",
  HOSTNAME: "x",
  SMS_SENDER_44: "Acme",
  SMS_SENDER_DE: "Acme",
  CODE_TEXT_PT_BR: "{code}",
}
test("variables of others, and of providers that are not in use, are let alone", async () => {
  const { events } = await start(others)
  assert.deepEqual(events(), [])
})

const quoted: [written: string, read: string][] = [
  ['"Acme"', "Acme"],
  ["'Acme'", "Acme"],
  ["  Acme  ", "Acme"],
  ['  "Acme"  ', "Acme"],
  ['"A c"', "A c"],
  ['"Ac\'me"', "Ac'me"],
  ["\"Acme'", "\"Acme'"],
  ['""Acme""', '"Acme"'],
]
for (const [written, read] of quoted) {
  test(`a value ${JSON.stringify(written)} is ${JSON.stringify(read)}`, async () => {
    const { post, calls } = await start({ SMS_SENDER: written })
    await post({ recipient: "+12223334444", body: "x" })
    assert.equal(JSON.parse(calls[0]?.text ?? "{}").from, read)
  })
}

test("quotes of Docker's --env-file are no part of any value", async () => {
  const env = {
    GATEWAY_SECRET: `"${secret}"`,
    LIMIT_RECIPIENT: "'1/10m'",
    ALLOW_DESTINATIONS: '"US, CA"',
    PORT: '"3000"',
  }
  const { post } = await start(env)
  assert.equal((await post()).status, 200)
  assert.equal((await post({ recipient: "+12223334444", body: "again" })).status, 429)
  assert.equal((await post({ recipient: "+4915112345678", body: "x" })).status, 422)
})

test("a token that no header can carry is an error at start, and Basic takes any character", async () => {
  const env = {
    A_AUTH_TOKEN: v.pipe(v.string(), v.description("a token")),
    A_PASSWORD: v.pipe(v.string(), v.description("a password")),
  }
  const request: Provider["request"] = (_, { A_AUTH_TOKEN, A_PASSWORD }, { url }) =>
    new Request(url, { headers: { "x-token": String(A_AUTH_TOKEN), authorization: basic("me", String(A_PASSWORD)) } })
  const { load, answer, env: named } = providers({ a: () => take() }, { a: { env, request } })
  const given = { GATEWAY_SECRET: secret, ...named, A_PASSWORD: "pässwörd" }
  assert.ok(await start({ ...given, A_AUTH_TOKEN: "good" }, answer, { load }))
  await assert.rejects(start({ ...given, A_AUTH_TOKEN: "ключ-canary" }, answer, { load }), (error: Error) => {
    assert.match(error.message, /A_AUTH_TOKEN or A_PASSWORD holds a character that cannot be sent/)
    assert.doesNotMatch(error.message, /canary/)
    return true
  })
})

const brokenFiles: [name: string, load: () => Promise<{ default?: unknown }>, told: RegExp][] = [
  ["exports nothing", async () => ({}), /providers\/a\.ts does not export what contract\.ts asks for/],
  ["exports something else", async () => ({ default: { docs: "x", env: {} } }), /request is missing/],
  ["exports a function", async () => ({ default: () => ({}) }), /it is a function or a class: end the file with/],
  ["exports a class", async () => ({ default: class A {} }), /it is a function or a class: end the file with/],
  ["exports a Promise", async () => ({ default: Promise.resolve({}) }), /it is a Promise: write await before it/],
  ["exports null", async () => ({ default: null }), /it is null: end the file with export default/],
  [
    "has a variable that nobody describes",
    async () => ({ default: { docs: "x", env: { A_KEY: v.string() }, request() {}, receipt() {} } }),
    /needs v\.description/,
  ],
  [
    "is for another channel",
    async () => ({ default: { docs: "x", env: {}, channel: "fax", request() {}, receipt() {} } }),
    /channel must be voice/,
  ],
]
for (const [name, load, told] of brokenFiles) {
  test(`a provider file that ${name} does not start`, async () => {
    const given = async (path: string) => (path === "a" ? await load() : await loadFile(path))
    await assert.rejects(start({ SMS_PROVIDER: "a" }, undefined, { load: given }), told)
  })
}

const thrown: [name: string, thrown: unknown, told: string][] = [
  ["a text", "a reason\nof two lines", "it throws a text and no Error: a reason"],
  ["a long text", "x ".repeat(300), `it throws a text and no Error: ${"x ".repeat(100)}`.slice(0, 200).trim()],
  [
    "a text with a number and a key",
    "no +12223334444 for sk_live_0123456789abcdef",
    "it throws a text and no Error: no • for •",
  ],
  ["null", null, "it throws null and no Error"],
  ["nothing", undefined, "it throws undefined and no Error"],
  ["a number", 326162, "it throws a number and no Error"],
  ["an object", { message: "canary" }, "it throws an object and no Error"],
]
for (const [name, what, told] of thrown) {
  test(`a file that throws ${name} is told as one that does`, async () => {
    const error = await explain(new StartError([{ text: "", file: "http", cause: what }]), {})
    assert.equal(error.complaints[0]?.text.trim(), `providers/http.ts cannot be loaded: ${told}`)
  })
}

test("everything that is wrong is told at once, with the lines to add at the end", async () => {
  const message = await failure({
    PORT: "x",
    SMS_SENDER_X: "y",
    SMS_PROVIDER: "twilio",
    GATEWAY_AUTH: "none",
    GATEWAY_TOKEN: "z",
  })
  for (const name of ["PORT", "SMS_SENDER_X", "TWILIO_ACCOUNT_SID", "GATEWAY_TOKEN"])
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
  [{ HTTP_BODY: '{"to": {recipient_digits}, "text": "{body}"}' }, true],
  [{ HTTP_BODY: '{"to": "{recipient}", "code": "{code}"}' }, true],
  [{ HTTP_BODY: '{"to": "{{recipient}}", "text": "{body}"}' }, false],
  [{ HTTP_BODY: '{"to": "{ recipient }", "text": "{body}"}' }, false],
  [{ HTTP_BODY: "to=\u0024{recipient}&text={body}" }, false],
  [{ HTTP_BODY: '{"to": "{recipients}"}' }, false],
  [{ HTTP_BODY: "to={to}" }, false],
  [{ HTTP_SUCCESS: "(" }, false],
  [{ HTTP_SUCCESS: "" }, false],
  [{ HTTP_SUCCESS: "status" }, true],
  [{ HTTP_STATUS: "2xx" }, false],
  [{ HTTP_STATUS: "200, 204" }, true],
  [{ HTTP_METHOD: "post" }, true],
  [{ HTTP_METHOD: "PATCH" }, false],
]
for (const [env, isGood] of templates) {
  test(`the http provider ${isGood ? "starts" : "does not start"} with ${JSON.stringify(env)}`, async () => {
    if (isGood) assert.ok(await start(env))
    else assert.match(await failure({ ...httpEnv, ...env }), new RegExp(`${Object.keys(env)[0]} is (wrong|missing)`))
  })
}

const idle: [env: Record<string, string>, told: RegExp][] = [
  [
    { HTTP_BODY: "" },
    /^ {2}http would send no number: HTTP_URL or HTTP_BODY must hold \{recipient\}$[\s\S]*\n {2}HTTP_URL='https:.*\{recipient\}/m,
  ],
  [
    { HTTP_BODY: "to={recipient}" },
    /^ {2}http would send no text: HTTP_URL or HTTP_BODY must hold \{body\} or \{code\}$/m,
  ],
  [{ HTTP_BODY: "text={body}&from={sender}" }, /^ {2}http would send no number: /m],
  [{ HTTP_METHOD: "GET" }, /^ {2}http would send no number: by GET HTTP_URL must hold \{recipient\}$/m],
  [{ HTTP_METHOD: "get", HTTP_URL: "https://sms.example.com/?to={recipient}" }, /no text: by GET HTTP_URL must hold/],
]
for (const [env, told] of idle) {
  test(`the http provider that would send nothing does not start: ${JSON.stringify(env)}`, async () => {
    assert.match(await failure({ ...httpEnv, ...env }), told)
  })
}

const renamed: [template: string, told: string][] = [
  ["to={to}&text={message}", "did you mean {recipient} in place of {to}, {body} in place of {message}?"],
  ["to={{recipient}}&text={body}", "did you mean {recipient} in place of {{recipient}}?"],
  ["to={recipent}&text={body}", "did you mean {recipient} in place of {recipent}?"],
  ["to={Phone-Number}&text={body}", "did you mean {recipient} in place of {Phone-Number}?"],
  ["from=\u0024{from}&to={recipient}&text={body}", "did you mean {sender} in place of \u0024{from}?"],
  ["to=<to>&text=[otp]", "did you mean {recipient} in place of <to>, {code} in place of [otp]?"],
  ["to=%phone%&key=%canary%", "did you mean {recipient} in place of %phone%?"],
]
for (const [template, told] of renamed) {
  test(`the placeholders of ${template} are told with the right ones`, async () => {
    const lines = (await failure({ ...httpEnv, HTTP_BODY: template })).split("\n")
    assert.ok(lines[1]?.endsWith(`; ${told}`), lines.join("\n"))
    assert.doesNotMatch(lines.join(), /canary/)
  })
}

test("settings of the http provider that are no secrets hide no words of an answer", async () => {
  const open = { HTTP_SUCCESS: "accepted", HTTP_STATUS: "200,202", HTTP_METHOD: "put" }
  const env = { GATEWAY_SECRET: secret, ...httpEnv, HTTP_HEADERS: '{"x-key": "a-key-of-9"}', ...open }
  const { providers } = await prepare({ env, fetch, clock: Date.now, print: () => {} }, true)
  const hidden = providers.get("http")?.hidden ?? []
  for (const word of Object.values(open)) assert.ok(!hidden.includes(word), word)
  assert.ok(hidden.includes("a-key-of-9"))
})

test("an empty variable counts as unset", async () => {
  const empty = Object.fromEntries(Object.keys(variables).map((name) => [name, " "]))
  assert.ok(await start({ ...empty, GATEWAY_SECRET: secret, SMS_SENDER: "", SMS_PROVIDER_44: "", HTTP_METHOD: "" }))
})

const protecting: Record<string, string>[] = [
  { GATEWAY_SECRET: "MySecretToSignTheToken" },
  { NODE_ENV: "production", SMS_PROVIDER: "console" },
  { NODE_ENV: "production" },
]
for (const env of protecting) {
  test(`the start itself warns of ${Object.entries(env).join(" and ")}`, async () => {
    assert.ok((await start(env)).events().some(({ event }) => event === "warning"))
  })
}

const twilio = {
  SMS_PROVIDER: "twilio",
  TWILIO_ACCOUNT_SID: "AC00000000000000000000000000000000",
  TWILIO_AUTH_TOKEN: "0",
}
const warnings: [env: Record<string, string>, told: RegExp][] = [
  [twilio, /^twilio takes no message without a sender: set TWILIO_SENDER or TWILIO_MESSAGING_SERVICE_SID if the/],
  [
    { SMS_PROVIDER: "plivo", PLIVO_AUTH_ID: "a", PLIVO_AUTH_TOKEN: "b" },
    /^plivo takes no message without a sender: set PLIVO_SENDER or PLIVO_POWERPACK_UUID if the messages bring none$/,
  ],
  [
    { SMS_PROVIDER: "fast2sms", FAST2SMS_API_KEY: "a", FAST2SMS_ROUTE: "dlt", FAST2SMS_MESSAGE_ID: "1" },
    /^fast2sms takes no message without a sender: set FAST2SMS_SENDER if the messages bring none$/,
  ],
  [
    { GATEWAY_ALLOW_IPS: "192.0.2.1", GATEWAY_URL: "https://sms.acme.com" },
    /^GATEWAY_ALLOW_IPS holds the proxy's address, where one stands in front: see GATEWAY_TRUST_PROXY$/,
  ],
  [{ DENY_TYPES: "voip" }, /^DENY_TYPES stands in place of its default, so that premium numbers are let through/],
  [{ GATEWAY_SECRET: "MySecretToSignTheToken" }, /less than 32 bytes/],
  [{ GATEWAY_SECRET_PREVIOUS: "short" }, /less than 32 bytes/],
  [{ NODE_ENV: "production", SMS_PROVIDER: "console" }, /console prints every code/],
  [{ NODE_ENV: "production" }, /without ALLOW_DESTINATIONS anyone can make you pay/],
  [{ HTTP_SENDRE: "Acme" }, /HTTP_SENDRE is read by nothing; did you mean HTTP_SENDER\?/],
  [{ LOG_TOKEN: "0123456789abcdef0123456789abcdef" }, /LOG_TOKEN is set, and PAGES does not name log/],
  [{ SUPABASE_SECRET: "v1,whsec_canary" }, /^SUPABASE_SECRET is set, and PLATFORMS does not name supabase$/],
  [{ OKTA_TOKEN: "canary" }, /^OKTA_TOKEN is set, and PLATFORMS does not name okta$/],
  [{ SMS_PROVIDER: "http" }, /^without ALLOW_DESTINATIONS anyone can make you pay for messages to any country$/],
  [{ HTTP_METHOD: "get", HTTP_URL: "https://x.example/?to={recipient}&text={body}" }, /^HTTP_BODY is not sent, since/],
  [{ ATTEMPT_TIMEOUT: "20s" }, /^ATTEMPT_TIMEOUT is longer than DEADLINE, which ends every call$/],
  [{ GATEWAY_URL: "http://sms.example.com" }, /^GATEWAY_URL is http: /],
  [{ ...twilio, TWILIO_AUTH_TOKEN: "two\nlines" }, /^TWILIO_AUTH_TOKEN holds a line break/],
  [{ ...twilio, TWILIO_FROM: "+15005550006" }, /^TWILIO_FROM is read by nothing; did you mean TWILIO_SENDER\?$/],
  [{ ...twilio, TWILIO_FROM_NUMBER: "x" }, /^TWILIO_FROM_NUMBER is read by nothing; did you mean TWILIO_SENDER\?$/],
  [{ ...twilio, TWILIO_PHONE_NUMBER: "x" }, /^TWILIO_PHONE_NUMBER is read by nothing; did you mean TWILIO_SENDER\?$/],
  [{ HTTP_ORIGINATOR: "x" }, /^HTTP_ORIGINATOR is read by nothing; did you mean HTTP_SENDER\?$/],
  [{ SMS_FROM: "x" }, /^SMS_FROM is read by nothing; did you mean SMS_SENDER\?$/],
  [
    { ...twilio, TWILIO_SENDER_ID: "Acme" },
    /^TWILIO_SENDER_ID is the sender for Indonesia \(ID\) alone; did you mean TWIL/,
  ],
]
for (const [env, told] of warnings) {
  test(`it is doubtful to set ${Object.keys(env).join(" and ")}`, async () => {
    const doubts = await doubtsOf(env)
    assert.ok(
      doubts.some((doubt) => told.test(doubt)),
      doubts.join("\n"),
    )
    assert.doesNotMatch(doubts.join(), /canary/)
  })
}

const sendersThere: Record<string, string>[] = [
  { ...twilio, TWILIO_MESSAGING_SERVICE_SID: "MG00000000000000000000000000000000" },
  { ...twilio, TWILIO_SENDER_US: "+15005550006" },
  { ...twilio, SMS_SENDER: "Acme" },
  { SMS_PROVIDER: "fast2sms", FAST2SMS_API_KEY: "a" },
]
for (const env of sendersThere) {
  test(`no sender is missed with ${Object.keys(env).join(" and ")}`, async () => {
    assert.ok(!(await doubtsOf(env)).join().includes("without a sender"))
  })
}

for (const rules of ["10.0.0.0/8", "10.0.0.1", "2001::/16", "::1", "::ffff:10.0.0.0/104", "192.168.0.0/16,fd00::/16"]) {
  test(`an open gateway starts for ${rules}`, async () => {
    assert.ok(await start({ GATEWAY_AUTH: "none", GATEWAY_ALLOW_IPS: rules }))
  })
}

const rightAll: Record<string, string>[] = [
  { SMS_PROVIDER: "console" },
  { SMS_PROVIDER: "inbox" },
  { ...twilio, TWILIO_SENDER: "+15005550006", ALLOW_DESTINATIONS: "US", GATEWAY_URL: "http://127.0.0.1:3000" },
  { ALLOW_DESTINATIONS: "US,+4479", DENY_DESTINATIONS: "+44", DEADLINE: "5s" },
]
for (const env of rightAll) {
  test(`nothing is doubtful about ${JSON.stringify(env)}`, async () => {
    assert.deepEqual(await doubtsOf(env), [])
  })
}

test("a failing start of a provider tells all that it lacks at once, and no line to paste is empty", async () => {
  const message = await failure({ SMS_PROVIDER: "twilio", TWILIO_FROM: "canary", SUPABASE_SECRET: "canary" })
  assert.equal(
    message,
    `smstask cannot start:
  TWILIO_ACCOUNT_SID is missing: Account SID, which begins with AC
  TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET must be set
  twilio takes no message without a sender: set TWILIO_SENDER or TWILIO_MESSAGING_SERVICE_SID if the messages bring none
  TWILIO_FROM is read by nothing; did you mean TWILIO_SENDER?
  SUPABASE_SECRET is set, and PLATFORMS does not name supabase
Set in the environment or in .env:
  TWILIO_ACCOUNT_SID=<value>
  TWILIO_AUTH_TOKEN=<value>
  TWILIO_SENDER=<value>
  PLATFORMS=supabase`,
  )
  for (const [env] of wrong) assert.doesNotMatch(await failure(env), /^ {2}[A-Z_]+=$/m)
})

const lines: [env: Record<string, string>, line: string][] = [
  [{ PORT: "abc" }, "PORT=3000"],
  [{ STORE: "localhost:6379" }, "STORE=redis://127.0.0.1:6379"],
  [{ STORE: "deno:x" }, "STORE=deno-kv:"],
  [{ STORE: "sqlite:/no/such/folder/limits.db" }, "STORE=sqlite:limits.db"],
  [{ ALLOW_DESTINATIONS: "+0" }, "ALLOW_DESTINATIONS=US,CA"],
  [{ GATEWAY_URL: "https://sms.example.com/sms" }, "GATEWAY_URL=https://sms.example.com"],
  [{ GATEWAY_URL: "gw.acme.com/sms" }, "GATEWAY_URL=https://gw.acme.com"],
  [{ GATEWAY_TRUST_PROXY: "true" }, "GATEWAY_TRUST_PROXY=1"],
  [{ SMS_PROVIDER: "nobody-knows-this" }, "SMS_PROVIDER=<value>"],
]
for (const [env, line] of lines) {
  test(`the line to paste for ${JSON.stringify(env)} is ${line}`, async () => {
    assert.ok((await failure({ SMS_PROVIDER: "console", ...env })).split("\n").includes(`  ${line}`))
  })
}

test("it does not warn about what is right", async () => {
  assert.deepEqual((await start()).events(), [])
})
