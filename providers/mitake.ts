import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  MITAKE_USERNAME: v.pipe(v.string(), v.description("user name of the account")),
  MITAKE_PASSWORD: v.pipe(v.string(), v.description("its password")),
}

/** Every answer is a 200 of lines such as statuscode=1; letters refuse. A line break in a text is the character 6. */
export default {
  docs: "https://sms.mitake.com.tw",
  region: "Taiwan",
  evidence: "clients",
  countries: ["TW"],
  url: "https://smsapi.mitake.com.tw",
  env,
  request({ recipient, body }, env, { url, ttl, key }) {
    const form = new URLSearchParams({
      username: env.MITAKE_USERNAME,
      password: env.MITAKE_PASSWORD,
      dstaddr: recipient.replace("+886", "0"),
      smbody: body.replace(/\r\n?|\n/g, "\u0006"),
      // One that comes again within 12 hours is answered as the first was.
      clientid: key,
    })
    // In seconds; a day is its default.
    if (ttl) form.set("vldtime", String(Math.min(ttl, 86_400)))
    return new Request(`${url}/api/mtk/SmSend?CharsetURL=UTF-8`, { method: "POST", body: form })
  },
  faults: {
    recipient: [
      "v", // "無效的手機號碼": no valid mobile number
      "6", // "門號有錯誤": the number is wrong
    ],
    account: ["c", "d", "e", "f", "h", "k", "m", "n", "p", "s", "7"],
    message: ["u", "x", "5"],
    provider: ["*", "a", "b", "l", "r"],
  },
  receipt({ status, text }) {
    const line = (name: string) => new RegExp(`^${name}=([^\\r\\n]{1,200})`, "m").exec(text)?.[1]?.trim()
    const [code, id] = [line("statuscode"), line("msgid")]
    if (status === 200 && id && /^[0-4]$/.test(code ?? "")) return { id }
    return code ? { code, reason: line("Error") } : { code: status }
  },
} satisfies Provider<typeof env>
