import assert from "node:assert/strict"
import { test } from "node:test"
import { message, problem, start } from "./world.ts"

const { recipient, body, sender } = message

/** What the provider is asked to send for a body of the caller's. */
async function outgoing(sent: unknown, env: Record<string, string> = {}, headers: Record<string, string> = {}) {
  const { post, calls } = await start(env)
  const response = await post(sent, headers)
  assert.equal(response.status, 200, await response.text())
  const { to, from, text } = JSON.parse(calls[0]?.text ?? "{}")
  return { to, from, text }
}

const shapes: [name: string, body: unknown][] = [
  ["of the connection (A)", { recipient, body, sender }],
  ["of the connection with forward_req_info", { recipient, body, sender, req: { ip: "192.0.2.1", "user-agent": "x" } }],
  [
    "of the sample Action with the whole request",
    { recipient, body, sender, req: { ip: "192.0.2.1", geoip: { countryCode: "US" } } },
  ],
  [
    "of the README's Action",
    { recipient, body, sender, code: "326162", locale: "en_US", channel: "sms", message_type: "otp_verify", req: {} },
  ],
  [
    "of send-phone-message (B)",
    {
      from: sender,
      action: "second-factor-authenticator",
      language: "en",
      recipient,
      message_type: "text",
      text: body,
      code: "326162",
    },
  ],
  ["of the shortest sample (C)", { to: recipient, from: sender, body }],
  [
    "of the whole event of custom-phone-provider",
    {
      notification: {
        recipient: "+1-222-333-4444",
        as_text: body,
        as_voice: "x",
        code: "326162",
        delivery_method: "text",
        message_type: "otp_verify",
        from: sender,
        locale: "en_US",
      },
      request: { ip: "192.0.2.1", geoip: {} },
      client: { client_id: "x" },
      user: { user_id: "auth0|1" },
    },
  ],
  ["with members that nobody knows", { recipient, body, sender, __proto__: { x: 1 }, constructor: "x", extra: [1] }],
  [
    "with null for all that is optional",
    { recipient, body, sender, code: null, locale: null, channel: null, req: null },
  ],
]
for (const [name, sent] of shapes) {
  test(`the shape ${name} is read`, async () => {
    assert.deepEqual(await outgoing(sent), { to: recipient, from: sender, text: body })
  })
}

for (const type of [
  "text/plain;charset=UTF-8",
  "application/json",
  "application/x-www-form-urlencoded",
  "",
  "image/png",
]) {
  test(`JSON is read under the content type "${type}"`, async () => {
    assert.equal((await outgoing(message, {}, { "content-type": type })).text, body)
  })
}

test("JSON is read behind a byte order mark", async () => {
  assert.equal((await outgoing(`\uFEFF${JSON.stringify(message)}`)).text, body)
})

const numbers: [written: string, e164: string, callingCode?: string][] = [
  ["+12223334444", "+12223334444"],
  ["+1 222 333 4444", "+12223334444"],
  [" +1 222 333 4444 ", "+12223334444"],
  ["+1-808-555-5555", "+18085555555"],
  ["+1 (808) 555.5555", "+18085555555"],
  ["+44 (0) 20 7946 0958", "+442079460958"],
  ["+44(0)20 7946 0958", "+442079460958"],
  ["(+44) (0)20 7946 0958", "+442079460958"],
  ["0044 20 7946 0958", "+442079460958"],
  ["00 44 (0)20 7946 0958", "+442079460958"],
  ["+39 06 1234 5678", "+390612345678"],
  ["\u202a+49\u00a0151\u202f1234\u2009567\u202c", "+491511234567"],
  ["+49\u2011151\u20131234\u2212567", "+491511234567"],
  ["+49/151/1234567", "+491511234567"],
  ["020 7946 0958", "+442079460958", "44"],
  ["20 7946 0958", "+442079460958", "44"],
  ["+1 222 333 4444", "+12223334444", "44"],
  ["0012223334444", "+12223334444", "44"],
  ["+1234567", "+1234567"],
  ["+123456789012345", "+123456789012345"],
]
for (const [written, e164, callingCode] of numbers) {
  test(`the number ${JSON.stringify(written)} is ${e164}${callingCode ? ` where DEFAULT_CALLING_CODE is ${callingCode}` : ""}`, async () => {
    const env = callingCode ? { DEFAULT_CALLING_CODE: callingCode } : {}
    assert.equal((await outgoing({ recipient: written, body, sender }, env)).to, e164)
  })
}

const senders: [written: unknown, sent: string][] = [
  ["+1 500 555-0006", "+15005550006"],
  ["15005550006", "15005550006"],
  ["0044 7700 900123", "+447700900123"],
  ["72 345", "72345"],
  ["Acme", "Acme"],
  ["Acme Bank 1", "Acme Bank 1"],
  [" Acme ", "Acme"],
  ["", ""],
  [null, ""],
  [undefined, ""],
]
for (const [written, sent] of senders) {
  test(`the sender ${JSON.stringify(written)} goes out as "${sent}"`, async () => {
    assert.equal((await outgoing({ recipient, body, sender: written })).from, sent)
  })
}

