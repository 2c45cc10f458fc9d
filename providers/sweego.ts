import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  SWEEGO_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  SWEEGO_SENDER: v.optional(v.pipe(v.string(), v.description("a sender id of the account; else unset"))),
  SWEEGO_REGION: v.pipe(
    v.optional(v.string(), "FR"),
    v.regex(/^([A-Z]{2}|OTHER)$/),
    v.description("ISO code of the recipients' country such as FR, or OTHER"),
  ),
  SWEEGO_CAMPAIGN_TYPE: v.pipe(
    v.optional(v.picklist(["transac", "market"]), "transac"),
    v.description("transac or market"),
  ),
  SWEEGO_CAMPAIGN_ID: v.optional(v.pipe(v.string(), v.description("campaign that the messages count for"))),
}

const Id = v.pipe(v.string(), v.nonEmpty())
const Accepted = v.object({ swg_uids: v.record(v.string(), Id), transaction_id: Id })
const Refused = v.object({ detail: v.string() })
const Invalid = v.object({
  detail: v.tuple([v.object({ loc: v.array(v.union([v.string(), v.number()])), msg: v.string(), type: v.string() })]),
})

/** Every number goes with the one region that is set, and URLs in the text are shortened unless switched off. */
export default {
  docs: "https://learn.sweego.io/docs/sweego/send-send-post",
  region: "France",
  evidence: "vendor",
  url: "https://api.sweego.io",
  env,
  request({ recipient, sender, body }, env, { url }) {
    return new Request(`${url}/send`, {
      method: "POST",
      headers: { "api-key": env.SWEEGO_API_KEY, "content-type": "application/json" },
      body: JSON.stringify({
        channel: "sms",
        provider: "sweego",
        recipients: [{ num: recipient, region: env.SWEEGO_REGION }],
        "message-txt": body,
        "campaign-type": env.SWEEGO_CAMPAIGN_TYPE,
        "campaign-id": env.SWEEGO_CAMPAIGN_ID,
        "sender-id": env.SWEEGO_SENDER && sender.replace("+", ""),
        "shorten-urls": false,
      }),
    })
  },
  receipt({ status, json }) {
    const [id, ...others] = status === 200 && v.is(Accepted, json) ? Object.values(json.swg_uids) : []
    if (id && others.length === 0) return { id }
    if (status !== 422 || !v.is(Invalid, json))
      return { code: status, reason: v.is(Refused, json) ? json.detail : undefined }
    const [{ loc, msg, type }] = json.detail
    // A good number outside of the region is refused like a bad one.
    const fault = loc.includes("recipients") ? "account" : loc.includes("message-txt") ? "message" : undefined
    return { code: type, reason: msg, fault }
  },
} satisfies Provider<typeof env>
