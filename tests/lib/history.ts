/**
 * A gateway with an hour behind it, for the tests and the pictures of its pages: Twilio fails for a while and then rests,
 * Vonage is slow, Plivo is good and reports what was delivered. Nothing is random but by a seed, and that hour takes a second.
 */
import { createHmac, randomBytes } from "node:crypto"
import { loadFile, type Message, type Report, type StoreFile, type World } from "../../main.ts"
import { withSpare } from "../../providers/parts/store.ts"
import plivo from "../../providers/plivo.ts"
import { sign, start } from "./world.ts"

export const logToken = "the-token-that-reads-the-log-0123456789"
export const metricsToken = "the-token-that-reads-metrics-0123456789"
const reportKey = "a-part-of-a-path-that-nobody-guesses"
const supabaseKey = randomBytes(32)

const env = {
  SMS_PROVIDER: "twilio,plivo",
  SMS_PROVIDER_GB: "vonage,plivo",
  SMS_PROVIDER_DE: "plivo,twilio",
  SMS_SENDER: "+15005550006",
  TWILIO_ACCOUNT_SID: "AC00000000000000000000000000000000",
  TWILIO_AUTH_TOKEN: "00000000000000000000000000000000",
  VONAGE_API_KEY: "abcd1234",
  VONAGE_API_SECRET: "SampleSecret0001",
  PLIVO_AUTH_ID: "MA00000000",
  PLIVO_AUTH_TOKEN: "SampleToken00001",
  PLIVO_REPORT_KEY: reportKey,
  PLATFORMS: "supabase",
  SUPABASE_SECRET: `v1,whsec_${supabaseKey.toString("base64")}`,
  LIMIT_RECIPIENT: "3/10m",
  LIMIT_PREFIX: "20/10m",
  DENY_DESTINATIONS: "RU",
  PAGES: "log,metrics",
  LOG_TOKEN: logToken,
  METRICS_TOKEN: metricsToken,
}

