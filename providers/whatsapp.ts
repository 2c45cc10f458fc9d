import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, language, noCode } from "./lib.ts"

const env = {
  WHATSAPP_ACCESS_TOKEN: v.pipe(v.string(), v.description("access token of a system user")),
  WHATSAPP_PHONE_NUMBER_ID: v.pipe(v.string(), v.regex(/^\d+$/), v.description("ID of the sending number, digits")),
  WHATSAPP_TEMPLATE_NAME: v.pipe(v.string(), v.description("name of an approved authentication template")),
  WHATSAPP_TEMPLATE_LANGUAGE: v.pipe(
    v.optional(v.string(), "en_US"),
    v.regex(/^\w+(, ?\w+)*$/),
    v.transform((written) => written.split(/, ?/)),
    v.description("languages of it, such as en_US,pt_BR; the first where none is the message's"),
  ),
  WHATSAPP_VARIABLES: v.optional(
    v.pipe(
      v.string(),
      v.parseJson(),
      v.union([v.array(v.string()), v.record(v.string(), v.string())]),
      v.description('variables of a template without a button, as JSON: ["{code}"] or {"code": "{code}"}; else unset'),
    ),
  ),
  WHATSAPP_API_VERSION: v.pipe(
    v.optional(v.string(), "v23.0"),
    v.regex(/^v\d+\.\d+$/),
    v.description("version of the Graph API, such as v23.0"),
  ),
  WHATSAPP_APP_SECRET: v.optional(
    v.pipe(v.string(), v.description("secret of the Meta app, which proves delivery reports")),
  ),
}

const Accepted = v.object({
  messages: v.tuple([
    v.object({ id: v.pipe(v.string(), v.nonEmpty()), message_status: v.optional(v.literal("accepted")) }),
  ]),
  error: v.nullish(v.null()),
})
const Withheld = v.object({
  messages: v.tuple([v.object({ message_status: v.picklist(["held_for_quality_assessment", "paused"]) })]),
})
const Refused = v.object({
  error: v.object({
    code: v.number(),
    message: v.string(),
    error_data: v.nullish(v.object({ details: v.nullish(v.string()) })),
  }),
})

const Delivery = v.object({
  id: v.pipe(v.string(), v.nonEmpty()),
  status: v.string(),
  errors: v.optional(v.array(v.object({ code: v.number() }))),
})
const Change = v.object({ value: v.object({ statuses: v.optional(v.array(Delivery), []) }) })
const Event = v.object({ entry: v.array(v.object({ changes: v.array(Change) })) })
const states = new Map(
  Object.entries({ sent: "pending", delivered: "delivered", read: "delivered", failed: "failed" } as const),
)
/** The part of a message's id that is its own, else its end: the beginning of its base64 holds the number. */
const idOf = (wamid: string) =>
  /[\dA-F]{16,}/.exec(Buffer.from(wamid.replace(/^wamid\./, ""), "base64").toString("latin1"))?.[0] ?? wamid.slice(-16)
const challengeOf = (url: string) => /^\w+$/.exec(new URL(url).searchParams.get("hub.challenge") ?? "")?.[0]

/** Its template has the code in text and button. Who is not on WhatsApp (131026) may still get an SMS. */
export default {
  docs: "https://developers.facebook.com/docs/whatsapp/business-management-api/authentication-templates",
  region: "Global",
  evidence: "vendor",
  url: "https://graph.facebook.com",
  env,
  request(message, env, { url }) {
    const known = env.WHATSAPP_TEMPLATE_LANGUAGE
    const variables = fill(env.WHATSAPP_VARIABLES ?? ["{code}"], message)
    if (!variables) return noCode
    const isList = Array.isArray(variables)
    const parameters = Object.entries(variables).map(([name, text]) => ({
      type: "text",
      ...(!isList && { parameter_name: name }),
      text,
    }))
    const button = { type: "button", sub_type: "url", index: "0", parameters }
    return new Request(`${url}/${env.WHATSAPP_API_VERSION}/${env.WHATSAPP_PHONE_NUMBER_ID}/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${env.WHATSAPP_ACCESS_TOKEN}`,
        "content-type": "application/json",
        accept: "application/json",
      },
      body: JSON.stringify({
        messaging_product: "whatsapp",
        recipient_type: "individual",
        to: message.recipient.slice(1),
        type: "template",
        template: {
          name: env.WHATSAPP_TEMPLATE_NAME,
          language: { code: language(message.locale, known, known[0] ?? "en_US") },
          components: [{ type: "body", parameters }, ...(env.WHATSAPP_VARIABLES ? [] : [button])],
        },
      }),
    })
  },
  faults: {
    // 131056 limits the messages to one number.
    account: [
      0, 3, 10, 33, 190, 368, 130472, 130497, 131005, 131021, 131026, 131030, 131031, 131037, 131042, 131045, 131056,
      133010,
    ],
    message: [131008, 131009, 132000, 132001, 132005, 132007, 132012, 132015, 132016],
    provider: [2, 4, 80007, 130429, 131016, 131057],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: idOf(json.messages[0].id) }
    if (v.is(Refused, json)) {
      const { code, message, error_data } = json.error
      return { code, reason: error_data?.details ?? message }
    }
    return v.is(Withheld, json) ? { code: json.messages[0].message_status, fault: "message" } : { code: status }
  },
  report: {
    proof({ method, url, text, headers }, env) {
      // Meta asks once whether the address is ours, which the key in it shows.
      if (method === "GET") return challengeOf(url) ? "unsigned" : undefined
      if (!env.WHATSAPP_APP_SECRET) return "unsigned"
      const given = headers.get("x-hub-signature-256")?.replace(/^sha256=/, "") ?? ""
      return { key: Buffer.from(env.WHATSAPP_APP_SECRET), signed: text, given: [given] }
    },
    read({ method, url, text }) {
      if (method === "GET") return new Response(challengeOf(url))
      const changes = v.parse(Event, JSON.parse(text)).entry.flatMap(({ changes }) => changes)
      return changes
        .flatMap(({ value }) => value.statuses)
        .flatMap(({ id, status, errors }) => {
          const state = states.get(status)
          return state ? [{ id: idOf(id), state, code: errors?.[0]?.code }] : []
        })
    },
  },
} satisfies Provider<typeof env>
