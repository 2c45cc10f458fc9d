import * as v from "valibot"
import type { Provider } from "../main.ts"
import { aliyunForm, fill, noCode, textRecord } from "./lib.ts"

const env = {
  ALIYUN_ACCESS_KEY_ID: v.pipe(v.string(), v.description("AccessKey ID of a RAM user who may call by voice")),
  ALIYUN_ACCESS_KEY_SECRET: v.pipe(v.string(), v.description("AccessKey secret that belongs to it")),
  ALIYUN_VOICE_TTS_CODE: v.pipe(v.string(), v.startsWith("TTS_"), v.description("approved voice template, TTS_…")),
  ALIYUN_VOICE_VARIABLES: v.pipe(
    v.optional(v.string(), '{"code": "{code}"}'),
    textRecord,
    v.description("the template's variables as JSON; {code}, {body}, {locale}, {sender} and {recipient} are filled in"),
  ),
  ALIYUN_VOICE_SENDER: v.optional(
    v.pipe(v.string(), v.description("bought number to call from, as the console shows it; unset for the public ones")),
  ),
}

const Accepted = v.object({ Code: v.literal("OK"), CallId: v.pipe(v.string(), v.nonEmpty()) })
const Refused = v.object({ Code: v.string(), Message: v.nullish(v.string()) })

/** Says a template's variables, twice; refusals are 200s. A number of +1 would pass for a Chinese one: China alone. */
export default {
  docs: "https://help.aliyun.com/zh/vms/developer-reference/api-dyvmsapi-2017-05-25-singlecallbytts",
  region: "China",
  evidence: "vendor",
  countries: ["CN"],
  channel: "voice",
  url: "https://dyvmsapi.aliyuncs.com",
  env,
  async request(message, env, { url, clock, nonce }) {
    const variables = fill(env.ALIYUN_VOICE_VARIABLES, message)
    if (!variables) return noCode
    const fields = {
      Action: "SingleCallByTts",
      CalledNumber: message.recipient.replace("+86", ""),
      ...(env.ALIYUN_VOICE_SENDER && { CalledShowNumber: message.sender }),
      PlayTimes: "2",
      RegionId: "cn-hangzhou",
      TtsCode: env.ALIYUN_VOICE_TTS_CODE,
      TtsParam: JSON.stringify(variables),
      Version: "2017-05-25",
    }
    const key = { id: env.ALIYUN_ACCESS_KEY_ID, secret: env.ALIYUN_ACCESS_KEY_SECRET }
    const form = await aliyunForm(fields, key, clock(), nonce())
    return new Request(`${url}/`, { method: "POST", body: form })
  },
  faults: {
    account: [
      "isp.RAM_PERMISSION_DENY",
      "isv.ACCOUNT_ABNORMAL",
      "isv.ACCOUNT_NOT_EXISTS",
      "isv.DISPLAY_NUMBER_ILLEGAL",
      // Not for sure about the number: the template may be for landlines or for mobiles alone.
      "isv.MOBILE_NUMBER_ILLEGAL",
      "isv.OUT_OF_SERVICE",
      "isv.PRODUCT_UNSUBSCRIBE",
      "InvalidAccessKeyId.NotFound",
      "InvalidTimeStamp.Expired",
      "SignatureDoesNotMatch",
    ],
    message: [
      "isv.BLACK_KEY_CONTROL_LIMIT",
      "isv.INVALID_JSON_PARAM",
      "isv.PARAM_LENGTH_LIMIT",
      "isv.PARAM_NOT_SUPPORT_URL",
      "isv.TEMPLATE_MISSING_PARAMETERS",
      "isv.TTS_TEMPLATE_ILLEGAL",
    ],
    provider: ["isp.SYSTEM_ERROR", "ServiceUnavailable", "Throttling", "Throttling.User"],
  },
  receipt({ status, json }) {
    if (status === 200 && v.is(Accepted, json)) return { id: json.CallId }
    if (!v.is(Refused, json) || json.Code === "OK") return { code: status }
    return { code: json.Code, reason: json.Message ?? undefined }
  },
} satisfies Provider<typeof env>
