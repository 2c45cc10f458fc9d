import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { copy, holdAnswer, patient, provider, root, run, serving, until } from "../lib/process.ts"
import { message, secret, sign } from "../lib/world.ts"

const slow = { timeout: 60_000 }
const post = async (url: string, body: unknown = message) => {
  const headers = { authorization: `Bearer ${await sign()}` }
  return await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })
}
const env = (url: string) => ({
  GATEWAY_SECRET: secret,
  SMS_PROVIDER: "http",
  HTTP_URL: `${url}/send`,
  HTTP_BODY: '{"to":"{recipient}","from":"{sender}","text":"{body}"}',
  HTTP_SUCCESS: '"id":"([^"]+)"',
})

test(
  "a message goes out to a provider that takes 12 s, others meanwhile, and SIGTERM lets it finish",
  slow,
  async () => {
    const taken: string[] = []
    const { url, close } = await provider((request, response, body) => {
      taken.push(`${request.method} ${request.url} ${request.headers["content-type"]} ${body}`)
      setTimeout(() => response.end('{"id":"m-1"}'), body.includes("slow") ? 12_000 : 0)
    })
    const gateway = await serving({ ...env(url), ATTEMPT_TIMEOUT: "30s", ...patient })
    const late = post(gateway.url, { ...message, body: "slow" })
    const response = await post(gateway.url)
    assert.equal(response.status, 200)
    assert.match(
      await response.text(),
      /^\{"id":"[\da-f-]{36}","provider":"http","receipt":"m-1","attempts":\[\{"provider":"http","outcome":"accepted","ms":\d+\}\]\}$/,
    )
    const json = JSON.stringify({ to: message.recipient, from: message.sender, text: message.body })
    assert.equal(
      taken.find((line) => !line.includes("slow")),
      `POST /send application/json ${json}`,
    )
    await until(gateway.stdout, /"received"[\s\S]*"received"/)
    gateway.kill("SIGTERM")
    assert.equal((await late).status, 200)
    assert.equal(await gateway.ended, 0)
    close()
  },
)

test("a redirect of the provider is not followed", slow, async () => {
  const asked: string[] = []
  const { url, close } = await provider((request, response) => {
    asked.push(request.url ?? "")
    response.writeHead(307, { location: "/elsewhere" }).end()
  })
  const gateway = await serving(env(url))
  assert.equal((await post(gateway.url)).status, 502)
  assert.deepEqual(asked, ["/send"])
  gateway.kill("SIGINT")
  assert.equal(await gateway.ended, 0)
  close()
})

test("providers that cannot be reached are told by class", slow, async () => {
  const { url, close } = await provider((request) => request.socket.destroy())
  const gateway = await serving({ ...env(url) })
  assert.match(await (await post(gateway.url)).text(), /"outcome":"unreachable","code":"reset"/)
  gateway.kill()
  close()
  const nobody = await serving({ ...env(url) })
  assert.match(await (await post(nobody.url)).text(), /"outcome":"unreachable","code":"refused"/)
  nobody.kill()
  const tls = await provider((_, response) => response.end())
  const plain = await serving({ ...env(tls.url.replace("http:", "https:")) })
  assert.match(await (await post(plain.url)).text(), /"outcome":"unreachable","code":"tls"/)
  plain.kill()
  tls.close()
  const unknown = await serving({ ...env("https://nobody.invalid") })
  assert.match(await (await post(unknown.url)).text(), /"outcome":"unreachable","code":"dns"/)
  unknown.kill()
})

test("a caller that hangs up cancels nothing, not even while stopping", slow, async () => {
  const { url, close, answer } = await holdAnswer()
  const gateway = await serving({ ...env(url), ...patient })
  const hangUp = new AbortController()
  const headers = { authorization: `Bearer ${await sign()}` }
  const call = fetch(gateway.url, { method: "POST", headers, body: JSON.stringify(message), signal: hangUp.signal })
  await until(gateway.stdout, /"received"/)
  hangUp.abort()
  await assert.rejects(call)
  gateway.kill("SIGTERM")
  await until(gateway.stdout, /"stopping"/)
  await answer()
  assert.equal(await gateway.ended, 0)
  assert.match(gateway.stdout(), /"event":"accepted"/)
  assert.match(gateway.stdout(), /"event":"stopped"/)
  close()
})

