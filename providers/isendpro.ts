import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7, lengthOf } from "./lib.ts"

const flag = v.picklist(["0", "1"])
const env = {
  ISENDPRO_KEY_ID: v.pipe(v.string(), v.description("keyid, from My account > My API")),
  ISENDPRO_SANDBOX: v.pipe(v.optional(flag, "0"), v.description("1 to send nothing, else 0")),
  ISENDPRO_NO_STOP: v.pipe(v.optional(flag, "0"), v.description("1 once the account may leave the STOP clause out")),
}

const Accepted = v.object({ etat: v.object({ etat: v.strictTuple([v.object({ code: v.picklist([0, "0"]) })]) }) })
const Reason = v.object({ code: v.union([v.string(), v.number()]), message: v.nullish(v.string()) })
const Refused = v.object({ etat: v.object({ etat: v.union([v.tuple([Reason]), Reason]) }) })

/** Gives no message id, and takes no sender of digits alone: without one the account's own stands. */
export default {
  docs: "https://www.isendpro.com/docs/",
  region: "France",
  evidence: "vendor",
  url: "https://apirest.isendpro.com",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const isUnicode = !isGsm7(body)
    // One message less the 12 characters of the STOP clause; a longer one is refused without smslong.
    const isLong = lengthOf(body) > (isUnicode ? 58 : 148)
    return new Request(`${url}/cgi-bin/sms`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", "cache-control": "no-cache" },
      body: JSON.stringify({
        keyid: env.ISENDPRO_KEY_ID,
        num: recipient.slice(1),
        sms: body,
        ...(!/^\+?\d*$/.test(sender) && { emetteur: sender }),
        ...(env.ISENDPRO_NO_STOP === "1" && { nostop: "1" }),
        sandbox: Number(env.ISENDPRO_SANDBOX),
        ...(isLong && { smslong: "999" }),
        ...(isUnicode && { ucs2: "1" }),
      }),
    })
  },
  faults: {
    recipient: [
      21, // "Le numéro de téléphone n'est pas attribué!"
    ],
    // 11 is the vendor's own black list, which others do not know.
    account: [3, 11],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: "" }
    if (!v.is(Refused, json)) return { code: status }
    const { etat } = json.etat
    const { code, message } = Array.isArray(etat) ? etat[0] : etat
    return { code, reason: message ?? undefined }
  },
} satisfies Provider<typeof env>
