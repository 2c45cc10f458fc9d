/**
 * The platforms' own clients against the platform files: what signs or sends their calls is the library that they publish,
 * and so is what reads the answers. A platform's tests are there where its file is.
 */
import assert from "node:assert/strict"
import { createHmac } from "node:crypto"
import { test } from "node:test"
import { problems } from "../main.ts"
import { gateway, of, token } from "./lib/client.ts"
import { type Answers, blame, status } from "./lib/world.ts"

const key = (fill: string) => Buffer.from(fill.repeat(32)).toString("base64")

type Library = "standardwebhooks" | "svix"
/** The headers of a call that one of the two libraries of Standard Webhooks signs with `whsec_…`. */
async function signed(
  library: Library,
  secret: string,
  body: string,
  { id = "msg_1", time = Date.now(), prefix = "" },
) {
  const { Webhook } = await import(library)
  const signature: string = new Webhook(secret).sign(id, new Date(time), body)
  const seconds = Math.floor(time / 1_000)
  return { [`${prefix}-id`]: id, [`${prefix}-timestamp`]: `${seconds}`, [`${prefix}-signature`]: signature }
}

const minutes = 60_000
const libraries: Library[] = ["standardwebhooks", "svix"]

of("supabase", () => {
  const [secret, next] = [`whsec_${key("s")}`, `whsec_${key("n")}`]
  const prefix = "webhook"
  const body = JSON.stringify({
    metadata: { uuid: "3c1a2b6e-0000-4000-8000-000000000001", name: "send_sms", ip_address: "203.0.113.7" },
    user: { id: "11111111-1111-4111-8111-111111111111", phone: "15550100123", user_metadata: {} },
    sms: { otp: "482913", sms_type: "verification", phone: "15550100123" },
  })
  const message = { recipient: "+15550100123", body: "Your code is 482913", code: "482913", sender: "", channel: "sms" }
  for (const library of libraries) {
    test(`supabase: a hook signed by ${library} is taken, under each of two secrets`, async () => {
      for (const one of [secret, next]) {
        const { send, messages } = await gateway("supabase", { SUPABASE_SECRET: `v1,${secret}|v1,${next}` })
        const response = await send(body, await signed(library, one, body, { prefix }))
        assert.equal(response.status, 200, await response.clone().text())
        assert.deepEqual(await response.json(), {})
        assert.deepEqual(messages(), [message])
      }
    })

    test(`supabase: what ${library} did not sign so is refused`, async () => {
      const { send, messages } = await gateway("supabase", { SUPABASE_SECRET: `v1,${secret}` })
      const good = await signed(library, secret, body, { prefix })
      const other = body.replace("482913", "482914")
      const calls: [string, Record<string, string>][] = [
        [other, good],
        [body, await signed(library, next, body, { prefix })],
        [body, await signed(library, secret, body, { prefix, time: Date.now() - 6 * minutes })],
        [body, await signed(library, secret, body, { prefix, time: Date.now() + 6 * minutes })],
        [body, { ...good, "webhook-id": "msg_2" }],
        [body, await signed(library, secret, body, { prefix: "svix" })],
      ]
      for (const [text, headers] of calls) assert.equal((await send(text, headers)).status, 401)
      assert.deepEqual(messages(), [])
    })
  }

  test("supabase: a try that is signed anew under another id is the same message", async () => {
    const { send, messages } = await gateway("supabase", { SUPABASE_SECRET: `v1,${secret}`, DUPLICATE_WINDOW: "off" })
    for (const id of ["msg_1", "msg_2", "msg_3"])
      assert.equal((await send(body, await signed("svix", secret, body, { prefix, id }))).status, 200)
    assert.deepEqual(messages(), [message])
  })

  test("supabase: signatures of both secrets in one header, as Supabase joins them", async () => {
    const { send, messages } = await gateway("supabase", { SUPABASE_SECRET: `v1,${next}` })
    const [old, fresh] = [
      await signed("standardwebhooks", secret, body, { prefix }),
      await signed("standardwebhooks", next, body, { prefix }),
    ]
    const joined = { ...fresh, "webhook-signature": `${old["webhook-signature"]}, ${fresh["webhook-signature"]}` }
    assert.equal((await send(body, joined)).status, 200)
    assert.deepEqual(messages(), [message])
  })
})

of("clerk", () => {
  const secret = `whsec_${key("c")}`
  const prefix = "svix"
  const event = (data: object = {}) =>
    JSON.stringify({
      data: {
        object: "sms_message",
        id: "sms_example00000000000000000001",
        slug: "verification_code",
        from_phone_number: "+15550100199",
        to_phone_number: "+15550100123",
        message: "482913 is your verification code for Acme",
        status: "queued",
        data: { otp_code: "482913" },
        delivered_by_clerk: false,
        ...data,
      },
      event_attributes: { http_request: { client_ip: "203.0.113.7", user_agent: "Mozilla/5.0" } },
      instance_id: "ins_example0000000000000000000",
      object: "event",
      timestamp: Date.now(),
      type: "sms.created",
    })
  const message = {
    recipient: "+15550100123",
    body: "482913 is your verification code for Acme",
    code: "482913",
    sender: "",
    channel: "sms",
  }
  for (const library of libraries)
    test(`clerk: an event signed by ${library} is sent, and once however often it comes`, async () => {
      const { send, messages } = await gateway("clerk", { CLERK_SECRET: secret, DUPLICATE_WINDOW: "off" })
      const body = event()
      for (const time of [Date.now(), Date.now() + 5_000]) {
        const response = await send(body, await signed(library, secret, body, { prefix, time }))
        assert.equal(response.ok, true, `${response.status}`)
      }
      assert.deepEqual(messages(), [message])
    })

  test("clerk: what Svix did not sign so is refused", async () => {
    const { send, messages } = await gateway("clerk", { CLERK_SECRET: secret })
    const body = event()
    const calls = [
      await signed("svix", `whsec_${key("x")}`, body, { prefix }),
      await signed("svix", secret, `${body} `, { prefix }),
      await signed("svix", secret, body, { prefix, time: Date.now() - 6 * minutes }),
      await signed("svix", secret, body, { prefix: "webhook" }),
    ]
    for (const headers of calls) assert.equal((await send(body, headers)).status, 401)
    assert.deepEqual(messages(), [])
  })

  test("clerk: what Clerk delivered itself is not sent, and not asked for again", async () => {
    const { send, messages } = await gateway("clerk", { CLERK_SECRET: secret })
    const body = event({ delivered_by_clerk: true })
    assert.equal((await send(body, await signed("svix", secret, body, { prefix }))).ok, true)
    assert.deepEqual(messages(), [])
  })
})

