/** DENY_TYPES: numbers that cost whoever sends to them, as far as libphonenumber is sure of their type. */
import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import examples from "libphonenumber-js/examples.mobile.json"
import { getCountries, getExampleNumber } from "libphonenumber-js/max"
import { message, problem, start } from "./lib/world.ts"

const unlimited = { LIMIT_RECIPIENT: "off", LIMIT_PREFIX: "off", DUPLICATE_WINDOW: "off" }

/** A gateway without limits; `send` gives the status of a message for one number. */
async function unguarded(env: Record<string, string> = {}) {
  const gateway = await start({ ...unlimited, ...env })
  const send = async (recipient: string) => (await gateway.post({ ...message, recipient })).status
  return { ...gateway, send }
}

const denied: [type: string, recipients: string[]][] = [
  ["premium", ["+19002345678", "+33899123456", "+39899123456", "+34803123456", "+41900123456", "+81990123456"]],
  ["premium", ["+449098790000", "+449091234567", "+78091234567", "+979123456789", "+358600123456", "+886203123456"]],
  ["shared-cost", ["+43820123456", "+34901123456", "+864001234567", "+41840123456", "+48801234567", "+33884123456"]],
  ["pager", ["+447640123456", "+41740123456", "+46747123456", "+48642123456", "+49164123456"]],
  ["voicemail", ["+3933012345678", "+41860123456789", "+49177991234567"]],
  ["personal", ["+447012345678", "+15002345678", "+41878123456", "+351884123456", "+4970012345678"]],
  ["satellite", ["+881612345678", "+88216123456789", "+8835100123456", "+870773111632"]],
]
const allowed: [type: string, recipients: string[]][] = [
  ["landline", ["+442079460958", "+493012345678", "+35318765432"]],
  ["voip", ["+445612345678", "+33912345678"]],
  ["toll-free", ["+18005550199", "+80012345678"]],
  ["uan", ["+443451234567", "+41581234567"]],
]

for (const [type, recipients] of denied) {
  test(`by default ${type} numbers are refused, and nobody is asked: ${recipients}`, async () => {
    const { post, calls, events } = await unguarded()
    for (const recipient of recipients) {
      const response = await post({ ...message, recipient })
      assert.equal(response.status, 422, recipient)
      assert.equal((await problem(response)).code, "destination_not_allowed")
      const last = events().at(-1)
      assert.deepEqual([last?.event, last?.code], ["rejected", "destination_not_allowed"])
      assert.equal(last?.reason, `its type is ${type}: see DENY_TYPES`, recipient)
    }
    assert.equal(calls.length, 0)
  })
}

for (const [type, recipients] of allowed) {
  test(`${type} numbers are refused only where DENY_TYPES names them`, async () => {
    const byDefault = await unguarded()
    for (const recipient of recipients) assert.equal(await byDefault.send(recipient), 200, recipient)
    assert.equal(byDefault.calls.length, recipients.length)
    const named = await unguarded({ DENY_TYPES: `premium, ${type}` })
    for (const recipient of recipients) assert.equal(await named.send(recipient), 422, recipient)
    assert.equal(named.calls.length, 0)
  })
}

test("DENY_TYPES takes the place of the default, and none lets every type through", async () => {
  const pagers = await unguarded({ DENY_TYPES: "pager" })
  const none = await unguarded({ DENY_TYPES: "none" })
  for (const [type, recipients] of denied) {
    for (const recipient of recipients) {
      assert.equal(await pagers.send(recipient), type === "pager" ? 422 : 200, recipient)
      assert.equal(await none.send(recipient), 200, recipient)
    }
  }
  assert.equal(none.calls.length, denied.flatMap(([, recipients]) => recipients).length)
})

const everyType = [...new Set([...denied, ...allowed].map(([type]) => type))].join()

test("a number that may be a fixed line or a mobile one is never refused, nor one that is of no known type", async () => {
  const { send } = await unguarded({ DENY_TYPES: everyType })
  for (const recipient of ["+12015550123", "+12223334444", "+16135550123", "+18765551234", "+4915112345678"])
    assert.equal(await send(recipient), 200, recipient)
})

test("the test numbers of Twilio and of the inbox pass, though personal numbers begin so", async () => {
  const { send } = await unguarded({ DENY_TYPES: everyType })
  for (const digit of "0123456789") assert.equal(await send(`+1500555000${digit}`), 200, digit)
  assert.equal(await send("+15005560006"), 422)
})

test("the mobile numbers of every region pass, whatever types are refused", async () => {
  const { send, calls } = await unguarded({ DENY_TYPES: everyType })
  const mobiles = getCountries().flatMap((country) => getExampleNumber(country, examples)?.number ?? [])
  assert.ok(mobiles.length > 240, `${mobiles.length} regions`)
  for (const recipient of mobiles) assert.equal(await send(recipient), 200, recipient)
  assert.equal(calls.length, mobiles.length)
})

test("a number that ALLOW_DESTINATIONS names by its digits passes, and one that it names by its country does not", async () => {
  const { send, calls } = await unguarded({ ALLOW_DESTINATIONS: "US,GB,+1900,+8816,+979" })
  for (const recipient of ["+19002345678", "+881612345678", "+979123456789"])
    assert.equal(await send(recipient), 200, recipient)
  assert.equal(calls.length, 3)
  for (const recipient of ["+447012345678", "+15002345678", "+870773111632"])
    assert.equal(await send(recipient), 422, recipient)
  const closed = await unguarded({ ALLOW_DESTINATIONS: "+1900", DENY_DESTINATIONS: "+1900234" })
  assert.equal(await closed.send("+19002345678"), 422)
  assert.equal(calls.length, 3)
})

test("no way to write a number hides its type", async () => {
  const { send, calls } = await unguarded({ DEFAULT_COUNTRY: "GB" })
  for (const recipient of [
    "07012 345678",
    "0044 70 1234 5678",
    "+44 (0) 7012 345678",
    "+٤٤٧٠١٢٣٤٥٦٧٨",
    "00881612345678",
  ])
    assert.equal(await send(recipient), 422, recipient)
  assert.equal(calls.length, 0)
})

test("whatever digits follow a calling code of satellites or of premium rate, none is ever asked", async () => {
  const { send, calls } = await unguarded()
  const rest = fc.stringMatching(/^\d{4,12}$/)
  const code = fc.constantFrom("870", "881", "882", "883", "979")
  await fc.assert(
    fc.asyncProperty(code, rest, async (code, rest) => {
      assert.ok([400, 422].includes(await send(`+${code}${rest}`)), `+${code}${rest}`)
    }),
    { numRuns: 300 },
  )
  assert.equal(calls.length, 0)
})

test("GUARD=observe says the type, and sends", async () => {
  const { send, calls, line } = await unguarded({ GUARD: "observe" })
  assert.equal(await send("+19002345678"), 200)
  assert.equal(line("observed").reason, "its type is premium: see DENY_TYPES")
  assert.equal(calls.length, 1)
})
