import * as v from "valibot"
import type { Provider } from "../main.ts"
import { speech } from "./lib.ts"

const env = {
  SMSAPI_ACCESS_TOKEN: v.pipe(v.string(), v.description("API token (OAuth) of the account")),
  SMSAPI_VOICE_LECTOR: v.pipe(
    v.optional(v.picklist(["agnieszka", "ewa", "jacek", "jan", "maja"]), "ewa"),
    v.description("voice: agnieszka, ewa, jacek, jan or maja, all Polish"),
  ),
}

const Called = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  status: v.picklist(["QUEUE", "ACCEPTED", "SENT", "DELIVERED"]),
  error: v.nullish(v.null()),
})
const Accepted = v.object({ count: v.literal(1), list: v.strictTuple([Called]), error: v.nullish(v.null()) })
const Refused = v.object({ error: v.union([v.number(), v.string()]), message: v.nullish(v.string()) })
const RefusedNumber = v.object({
  error: v.picklist([13, "13"]),
  invalid_numbers: v.pipe(v.array(v.object({ message: v.literal("Invalid phone number") })), v.nonEmpty()),
})

/** Its voices speak Polish, and it calls from 8 to 22 o'clock only (code 51). A refusal is a 200 too, with `error`. */
export default {
  docs: "https://www.smsapi.com/docs",
  region: "Poland",
  evidence: "clients",
  channel: "voice",
  url: "https://api.smsapi.com",
  env,
  request(message, env, { url }) {
    const form = new URLSearchParams({ to: message.recipient.slice(1) })
    const from = /^\+?(\d+)$/.exec(message.sender)?.[1]
    if (from) form.set("from", from)
    form.set("tts", speech(message, { again: ". " }))
    form.set("tts_lector", env.SMSAPI_VOICE_LECTOR)
    form.set("format", "json")
    form.set("encoding", "utf-8")
    return new Request(`${url}/vms.do`, {
      method: "POST",
      headers: { authorization: `Bearer ${env.SMSAPI_ACCESS_TOKEN}`, accept: "application/json" },
      body: form,
    })
  },
  faults: {
    // 13, "No correct phone numbers", may be one that is not allowed.
    account: [13, 14, 32, 33, 35, 51, 101, 102, 103, 105, 110, 1000, 1001],
    message: [11, 12, 31],
    provider: [201, 666, 999],
  },
  receipt({ status, text, json }) {
    if ([200, 201].includes(status) && v.is(Accepted, json)) return { id: json.list[0].id }
    if (v.is(Refused, json)) {
      const isNumber = v.is(RefusedNumber, json)
      return { code: json.error, reason: json.message ?? undefined, fault: isNumber ? "recipient" : undefined }
    }
    // Its older form, which some refusals keep.
    return { code: /^ERROR: ?(\d{1,6})\b/.exec(text)?.[1] ?? status }
  },
} satisfies Provider<typeof env>
