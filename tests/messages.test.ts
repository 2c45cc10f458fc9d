import assert from "node:assert/strict"
import { test } from "node:test"
import { loadFile, type Platform } from "../main.ts"
import { message, problem, providers, standing, start, status, take } from "./lib/world.ts"

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
  ["of Auth0's connection", { recipient, body, sender }],
  ["of the connection with forward_req_info", { recipient, body, sender, req: { ip: "192.0.2.1", "user-agent": "x" } }],
  [
    "of the sample Action with the whole request",
    { recipient, body, sender, req: { ip: "192.0.2.1", geoip: { countryCode: "US" } } },
  ],
  [
    "of the README's Action",
    { recipient, body, sender, code: "326162", locale: "en_US", channel: "sms", message_type: "otp_verify", req: {} },
  ],
  ["with the address as ip", { recipient, body, sender, ip: "192.0.2.1" }],
  ["with members that nobody knows", { recipient, body, sender, __proto__: { x: 1 }, constructor: "x", extra: [1] }],
  ["with another's words beside its own", { recipient, body, sender, to: "x", text: 1, from: {}, notification: [] }],
  [
    "with null for all that is optional",
    { recipient, body, sender, code: null, locale: null, channel: null, req: null, ip: null },
  ],
]
for (const [name, sent] of shapes) {
  test(`the shape ${name} is read`, async () => {
    assert.deepEqual(await outgoing(sent), { to: recipient, from: sender, text: body })
  })
}

