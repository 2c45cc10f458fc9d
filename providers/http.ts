import * as v from "valibot"
import type { Provider, Values } from "../main.ts"
import { noCode, textRecord } from "./lib.ts"

const placeholder = /\{(recipient|recipient_digits|sender|body|code)\}/g
const isJson = (template: string) => /^\s*[[{]/.test(template)
const works = (test: () => unknown) => {
  try {
    return Boolean(test())
  } catch {
    return false
  }
}

/** At start: a value must never choose the host, a misspelt placeholder or one in two braces never reach a phone. */
const leavesNone = (template: string) =>
  !/[{$]\{\w+\}/.test(template) && !/\{\s*[\w-]+\s*\}/.test(template.replace(placeholder, ""))
const url = v.regex(/^https?:\/\/[^/?#{}@\\]+([/?][^{}#]*(\{\w+\}[^{}#]*)*)?$/)
const filled = (template: string) =>
  template.replace(placeholder, (name) => (name === "{recipient_digits}" ? "1" : "x"))
const body = v.check(
  (template: string) => leavesNone(template) && (!isJson(template) || works(() => JSON.parse(filled(template)))),
)
const headers = v.check(
  (given: Record<string, string>) => works(() => new Headers(given)) && !/\{\w+\}/.test(Object.values(given).join()),
)
const lowerCase = (given: Record<string, string>) =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]))
const pattern = v.check((text: string) => works(() => new RegExp(text)))

const env = {
  HTTP_URL: v.pipe(
    v.string(),
    url,
    v.check(leavesNone),
    v.description("URL; path and query may hold {recipient} {recipient_digits} {sender} {body} {code}"),
  ),
  HTTP_SUCCESS: v.pipe(
    v.string(),
    pattern,
    v.description("status, or a regular expression that every acceptance matches, its first group the message id"),
  ),
  HTTP_STATUS: v.pipe(
    v.optional(v.string(), "200,201,202"),
    v.regex(/^\d{3}(, *\d{3})*$/),
    v.description("the statuses of an acceptance, separated by commas"),
  ),
  HTTP_METHOD: v.pipe(
    v.optional(v.string(), "POST"),
    v.toUpperCase(),
    v.picklist(["GET", "POST", "PUT"]),
    v.description("GET, POST or PUT"),
  ),
  HTTP_HEADERS: v.pipe(
    v.optional(v.string(), "{}"),
    textRecord,
    v.transform(lowerCase),
    headers,
    v.description("headers as a JSON object of texts, without placeholders"),
  ),
  HTTP_BODY: v.optional(
    v.pipe(
      v.string(),
      body,
      v.description("JSON or a form with {recipient} {recipient_digits} {sender} {body} {code}, in JSON inside quotes"),
    ),
  ),
}

/** A call by GET has no body. */
const bodyOf = ({ HTTP_METHOD, HTTP_BODY = "" }: Values<typeof env>) => (HTTP_METHOD === "GET" ? "" : HTTP_BODY)

/** Any JSON or form API by configuration alone. What is put into a template is escaped for its place. */
export default {
  docs: "README.md",
  env,
  unsecret: ["HTTP_SUCCESS", "HTTP_STATUS", "HTTP_METHOD"],
  check(env) {
    const sent = `${env.HTTP_URL} ${bodyOf(env)}`
    const isByGet = env.HTTP_METHOD === "GET"
    const place = isByGet ? "by GET HTTP_URL must hold" : "HTTP_URL or HTTP_BODY must hold"
    const setting = bodyOf(env) ? "HTTP_BODY" : "HTTP_URL"
    if (!/\{recipient(_digits)?\}/.test(sent))
      return { text: `http would send no number: ${place} {recipient}`, setting }
    if (!/\{(body|code)\}/.test(sent)) return { text: `http would send no text: ${place} {body} or {code}`, setting }
    return undefined
  },
  request(message, env) {
    const values = { ...message, recipient_digits: message.recipient.slice(1) }
    const template = bodyOf(env)
    if (!message.code && `${env.HTTP_URL} ${template}`.includes("{code}")) return noCode
    // In a path a text of dots would name another one, and no escape keeps a URL from reading it so.
    const [path = ""] = env.HTTP_URL.split("?")
    if (path.includes("{body}") && /^\.{1,2}$/.test(message.body))
      return { code: "dots", reason: "text is dots alone", fault: "message" }
    const fill = (text: string, encode: (value: string) => string) =>
      text.replace(placeholder, (_, name: keyof typeof values) => encode(values[name] ?? ""))
    const inJson = (value: string) => JSON.stringify(value).slice(1, -1)
    const [type, encode] = isJson(template)
      ? ["application/json", inJson]
      : ["application/x-www-form-urlencoded", encodeURIComponent]
    return new Request(fill(env.HTTP_URL, encodeURIComponent), {
      method: env.HTTP_METHOD,
      headers: { ...(template && { "content-type": type }), ...env.HTTP_HEADERS },
      body: template ? fill(template, encode) : null,
    })
  },
  receipt({ status, text }, env) {
    const match = env.HTTP_SUCCESS === "status" ? [""] : new RegExp(env.HTTP_SUCCESS).exec(text)
    if (env.HTTP_STATUS.split(/, */).includes(String(status)) && match) return { id: match[1] ?? "" }
    return { code: status, reason: "the answer is not what HTTP_STATUS and HTTP_SUCCESS expect" }
  },
} satisfies Provider<typeof env>