/** Numbers between 0 and 1, the same ones each time (mulberry32). */
function seeded(seed: number) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A gateway that began `minutes` ago: `past` plays until now, `step` one message more. Twilio is up again since `upSince` minutes. */
export async function history(minutes = 60, more: Record<string, string> = {}, rest: Partial<World> = {}, upSince = 7) {
  const random = seeded(19)
  const ends = Date.now()
  let time = ends - minutes * 60_000
  const between = (least: number, most: number) => least + random() * (most - least)
  let livesSince = Number.POSITIVE_INFINITY
  const clock = () => time + Math.max(0, Date.now() - livesSince)
  const ago = () => Math.max(0, ends - time) / 60_000
  let isHanging = false
  const hang = () => {
    isHanging = true
    return new Promise<Response>(() => {})
  }
  const id = () =>
    Math.floor(random() * 2 ** 48)
      .toString(16)
      .padStart(12, "0")
  const answers: Record<string, () => Response | Promise<Response>> = {
    "api.twilio.com"() {
      const isDown = ago() < upSince + 9 && ago() >= upSince
      time += between(160, 420)
      if (isDown && random() < 0.4) return hang()
      if (isDown && random() < 0.8) return new Response("down", { status: 503 })
      if (random() < 0.02)
        return Response.json({ code: 21408, message: "no permission for this region" }, { status: 400 })
      return Response.json({ sid: `SM${id()}`, status: "queued" }, { status: 201 })
    },
    "api.nexmo.com"() {
      time += ago() < 25 ? between(1_400, 4_200) : between(700, 1_900)
      if (random() < 0.04) return hang()
      if (random() < 0.05) return Response.json({ type: "https://x/#1000", title: "Throttled" }, { status: 429 })
      return Response.json({ message_uuid: id() }, { status: 202 })
    },
    "api.plivo.com"() {
      time += between(90, 260)
      return Response.json({ message_uuid: [id()] }, { status: 202 })
    },
  }
  const report = { read: ({ text }: { text: string }): Report[] => [JSON.parse(text)] }
  /** STORE=gone: is a store that never answers. */
  const away = async () => Promise.reject(new Error("ECONNREFUSED"))
  const gone = { take: away, giveBack: away, get: away, set: away, add: away }
  const files: Record<string, unknown> = {
    plivo: { ...plivo, report },
    "stores/gone": { open: async (_, site) => withSpare(gone, site) } satisfies StoreFile,
  }
  const load = async (path: string) => (path in files ? { default: files[path] } : await loadFile(path))
  /** What waits for an answer that does not come has waited. */
  const after = (milliseconds: number, run: () => void) => {
    let isOver = false
    const turn = () => {
      if (isOver) return
      if (!isHanging) return void setImmediate(turn)
      isHanging = false
      time += milliseconds
      run()
    }
    setImmediate(turn)
    return () => {
      isOver = true
    }
  }
  const gateway = await start(
    { ...env, ...more },
    (request) => answers[new URL(request.url).hostname]?.() ?? Response.error(),
    { clock, after, load, ...rest },
  )
  const headers = { authorization: `Bearer ${await sign()}` }
  const post = (message: Partial<Message>) =>
    gateway.call({ method: "POST", headers, body: JSON.stringify({ sender: "", ...message }) })
  const postSupabase = (phone: string, otp: string) => {
    const text = JSON.stringify({ sms: { phone, otp } })
    const [webhookId, timestamp] = [`msg_${id()}`, String(Math.floor(clock() / 1_000))]
    const signed = createHmac("sha256", supabaseKey).update(`${webhookId}.${timestamp}.${text}`).digest("base64")
    const headers = { "webhook-id": webhookId, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signed}` }
    return gateway.call({ method: "POST", headers, body: text }, "/supabase")
  }
  const countries = ["+1222333", "+1415555", "+44770090", "+44771234", "+4915112", "+4917634"]
  /** One message, or what else a night brings. */
  const step = async () => {
    const kind = random()
    const recipient = `${countries[Math.floor(random() * countries.length)]}${String(Math.floor(between(0, 10_000))).padStart(4, "0")}`
    const full = recipient.startsWith("+49") ? `${recipient}5` : recipient
    const body = `Your code is ${Math.floor(between(100_000, 1_000_000))}`
    if (kind < 0.02) return void (await gateway.call({ method: "POST", headers: { authorization: "Bearer x" } }))
    if (kind < 0.04) return void (await post({ recipient: "+79161234567", body }))
    if (kind < 0.06) return void (await gateway.call({}, "/wp-login.php"))
    const isSupabase = random() < 0.3
    const answer = isSupabase
      ? await postSupabase(full.slice(1), body.slice(-6))
      : await post({ recipient: full, body })
    if (kind < 0.08) await post({ recipient: full, body })
    if (kind > 0.92) {
      time += 40_000
      await post({ recipient: full, body: `${body}0` })
    }
    const told = answer.headers.get("content-type")?.includes("json") && (await answer.json())
    const { provider, receipt } = Object(told)
    if (provider !== "plivo") return
    time += 900
    const state = random() < 0.94 ? "delivered" : "failed"
    await gateway.call({ method: "POST", body: JSON.stringify({ id: receipt, state }) }, `/plivo/report/${reportKey}`)
  }
  /** Somebody pumps one range of numbers. */
  const pump = async (count: number) => {
    for (let sent = 0; sent < count; sent += 1)
      await post({
        recipient: `+4477110${String(10_000 + sent * 7).slice(-5)}`,
        body: `Your code is ${200_000 + sent}`,
      })
  }
  let isPumped = false
  const past = async (pause: number) => {
    while (time < ends - 6_000) {
      time += between(0.2, 1.8) * pause
      if (!isPumped && ago() < 31) {
        isPumped = true
        await pump(34)
      }
      await step()
    }
    time = Math.max(time, ends)
    livesSince = Date.now()
  }
  const pass = (milliseconds: number) => {
    time += milliseconds
  }
  return { ...gateway, clock, post, step, past, pump, pass }
}
