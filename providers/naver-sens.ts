import * as v from "valibot"
import type { Provider } from "../main.ts"
import { hmac } from "./lib.ts"

const env = {
  NAVER_SENS_ACCESS_KEY: v.pipe(v.string(), v.description("Access Key ID of an account or sub-account")),
  NAVER_SENS_SECRET_KEY: v.pipe(v.string(), v.description("Secret Key that belongs to it")),
  NAVER_SENS_SERVICE_ID: v.pipe(v.string(), v.description("service ID of the SENS project, ncp:sms:kr:…")),
}

const Accepted = v.object({ requestId: v.pipe(v.string(), v.nonEmpty()), statusCode: v.literal("202") })
const Refused = v.object({ error: v.object({ errorCode: v.string(), message: v.optional(v.string()) }) })
const RefusedField = v.object({ status: v.string(), errors: v.tuple([v.string()]) })

/** The calling codes of one and of two digits (ITU-T E.164); every other one has three. */
const calling = /^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d+)$/

/** Past 90 bytes of EUC-KR a text is an LMS, in Korea alone. The errorCode 200 is a failed log-in. */
export default {
  docs: "https://api.ncloud-docs.com/docs/sens-sms-send",
  region: "South Korea",
  evidence: "vendor",
  needsSender: true,
  url: "https://sens.apigw.ntruss.com",
  env,
  async request({ recipient, sender, body }, env, { url, clock }) {
    const [, countryCode = "", national = ""] = calling.exec(recipient) ?? []
    const isKorean = countryCode === "82"
    const bytes = body.replace(/\P{ASCII}/gu, "xx").length
    const endpoint = `${url}/sms/v2/services/${env.NAVER_SENS_SERVICE_ID}/messages`
    const timestamp = String(clock())
    const signed = `POST ${new URL(endpoint).pathname}\n${timestamp}\n${env.NAVER_SENS_ACCESS_KEY}`
    const signature = await hmac("SHA-256", env.NAVER_SENS_SECRET_KEY, signed)
    return new Request(endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/json; charset=utf-8",
        "x-ncp-apigw-timestamp": timestamp,
        "x-ncp-iam-access-key": env.NAVER_SENS_ACCESS_KEY,
        "x-ncp-apigw-signature-v2": signature.toString("base64"),
      },
      body: JSON.stringify({
        type: isKorean && bytes > 90 ? "LMS" : "SMS",
        contentType: "COMM",
        countryCode,
        from: sender.replace(/^\+82/, "0").replace("+", ""),
        content: body,
        messages: [{ to: isKorean ? `0${national}` : national }],
      }),
    })
  },
  faults: { account: ["200", "210"] },
  receipt({ status, json }) {
    if (status === 202 && v.is(Accepted, json)) return { id: json.requestId }
    if (v.is(Refused, json)) return { code: json.error.errorCode, reason: json.error.message }
    if (!v.is(RefusedField, json)) return { code: status }
    // The same code from the API's front is a quota.
    return { code: json.status, reason: json.errors[0], fault: json.status === "400" ? "message" : undefined }
  },
} satisfies Provider<typeof env>
