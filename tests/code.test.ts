import assert from "node:assert/strict"
import { test } from "node:test"
import { message, start } from "./lib/world.ts"

/** The code that a provider is given for a text, or undefined where it is given none. */
async function codeOf(body: string, env: Record<string, string> = {}, code?: string): Promise<string | undefined> {
  const { post, calls } = await start({ HTTP_BODY: '{"to":"{recipient}","code":"{code}"}', ...env })
  const { status } = await post({ ...message, body, code })
  assert.equal(status, calls.length === 1 ? 200 : 502)
  return calls[0] && JSON.parse(calls[0].text).code
}

const texts: [body: string, code: string | undefined][] = [
  ["Your code is 326162", "326162"],
  ["326162 is your code. Do not share 326162.", "326162"],
  ["Code: 0077", "0077"],
  ["Code: 1234567890", "1234567890"],
  ["G-326162", "326162"],
  ["Your code is 326162, valid for 10 minutes", "326162"],
  ["code 123", undefined],
  ["code 12345678901", undefined],
  ["no code here", undefined],
  ["1234 or 5678", undefined],
  ["Your code is 4711.\n\n@example.com #326162", "326162"],
  ["1234 5678\n@example.com #A1B2C3 %ecommerce.example", "A1B2C3"],
  ["mail me@example.com #1 or 4711", "4711"],
  ["@acme #1 in pizza. Code 482913", "482913"],
  ["@app.localhost:3000 #ABC123", "ABC123"],
  // A code with a letter, or with a sign between its digits, beside another number.
  ["Your code is QWERT7. Order 20481", undefined],
  ["Your code is A7-QWE. Order 20481", undefined],
  ["kxqw7r is your code. © 2026", undefined],
  ["482,913. Ticket 20481", undefined],
  ["482·913, ticket 20481", undefined],
  ["482|913 (20481)", undefined],
  ["482'913 (2026)", undefined],
  ["482:913 (2026)", undefined],
  ["482 - 913. Acme 2026", undefined],
  ["4, 8, 2, 9, 1, 3. Acme 2026", undefined],
  ["[4][8][2][9][1][3], order 20481", undefined],
  ["Your Auth0 code is 482913", "482913"],
  ["Office2 code 4821, valid until 12:30", "4821"],
  ["12,50 EUR. Code 482913", "482913"],
  ["رمزك هو ٣٢٦١٦٢", "326162"],
  ["आपका कोड ३२६१६२ है", "326162"],
  ["コードは３２６１６２です", "326162"],
  ["รหัส ๓๒๖๑๖๒", "326162"],
  ["326162 = ٣٢٦١٦٢", "326162"],
  // Digits of every script are the digits that they are, also where two rows of ten follow each other.
  ["Code 𝟎𝟏𝟐𝟑𝟒𝟓", "012345"],
  ["Code 𝟘𝟙𝟚𝟛𝟜𝟝", "012345"],
  ["Code 𝟢𝟣𝟤𝟥𝟦𝟧", "012345"],
  ["Code 𝟬𝟭𝟮𝟯𝟰𝟱", "012345"],
  ["Code 𝟶𝟷𝟸𝟹𝟺𝟿", "012349"],
  ["Code \u{116d0}\u{116d1}\u{116d2}\u{116d9}", "0129"],
  ["Code \u{116da}\u{116db}\u{116dc}\u{116e3}", "0129"],
  ["Code 47\u00ad11", "4711"],
  // Where letters stand in it, or it goes on, it is none.
  ["Your code is AB1234", undefined],
  ["Your code is 1234AB", undefined],
  ["Your code is 12AB34", undefined],
  ["Your code is ab-1234", undefined],
  ["Your code is K7 4711X", undefined],
  ["code TF33. Call 912066666", undefined],
  ["code 4711. Call 912066666", undefined],
  ["code 4711. Call +1 800 555 0199", undefined],
  ["123-456. © 2026 Acme", undefined],
  ["Your code: 123-456", undefined],
  ["Your code: 123 456", undefined],
  ["Your code: 123.456", undefined],
  ["Your code: 123–456", undefined],
  ["Your code: 123_456", undefined],
  ["Your code: 12 34 56. Order 2026", undefined],
  ["1234-1234", undefined],
  ["4711 4711", undefined],
  ["1234/5678", undefined],
  ["Order 2026-01-31, code 4711", undefined],
  ["12345678901 or 4711", undefined],
  ["Code &#49;23456", undefined],
  ["Code &#x31;23456", undefined],
  ["Code&nbsp;123456", undefined],
  ["Code 4711¹", undefined],
  ["Code 4711½", undefined],
  // What stands beside it is no code and no letter of it.
  ["AT&T: 326162", "326162"],
  ["Code 4711 (10min)", "4711"],
  ["Code 4711, valid for 30 min.", "4711"],
  ["Code 4711, valid until 12:30", "4711"],
  ["1st code: 4711", "4711"],
  ["Windows 11: 4711", "4711"],
  ["(326162) [Acme]", "326162"],
  ["*326162*", "326162"],
  ["#326162", "326162"],
  ["code:326162.", "326162"],
  ["验证码326162，5分钟内有效", "326162"],
  ["인증번호 [326162]", "326162"],
  ["รหัส326162", "326162"],
  ["Код 326162. Никому не говорите", "326162"],
  // Android's SMS Retriever, and a WebOTP line, which comes first.
  ["<#> 326162 is your code\nFA+9qCX9VSu", "326162"],
  ["<#> Your code: 326162\n\n12345678901", "326162"],
  ["Your code is AB-12.\n\n@example.com #AB-12", "AB-12"],
  ["© 2026 Acme 4711\n@login.example.com #4711", "4711"],
]
for (const [body, code] of texts) {
  test(`${JSON.stringify(body)} holds ${code ?? "no code, or several"}`, async () => {
    assert.equal(await codeOf(body), code)
  })
}

