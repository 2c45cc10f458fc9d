/**
 * What few messages ask for: the code in a text, the text of a code that comes alone, and a log-in that is kept.
 * @module
 */
import * as v from "valibot"
import { type Complaint, type Environment, type Fields, family, folded, type Helpers } from "../../main.ts"
import { language } from "../lib.ts"
import { placeOf, thrownInstead } from "./check.ts"

/**
 * The one-time code in a text: what the pattern finds, or a WebOTP line says, or the only run of 4 to 10 digits that stands
 * alone. None where several could be it: a second run, one with letters inside (`AB1234`), one that goes on behind a
 * separator (`123-456`), or an HTML entity.
 */
export function findCode(body: string, pattern?: RegExp): string | undefined {
  // Android's SMS Retriever wants a hash of its own at the end.
  const text = folded(body.replace(/\p{No}/gu, "x")).replace(/^(<#>.*)\s[\w+/]{11}\s*$/s, "$1")
  if (pattern) return pattern.exec(text)?.findLast(Boolean)
  const webOtp = /^@\S+ #([^\s%]+)/m.exec(text)?.[1]
  if (webOtp || /&#?\w{1,8};/.test(text)) return webOtp
  // Letters of scripts without cases (Kana, Thai) stand beside digits with no blank between.
  const words = text.match(/\d+(?:[ .\-–—/_]\d+)+|[\p{LC}\p{N}]{2,}(?:[-_][\p{LC}\p{N}]+)*/gu) ?? []
  const codes = new Set(words.filter((word) => /^\d{4,10}$/.test(word)))
  const isUnit = (word: string) => /^\d{1,3}(s|m|h|secs?|mins?|minutes|hours|hrs?|st|nd|rd|th|am|pm)$/i.test(word)
  const isLong = (word: string) => /\d.*\d/.test(word) && word.replace(/[-_]/g, "").length > 3
  const isOther = (word: string) => isLong(word) && !isUnit(word) && !codes.has(word)
  return codes.size === 1 && !words.some(isOther) ? [...codes][0] : undefined
}

const asUnescaped = v.transform((text: string) => text.replaceAll("\\n", "\n"))
const codeText = v.pipe(v.string(), v.includes("{code}"), asUnescaped, v.description("a text that holds {code}"))
/** Settings that stand for all languages, or behind a `_` for some. */
export const textFamilies = { CODE_TEXT: codeText, CODE_SPEECH: codeText }
const languageBehind: readonly [RegExp, string] = [/^[A-Z]{2,3}(_[A-Z\d]+)*$/, "a language, as PT_BR"]

/** What a call is followed by: its W3C trace and the platform's own id of it. */
function traceOf(headers: Headers): Fields {
  const trace = /^[\da-f]{2}-([\da-f]{32})-/.exec(headers.get("traceparent") ?? "")?.[1]
  const callerId = /^[\w.:-]{1,100}$/.exec(headers.get("webhook-id") ?? headers.get("x-request-id") ?? "")?.[0]
  return { ...(trace && { trace }), ...(callerId && { caller_id: callerId }) }
}

/** What a file threw while it sent. It is redacted whole, so that nothing is cut; a run of digits in its place would go. */
function told(thrown: unknown, name: string): string {
  const [line = ""] = (thrown instanceof Error ? `${thrown}` : thrownInstead(thrown)).split("\n")
  const place = thrown instanceof Error ? placeOf(thrown, new RegExp(RegExp.escape(name))) : ""
  const [, file, row, column] = /^(.+?):(\d+)(?::(\d+))?$/.exec(place) ?? []
  return file ? `${file}, line ${row}${column ? `, column ${column}` : ""}: ${line}` : line
}

/** What a provider that logs in first is given: `send` makes its calls, and `state` keeps what the log-in brought. */
const loginOf: Helpers["loginOf"] = (state, send, clock) => ({
  async fetch(url, init) {
    const answer = await send(new Request(url, init))
    if (!("outcome" in answer)) return new Response(answer.text || null, answer)
    throw Object.assign(new Error("the call brought no answer"), { refused: answer })
  },
  async session(login) {
    const answer = state.session && state.session.expires > clock() ? state.session : await login()
    if ("token" in answer) state.session = answer
    return "token" in answer ? answer.token : answer
  },
})

/** The helpers with the texts of the environment; what is wrong with these goes to `complaints`. */
export function helpersOf(env: Environment, complaints: Complaint[]): Helpers {
  const read = (name: keyof typeof textFamilies) => family(env, name, codeText, complaints, languageBehind)
  const texts = { sms: read("CODE_TEXT"), voice: read("CODE_SPEECH") }
  const usual = { sms: "Your code is {code}", voice: "Your code is {code}. Again, your code is {code}." }
  const textOf: Helpers["textOf"] = (code, channel, locale) => {
    const tags = texts[channel].flatMap(({ target }) => target || [])
    const tag = language(locale, tags, "")
    const text = texts[channel].find(({ target }) => target === tag)?.value ?? usual[channel]
    return text.replaceAll("{code}", () => code)
  }
  return { textOf, findCode, loginOf, told, traceOf }
}
