import assert from "node:assert/strict"
import { test } from "node:test"
import { message, start } from "./world.ts"

const env = {
  SMS_PROVIDER: "eskiz",
  ESKIZ_EMAIL: "user@example.com",
  ESKIZ_PASSWORD: "eskiz-password",
  LIMIT_RECIPIENT: "off",
  LIMIT_PREFIX: "off",
}

/** A gateway to a provider that logs in; `sendAnswers` are given to the sending calls in order, then acceptances. */
async function eskiz(
  sendAnswers: Response[] = [],
  login = () => Response.json({ data: { token: `token-${logins}` } }),
) {
  let now = Date.now()
  const tokens: (string | null)[] = []
  const gateway = await start(
    env,
    (request) => {
      if (request.url.endsWith("/login")) {
        logins += 1
        return login()
      }
      tokens.push(request.headers.get("authorization"))
      return sendAnswers.shift() ?? Response.json({ id: "e-1", status: "waiting" })
    },
    { clock: () => now },
  )
  let sent = 0
  const send = async () => {
    sent += 1
    return (await gateway.post({ ...message, body: `code ${sent}` })).status
  }
  const pass = (ms: number) => {
    now += ms
  }
  return { ...gateway, send, tokens, pass }
}
let logins = 0
const unauthorized = () => Response.json({ message: "expired", status: "token-invalid" }, { status: 401 })

test("a provider that logs in does so once, and again when the token has expired", async () => {
  logins = 0
  const { send, tokens, pass } = await eskiz()
  assert.deepEqual([await send(), await send()], [200, 200])
  assert.equal(logins, 1)
  pass(30 * 86_400_000)
  assert.equal(await send(), 200)
  assert.equal(logins, 2)
  assert.deepEqual(tokens, ["Bearer token-1", "Bearer token-1", "Bearer token-2"])
})

test("a 401 makes it log in again and send once more, but only once", async () => {
  logins = 0
  const { send, tokens } = await eskiz([unauthorized()])
  assert.equal(await send(), 200)
  assert.deepEqual(tokens, ["Bearer token-1", "Bearer token-2"])
  logins = 0
  const { send: again, tokens: more, events } = await eskiz([unauthorized(), unauthorized()])
  assert.equal(await again(), 502)
  assert.equal(more.length, 2)
  assert.equal(events().find(({ event }) => event === "refused")?.fault, "account")
})

test("a log-in that is refused is a refusal by fault of the account, and its token is never told", async () => {
  const { send, events } = await eskiz([], () => Response.json({ message: "no" }, { status: 401 }))
  assert.equal(await send(), 502)
  assert.equal(events().find(({ event }) => event === "refused")?.fault, "account")
  logins = 0
  const echo = () => Response.json({ message: "bad token token-1 given", status: "error" }, { status: 400 })
  const { send: told, lines } = await eskiz([echo()])
  assert.equal(await told(), 502)
  assert.ok(lines.some((line) => line.includes("bad token • given")))
  assert.ok(!lines.join().includes("token-1"))
})
