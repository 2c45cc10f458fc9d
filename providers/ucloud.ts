import * as v from "valibot"
import type { Provider } from "../main.ts"
import { fill, noCode, textList } from "./lib.ts"

const env = {
  UCLOUD_PUBLIC_KEY: v.pipe(v.string(), v.description("public key of the API, from Account")),
  UCLOUD_PRIVATE_KEY: v.pipe(v.string(), v.description("private key beside it")),
  UCLOUD_PROJECT_ID: v.pipe(v.string(), v.description("project that the texts belong to, org-…")),
  UCLOUD_SIGNATURE: v.pipe(v.string(), v.description("content of an approved signature, without brackets")),
  UCLOUD_TEMPLATE_ID: v.pipe(v.string(), v.description("approved template, UTA…")),
  UCLOUD_VARIABLES: v.pipe(
    v.optional(v.string(), '["{code}"]'),
    textList,
    v.description('the template\'s variables in their order as JSON, such as ["{code}"]'),
  ),
}

const Accepted = v.object({ RetCode: v.literal(0), SessionNo: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ RetCode: v.pipe(v.number(), v.notValue(0)), Message: v.nullish(v.string()) })

/** Sends the code alone, by a template. Signed by the SHA-1 of all fields in the order of their names. */
export default {
  docs: "https://docs.ucloud.cn/api/usms-api/send_usms_message",
  region: "China",
  evidence: "vendor",
  countries: ["CN"],
  url: "https://api.ucloud.cn",
  env,
  async request(message, env, { url }) {
    const variables = fill(env.UCLOUD_VARIABLES, message)
    if (!variables) return noCode
    const form = new URLSearchParams({
      Action: "SendUSMSMessage",
      ProjectId: env.UCLOUD_PROJECT_ID,
      PublicKey: env.UCLOUD_PUBLIC_KEY,
      "PhoneNumbers.0": message.recipient.replace(/^\+86/, ""),
      SigContent: env.UCLOUD_SIGNATURE,
      TemplateId: env.UCLOUD_TEMPLATE_ID,
    })
    for (const [at, variable] of variables.entries()) form.set(`TemplateParams.${at}`, variable)
    form.sort()
    const signed = [...form].flat().join("") + env.UCLOUD_PRIVATE_KEY
    const digest = await crypto.subtle.digest("SHA-1", Buffer.from(signed))
    form.set("Signature", Buffer.from(digest).toString("hex"))
    return new Request(`${url}/`, { method: "POST", headers: { accept: "application/json" }, body: form })
  },
  faults: {
    // 18014, an invalid number, may be one that it has no route to.
    account: [18013, 18014, 18016],
    message: [18017, 18018, 18023, 18033],
    provider: [18004, 18007],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.SessionNo }
    return v.is(Refused, json) ? { code: json.RetCode, reason: json.Message ?? undefined } : { code: status }
  },
} satisfies Provider<typeof env>