test("a log that nobody reads any more costs no login", slow, async () => {
  const gateway = await serving({ GATEWAY_SECRET: secret })
  gateway.child.stdout?.destroy()
  for (let sent = 0; sent < 3; sent += 1)
    assert.equal((await post(gateway.url, { ...message, body: `${sent}` })).status, 200)
  gateway.kill()
  assert.equal(await gateway.ended, 0)
})

test("a second signal ends at once", slow, async () => {
  const { url, close } = await provider(() => {})
  const gateway = await serving(env(url))
  post(gateway.url).catch(() => {})
  await until(gateway.stdout, /"received"/)
  gateway.kill("SIGTERM")
  await until(gateway.stdout, /"stopping"/)
  gateway.kill("SIGTERM")
  assert.equal(await gateway.ended, 143)
  close()
})

test("while it stops, no new connection is taken and the deadline ends it", slow, async () => {
  const { url, close } = await provider(() => {})
  const gateway = await serving({ ...env(url), DEADLINE: "2s" })
  const pending = post(gateway.url)
  await until(gateway.stdout, /"received"/)
  gateway.kill("SIGTERM")
  await until(gateway.stdout, /"stopping"/)
  await assert.rejects(fetch(`${gateway.url}health`))
  assert.equal((await pending).status, 504)
  assert.equal(await gateway.ended, 0)
  close()
})

test(
  "as Deno Deploy runs it, it warns, sends, and is done soon after DEADLINE: 5 s follow SIGINT there",
  slow,
  async () => {
    const { url, close } = await provider((_, response, body) => {
      if (!body.includes("hangs")) response.end('{"id":"m-1"}')
    })
    const gateway = await serving({ ...env(url), DENO_DEPLOY: "1", DEADLINE: "2s" })
    assert.match(gateway.stdout(), /without ALLOW_DESTINATIONS/)
    assert.equal((await post(gateway.url)).status, 200)
    const pending = post(gateway.url, { ...message, body: "it hangs" })
    await until(gateway.stdout, /"received"[\s\S]*"received"/)
    const interrupted = Date.now()
    gateway.kill("SIGINT")
    assert.equal((await pending).status, 504)
    assert.equal(await gateway.ended, 0)
    assert.ok(Date.now() - interrupted < 5_000)
    close()
  },
)

test("with nothing set it makes a token, listens on 127.0.0.1 alone and prints a call that works", slow, async () => {
  for (const isAlone of [false, true]) {
    const files = isAlone ? {} : { "providers/x.ts": "export default 1" }
    const start = async (folder: string) => {
      const { kill, stdout, stderr, ended } = run([], { PORT: "0", HOST: "0.0.0.0" }, folder)
      const [, url = "", token = "", body = ""] = await until(
        stderr,
        /curl -i (\S+) -H 'Authorization: Bearer (\S+)' -d '(.*)'/,
      )
      assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/)
      const response = await fetch(url, { method: "POST", headers: { authorization: `Bearer ${token}` }, body })
      assert.equal(response.status, 200)
      await until(stdout, /To \+12223334444:\n {2}Your code is 326162\n/)
      assert.match(stdout(), /"address":"http:\/\/127\.0\.0\.1:/)
      kill()
      assert.equal(await ended, 0)
    }
    await copy(files, start, isAlone)
  }
})

test("main.ts alone delivers by a provider file that lies beside it with lib.ts", slow, async () => {
  const { url, close } = await provider((_, response) =>
    response.writeHead(202).end('{"message":"message(s) queued","message_uuid":["p-1"],"api_id":"x"}'),
  )
  const paths = ["providers/plivo.ts", "providers/lib.ts"]
  const files = Object.fromEntries(paths.map((path) => [path, readFileSync(root + path, "utf8")]))
  const start = async (folder: string) => {
    const given = { SMS_PROVIDER: "plivo", PLIVO_AUTH_ID: "a", PLIVO_AUTH_TOKEN: "b", PLIVO_URL: url }
    const gateway = await serving({ GATEWAY_SECRET: secret, ...given }, folder)
    assert.match(await (await post(gateway.url)).text(), /"provider":"plivo","receipt":"p-1"/)
    gateway.kill()
    assert.equal(await gateway.ended, 0)
  }
  await copy(files, start, true)
  close()
})

