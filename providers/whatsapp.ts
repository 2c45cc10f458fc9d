import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  WHATSAPP_ACCESS_TOKEN: v.pipe(v.string(), v.description("access token of a system user")),
  WHATSAPP_PHONE_NUMBER_ID: v.pipe(v.string(), v.regex(/^\d+$/), v.description("ID of the sending number, digits")),
  WHATSAPP_TEMPLATE_NAME: v.pipe(v.string(), v.description("name of an approved authentication template")),
  WHATSAPP_TEMPLATE_LANGUAGE: v.pipe(v.optional(v.string(), "en_US"), v.description("language of it, such as pt_BR")),
  WHATSAPP_API_VERSION: v.pipe(
    v.optional(v.string(), "v23.0"),
    v.regex(/^v\d+\.\d+$/),
    v.description("version of the Graph API, such as v23.0"),
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

/** The code goes out in a template, in text and button. Who is not on WhatsApp (131026) may still get an SMS. */
export default {
  docs: "https://developers.facebook.com/docs/whatsapp/business-management-api/authentication-templates",
  region: "Global",
  evidence: "vendor",
  url: "https://graph.facebook.com",
  env,
  request({ recipient, code }, env, { url }) {
    if (!code) return { code: "no_code", reason: "the message holds no code, or several", fault: "message" }
    const parameters = [{ type: "text", text: code }]
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
        to: recipient.slice(1),
        type: "template",
        template: {
          name: env.WHATSAPP_TEMPLATE_NAME,
          language: { code: env.WHATSAPP_TEMPLATE_LANGUAGE },
          components: [
            { type: "body", parameters },
            { type: "button", sub_type: "url", index: "0", parameters },
          ],
        },
      }),
    })
  },
  faults: {
    account: [0, 3, 10, 33, 190, 368, 131005, 131026, 131030, 131031, 131042, 131045, 133010],
    message: [131008, 131009, 132000, 132001, 132005, 132007, 132012, 132015, 132016],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.messages[0].id }
    if (v.is(Refused, json)) {
      const { code, message, error_data } = json.error
      return { code, reason: error_data?.details ?? message }
    }
    return v.is(Withheld, json) ? { code: json.messages[0].message_status, fault: "message" } : { code: status }
  },
} satisfies Provider<typeof env>
