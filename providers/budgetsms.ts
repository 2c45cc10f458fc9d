import * as v from "valibot"
import type { Provider } from "../main.ts"

const env = {
  BUDGETSMS_USERNAME: v.pipe(v.string(), v.description("user name of the account")),
  BUDGETSMS_USERID: v.pipe(v.string(), v.description("user id, a number, from the account's API settings")),
  BUDGETSMS_HANDLE: v.pipe(v.string(), v.description("handle, the API's password, from the same page")),
}

/** Answers are texts under 200, "OK 123" or "ERR 1001"; the codes stand at budgetsms.net/sms-http-api/error-code. */
export default {
  docs: "https://www.budgetsms.net/sms-http-api/send-sms/",
  region: "Global",
  evidence: "vendor",
  needsSender: true,
  url: "https://api.budgetsms.net",
  env,
  request({ recipient, sender, body }, env, { url }) {
    const form = new URLSearchParams({
      username: env.BUDGETSMS_USERNAME,
      userid: env.BUDGETSMS_USERID,
      handle: env.BUDGETSMS_HANDLE,
      from: sender.replace("+", ""),
      to: recipient.slice(1),
      msg: body,
    })
    return new Request(`${url}/sendsms/`, { method: "POST", body: form })
  },
  faults: {
    recipient: [
      2005, // "Destination number is too short"
      2006, // "Destination is not numeric"
      2010, // "Destination number is invalidly formatted"
    ],
    // 2011 and 3003, an invalid destination, may as well be one without a route.
    account: [1001, 1002, 1003, 1004, 1005, 1006, 1007, 2002, 2003, 2004, 2011, 3001, 3002, 3003],
    message: [2001, 2008, 2009, 2012, 2013, 2015, 2016],
    provider: [4002, 4003, 4004, 4006],
  },
  receipt({ status, text }) {
    const [, id] = /^OK (\d{1,40})(?:\s|$)/.exec(text) ?? []
    if (status === 200 && id) return { id }
    const [, code = status] = /^ERR (\d{1,9})(?:\s|$)/.exec(text) ?? []
    return { code }
  },
} satisfies Provider<typeof env>
