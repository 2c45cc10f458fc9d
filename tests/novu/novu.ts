/**
 * Novu's own "SMS Webhook" provider against the platform file: `npm run --prefix tests novu`. Its package brings 688 others
 * with it (358 MB), so that it stands apart from the other clients and runs by hand, on Node alone.
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { gateway, of, token } from "../lib/client.ts"
import { type Answers, blame } from "../lib/world.ts"

const library: string = "@novu/providers/build/main/lib/generic-sms/generic-sms.provider.js"

/** The provider as Novu's worker makes it of the integration's fields. */
async function novu(fields: Record<string, unknown> = {}, answers?: Answers) {
  const { listen, messages } = await gateway("novu", { NOVU_TOKEN: token }, answers)
  const { GenericSmsProvider } = await import(library)
  const entered = { apiKeyRequestHeader: "Authorization", apiKey: `Bearer ${token}`, idPath: "data.id" }
  const own = { baseUrl: await listen(), from: "Acme", datePath: "data.date" }
  const webhook = new GenericSmsProvider({ ...own, ...entered, ...fields })
  const sms = { to: "+15550100123", from: "Acme", content: "482913 is your Acme code.", id: "6565f0c2a1b2c3d4e5f60718" }
  const send = async (): Promise<{ id: string; date: string }> => await webhook.sendMessage({ ...sms, customData: {} })
  return { send, messages }
}
const message = { recipient: "+15550100123", body: "482913 is your Acme code.", code: "482913", sender: "Acme" }

of("novu", () => {
  test("novu: its provider sends, and finds an id at either path, under either header", async () => {
    for (const fields of [
      {},
      { idPath: "id", datePath: "date" },
      { apiKeyRequestHeader: "X-API-KEY", apiKey: token },
    ]) {
      const { send, messages } = await novu(fields)
      const { id, date } = await send()
      assert.match(id, /^[\da-f-]{36}$/)
      assert.ok(Math.abs(Date.parse(date) - Date.now()) < 60_000)
      assert.deepEqual(messages(), [{ ...message, channel: "sms" }])
    }
  })

  test("novu: a refusal and a wrong token are errors", async () => {
    const refused = await novu({}, { texts: blame("recipient") })
    await assert.rejects(refused.send(), { status: 422 })
    const foreign = await novu({ apiKey: `Bearer ${token.toUpperCase()}` })
    await assert.rejects(foreign.send(), { status: 401 })
    assert.deepEqual(foreign.messages(), [])
  })
})