const chosen: [name: string, env: Record<string, string>, own: string, sent: string][] = [
  [
    "the provider's own for the longest digits",
    { HTTP_SENDER_1: "A1", HTTP_SENDER_1222: "A1222", HTTP_SENDER: "A" },
    "Own",
    "A1222",
  ],
  ["the provider's own", { HTTP_SENDER_49: "A49", HTTP_SENDER: "A", SMS_SENDER_1: "B1" }, "Own", "A"],
  ["the common one for the number", { SMS_SENDER_1: "B1", SMS_SENDER_12: "B12", SMS_SENDER: "B" }, "Own", "B12"],
  ["the message's own", { SMS_SENDER_49: "B49", SMS_SENDER: "B" }, "Own", "Own"],
  ["the common one", { SMS_SENDER_49: "B49", SMS_SENDER: "+1 500-555" }, "", "+1500555"],
  ["none", { SMS_SENDER: "", HTTP_SENDER: " " }, "", ""],
]
for (const [name, env, own, sent] of chosen) {
  test(`of the senders that are set, ${name} is taken`, async () => {
    assert.equal((await outgoing({ recipient, body, sender: own }, env)).from, sent)
  })
}

test("the whole event of send-phone-message is read, with the sender that is set", async () => {
  const sent = {
    message_options: { action: "enrollment", recipient, text: body, code: "326162", message_type: "sms" },
    request: { ip: "192.0.2.1" },
  }
  assert.deepEqual(await outgoing(sent, { SMS_SENDER: "Acme" }), { to: recipient, from: "Acme", text: body })
})

test("line breaks, emoji and 1,600 characters go out untouched", async () => {
  for (const text of ["a\nb\r\nc", "😀".repeat(1600), "x".repeat(1600), " ", "\u0000"]) {
    assert.equal((await outgoing({ recipient, body: text, sender })).text, text)
  }
  assert.equal((await outgoing({ recipient, body: "a\ud800b", sender })).text, "a\ufffdb")
})

const object = /JSON object/
const wrong: [name: string, body: unknown, detail: RegExp][] = [
  ["nothing", "", object],
  ["no JSON", "recipient=+1222", object],
  ["half of a JSON object", '{"recipient": "+12223334444"', object],
  ["null", "null", object],
  ["a text", '"x"', object],
  ["a number", "1", object],
  ["an empty list", "[]", /recipient is missing; body is missing/],
  ["an empty object", {}, /recipient is missing; body is missing/],
  ["only a body", { body }, /^recipient is missing$/],
  ["only a recipient", { recipient }, /^body is missing$/],
  ["a number for the recipient", { recipient: 12223334444, body }, /^recipient must be text$/],
  ["a list for the body", { recipient, body: [] }, /^body must be text$/],
  ["an empty body", { recipient, body: "" }, /^body must be 1 to 1,600 characters$/],
  ["1,601 characters", { recipient, body: "x".repeat(1601) }, /^body must be 1 to 1,600 characters$/],
  [
    "a number without +",
    { recipient: "12223334444", body },
    /^recipient must begin with \+, or DEFAULT_CALLING_CODE must be set$/,
  ],
  ["too few digits", { recipient: "+123456", body }, /^recipient must be a phone number/],
  ["too many digits", { recipient: "+1234567890123456", body }, /^recipient must be a phone number/],
  ["a calling code that begins with 0", { recipient: "+0123456789", body }, /^recipient must be a phone number/],
  ["letters in a number", { recipient: "+1222CALLNOW", body }, /^recipient must be a phone number/],
  ["two numbers", { recipient: "+12223334444,+12223335555", body }, /^recipient must be a phone number/],
  ["a name for a number", { recipient: "Anna", body }, /^recipient must be a phone number/],
  ["an empty recipient", { recipient: "", body }, /^recipient must be a phone number/],
  ["a line break in a number", { recipient: "+1222333\n4444", body }, /^recipient must not hold control characters$/],
  ["a NUL in a number", { recipient: "+12223334444\u0000", body }, /^recipient must not hold control characters$/],
  ["a line break in a sender", { recipient, body, sender: "Ac\nme" }, /^sender must not hold control characters$/],
  ["a sender of 12 characters", { recipient, body, sender: "Acme Bank 12" }, /^sender must be a number, a short code/],
  ["a number for the sender", { recipient, body, sender: 5 }, /^sender must be text$/],
  ["a number for the code", { recipient, body, code: 123456 }, /^code must be text$/],
  ["an unknown channel", { recipient, body, channel: "fax" }, /^channel must be \("sms" \| "text" \| "voice"\)$/],
  ["everything wrong at once", { recipient: "x", body: 1, sender: {} }, /^recipient .*; body .*; sender /],
  ["shape B without a recipient", { text: "x", from: "y" }, /^recipient is missing$/],
  ["shape B without a text", { recipient, from: "y" }, /^body is missing$/],
  ["shape C with a wrong number", { to: "x", body }, /^to must be a phone number/],
]
for (const [name, sent, detail] of wrong) {
  test(`${name} is a 400 that names the fields, and nothing is sent`, async () => {
    const { post, calls } = await start()
    const response = await post(sent)
    const { code, detail: told } = await problem(response)
    assert.equal(response.status, 400)
    assert.equal(code, "invalid_message")
    assert.match(String(told), detail)
    assert.equal(calls.length, 0)
  })
}

for (const sent of [
  { recipient, body, sender, channel: "voice" },
  { notification: { recipient, as_text: body, as_voice: "x", delivery_method: "voice", from: sender } },
  { message_options: { recipient, text: body, message_type: "voice" } },
  { recipient, text: body, message_type: "voice" },
]) {
  test(`a voice message is a 422, and nothing is sent: ${Object.keys(sent)}`, async () => {
    const { post, calls } = await start()
    const response = await post(sent)
    assert.equal(response.status, 422)
    assert.equal((await problem(response)).code, "unsupported_channel")
    assert.equal(calls.length, 0)
  })
}