const failures: [name: string, env: Record<string, string>, told: RegExp][] = [
  [
    "production with nothing set",
    { NODE_ENV: "production" },
    /SMS_PROVIDER is missing[\s\S]*GATEWAY_SECRET, GATEWAY_TOKEN or PLATFORMS must be set[\s\S]* {2}SMS_PROVIDER=<value>\n {2}GATEWAY_SECRET=\S{43}\n$/,
  ],
  ["Deno Deploy with nothing set", { DENO_DEPLOY: "1" }, /GATEWAY_SECRET/],
  ["a wrong setting", { PORT: "x" }, /^smstask cannot start:\n {2}PORT is wrong/],
]
for (const [name, env, told] of failures) {
  test(`${name} is an error of one screen and exit code 1`, slow, async () => {
    const { ended, stderr, stdout } = run([], env)
    assert.equal(await ended, 1)
    assert.match(stderr(), told)
    assert.doesNotMatch(stderr(), /\bat \S+:\d+:\d+/)
    assert.equal(stdout(), "")
  })
}

test("a port that is taken is an error that says so", slow, async () => {
  const first = await serving({ GATEWAY_SECRET: secret })
  const { ended, stderr } = run([], { GATEWAY_SECRET: secret, HOST: "127.0.0.1", PORT: new URL(first.url).port })
  assert.equal(await ended, 1)
  assert.match(stderr(), /PORT \d+ of 127\.0\.0\.1 cannot be listened on: another program listens there/)
  first.kill()
})

const broken: [name: string, source: string, told: RegExp][] = [
  [
    "throws on import",
    '\nthrow new Error("boom 326162\\nand more")',
    /providers\/broken\.ts cannot be loaded: it throws Error: boom • \(broken\.ts:2:\d+\)\n/,
  ],
  [
    "throws a text",
    'throw "no key\\nfor 326162"',
    /broken\.ts cannot be loaded: it throws a text and no Error: no key\n/,
  ],
  ["throws null", "throw null", /broken\.ts cannot be loaded: it throws null and no Error\n/],
  [
    "rejects with a text",
    'await Promise.reject("gone")',
    /broken\.ts cannot be loaded: it throws a text and no Error: gone\n/,
  ],
  [
    "rejects on import",
    'await Promise.reject(new TypeError("gone"))',
    /providers\/broken\.ts cannot be loaded: it throws TypeError: gone \(broken\.ts:1:\d+\)\n/,
  ],
  [
    "cannot read what it needs",
    'export default JSON.parse("abcdefghij0123456789")',
    /providers\/broken\.ts cannot be loaded: it throws SyntaxError: (?!.*abcdefghij).*\(broken\.ts:1:\d+\)\n/,
  ],
  [
    "has a syntax error",
    "\nexport default {{",
    /providers\/broken\.ts cannot be loaded: (?!it throws).*\(broken\.ts:2(:17)?\)\n/,
  ],
  ["imports what is not there", 'import "./nothing.ts"', /providers\/broken\.ts cannot be loaded: .*nothing\.ts/],
  [
    "imports a name that a package has not",
    'import { nope } from "valibot"\nexport default nope',
    /providers\/broken\.ts cannot be loaded: .*nope/,
  ],
  ["exports a Promise", "export default Promise.resolve({})", /asks for: it is a Promise: write await before it/],
  ["exports a function", "export default () => ({})", /asks for: it is a function or a class: end the file with/],
  ["exports nothing", "export {}", /providers\/broken\.ts does not export what contract\.ts asks for: it is missing/],
  [
    "exports junk",
    "export default 42",
    /providers\/broken\.ts does not export what contract\.ts asks for: it is a number: end the file with/,
  ],
  [
    "lacks a function",
    'export default { docs: "x", env: {}, request() {} }',
    /providers\/broken\.ts does not export what contract\.ts asks for: receipt is missing/,
  ],
  [
    "has a variable that is no schema",
    'export default { docs: "x", env: { BROKEN_KEY: 1 }, request() {}, receipt() {} }',
    /env\.BROKEN_KEY needs v\.description/,
  ],
  [
    "describes no variable",
    'import * as v from "valibot"\nexport default { docs: "x", url: "https://x.example", env: { BROKEN_KEY: v.string() }, request() {}, receipt() {} }',
    /env\.BROKEN_KEY needs v\.description/,
  ],
  [
    "has no address",
    'export default { docs: "x", env: {}, request() {}, receipt() {} }',
    /BROKEN_URL is missing: the base URL of your account/,
  ],
]
for (const [name, source, told] of broken) {
  test(`a provider file that ${name} is an error that names it`, slow, async () => {
    await copy({ "providers/broken.ts": source }, async (folder) => {
      const { ended, stderr } = run([], { GATEWAY_SECRET: secret, SMS_PROVIDER: "broken" }, folder)
      assert.equal(await ended, 1)
      assert.match(stderr(), told)
    })
  })
}

