import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  ESKIZ_EMAIL: v.pipe(v.string(), v.description("e-mail address of the account")),
  ESKIZ_PASSWORD: v.pipe(v.string(), v.description("API password, from the settings of the account")),
  ESKIZ_SENDER: v.optional(v.pipe(v.string(), v.description("nickname that Eskiz registered for you; else 4546"))),
}

const Token = v.object({ data: v.object({ token: v.pipe(v.string(), v.nonEmpty()) }) })
const Accepted = v.object({ id: v.pipe(v.string(), v.nonEmpty()), status: v.picklist(["waiting", "success"]) })
const Refused = v.object({
  message: v.union([v.string(), v.record(v.string(), v.array(v.string()))]),
  status: v.nullish(v.string()),
})

/** Takes only texts that it approved before, and numbers abroad by another call. Tokens live for 30 days. */
export default {
  docs: "https://documenter.getpostman.com/view/663428/RzfmES4z",
  region: "Uzbekistan",
  evidence: "clients",
  countries: ["UZ"],
  url: "https://notify.eskiz.uz",
  env,
  async request({ recipient, sender, body }, env, { url, clock, session, fetch }) {
    const token = await session(async () => {
      const answer = await fetch(`${url}/api/auth/login`, {
        method: "POST",
        body: new URLSearchParams({ email: env.ESKIZ_EMAIL, password: env.ESKIZ_PASSWORD }),
      })
      const json: unknown = await answer.json().catch(() => undefined)
      if (answer.status === 200 && v.is(Token, json))
        return { token: json.data.token, expires: clock() + 29 * 86_400_000 }
      const isOurs = [400, 401, 403, 422].includes(answer.status)
      return { code: answer.status, reason: "the log-in brought no token", fault: isOurs ? "account" : "provider" }
    })
    if (typeof token !== "string") return token
    return new Request(`${url}/api/message/sms/send`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: new URLSearchParams({
        mobile_phone: recipient.slice(1),
        message: body,
        // The nickname that all accounts share: one that is not registered is refused.
        from: env.ESKIZ_SENDER ? sender.replace("+", "") : "4546",
      }),
    })
  },
  faults: { account: ["token-invalid"] },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.id }
    if (!v.is(Refused, json)) return { code: status }
    const { message } = json
    const reason = typeof message === "string" ? message : Object.values(message).flat().join(" ")
    return { code: json.status ?? status, reason }
  },
} satisfies Provider<typeof env>
