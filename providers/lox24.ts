import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  LOX24_USER: v.pipe(v.string(), v.description("client number of the account")),
  LOX24_TOKEN: v.pipe(v.string(), v.description("API key from Settings, API-Settings")),
}

const Accepted = v.object({ uuid: v.pipe(v.string(), v.nonEmpty()), status_code: v.nullish(v.picklist([0, 100])) })
const Stopped = v.object({ status_code: v.pipe(v.number(), v.notValues([0, 100])) })
const Refused = v.object({ detail: v.string(), violations: v.nullish(v.array(v.object({ propertyPath: v.string() }))) })

/** Errors have no codes: a field that is wrong is named by violations. Three wrong log-ins lock the address out (429). */
export default {
  docs: "https://doc.lox24.eu/api/operations/api_sms_post_collection/",
  region: "Germany, Europe",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.lox24.eu",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/sms`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        "x-lox24-auth-token": `${env.LOX24_USER}:${env.LOX24_TOKEN}`,
      },
      body: JSON.stringify({
        sender_id: sender,
        phone: recipient,
        text: body,
        service_code: "direct",
        is_text_deleted: false,
        delivery_at: 0,
        ...(!isGsm7(body) && { is_unicode: true }),
      }),
    })
  },
  faults: {
    recipient: [
      "phone", // "This value is not valid."
    ],
    // 2000 is said of valid numbers, too.
    account: ["sender_id", "service_code", 208, 2000, 3000, 5000],
    message: ["text"],
  },
  receipt({ status, json }) {
    if (status === 201 && v.is(Accepted, json)) return { id: json.uuid }
    if (status === 201 && v.is(Stopped, json)) return { code: json.status_code }
    if (!v.is(Refused, json)) return { code: status }
    return { code: json.violations?.[0]?.propertyPath ?? status, reason: json.detail }
  },
} satisfies Provider<typeof env>