test("a code that the platform sends apart is taken as it is", async () => {
  assert.equal(await codeOf("Your code is 326162", {}, "4711"), "4711")
})

test("a code that the platform sends apart is trimmed, and an empty one is looked for in the text", async () => {
  assert.equal(await codeOf("Your code is 326162", {}, " 0077 "), "0077")
  assert.equal(await codeOf("Your code is 326162", {}, ""), "326162")
  assert.equal(await codeOf("1234 or 5678", {}, "AB 12"), "AB 12")
})

test("a provider that needs no code sends a text that has none", async () => {
  const { post, calls } = await start()
  assert.equal((await post({ ...message, body: "Your code is AB1234" })).status, 200)
  assert.equal(calls.length, 1)
})

test("CODE_PATTERN finds the code by its group, or by its match", async () => {
  const body = "Order 20260131. Your code: AB-12"
  assert.equal(await codeOf(body, { CODE_PATTERN: "code: (\\S+)" }), "AB-12")
  assert.equal(await codeOf(body, { CODE_PATTERN: "\\b[A-Z]{2}-\\d+" }), "AB-12")
  assert.equal(await codeOf(body, { CODE_PATTERN: "PIN (\\d+)" }), undefined)
  await assert.rejects(start({ CODE_PATTERN: "(" }), /CODE_PATTERN is wrong: expected a regular expression/)
})

/** Codes with what a replacement of JavaScript takes for a pattern, and what a voice says of them in XML. */
const patterns: [code: string, spoken: string][] = [
  ["12$$34", "1, 2, $, $, 3, 4"],
  ["A$&B", "A, $, &#38;, B"],
  ["$`$'$1", "$, `, $, &#39;, $, 1"],
]
for (const [code, spoken] of patterns) {
  test(`the code ${code} goes out as it is, by text, template and voice`, async () => {
    const bodyOf = async (env: Record<string, string>, more: object = {}) => {
      const { post, calls } = await start(env)
      await post({ recipient: message.recipient, code, ...more })
      assert.equal(calls.length, 1)
      return calls[0]?.text ?? ""
    }
    assert.equal(JSON.parse(await bodyOf({ CODE_TEXT: "Code: {code}!" })).text, `Code: ${code}!`)
    assert.equal(JSON.parse(await bodyOf({ HTTP_BODY: '{"to":"{recipient}","code":"{code}"}' })).code, code)
    const template = { SMS_PROVIDER: "ghasedak", GHASEDAK_API_KEY: "key", GHASEDAK_TEMPLATE: "otp" }
    const sent = await bodyOf(
      { ...template, GHASEDAK_VARIABLES: '{"code":"{code}","text":"{body}"}', CODE_TEXT: "Code: {code}!" },
      { recipient: "+989123456789" },
    )
    assert.deepEqual(
      JSON.parse(sent).inputs.map(({ value }: { value: string }) => value),
      [code, `Code: ${code}!`],
    )
    const account = { TWILIO_ACCOUNT_SID: `AC${"a".repeat(32)}`, TWILIO_AUTH_TOKEN: "b".repeat(32) }
    const voice = { VOICE_PROVIDER: "twilio-voice", ...account, TWILIO_VOICE_SENDER: "+15005550006" }
    const called = await bodyOf({ ...voice, CODE_SPEECH: "It is {code}." }, { channel: "voice" })
    const said = [...`${new URLSearchParams(called).get("Twiml")}`.matchAll(/<Say[^>]*>([^<]*)</g)]
    assert.deepEqual(
      said.map(([, text]) => text),
      [`It is ${spoken}.`, `It is ${spoken}.`],
    )
  })
}
