import assert from "node:assert/strict"
import { test } from "node:test"
import { message, start } from "./world.ts"

/** The code that a provider is given for a text, or undefined where it is given none. */
async function codeOf(body: string, env: Record<string, string> = {}, code?: string): Promise<string | undefined> {
  const { post, calls } = await start({ HTTP_BODY: '{"code":"{code}"}', ...env })
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
  ["رمزك هو ٣٢٦١٦٢", "326162"],
  ["आपका कोड ३२६१६२ है", "326162"],
  ["コードは３２６１６２です", "326162"],
  ["รหัส ๓๒๖๑๖๒", "326162"],
  ["326162 = ٣٢٦١٦٢", "326162"],
]
for (const [body, code] of texts) {
  test(`${JSON.stringify(body)} holds ${code ?? "no code, or several"}`, async () => {
    assert.equal(await codeOf(body), code)
  })
}

test("a code that the platform sends apart is taken as it is", async () => {
  assert.equal(await codeOf("Your code is 326162", {}, "4711"), "4711")
})

test("CODE_PATTERN finds the code by its group, or by its match", async () => {
  const body = "Order 20260131. Your code: AB-12"
  assert.equal(await codeOf(body, { CODE_PATTERN: "code: (\\S+)" }), "AB-12")
  assert.equal(await codeOf(body, { CODE_PATTERN: "\\b[A-Z]{2}-\\d+" }), "AB-12")
  assert.equal(await codeOf(body, { CODE_PATTERN: "PIN (\\d+)" }), undefined)
  await assert.rejects(start({ CODE_PATTERN: "(" }), /CODE_PATTERN is wrong: expected is a regular expression/)
})