const faults: [name: string, request: string, receipt: string, told: RegExp][] = [
  [
    "request throws",
    "({ code }) => { throw new TypeError('no ' + code + '\\nat all') }",
    '() => ({ id: "x" })',
    /^broken\.ts, line 4, column \d+: TypeError: no •$/,
  ],
  [
    "request rejects",
    "async ({ recipient }) => { throw new RangeError(recipient) }",
    '() => ({ id: "x" })',
    /^broken\.ts, line 4, column \d+: RangeError: •$/,
  ],
  [
    "receipt throws",
    "(_, __, { url }) => new Request(url)",
    "({ json }) => json.nothing.id",
    /^broken\.ts, line 5, column \d+: TypeError: ./,
  ],
  [
    "receipt throws a long text with the key at its end",
    '(_, __, { url }) => new Request(url, { headers: { authorization: "Bearer canary-of-the-account" } })',
    '() => { throw Error("x".repeat(135) + " canary-of-the-account") }',
    /^broken\.ts, line 5, column \d+: Error: x{135} •$/,
  ],
  ["request throws a text", '() => { throw "gone" }', "() => ({})", /^it throws a text and no Error: gone$/],
  ["request throws null", "() => { throw null }", "() => ({})", /^it throws null and no Error$/],
]
for (const [name, request, receipt, told] of faults) {
  test(`a provider whose ${name} is told with the place in its file`, slow, async () => {
    const { url, close } = await provider((_, response) => response.end("{}"))
    const source = `export default {
      docs: "https://broken.example", url: "${url}",
      env: {},
      request: ${request},
      receipt: ${receipt},
    }`
    await copy({ "providers/broken.ts": source }, async (folder) => {
      const { ended, stderr } = run(
        ["send", "+12223334444", "Your code is 326162"],
        { SMS_PROVIDER: "broken", LOG_FORMAT: "json" },
        folder,
      )
      assert.equal(await ended, 1)
      const line =
        stderr()
          .split("\n")
          .find((line) => line.includes('"exception"')) ?? "{}"
      assert.match(JSON.parse(line).reason, told)
      assert.doesNotMatch(stderr(), /326162|2223334444|canary/)
    })
    close()
  })
}

test("a provider file whose name has capitals is to be renamed, also where a runtime finds it", slow, async () => {
  const source = `export default {
    docs: "https://acme.example", url: "https://acme.example", env: {},
    request: () => ({ id: "x" }), receipt: ({ status }) => ({ code: status }),
  }`
  await copy({ "providers/Acme.ts": source }, async (folder) => {
    for (const name of ["acme", "Acme"]) {
      const { ended, stdout, stderr } = run(["check"], { GATEWAY_SECRET: secret, SMS_PROVIDER: name }, folder)
      await ended
      assert.match(
        stdout() + stderr(),
        /providers\/Acme\.ts .*rename it to acme\.ts|rename providers\/Acme\.ts to acme\.ts/,
      )
    }
  })
})

