import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = { GATEWAYAPI_TOKEN: v.pipe(v.string(), v.description("API token, from API Keys")) }

const Accepted = v.object({ ids: v.tuple([v.pipe(v.number(), v.integer(), v.minValue(1))]) })
const Refused = v.object({ code: v.nullish(v.string()), message: v.string() })

/** Accounts of the EU setup need GATEWAYAPI_URL=https://gatewayapi.eu. Errors may have no code: the status then is it. */
export default {
  docs: "https://gatewayapi.com/docs/apis/rest/",
  region: "Europe",
  evidence: "vendor",
  url: "https://gatewayapi.com",
  env,
  request({ recipient, sender, body }, env, { url, isGsm7 }) {
    return new Request(`${url}/rest/mtsms`, {
      method: "POST",
      headers: {
        authorization: `Token ${env.GATEWAYAPI_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        ...(sender && { sender: sender.replace("+", "") }),
        message: body,
        ...(!isGsm7(body) && { encoding: "UCS2" }),
        recipients: [{ msisdn: Number(recipient.slice(1)) }],
      }),
    })
  },
  faults: {
    recipient: ["0x0215"],
    account: ["0x0210", "0x0211", "0x0212", "0x0213", "0x0216", "0x0217", "0x021D", "0x021E", "0x021F"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: String(json.ids[0]) }
    return v.is(Refused, json) ? { code: json.code || status, reason: json.message } : { code: status }
  },
} satisfies Provider<typeof env>
