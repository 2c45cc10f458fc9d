import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  ILETIMERKEZI_API_KEY: v.pipe(v.string(), v.description("API key, from the panel's settings")),
  ILETIMERKEZI_API_HASH: v.pipe(v.string(), v.description("hash that the panel shows with that key")),
}

const Accepted = v.object({
  response: v.object({
    status: v.object({ code: v.picklist(["200", 200]) }),
    order: v.object({ id: v.union([v.pipe(v.string(), v.digits()), v.pipe(v.number(), v.integer(), v.minValue(1))]) }),
  }),
})
const Refused = v.object({
  response: v.object({ status: v.object({ code: v.union([v.string(), v.number()]), message: v.string() }) }),
})

/** Sends to Turkish numbers alone, and only while the panel lets the API in. The field is spelt receipents. */
export default {
  docs: "https://www.iletimerkezi.com/en/docs/api/send-sms",
  region: "Turkey",
  evidence: "vendor",
  countries: ["TR"],
  needsSender: true,
  url: "https://api.iletimerkezi.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const authentication = { key: env.ILETIMERKEZI_API_KEY, hash: env.ILETIMERKEZI_API_HASH }
    const order = {
      sender: sender.replace("+", ""),
      sendDateTime: [],
      iys: "0",
      iysList: "BIREYSEL",
      message: { text: body, receipents: { number: [recipient.slice(3)] } },
    }
    return new Request(`${url}/v1/send-sms/json`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ request: { authentication, order } }),
    })
  },
  faults: {
    recipient: [
      466, // "Geçersiz numara": invalid number
    ],
    // 452 is said of numbers on the black list, too.
    account: [450, 452, 459, 460, 468, 469, 470],
    message: [453, 454],
    provider: [503],
  },
  receipt({ status, text, json }) {
    if (status === 200 && v.is(Accepted, json)) {
      const { id } = json.response.order
      return { id: typeof id === "string" ? id : (/"id":\s*(\d+)/.exec(text)?.[1] ?? "") }
    }
    if (!v.is(Refused, json)) return { code: status }
    const { code, message } = json.response.status
    return { code, reason: message }
  },
} satisfies Provider<typeof env>