test("a provider file that is dropped in is all it takes", slow, async () => {
  const source = `import * as v from "valibot"
    import type { Provider } from "../main.ts"
    const env = { ACME_KEY: v.pipe(v.string(), v.description("the key")) }
    export default {
      docs: "https://acme.example", url: "https://acme.example", env,
      request: ({ recipient }, { ACME_KEY }, { url }) => new Request(url + "/" + recipient.slice(1), { headers: { key: ACME_KEY } }),
      receipt: ({ status, text }) => (status === 200 && text ? { id: text } : { code: status }),
      routes: (app, env) => { app.get("/hello", (c) => c.text(String(env.ACME_KEY.length))) },
    } satisfies Provider<typeof env>`
  const { url, close } = await provider((request, response) =>
    response.end(`${request.headers.key} ${request.url}`.replace("k-4", "ok")),
  )
  await copy({ "providers/acme.ts": source }, async (folder) => {
    const env = { GATEWAY_SECRET: secret, SMS_PROVIDER: "acme", ACME_KEY: "k-4", ACME_URL: url }
    const gateway = await serving(env, folder)
    assert.match(await (await post(gateway.url)).text(), /"provider":"acme","receipt":"ok \/•"/)
    assert.equal(await (await fetch(`${gateway.url}acme/hello`)).text(), "3")
    assert.equal((await fetch(`${gateway.url}acme/other`)).status, 404)
    gateway.kill()
    assert.equal(await gateway.ended, 0)
  })
  close()
})

test("a provider file in the working directory is found, in JavaScript too", slow, async () => {
  const source = `export default {
    docs: "https://acme.example", url: "https://acme.example", env: {},
    request: () => ({ id: "from the working directory" }),
    receipt: ({ status }) => ({ code: status }),
  }`
  await copy({ "providers/acme.js": source }, async (folder) => {
    const { ended, stdout } = run(["send", "+12223334444", "x"], { SMS_PROVIDER: "acme" }, undefined, folder)
    assert.equal(await ended, 0)
    assert.equal(JSON.parse(stdout()).receipt, "from the working directory")
  })
})

const files: [name: string, written: string | Buffer, told: RegExp | undefined][] = [
  ["in UTF-16 without a byte order mark", Buffer.from(`GATEWAY_SECRET=${secret}\n`, "utf16le"), undefined],
  ["with line ends of an old Mac", `SMS_SENDER=Acme\rGATEWAY_SECRET=${secret}\r`, undefined],
  ["with values of several lines", `HTTP_BODY="a\nb\n c"\nexport GATEWAY_SECRET='${secret}' # ours\n`, undefined],
  ["with comments", `# ours\nGATEWAY_SECRET='${secret}' # and\nSMS_SENDER=Acme # this\nCODE_TEXT= # none\n`, undefined],
  ["with a value like variables", `HTTP_BODY="to={recipient}\nfrom={sender}"\nGATEWAY_SECRET=${secret}\n`, undefined],
  [
    "with a # inside of a value",
    `GATEWAY_SECRET=${secret}\nSMS_SENDER=Ac#me\n`,
    /SMS_SENDER in line 2 of \.env is cut at its #: put it in quotes/,
  ],
  [
    "with more behind a quote",
    `GATEWAY_SECRET=${secret}\nSMS_SENDER='Acme' Inc\n`,
    /SMS_SENDER in line 2 of \.env has more behind the quote that ends it/,
  ],
  ["with what sets nothing", `; ours\n// ours\n======\nGATEWAY_SECRET=${secret}\nexport GATEWAY_SECRET\n`, undefined],
  [
    "with quotes of a word processor",
    `GATEWAY_SECRET=${secret}\nSMS_SENDER=“Acme”\n`,
    /SMS_SENDER in line 2 of \.env stands in typographic quotes/,
  ],
  [
    "with a variable that stands there twice",
    `GATEWAY_SECRET=canary\nSMS_SENDER=Acme\nGATEWAY_SECRET=${secret}\n`,
    /GATEWAY_SECRET in line 3 of \.env stands in line 1, too: the last one is read/,
  ],
  [
    "with quotes inside of quotes",
    `GATEWAY_SECRET=${secret}\nHTTP_BODY="{\\"canary\\": 1}"\n`,
    /HTTP_BODY in line 2 of \.env has more behind the quote that ends it/,
  ],
  [
    "with quotes of one kind inside of those of another",
    `GATEWAY_SECRET=${secret}\nCODE_TEXT='Your "code" is {code}'\nSMS_SENDER="O'Neill"\n`,
    undefined,
  ],
]
for (const [name, written, told] of files) {
  test(`a .env ${name} is read, and what is not read of it is told`, slow, async () => {
    await copy({}, async (folder) => {
      writeFileSync(`${folder}/.env`, written)
      // Bun reads it by itself, too, and takes what it finds.
      const gateway = await serving({ GATEWAY_SECRET: undefined, SMS_PROVIDER: "console" }, folder)
      assert.equal(await (await post(gateway.url)).status, 200)
      gateway.kill()
      await gateway.ended
      const { stdout, ended } = run(["check"], { SMS_PROVIDER: "console" }, folder)
      assert.equal(await ended, 0)
      assert.equal(/doubtful +\S.* of \.env/.test(stdout()), told !== undefined)
      assert.match(stdout(), told ?? /It would start/)
    })
  })
}

