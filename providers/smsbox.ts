import * as v from "valibot"
import type { Provider } from "../main.ts"
import { isGsm7 } from "./lib.ts"

const env = {
  SMSBOX_API_KEY: v.pipe(v.string(), v.description("API key of the account")),
  SMSBOX_MODE: v.optional(
    v.pipe(
      v.picklist(["Standard", "Expert", "Reponse"]),
      v.description("Standard, Expert or Reponse; unset: Expert where there is a sender, else Standard"),
    ),
  ),
  SMSBOX_STRATEGY: v.pipe(
    v.optional(v.picklist(["1", "2", "3", "4"]), "2"),
    v.description("kind of message: 1 private, 2 notification, 3 to a group, 4 marketing"),
  ),
}

/** Always a 200 with one line of text. Only Expert takes a sender. Without charset the text is read as ISO-8859-1. */
export default {
  docs: "https://docs.smsbox.dev/sms",
  region: "France",
  evidence: "vendor",
  url: "https://api.smsbox.pro",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const mode = env.SMSBOX_MODE ?? (sender ? "Expert" : "Standard")
    const kind = { id: "1", usage: "smstask", mode, strategy: env.SMSBOX_STRATEGY }
    const form = new URLSearchParams({ dest: recipient, msg: body, ...kind })
    if (sender && mode === "Expert") form.set("origine", sender.replace("+", ""))
    form.set("charset", "utf-8")
    if (!isGsm7(body)) form.set("coding", "unicode")
    return new Request(`${url}/1.1/api.php`, {
      method: "POST",
      headers: { authorization: `App ${env.SMSBOX_API_KEY}` },
      body: form,
    })
  },
  // 04 is the recipient, malformed or not taken.
  faults: { account: ["02", "03", "04"], provider: ["05"] },
  receipt({ status, text }) {
    const id = /^OK (\d[\d,]*)$/.exec(text.trim())?.[1]
    if (status === 200 && id) return { id }
    // Without a number it stands for all other reasons: a barred number, the same text twice, an unknown prefix.
    const [error, code] = /^ERROR(?: (\d+))?$/.exec(text.trim()) ?? []
    return { code: code ?? error ?? status }
  },
} satisfies Provider<typeof env>
