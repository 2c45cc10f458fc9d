/**
 * What helps whoever writes a call: where its JSON breaks, and the names of its fields. Where this file is not there, a refusal
 * says less.
 * @module
 */

/** What others call a number, a text, a code and a sender. */
const usualName =
  /^to$|phone|number|mobile|cell|tel|msisdn|dest|dst|recip|receiv|address|text|message|msg|sms|content|otp|code|from|sender|src|source/i

/** The names of fields that others use, so that whoever writes the call sees them. Only a usual name is told: it is no value. */
export function describeOthers(fields: object, known: readonly string[]): string {
  const isOther = (name: string) => !known.includes(name) && /^[a-z][a-z_-]*$/i.test(name) && usualName.test(name)
  const names = Object.keys(fields).flatMap((name) => (isOther(name) ? name.slice(0, 20) : []))
  return names.length > 0 ? `; the body has ${names.slice(0, 5).join(", ")}` : ""
}

/** The inside of a text up to the quote that ends it. */
export const jsonText = String.raw`"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\u0000-\u001f]*)*`
const jsonScalar = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null`

/** One part of JSON, with the blanks before it. */
export const jsonToken = `([ \\t\\r\\n]*)(?:(${jsonText}")|(${jsonScalar})|([{}[\\],:]))?`

/** Where a text stops being JSON (RFC 8259), without a word of it: `line 1, column 9`. */
export function placeOfBreak(text: string): string {
  const token = new RegExp(jsonToken, "y")
  const values = '"0{['
  const closers: string[] = []
  let allowed = values
  let at = 0
  for (;;) {
    token.lastIndex = at
    const [whole = "", blank = "", string, scalar, sign = ""] = token.exec(text) ?? []
    const kind = string ? '"' : scalar ? "0" : sign
    at += blank.length
    if (!kind || !allowed.includes(kind)) break
    at += whole.length - blank.length
    if (kind === "{" || kind === "[") closers.push(kind === "{" ? "}" : "]")
    else if (kind === closers.at(-1)) closers.pop()
    const isInObject = closers.at(-1) === "}"
    const isKey = kind === '"' && /^"}?$/.test(allowed)
    const afterValue = closers.length > 0 ? `,${closers.at(-1)}` : ""
    const next: Record<string, string> = { "{": '"}', "[": `${values}]`, ":": values, ",": isInObject ? '"' : values }
    allowed = isKey ? ":" : (next[kind] ?? afterValue)
  }
  // Inside of a text that is wrong, it is the wrong character.
  if (allowed.includes('"')) at += new RegExp(jsonText, "y").exec(text.slice(at))?.[0].length ?? 0
  const before = text.slice(0, at)
  return `line ${before.split("\n").length}, column ${at - before.lastIndexOf("\n")}`
}