const quotes: [name: string, written: string, told: RegExp][] = [
  [
    "a line that is none",
    `# ours\n\nGATEWAY_SECRET=${secret}\nPORT: 4000\n`,
    /line 4 of \.env is no NAME=value: mend it/,
  ],
  ["a name alone", "GATEWAY_ALLOW_IPS\n", /line 1 of \.env is no NAME=value/],
  ["a secret alone", "canary0123456789abcdef0123456789\n", /line 1 of \.env is no NAME=value/],
  ["a colon in place of =", `GATEWAY_SECRET: canary${secret}==\n`, /line 1 of \.env is no NAME=value/],
  ["set before a name", `GATEWAY_SECRET=canary${secret}\nset ALLOW_DESTINATIONS=US\n`, /line 2 of \.env is no NAME/],
  ["a value in the next line", "GATEWAY_ALLOW_IPS=\n10.0.0.1\n", /line 2 of \.env is no NAME=value/],
  ["a name that goes on", `GATEWAY_SECRETcanary${"a".repeat(20)}==\n`, /GATEWAY_SECRET… is no setting/],
  [
    "a quote that does not end",
    `SMS_SENDER=Acme\nGATEWAY_SECRET="canary${secret}\nPORT=0\n`,
    /GATEWAY_SECRET in line 2 of \.env begins with a quote that does not end/,
  ],
  [
    "a quote that ends where another begins",
    `GATEWAY_SECRET="canary${secret}\nALLOW_DESTINATIONS="US"\n`,
    /GATEWAY_SECRET in line 1 of \.env begins with a quote that ends in another line/,
  ],
]
for (const [name, written, told] of quotes) {
  test(`a .env with ${name} ends the start, and says in which line`, slow, async () => {
    await copy({}, async (folder) => {
      writeFileSync(`${folder}/.env`, written)
      const { ended, stderr } = run(["check"], {}, folder)
      assert.equal(await ended, 1)
      assert.match(stderr(), told)
      assert.doesNotMatch(stderr(), /canary/)
    })
  })
}