of("authsignal", () => {
  const secret = "authsignal-test-secret-key-0123456789"
  const body = JSON.stringify({
    version: 1,
    id: "a1b2c3d4-0000-4000-8000-000000000001",
    source: "https://authsignal.com",
    time: "2026-12-31T00:00:00.000Z",
    tenantId: "dddddddd-dddd-4ddd-8ddd-dddddddddddd",
    type: "sms.created",
    data: {
      to: "+15550100123",
      code: "987654",
      userId: "11111111-1111-4111-8111-111111111111",
      idempotencyKey: "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
      actionCode: "sign-in",
      locale: "en",
    },
  })
  const sign = (secret: string, seconds = Math.floor(Date.now() / 1_000)) => {
    const digest = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("base64").replace("=", "")
    return `t=${seconds},v2=${digest}`
  }
  const message = { recipient: "+15550100123", body: "Your code is 987654", code: "987654", locale: "en" }

  test("authsignal: what its own library takes is taken, and what that refuses is refused", async () => {
    const { Webhook } = await import("@authsignal/node")
    const library = new Webhook(secret)
    const old = Math.floor(Date.now() / 1_000) - 360
    const two = sign(secret).replace(",", `,${sign("another key").split(",")[1]},`)
    for (const [signature, isGood] of [
      [sign(secret), true],
      [two, true],
      [sign("another key, as long as the first"), false],
      [sign(secret, old), false],
      [sign(secret).replace("v2=", "v1="), false],
    ] as const) {
      const { send, messages } = await gateway("authsignal", { AUTHSIGNAL_SECRET: secret })
      const response = await send(body, { "x-signature-v2": signature })
      if (isGood) assert.equal(library.constructEvent(body, signature).type, "sms.created")
      else assert.throws(() => library.constructEvent(body, signature))
      assert.equal(response.status, isGood ? 200 : 401, signature)
      assert.deepEqual(messages(), isGood ? [{ ...message, sender: "", channel: "sms" }] : [])
    }
  })
})

of("logto", () => {
  const sentence = (code: keyof typeof problems) => problems[code][2]
  /** Logto's connector as its console sets it up. */
  async function connector(answers?: Answers, env: Record<string, string> = {}, authorization = `Bearer ${token}`) {
    const { listen, messages } = await gateway("logto", { LOGTO_TOKEN: token, ...env }, answers)
    const library: string = "@logto/connector-http-sms" // it has no types
    const { default: createConnector } = await import(library)
    const endpoint = await listen()
    const getConfig = async () => ({ endpoint, authorization })
    const { sendMessage }: { sendMessage(data: object): Promise<unknown> } = await createConnector({ getConfig })
    const payload = { code: "482913", locale: "en", uiLocales: "en fr" }
    const send = async (to = "15550100123", type = "SignIn") => {
      // What the connector throws holds what the person reads.
      return await sendMessage({ to, type, payload, ip: "203.0.113.7" }).then(
        () => "sent",
        (error: { data: { message: string } }) => error.data.message,
      )
    }
    return { send, messages }
  }
  const message = { recipient: "+15550100123", body: "Your code is 482913", code: "482913", locale: "en" }

  test("logto: its connector sends a code", async () => {
    const { send, messages } = await connector()
    assert.equal(await send(), "sent")
    assert.deepEqual(messages(), [{ ...message, sender: "", channel: "sms" }])
  })

  test("logto: the person who logs in reads a plain sentence", async () => {
    const limited = await connector(undefined, { LIMIT_RECIPIENT: "1/10m", DUPLICATE_WINDOW: "off" })
    assert.equal(await limited.send(), "sent")
    assert.equal(await limited.send(), sentence("rate_limited"))
    const unknown = await connector({ texts: blame("recipient") })
    assert.equal(await unknown.send(), sentence("invalid_recipient"))
    const denied = await connector(undefined, { DENY_DESTINATIONS: "US" })
    assert.equal(await denied.send("12025550123"), sentence("destination_not_allowed"))
    const down = await connector({ texts: status(503) })
    assert.equal(await down.send(), sentence("delivery_rejected"))
  })

  test("logto: what may have gone out is a success, or its code would be worthless", async () => {
    const { send } = await connector({ texts: () => new Promise<Response>(() => {}) }, { DEADLINE: "1s" })
    assert.equal(await send(), "sent")
  })

  test("logto: another token is refused", async () => {
    const { send, messages } = await connector(undefined, {}, `Bearer ${token.toUpperCase()}`)
    assert.match(await send(), /authentication_failed/)
    assert.deepEqual(messages(), [])
  })
})