/** Auth0's other shapes, which its own path reads. */
const token = "the-token-of-auth0-0123456789abcdef-0123"
const auth0Shapes: [name: string, body: object][] = [
  [
    "of send-phone-message's sample",
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
  ["of the shortest sample", { to: recipient, from: sender, body }],
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
]
for (const [name, sent] of auth0Shapes) {
  test(`the shape ${name} is read at POST /auth0, and its words are none at POST /`, async () => {
    const { post, calls } = await start({ PLATFORMS: "auth0", AUTH0_TOKEN: token })
    const response = await post(sent, { authorization: `Bearer ${token}` }, "/auth0")
    assert.equal(response.status, 200, await response.text())
    const { to, from, text } = JSON.parse(calls[0]?.text ?? "{}")
    assert.deepEqual({ to, from, text }, { to: recipient, from: sender, text: body })
    // A code that comes alone is one that needs a text.
    const isCodeAlone = "recipient" in sent && "code" in sent
    assert.equal((await post(sent)).status, isCodeAlone ? 200 : 400)
    if (isCodeAlone) assert.equal(JSON.parse(calls[1]?.text ?? "{}").text, "Your code is 326162")
  })
}

test("the whole event of send-phone-message is read, with the sender that is set", async () => {
  const sent = {
    message_options: { action: "enrollment", recipient, text: body, code: "326162", message_type: "sms" },
    request: { ip: "192.0.2.1" },
  }
  const { post, calls } = await start({ PLATFORMS: "auth0", AUTH0_TOKEN: token, SMS_SENDER: "Acme" })
  assert.equal((await post(sent, { authorization: `Bearer ${token}` }, "/auth0")).status, 200)
  assert.deepEqual(JSON.parse(calls[0]?.text ?? "{}"), { to: recipient, from: "Acme", text: body })
})

test("a platform file may leave out all but what makes a message", async () => {
  const written = [
    { recipient, body },
    { recipient, code: "0077" },
    { recipient, body, key: "k" },
  ]
  for (const given of written) {
    const platform: Platform = { docs: "https://example.com/", env: {}, read: () => given, setup: () => "" }
    const load = async (path: string) => (path === "platforms/mine" ? { default: platform } : await loadFile(path))
    const { post, calls } = await start({ PLATFORMS: "mine", MINE_TOKEN: token }, undefined, { load })
    const response = await post({}, { authorization: `Bearer ${token}` }, "/mine")
    assert.equal(response.status, 200, await response.text())
    assert.equal(JSON.parse(calls[0]?.text ?? "{}").text, given.body ?? "Your code is 0077")
  }
})

test("what a platform marks as a repetition gets the first answer for ten minutes, and another message its own", async () => {
  const read = (fields: object) => ({ ip: "", ...fields })
  const platform: Platform = { docs: "https://example.com/", env: {}, read, setup: () => "" }
  const load = async (path: string) => (path === "platforms/mine" ? { default: platform } : await loadFile(path))
  const time = standing()
  const { post, calls } = await start({ PLATFORMS: "mine", MINE_TOKEN: token }, undefined, { ...time.world, load })
  const send = async (key: string, more: object = {}) => {
    const sent = { recipient, body: "code 1", key, ...more }
    return await (await post(sent, { authorization: `Bearer ${token}` }, "/mine")).text()
  }
  const first = await send("one")
  assert.equal(await send("one"), first)
  // Platforms repeat their ids for other people and other codes, too.
  for (const more of [
    { body: "code 2" },
    { code: "2222" },
    { recipient: "+12015550123" },
    { channel: "sms", body: "3" },
  ])
    assert.notEqual(await send("one", more), first, JSON.stringify(more))
  time.pass(20_000)
  assert.equal(await send("one"), first)
  assert.notEqual(await send("two"), first)
  time.pass(579_999)
  assert.equal(await send("one"), first)
  time.pass(1)
  assert.notEqual(await send("one"), first)
  assert.equal(calls.length, 7)
})

test("a whole event of 60 KiB is read", async () => {
  const notification = { recipient, as_text: body, delivery_method: "text", from: sender }
  const sent = { notification, user: { user_metadata: { history: "x".repeat(60_000) } } }
  const { post } = await start({ PLATFORMS: "auth0", AUTH0_TOKEN: token })
  assert.equal((await post(sent, { authorization: `Bearer ${token}` }, "/auth0")).status, 200)
})

// ───────────────────────────── Bodies: JSON or a form, in UTF-8 ─────────────────────────────

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

const form = { "content-type": "application/x-www-form-urlencoded" }
const forms: [name: string, fields: string, headers: Record<string, string>][] = [
  ["as URLSearchParams writes it", String(new URLSearchParams(message)), form],
  [
    "with a charset",
    String(new URLSearchParams(message)),
    { "content-type": `${form["content-type"]}; charset=UTF-8` },
  ],
  ["with %20 for blanks", new URLSearchParams(message).toString().replaceAll("+", "%20"), form],
  ["with more fields", `${new URLSearchParams(message)}&code=326162&channel=sms&locale=de&x=1`, form],
  ["with a number's plus as it is", new URLSearchParams(message).toString().replaceAll("=%2B", "=+"), form],
  ["with empty fields", `${new URLSearchParams(message)}&code=&locale=`, form],
  [
    "whose content type is in capitals",
    String(new URLSearchParams(message)),
    { "content-type": "Application/X-WWW-Form-Urlencoded" },
  ],
]
for (const [name, fields, headers] of forms) {
  test(`a form ${name} is read`, async () => {
    assert.deepEqual(await outgoing(fields, {}, headers), { to: recipient, from: sender, text: body })
  })
}

test("the end user's address is read from a form as well", async () => {
  const { post } = await start({ LIMIT_IP: "1/10m" })
  const fields = (text: string) => String(new URLSearchParams({ ...message, body: text, ip: "192.0.2.1" }))
  assert.equal((await post(fields("one"), form)).status, 200)
  assert.equal((await post(fields("two"), form)).status, 429)
})

const utf16 = (text: string) => new Uint8Array(Buffer.from(text, "utf16le"))
const latin1 = (text: string) => new Uint8Array(Buffer.from(text, "latin1"))
const badBodies: [name: string, body: Uint8Array | string, headers?: Record<string, string>][] = [
  ["Latin-1", latin1(JSON.stringify(message))],
  ["UTF-16", utf16(`\uFEFF${JSON.stringify(message)}`)],
  [
    "UTF-8 that is cut in the middle of a letter",
    new Uint8Array([...Buffer.from('{"recipient":"+12223334444","body":"Gr'), 0xc3, 0x22, 0x7d]),
  ],
  ["a lone continuation byte", new Uint8Array([...Buffer.from('{"body":"'), 0x80, 0x22, 0x7d])],
  ["an overlong letter", new Uint8Array([...Buffer.from('{"body":"'), 0xc0, 0xaf, 0x22, 0x7d])],
  ["a surrogate in UTF-8", new Uint8Array([...Buffer.from('{"body":"'), 0xed, 0xa0, 0x80, 0x22, 0x7d])],
  ["a form in Latin-1", latin1(`recipient=%2B12223334444&body=Gr\xfc\xdfe`), form],
  ["JSON with a slip, as curl sends it", "{recipient:'+12223334444',body:'x'}", form],
  ["a form with escapes of Latin-1", "recipient=%2B12223334444&body=Gr%FC%DFe", form],
]
for (const [name, sent, headers] of badBodies) {
  test(`a body that is ${name} is a 400 that says UTF-8, and nothing is sent`, async () => {
    const { post, calls } = await start()
    const response = await post(sent, headers)
    const { code, detail } = await problem(response)
    assert.deepEqual([response.status, code], [400, "invalid_message"])
    assert.match(String(detail), /UTF-8/)
    assert.equal(calls.length, 0)
  })
}

/** A form in another charset, as midPoint and older platforms send it. */
const declared: [name: string, charset: string, fields: string | Uint8Array, sent: string][] = [
  [
    "escapes of Latin-1",
    "ISO-8859-1",
    "recipient=%2B12223334444&body=Gr%FC%DFe+%26+mehr:+326162",
    "Grüße & mehr: 326162",
  ],
  ["bytes of Latin-1", "iso-8859-1", latin1("recipient=+12223334444&body=Gr\xfc\xdfe%3D326162"), "Grüße=326162"],
  ["a charset in quotes", '"latin1"', "recipient=%2B12223334444&body=caf%E9+%2B+326162", "café + 326162"],
  ["escapes of windows-1252", "windows-1252", "recipient=%2B12223334444&body=%80+5:+326162", "€ 5: 326162"],
  ["escapes of windows-1251", "windows-1251", "recipient=%2B12223334444&body=%CA%EE%E4+326162", "Код 326162"],
  [
    "a second byte that is a letter",
    "Shift_JIS",
    "recipient=%2B12223334444&body=%83R%81%5B%83h+326162",
    "コード 326162",
  ],
  ["UTF-8", "utf-8", "recipient=%2B12223334444&body=Gr%C3%BC%C3%9Fe", "Grüße"],
  ["JSON in UTF-8 all the same", "ISO-8859-1", JSON.stringify({ recipient, body }), body],
]
for (const [name, charset, fields, sent] of declared) {
  test(`a form that declares ${charset} and holds ${name} is read`, async () => {
    const headers = { "content-type": `${form["content-type"]}; charset=${charset}` }
    assert.equal((await outgoing(fields, {}, headers)).text, sent)
  })
}

const undeclared: [name: string, charset: string, fields: string][] = [
  ["that nobody knows", "x-klingon", "recipient=%2B12223334444&body=326162"],
  ["of which its bytes are none", "Shift_JIS", "recipient=%2B12223334444&body=%83+326162"],
  ["of UTF-8, and escapes of Latin-1", "utf-8", "recipient=%2B12223334444&body=Gr%FC%DFe"],
]
for (const [name, charset, fields] of undeclared) {
  test(`a form in a charset ${name} is a 400, and nothing is sent`, async () => {
    const { post, calls } = await start()
    const response = await post(fields, { "content-type": `${form["content-type"]}; charset=${charset}` })
    assert.equal(response.status, 400)
    assert.match(String((await problem(response)).detail), /UTF-8/)
    assert.equal(calls.length, 0)
  })
}

test("a form in another charset is read only where its caller is proven", async (context) => {
  const { call, post } = await start()
  const { TextDecoder: Real } = globalThis
  let made = 0
  const counted = class extends Real {
    constructor(...given: ConstructorParameters<typeof Real>) {
      super(...given)
      made += 1
    }
  }
  context.after(() => Object.assign(globalThis, { TextDecoder: Real }))
  Object.assign(globalThis, { TextDecoder: counted })
  const headers = { "content-type": `${form["content-type"]}; charset=windows-1252` }
  const body = "recipient=%2B12223334444&body=%80+5"
  assert.equal((await call({ method: "POST", headers, body })).status, 401)
  assert.equal(made, 0)
  assert.equal((await post(body, headers)).status, 200)
  assert.equal(made, 1)
})

test("a replacement character that was sent as such is text", async () => {
  assert.equal((await outgoing({ recipient, body: "a \ufffd b", sender })).text, "a \ufffd b")
})

for (const coding of ["gzip", "br", "deflate", "zstd", "x-gzip", "gzip, br", "GZIP"]) {
  test(`a body coded as ${coding} is a 415 that names it, and nothing is sent`, async () => {
    const { post, calls } = await start()
    const response = await post(message, { "content-encoding": coding })
    const { code, detail } = await problem(response)
    assert.deepEqual([response.status, code], [415, "unsupported_encoding"])
    assert.match(String(detail), new RegExp(coding.split(",")[0] ?? "", "i"))
    assert.equal(calls.length, 0)
  })
}

test("a body whose coding is identity is read, and a coded one is not looked at without a proof", async () => {
  assert.equal((await outgoing(message, {}, { "content-encoding": "identity" })).text, body)
  const { call } = await start()
  const headers = { "content-encoding": "gzip" }
  assert.equal((await call({ method: "POST", headers, body: "x" })).status, 401)
})

// ───────────────────────────── Recipients: numbers as people write them ─────────────────────────────

const numbers: [written: string, e164: string, country?: string][] = [
  ["+12223334444", "+12223334444"],
  ["+1 222 333 4444", "+12223334444"],
  [" +1 222 333 4444 ", "+12223334444"],
  ["+1-808-555-5555", "+18085555555"],
  ["+1 (808) 555.5555", "+18085555555"],
  ["12125550100", "+12125550100", "US"],
  ["(212) 555-0100", "+12125550100", "US"],
  ["1-212-555-0100", "+12125550100", "US"],
  ["212.555.0100", "+12125550100", "CA"],
  ["011 44 20 7946 0958", "+442079460958", "US"],
  ["011 1 212 555 0100", "+12125550100", "US"],
  ["0012125550100", "+12125550100", "US"],
  ["+118765551234", "+18765551234"],
  ["+44 (0) 20 7946 0958", "+442079460958"],
  ["+44(0)20 7946 0958", "+442079460958"],
  ["(+44) (0)20 7946 0958", "+442079460958"],
  ["0044 20 7946 0958", "+442079460958"],
  ["00 44 (0)20 7946 0958", "+442079460958"],
  ["020 7946 0958", "+442079460958", "GB"],
  ["20 7946 0958", "+442079460958", "GB"],
  ["447911123456", "+447911123456", "GB"],
  ["07911 123456", "+447911123456", "GB"],
  ["+4407911123456", "+447911123456"],
  ["+1 222 333 4444", "+12223334444", "GB"],
  ["0012223334444", "+12223334444", "GB"],
  ["+39 06 1234 5678", "+390612345678"],
  ["06 1234 5678", "+390612345678", "IT"],
  ["333 123 4567", "+393331234567", "IT"],
  ["\u202a+49\u00a0151\u202f1234\u2009567\u202c", "+491511234567"],
  ["+49\u2011151\u20131234\u2212567", "+491511234567"],
  ["+49/151/1234567", "+491511234567"],
  ["0151 / 123 45 67", "+491511234567", "DE"],
  ["(0151) 1234567", "+491511234567", "DE"],
  ["06 12 34 56 78", "+33612345678", "FR"],
  ["06.12.34.56.78", "+33612345678", "FR"],
  ["+33 (0)6 12 34 56 78", "+33612345678"],
  ["0707070707", "+2250707070707", "CI"],
  ["+225 07 07 07 07 07", "+2250707070707"],
  ["8 926 123 45 67", "+79261234567", "RU"],
  ["8 (926) 123-45-67", "+79261234567", "RU"],
  ["+7 926 123 45 67", "+79261234567"],
  ["8~10 44 20 7946 0958", "+442079460958", "RU"],
  ["8 701 234 56 78", "+77012345678", "KZ"],
  ["+٩٦٦٥٠١٢٣٤٥٦٧", "+966501234567"],
  ["٠٥٠١٢٣٤٥٦٧", "+966501234567", "SA"],
  ["050 123 4567", "+971501234567", "AE"],
  ["０９０－１２３４－５６７８", "+819012345678", "JP"],
  ["０９０ー１２３４ー５６７８", "+819012345678", "JP"],
  ["090 1234 5678", "+819012345678", "JP"],
  ["＋８１ ９０ １２３４ ５６７８", "+819012345678"],
  ["98765 43210", "+919876543210", "IN"],
  ["098765 43210", "+919876543210", "IN"],
  ["919876543210", "+919876543210", "IN"],
  ["+९१ ९८७६५ ४३२१०", "+919876543210"],
  ["(11) 91234-5678", "+5511912345678", "BR"],
  ["011 91234-5678", "+5511912345678", "BR"],
  ["0 15 11 91234-5678", "+5511912345678", "BR"],
  ["011 15-2345-6789", "+5491123456789", "AR"],
  ["55 1234 5678", "+525512345678", "MX"],
  ["0412 345 678", "+61412345678", "AU"],
  ["0011 44 20 7946 0958", "+442079460958", "AU"],
  ["0803 123 4567", "+2348031234567", "NG"],
  ["0712 345678", "+254712345678", "KE"],
  ["0821234567", "+27821234567", "ZA"],
  ["06 20 123 4567", "+36201234567", "HU"],
  ["0532 123 45 67", "+905321234567", "TR"],
  ["138 0013 8000", "+8613800138000", "CN"],
  ["010-1234-5678", "+821012345678", "KR"],
  ["0812-3456-7890", "+6281234567890", "ID"],
  ["06-12345678", "+31612345678", "NL"],
  ["050 123 45 67", "+380501234567", "UA"],
  ["+\u{1d7cf}\u{1d7d0}\u{1d7d0}\u{1d7d0}3334444", "+12223334444"],
  ["+\u{116db}2223334444", "+12223334444"],
  ["+15005550006", "+15005550006"],
]
for (const [written, e164, country] of numbers) {
  test(`the number ${JSON.stringify(written)} is ${e164}${country ? ` where DEFAULT_COUNTRY is ${country}` : ""}`, async () => {
    const env = country ? { DEFAULT_COUNTRY: country } : {}
    assert.equal((await outgoing({ recipient: written, body, sender }, env)).to, e164)
  })

  if (country && /^\p{Nd}/u.test(written) && !written.startsWith("00")) {
    test(`the number ${JSON.stringify(written)} is a 400 that names DEFAULT_COUNTRY where that is not set`, async () => {
      const { post, calls } = await start()
      const response = await post({ recipient: written, body, sender })
      assert.equal(response.status, 400)
      assert.match(String((await problem(response)).detail), /^recipient .*DEFAULT_COUNTRY/)
      assert.equal(calls.length, 0)
    })
  }
}

// ───────────────────────────── Senders: decided before they are judged ─────────────────────────────

const senders: [written: unknown, sent: string][] = [
  ["+1 500 555-0006", "+15005550006"],
  ["+1 (500) 555.0006", "+15005550006"],
  ["+١٥٠٠٥٥٥٠٠٠٦", "+15005550006"],
  ["\u202a+15005550006\u202c", "+15005550006"],
  ["15005550006", "15005550006"],
  ["0044 7700 900123", "+447700900123"],
  ["72 345", "72345"],
  ["++15673812244", "+15673812244"],
  ["+ +1 567-381-2244", "+15673812244"],
  ["＋+15673812244", "+15673812244"],
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

const byCountry: [env: Record<string, string>, recipient: string, sent: string][] = [
  [{ SMS_SENDER_US: "Yank", SMS_SENDER: "B" }, "+12125550100", "Yank"],
  [{ SMS_SENDER_US: "Yank", SMS_SENDER: "B" }, "+18765551234", "Own"],
  [{ SMS_SENDER_US: "Yank", SMS_SENDER_1212: "City" }, "+12125550100", "City"],
  [{ SMS_SENDER_US: "Yank", HTTP_SENDER: "A" }, "+12125550100", "A"],
  [{ SMS_SENDER_GB: "Brit", HTTP_SENDER_GB: "Mine" }, "+44 (0) 20 7946 0958", "Mine"],
  [{ HTTP_SENDER_44: "Digits", HTTP_SENDER_GB: "Mine" }, "+4402079460958", "Digits"],
]
for (const [env, recipient, sent] of byCountry) {
  test(`with ${JSON.stringify(env)} a text to ${recipient} comes from ${sent}`, async () => {
    assert.equal((await outgoing({ recipient, body, sender: "Own" }, env)).from, sent)
  })
}

/** Senders of a platform that can be none: of another product, too long, or broken. */
const impossible: [name: string, sender: string][] = [
  ["a Messaging Service id", "MG0123456789abcdef0123456789abcdef"],
  ["a name of 13 characters", "Acme Bank Inc"],
  ["a name of 12 characters", "Acme Bank 12"],
  ["a number of 16 digits", "+1234567890123456"],
  ["an address", "no-reply@example.com"],
  ["a line break", "Ac\nme"],
  ["a NUL", "Acme\u0000"],
  ["an unfilled template", `\${from}`],
]
for (const [name, written] of impossible) {
  test(`${name} for a sender is dropped with a warning of each message where another one is set`, async () => {
    for (const env of [
      { SMS_SENDER: "Own" },
      { HTTP_SENDER: "Own" },
      { SMS_SENDER_US: "Own" },
      { HTTP_SENDER_1: "Own" },
    ]) {
      const { post, calls, events } = await start({ ...env, LIMIT_RECIPIENT: "off" } as Record<string, string>)
      for (const text of ["one", "two"])
        assert.equal((await post({ recipient, body: text, sender: written })).status, 200)
      assert.deepEqual(
        calls.map(({ text }) => JSON.parse(text).from),
        ["Own", "Own"],
      )
      const warnings = events().filter(({ event }) => event === "warning")
      assert.equal(warnings.length, 2)
      assert.match(String(warnings[0]?.reason), /^sender .*configured sender is used/)
    }
  })

  test(`${name} for a sender is a 400 that names the settings where none is set for this number`, async () => {
    for (const env of [{}, { SMS_SENDER_49: "Own" }, { HTTP_SENDER_DE: "Own" }] as Record<string, string>[]) {
      const { post, calls } = await start(env)
      const response = await post({ recipient, body, sender: written })
      assert.equal(response.status, 400)
      assert.match(String((await problem(response)).detail), /^sender .*; set SMS_SENDER or the provider's own sender/)
      assert.equal(calls.length, 0)
    }
  })
}

test("a sender of the platform that is possible is not warned about, though another one is used", async () => {
  const { post, events } = await start({ HTTP_SENDER: "Own" })
  await post()
  assert.ok(!events().some(({ event }) => event === "warning"))
})

test("of a route every provider must have a sender of its own, or the message's is a 400", async () => {
  const given = providers({ a: status(500), b: () => take() })
  const sent = { recipient, body, sender: "much too long to be one" }
  const rest = { load: given.load }
  const some = await start({ ...given.env, A_SENDER: "A" }, given.answer, rest)
  assert.equal((await some.post(sent)).status, 400)
  const all = await start({ ...given.env, A_SENDER: "A", B_SENDER: "B" }, given.answer, rest)
  assert.equal((await all.post(sent)).status, 200)
  assert.deepEqual(
    all.calls.map(({ text }) => JSON.parse(text).sender),
    ["A", "B"],
  )
})

// ───────────────────────────── Texts ─────────────────────────────

test("line breaks, tabs of no kind, emoji and 1,600 characters go out", async () => {
  const texts: [written: string, sent: string][] = [
    ["a\nb\r\nc", "a\nb\nc"],
    ["😀".repeat(1600), "😀".repeat(1600)],
    ["x".repeat(1600), "x".repeat(1600)],
    [" ", " "],
    ["a\u0000b\u0007c\u001b[31md\u009be\u007ff", "abc[31mdef"],
    ["a\ud800b", "a\ufffdb"],
    ["\u202eabc\u200d", "\u202eabc\u200d"],
    ["a\n\n\nb", "a\n\n\nb"],
  ]
  for (const [written, sent] of texts) assert.equal((await outgoing({ recipient, body: written, sender })).text, sent)
})

const unfilled: [body: string, told: string][] = [
  ["Your code is @@password@@", "@@password@@"],
  ["Your code is @@ code @@.", "@@ code @@"],
  ["Your code is {{ password }}", "{{ password }}"],
  ["Your code is {{code}}", "{{code}}"],
  ["{{ application.name }}: 326162", "{{ application.name }}"],
  ["Code {% if code %}326162{% endif %}", "{% if code %}"],
  ["{{password | upcase}} 326162", "{{password • upcase}}"],
  ["{{ code47114711 }}", "{{ code•••••••• }}"],
  ["$ctx.otp", "$ctx.otp"],
  ["Hello, $ctx.msg.", "$ctx.msg"],
  [`Your code is \${code}`, `\${code}`],
  [`Your code is \${ctx.otp47114711}`, `\${ctx.otp••••••••}`],
  ["Your code is {code}", "{code}"],
  ["{verification_code} is your code", "{verification_code}"],
  ["{ otpCode } is your code", "{ otpCode }"],
  ["Hello {name}, 326162", "{name}"],
  ["Your code is {0}", "{•}"],
  ["Your code is {$code}", "$code"],
  ["Your code is $code", "$code"],
  ["Your code is #{code}", "#{code}"],
  ["Your code is %{code}", "%{code}"],
  ["Your code is @{code}", "@{code}"],
  ["Your code is {#var#}", "{#var#}"],
  ["Your code is <%= code %>", "<%• code %>"],
  ["Your code is %code%", "%code%"],
  ["Your code is %OTP%", "%OTP%"],
  ["Your code is ##OTP##", "#OTP#"],
  ["Your code is [[code]]", "[[code]]"],
  ["Your code is <<code>>", "<<code>>"],
  ["Your code is %s.", "%s"],
  ["Your code is %(code)s", "%(code)s"],
  ["Your code is *|CODE|*", "••CODE••"],
]
for (const [text, told] of unfilled) {
  test(`a text with ${told} left unfilled is a 400 that says so, and nothing is sent`, async () => {
    const { post, calls, lines } = await start()
    const response = await post({ recipient, body: text, sender })
    const { code, detail } = await problem(response)
    assert.deepEqual([response.status, code], [400, "invalid_message"])
    assert.equal(detail, `body holds ${told}, which the platform's template left unfilled`)
    assert.equal(calls.length, 0)
    assert.doesNotMatch(lines.join(), /47114711/)
  })
}

for (const text of [
  "mail me@@home 326162",
  "{326162}",
  "100 {% off",
  "{{}} 326162",
  "a {{ b",
  "}} 326162 {{",
  "@@ 326162",
  "{Acme} 326162",
  "[Acme] 326162 is your code",
  "【Acme】您的验证码是326162",
  "Your credit of US$5.00 ends, 326162",
  "$BRK.B: 326162",
  "5% off, 20% more, 326162",
  "Plus de 20 %d'avance, 326162",
  "#acme #code 326162",
  "326162 is your code\n@acme.example.com #326162",
  "<#> 326162 is your code\nFA+9qCX9VSu",
  `https://acme.example.com/\${5} 326162`,
]) {
  test(`${JSON.stringify(text)} is a text and no template`, async () => {
    assert.equal((await outgoing({ recipient, body: text, sender })).text, text)
  })
}

test("a code that is a template's is a 400 as well", async () => {
  const { post, calls } = await start()
  for (const sent of [
    { recipient, code: `\${otp}` },
    { recipient, code: "$ctx.otp" },
    { recipient, body, code: "{{ otp }}" },
  ]) {
    const response = await post(sent)
    assert.equal(response.status, 400)
    assert.match(String((await problem(response)).detail), /^code holds .+, which the platform's template left unf/)
  }
  assert.equal(calls.length, 0)
})

const encoded = [
  "Verification+Code%3A+100009",
  "Your%20code%3A%20100009",
  "Your+code+is+100009",
  "100009+est+votre+code",
  "Code+100009",
  "Ihr%0ACode:100009",
  "%E6%82%A8%E7%9A%84%E9%AA%8C%E8%AF%81%E7%A0%81100009",
  "https%3A%2F%2Facme.example.com%2Fverify%3Fcode%3D100009",
]
for (const text of encoded) {
  test(`${JSON.stringify(text)} is a 400 that says that it is still encoded, in JSON and in a form`, async () => {
    const { post, calls } = await start()
    const inForm = new URLSearchParams({ recipient, body: text }).toString()
    for (const response of [await post({ recipient, body: text }), await post(inForm, form)]) {
      const { code, detail } = await problem(response)
      assert.deepEqual([response.status, code], [400, "invalid_message"])
      assert.equal(detail, "body is still encoded: %XX or + stands where a blank should")
    }
    assert.equal(calls.length, 0)
  })
}

test("a form that was encoded twice is a 400 that says so", async () => {
  const { post } = await start()
  const response = await post("recipient=%2B12223334444&body=Your%2520code%2520is%2520100009", form)
  assert.match(String((await problem(response)).detail), /^body is still encoded/)
})

for (const text of [
  "100%25 free? Code 660105",
  "Sign in: https://acme.example.com/a%2Fb?to=a+b+cd, or 326162",
  "https://acme.example.com/verify?to=a%2Fb%20c&more=ab+cd",
  "acme.example.com/verify/ab%20cd+ef",
  "user+tag@example.com:326162",
  "全场5折50%20元起,326162",
  "使用Disney+Hulu会员,326162",
  "A+B:326162",
  "C++:326162",
  "100%",
]) {
  test(`${JSON.stringify(text)} is a text and not encoded`, async () => {
    assert.equal((await outgoing({ recipient, body: text, sender })).text, text)
  })
}

test("a code that comes alone gets CODE_TEXT, in its language where there is one", async () => {
  const env = { CODE_TEXT: "Code: {code}", CODE_TEXT_PT: "Seu código é {code}", CODE_TEXT_DE_AT: "Ihr Code:\\n{code}" }
  const textOf = async (locale: string | null, settings: Record<string, string> = env) =>
    (await outgoing({ recipient, code: "0077", locale }, settings)).text
  assert.equal(await textOf(null), "Code: 0077")
  assert.equal(await textOf("pt_BR"), "Seu código é 0077")
  assert.equal(await textOf("de-AT"), "Ihr Code:\n0077")
  assert.equal(await textOf("fr"), "Code: 0077")
  assert.equal(await textOf("fr", {}), "Your code is 0077")
})

const object = /JSON object/
const wrong: [name: string, body: unknown, detail: RegExp][] = [
  ["nothing", "", object],
  ["no JSON", "recipient=+1222", object],
  ["a form under another content type", String(new URLSearchParams(message)), object],
  ["half of a JSON object", '{"recipient": "+12223334444"', object],
  ["null", "null", object],
  ["a text", '"x"', object],
  ["a number", "1", object],
  ["an empty list", "[]", /recipient is missing/],
  ["an empty object", {}, /recipient is missing/],
  ["only a body", { body }, /^recipient is missing$/],
  ["only a recipient", { recipient }, /^body is missing$/],
  ["a number for the recipient", { recipient: 12223334444, body }, /^recipient must be text$/],
  ["a list for the body", { recipient, body: [] }, /^body must be text$/],
  ["an empty body", { recipient, body: "" }, /^body must be 1 to 1,600 characters$/],
  ["1,601 characters", { recipient, body: "x".repeat(1601) }, /^body must be 1 to 1,600 characters$/],
  [
    "a number without +",
    { recipient: "12223334444", body },
    /^recipient must begin with \+, or DEFAULT_COUNTRY must be set$/,
  ],
  ["a country's number without +", { recipient: "(222) 333-4444", body }, /^recipient must begin with \+/],
  ["too few digits", { recipient: "+123456", body }, /^recipient must be a phone number/],
  ["too many digits", { recipient: "+1234567890123456", body }, /^recipient must be a phone number/],
  [
    "sixteen digits of a country that has long numbers",
    { recipient: "+4912345678901234", body },
    /^recipient must be a/,
  ],
  ["a number of no possible length", { recipient: "+1222333444", body }, /^recipient must be a phone number/],
  ["a calling code that nobody has", { recipient: "+999123456789", body }, /^recipient must be a phone number/],
  ["a number with an extension", { recipient: "+12223334444 ext. 5", body }, /^recipient must be a phone number/],
  ["a number with an extension as a URI has it", { recipient: "+12223334444;ext=5", body }, /^recipient must be a/],
  ["a text before the number", { recipient: "call +12223334444", body }, /^recipient must be a phone number/],
  ["a text behind the number", { recipient: "+12223334444 (home)", body }, /^recipient must be a phone number/],
  ["two plus signs", { recipient: "++12223334444", body }, /^recipient must be a phone number/],
  ["a calling code that begins with 0", { recipient: "+0123456789", body }, /^recipient must be a phone number/],
  ["letters in a number", { recipient: "+1222CALLNOW", body }, /^recipient must be a phone number/],
  ["two numbers", { recipient: "+12223334444,+12223335555", body }, /^recipient must be a phone number/],
  ["a name for a number", { recipient: "Anna", body }, /^recipient must be a phone number/],
  ["an empty recipient", { recipient: "", body }, /^recipient must be a phone number/],
  ["a line break in a number", { recipient: "+1222333\n4444", body }, /^recipient must not hold control characters$/],
  ["a NUL in a number", { recipient: "+12223334444\u0000", body }, /^recipient must not hold control characters$/],
  ["a line break in a sender", { recipient, body, sender: "Ac\nme" }, /^sender must not hold control characters/],
  ["a sender of 12 characters", { recipient, body, sender: "Acme Bank 12" }, /^sender must be a number, a short code/],
  ["a number for the sender", { recipient, body, sender: 5 }, /^sender must be text$/],
  ["a number for the code", { recipient, body, code: 123456 }, /^code must be text$/],
  ["an unknown channel", { recipient, body, channel: "fax" }, /^channel must be sms or text or voice$/],
  ["everything wrong at once", { recipient: 5, body: 1, sender: {} }, /^recipient .*; body .*; sender /],
  ["a body of control characters alone", { recipient, body: "\u0000\u0007" }, /^body must be 1 to 1,600 characters$/],
  ["a code of 41 characters", { recipient, body, code: "1".repeat(41) }, /^code must be at most 40 characters$/],
  ["a text in Auth0's word", { recipient, text: "x", from: "y" }, /^body is missing; the body has text, from$/],
  ["a number in another's word", { to: "x", body }, /^recipient is missing; the body has to$/],
  ["both in other words", { to: recipient, text: body }, /^recipient is missing; the body has to, text$/],
  ["both in other words still", { phone: "x", message: body }, /^recipient is missing; the body has phone, message$/],
  [
    "a number that is none in another's word",
    { number: 12, msg: [] },
    /^recipient is missing; the body has number, msg$/,
  ],
  [
    "more names than a handful",
    { to: 1, from: 1, text: 1, msg: 1, "phone-number": 1, otpCode: 1 },
    /^recipient is missing; the body has to, from, text, msg, phone-number$/,
  ],
  ["a long name", { ["phone".repeat(5)]: 1 }, /^recipient is missing; the body has (phone){4}$/],
  [
    "names that may be values",
    { "+12223334444": 1, "326162": 1, X7K9Q2: 1, "Your code": 1, "": 1, "text\n": 1, ABCDEF: 1, text326162: 1 },
    /^recipient is missing$/,
  ],
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

test("other names are told of a form as well, and never a form's content that is no name", async () => {
  const { post } = await start()
  const told = async (fields: string) => (await problem(await post(fields, form))).detail
  assert.equal(await told("to=%2B12223334444&text=326162"), "recipient is missing; the body has to, text")
  assert.equal(await told("ABCDEF"), "recipient is missing")
})

/** JSON that is broken, and where: as V8 tells it. */
const broken: [name: string, text: string, place: string][] = [
  ["an end that is missing", '{"recipient": "+12223334444"', "line 1, column 29"],
  ["a comma too many", '{"recipient":"+12223334444",}', "line 1, column 29"],
  ["a quote within a text", '{\n  "recipient": "+12223334444",\n  "body": "say "hi" now"\n}', "line 3, column 17"],
  ["a name without quotes", "{recipient:'x'}", "line 1, column 2"],
  ["single quotes", "{'recipient':'x'}", "line 1, column 2"],
  ["a line break within a text", '{"body":"x\ny"}', "line 1, column 11"],
  ["a text without its end", '{"body":"x', "line 1, column 11"],
  ["a wrong word", '{"a":[true, flase]}', "line 1, column 13"],
  ["a number that begins with 0", '{"a":012}', "line 1, column 7"],
  ["a list without its end", '{"a":[1,2,}', "line 1, column 11"],
  ["a bracket too many", '{"a":1}}', "line 1, column 8"],
  ["a colon that is missing", '{"a" 1}', "line 1, column 6"],
  ["nothing but a bracket", "{", "line 1, column 2"],
  ["no JSON at all", "hello", "line 1, column 1"],
]
for (const [name, text, place] of broken) {
  test(`JSON with ${name} is a 400 that tells its place and nothing of it`, async () => {
    const { post } = await start()
    const { detail } = await problem(await post(text, { "content-type": "application/json" }))
    assert.equal(
      detail,
      `the body must be a JSON object or a UTF-8 form: {recipient, body}; its JSON breaks at ${place}`,
    )
  })
}

test("a long text that breaks tells its place as well", async () => {
  const { post } = await start()
  const place = async (text: string) => String((await problem(await post(text))).detail).replace(/^.* at /, "")
  assert.equal(await place(`{"body":"${'\\"x'.repeat(20_000)}`), "line 1, column 60010")
  assert.equal(await place(`{"a":${"[".repeat(60_000)}`), "line 1, column 60006")
})

test("a voice message is a 422 without VOICE_PROVIDER, and nothing is sent", async () => {
  const { post, calls } = await start()
  const response = await post({ recipient, body, sender, channel: "voice" })
  assert.equal(response.status, 422)
  assert.equal((await problem(response)).code, "unsupported_channel")
  assert.equal(calls.length, 0)
})

for (const sent of [
  { notification: { recipient, as_text: body, as_voice: "x", delivery_method: "voice", from: sender } },
  { message_options: { recipient, text: body, message_type: "voice" } },
  { recipient, text: body, message_type: "voice" },
]) {
  test(`a voice message of Auth0 is a 422, and nothing is sent: ${Object.keys(sent)}`, async () => {
    const { post, calls } = await start({ PLATFORMS: "auth0", AUTH0_TOKEN: token })
    const response = await post(sent, { authorization: `Bearer ${token}` }, "/auth0")
    assert.equal(response.status, 422)
    assert.equal((await problem(response)).code, "unsupported_channel")
    assert.equal(calls.length, 0)
  })
}