/** A name whose value is empty is not set, and nothing is told of it. */
const secretLines: [line: string, isTold: boolean][] = [
  ["dGhlIGNhbmFyeSBvZiBhIHNlY3JldA==", true],
  ["q83vEjRWeJq83vEjRWeJASNFZ4mrze8BI0VniavN7wE=", false],
  ["JBSWY3DPEHPK3PXPJBSWY3DPEE======", true],
  ["MFRGGZDFMZTWQ2LKNNWG23TPOA======", true],
  ["whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0==", true],
]
test("a line of .env that is only a secret is told by its number alone, in the log and by check", slow, async () => {
  await copy({}, async (folder) => {
    for (const [line, isTold] of secretLines) {
      writeFileSync(`${folder}/.env`, `GATEWAY_SECRET=${secret}\n# ours\n${line}\nSMS_PROVIDER=console\n`)
      const gateway = await serving({ GATEWAY_SECRET: undefined }, folder)
      gateway.kill()
      await gateway.ended
      const checked = run(["check"], {}, folder)
      await checked.ended
      if (isTold) assert.match(checked.stdout(), /line 3 of \.env/, line)
      for (const told of [gateway.stdout() + gateway.stderr(), checked.stdout() + checked.stderr()]) {
        for (let at = 0; at + 8 <= line.length; at += 1)
          assert.ok(!told.includes(line.slice(at, at + 8)), `${line} is told in ${told}`)
      }
    }
  })
})

