import * as v from "valibot"
import type { Platform } from "../../main.ts"
import { answerHook, makeToken, optionalText, secretToken, unread } from "../lib.ts"

const env = {
  NOVU_TOKEN: secretToken("which is Novu's API key, as Bearer or in X-API-KEY"),
}

const Call = v.object({
  to: v.string(),
  content: v.string(),
  sender: optionalText,
  from: optionalText,
  id: unread,
  code: optionalText,
  locale: unread,
})

export default {
  docs: "https://docs.novu.co/platform/integrations/sms/sms-webhook",
  env,
  // Novu Cloud waits 30 s, Novu at home 120.
  deadline: 28_000,
  proof: ({ headers }) => ({
    token: headers.get("x-api-key") ?? headers.get("authorization")?.replace(/^bearer /i, ""),
  }),
  read(fields) {
    const { to, content, sender, from, id, code, locale } = v.parse(Call, fields)
    // Whoever passes code and locale through in the overrides has them here.
    return { recipient: to, body: content, sender: sender ?? from, code, locale, key: id }
  },
  answer(outcome) {
    // Without an id at its Id Path it takes a message that went out for failed, and both paths are in use.
    const receipt = { id: outcome.id, date: new Date().toISOString() }
    return answerHook(outcome, { ...receipt, data: receipt })
  },
  setup: (url) => `1. Make a token with ${makeToken} and set it here as NOVU_TOKEN.
2. Integration Store, Connect Provider, SMS, SMS Webhook. Base URL: ${url}
3. API Key Request Header: Authorization. API Key: Bearer and the token, with one blank between.
4. From: your sender. Id Path: data.id. Date Path: data.date. "Authenticate by token": off.
5. Active, and save. Every SMS of your workflows comes here, not only codes.
Novu may refuse private addresses ("Generic SMS URL blocked").`,
} satisfies Platform<typeof env>