test("what a start misses is told with what .env has of it", slow, async () => {
  await copy({}, async (folder) => {
    writeFileSync(`${folder}/.env`, "GATEWAY_TOKEN=canary#and_more_of_it_0123456789\n")
    const { ended, stderr } = run(["check"], {}, folder)
    assert.equal(await ended, 1)
    assert.match(stderr(), /GATEWAY_TOKEN is wrong[\s\S]*GATEWAY_TOKEN in line 1 of \.env is cut at its #/)
    assert.doesNotMatch(stderr(), /canary/)
  })
})

test("a .env that is there and cannot be read ends the start", slow, async () => {
  await copy({}, async (folder) => {
    mkdirSync(`${folder}/.env`)
    const { ended, stderr } = run([], { GATEWAY_SECRET: secret }, folder)
    assert.equal(await ended, 1)
    assert.match(stderr(), /\.env is there and cannot be read: E[A-Z]+/)
  })
})

test("a provider file that never finishes loading is told, and does not end with 0", slow, async () => {
  await copy({ "providers/never.ts": "await new Promise(() => {})\nexport default {}" }, async (folder) => {
    const { ended, stderr } = run([], { GATEWAY_SECRET: secret, SMS_PROVIDER: "never" }, folder)
    assert.notEqual(await ended, 0)
    assert.match(stderr(), /never finishes loading|never resolved/)
  })
})

test("a first run has the same token after a restart", slow, async () => {
  const folder = mkdtempSync(join(tmpdir(), "smstask-"))
  const tokens: string[] = []
  for (let runs = 0; runs < 2; runs += 1) {
    const gateway = await serving({ TMPDIR: folder })
    tokens.push((await until(gateway.stderr, /Authorization: Bearer ([\w-]{43})'/))[1] ?? "")
    gateway.kill()
    assert.equal(await gateway.ended, 0)
  }
  rmSync(folder, { recursive: true })
  assert.equal(tokens[0], tokens[1])
})

test("outside of a terminal the line listening has what a terminal shows, and no whole number", slow, async () => {
  const more = { VOICE_PROVIDER: "console", DENY_DESTINATIONS: "+12223334444,KP", GATEWAY_ALLOW_IPS: "127.0.0.1" }
  const page = { PAGES: "log", LOG_TOKEN: "a-token-of-more-than-32-characters-01234" }
  const gateway = await serving({ GATEWAY_SECRET: secret, SMS_PROVIDER_44: "inbox", ...more, ...page })
  const [line = ""] = gateway.stdout().split("\n")
  const { time, level, event, address, look_at, ...inForce } = JSON.parse(line)
  assert.ok(time && level)
  assert.equal(event, "listening")
  assert.equal(look_at, `${address}inbox, ${address}log`)
  assert.deepEqual(inForce, {
    sms: "+44: inbox; console",
    types: "no premium, shared-cost, pager, voicemail, personal, satellite numbers",
    voice: "console",
    callers: "POST / by a token signed with GATEWAY_SECRET",
    only_from: "127.0.0.1",
    limits: "LIMIT_VOICE 3/10m; LIMIT_RECIPIENT 5/10m; LIMIT_PREFIX 50/10m",
    to: "every country (ALLOW_DESTINATIONS is not set)",
    not_to: "+1222333…, KP",
  })
  gateway.kill()
  assert.equal(await gateway.ended, 0)
})

for (const name of ["main.ts", "gateway.ts"]) {
  test(`main.ts alone in a folder, called ${name}, protects as at home`, slow, async () => {
    const isAlone = async (folder: string) => {
      if (name !== "main.ts") renameSync(`${folder}/main.ts`, `${folder}/${name}`)
      const wrong: [env: Record<string, string>, told: RegExp][] = [
        [{ GATEWAY_ALOW_IPS: "192.0.2.1" }, /GATEWAY_ALOW_IPS is no setting/],
        [{ ALOW_DESTINATIONS: "US" }, /ALOW_DESTINATIONS is no setting/],
        [{ CODE_TEXT: "no code" }, /CODE_TEXT is wrong: expected a text that holds \{code\}/],
        [{ ALLOW_DESTINATIONS: "UK" }, /UK is no country/],
        [{ GATEWAY_AUTH: "none" }, /GATEWAY_AUTH=none lets anyone send/],
        [{ PLATFORMS: "auth0" }, /there is no providers\/parts\/platforms\.ts/],
        [{ PAGES: "log" }, /there is no providers\/parts\/pages\.ts/],
        [{ STORE: "redis://127.0.0.1:1" }, /there is no providers\/parts\/store\.ts/],
        [{ SMS_PROVIDER: "twilio" }, /there is no providers\/twilio\.ts/],
      ]
      for (const [env, told] of wrong) {
        const { ended, stdout, stderr } = run([], { GATEWAY_SECRET: secret, ...env }, folder, undefined, [], name)
        assert.equal(await ended, 1, JSON.stringify(env))
        assert.match(stderr(), told)
        assert.doesNotMatch(stdout(), /listening/)
      }
      writeFileSync(`${folder}/.env`, `GATEWAY_SECRET=${secret}\nCODE_TEXT=Kode {code}\nALLOW_DESTINATIONS=US\n`)
      const gateway = await serving({ GATEWAY_ALLOW_IPS: "127.0.0.1" }, folder, [], name)
      const call = async (fields: object) => {
        const headers = { authorization: `Bearer ${await sign()}` }
        return (await fetch(gateway.url, { method: "POST", headers, body: JSON.stringify(fields) })).status
      }
      assert.equal(await call({ recipient: "+12015550123", code: "326162" }), 200)
      assert.equal(await call({ recipient: "+4915112345678", code: "326162" }), 422)
      await until(gateway.stdout, /To \+12015550123:\n {2}Kode 326162/)
      // Deno Deploy stops by SIGINT, and others by SIGTERM.
      gateway.kill(name === "main.ts" ? "SIGINT" : "SIGTERM")
      assert.equal(await gateway.ended, 0)
      assert.match(gateway.stdout(), /"event":"stopped"/)
    }
    if (!process.env.SMSTASK) await copy({}, isAlone, true)
  })
}

test(".env is read where it stands, and real variables win", slow, async () => {
  await copy(
    { ".env": `GATEWAY_SECRET=${secret}\nGATEWAY_AUDIENCE=urn:file\nGATEWAY_ISSUER=file\n` },
    async (folder) => {
      // One pair of quotes goes, and no more.
      const gateway = await serving({ GATEWAY_ISSUER: `'"real"'` }, folder)
      const call = async (claims: Record<string, string>) =>
        (
          await fetch(gateway.url, {
            method: "POST",
            headers: { authorization: `Bearer ${await sign({ claims })}` },
            body: "{}",
          })
        ).status
      assert.equal(await call({ aud: "urn:file", iss: '"real"' }), 400)
      assert.equal(await call({ aud: "urn:file", iss: "file" }), 401)
      assert.equal(await call({ aud: "urn:smstask", iss: '"real"' }), 401)
      gateway.kill()
    },
  )
})
