/**
 * Pure helpers for the files of providers, platforms and pages. It imports nothing but valibot, so that a file copies out with
 * this one beside it.
 * @module
 */
import * as v from "valibot"
import type { Call, Message, Outcome, Proof, Refusal, Session } from "./contract.ts"

// ───────────────────────────── Requests ─────────────────────────────

/** The value of `Authorization` for a user and a password, in UTF-8 (RFC 7617). */
export const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`

const bytesOf = (text: string | Uint8Array<ArrayBuffer>) => (typeof text === "string" ? Buffer.from(text) : text)

/** The SHA-256 of a text in UTF-8: 32 bytes. */
export const sha256 = async (text: string): Promise<Buffer<ArrayBuffer>> =>
  Buffer.from(await crypto.subtle.digest("SHA-256", bytesOf(text)))

/** The HMAC (RFC 2104) of a text in UTF-8: 20 bytes of SHA-1, 32 of SHA-256. Rejects an empty key. */
export async function hmac(
  hash: "SHA-1" | "SHA-256",
  key: string | Uint8Array<ArrayBuffer>,
  text: string,
): Promise<Buffer<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey("raw", bytesOf(key), { name: "HMAC", hash }, false, ["sign"])
  return Buffer.from(await crypto.subtle.sign("HMAC", imported, bytesOf(text)))
}

/**
 * The form of a call to an RPC API of Alibaba Cloud, with its common fields, signed by HMAC-SHA1. `now` is in milliseconds
 * since 1970, `nonce` a text that no other call has.
 */
export async function aliyunForm(
  fields: Record<string, string>,
  key: { id: string; secret: string },
  now: number,
  nonce: string,
): Promise<URLSearchParams> {
  const form = new URLSearchParams({
    ...fields,
    AccessKeyId: key.id,
    Format: "JSON",
    SignatureMethod: "HMAC-SHA1",
    SignatureNonce: nonce,
    SignatureVersion: "1.0",
    Timestamp: isoTime(now),
  })
  form.sort()
  // The text to sign is encoded by RFC 3986, whatever the encoding of the body.
  const encoded = form.toString().replaceAll("+", "%20").replaceAll("*", "%2A").replaceAll("%7E", "~")
  const signature = await hmac("SHA-1", `${key.secret}&`, `POST&%2F&${encodeURIComponent(encoded)}`)
  form.set("Signature", signature.toString("base64"))
  return form
}

/** A time in seconds, as ISO 8601 writes it: `2026-11-30T06:42:00Z`. `milliseconds` count since 1970. */
export const isoTime = (milliseconds: number): string => new Date(milliseconds).toISOString().replace(/\.\d+/, "")

/** The same in ISO 8601's basic format: `20261130T064200Z`. */
export const basicTime = (milliseconds: number): string => isoTime(milliseconds).replace(/[:-]/g, "")

const Granted = v.object({
  access_token: v.pipe(v.string(), v.nonEmpty()),
  expires_in: v.pipe(v.union([v.number(), v.string()]), v.transform(Number), v.minValue(1)),
})
const NotGranted = v.object({ error: v.string(), error_description: v.optional(v.string()) })

/**
 * Reads a token endpoint's answer (RFC 6749 §5): the token, which counts as expired a minute early, or the refusal. `now` is
 * in milliseconds since 1970. Never throws.
 */
export async function readToken(answer: Response, now: number): Promise<Session | Refusal> {
  const json: unknown = await answer.json().catch(() => undefined)
  const granted = v.safeParse(Granted, json)
  if (answer.status === 200 && granted.success) {
    const { access_token: token, expires_in } = granted.output
    return { token, expires: now + (expires_in - 60) * 1_000 }
  }
  const fault = [400, 401, 403].includes(answer.status) ? "account" : "provider"
  if (v.is(NotGranted, json)) return { code: json.error, reason: json.error_description, fault }
  return { code: answer.status, reason: "the log-in brought no token", fault }
}

// ───────────────────────────── Texts ─────────────────────────────

/** The refusal of a message without a code, for a provider that sends the code alone. */
export const noCode: Refusal = {
  code: "no_code",
  reason: "the message holds no code, or several",
  fault: "message",
}

/** Whether a text fits the GSM 7-bit alphabet and its extension (3GPP TS 23.038). Any other text is sent as UCS-2. */
export const isGsm7 = (text: string): boolean =>
  /^[@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&'()*+,./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà^{}\\[~\]|€\f-]*$/.test(text)

/** How many characters of a message a text takes: in GSM-7 those of the extension count twice (3GPP TS 23.038). */
export const lengthOf = (text: string): number =>
  isGsm7(text) ? text.replace(/[\^{}\\[~\]|€\f]/g, "--").length : text.length

/** A setting that holds texts in their order, such as a template's variables: a JSON list. */
export const textList = v.pipe(v.string(), v.parseJson(), v.array(v.string()))

/** A setting that holds texts by name, such as a template's variables: a JSON object. */
export const textRecord = v.pipe(v.string(), v.parseJson(), v.record(v.string(), v.string()))

/**
 * Fills in the placeholders `{code}`, `{body}`, `{locale}`, `{sender}` and `{recipient}` of every text in `template`, however
 * deep. What the message does not have is "". Undefined where a text holds `{code}` and the message has none.
 */
export function fill<T>(template: T, message: Message): T | undefined {
  const values: Record<string, string | undefined> = { ...message }
  let lacksCode = false
  const filled = JSON.stringify(template, (_, value) => {
    if (typeof value !== "string") return value
    lacksCode ||= value.includes("{code}") && !message.code
    return value.replace(/\{(code|body|locale|sender|recipient)\}/g, (_, name: string) => values[name] ?? "")
  })
  return lacksCode ? undefined : JSON.parse(filled)
}

/** The closest of the `known` language tags for a BCP 47 tag (RFC 4647, lookup), or `fallback`. Reads `_` as `-`. */
export function language(tag: string | undefined, known: readonly string[], fallback: string): string {
  const normalize = (tag: string) => tag.toLowerCase().replaceAll("_", "-")
  let range = normalize(tag ?? "")
  while (range) {
    const exact = known.find((name) => normalize(name) === range)
    const found = exact ?? known.find((name) => normalize(name).startsWith(`${range}-`))
    if (found) return found
    range = range.slice(0, Math.max(0, range.lastIndexOf("-")))
  }
  return fallback
}

/** How a provider's voice is told to pause. */
export interface Markup {
  /** Stands between two digits of a code: a comma and a blank, unless it is given. */
  pause?: string
  /** Stands between the text and its repetition: a blank, unless it is given. Undefined where the provider repeats by itself. */
  again?: string | undefined
  /** Whether the text goes into XML or SSML and must be escaped. */
  isXml?: boolean
}

/** What a voice says: the text twice, its code digit by digit. A text that says the code twice is not repeated. */
export function speech({ body, code }: Message, markup: Markup = {}): string {
  const { pause = ", ", isXml } = markup
  const again = "again" in markup ? markup.again : " "
  const escapeXml = (text: string) => (isXml ? text.replace(/[<>&"']/g, (sign) => `&#${sign.charCodeAt(0)};`) : text)
  const parts = code ? body.split(code) : [body]
  const text = parts.map(escapeXml).join([...(code ?? "")].map(escapeXml).join(pause))
  return again === undefined || parts.length > 2 ? text : `${text}${again}${text}`
}

// ───────────────────────────── Callers ─────────────────────────────

/** A setting that holds a token of at least 32 visible ASCII characters. `use` ends its description. */
export const secretToken = (use = "no spaces") =>
  v.pipe(v.string(), v.regex(/^[!-~]{32,}$/), v.description(`a token of at least 32 characters, ${use}`))

/** The command that prints a token of 64 hexadecimal digits, for the steps of a platform. */
export const makeToken = `node -p "crypto.randomBytes(32).toString('hex')"`

/** A member of a platform's call that may hold anything and may be left out; the gateway checks it later. */
export const unread = v.optional(v.unknown())

/** A text in a platform's call that may be left out. */
export const optionalText = v.nullish(v.string())

/** The statuses that most platforms are told in place of the gateway's own: 400, 422, 502 and 504 in this order. */
export const hookStatuses: Partial<Record<Outcome["code"], number>> = {
  invalid_message: 422,
  destination_not_allowed: 403,
  delivery_rejected: 503,
  delivery_timeout: 503,
}

/**
 * An outcome as JSON. Where the message was accepted or may have gone out, 200 with `accepted`: a failure would lose its code. Else
 * `{ code, id, detail }`, with a status of `hookStatuses` and, where a limit is used up, `retry-after`. `detail` is there where the
 * call's fields are at fault.
 */
export function answerHook(outcome: Outcome, accepted: object = { id: outcome.id }): Response {
  const { code, status, id, detail, isPerhapsSent, retryAfter } = outcome
  if (code === "accepted" || isPerhapsSent) return Response.json(accepted)
  const headers = retryAfter ? { "retry-after": `${retryAfter}` } : {}
  return Response.json({ code, id, detail }, { status: hookStatuses[code] ?? status, headers })
}

/** Of a header with signatures, 4,096 characters and the first 10 signatures are read. */
const most = { characters: 4_096, signatures: 10 }

const secondsOf = (text: string) => (/^\d{1,12}$/.test(text) ? Number(text) * 1_000 : Number.NaN)

/**
 * Reads a call that is signed as Standard Webhooks say (standardwebhooks.com), by the headers `<prefix>-id`,
 * `<prefix>-timestamp` and `<prefix>-signature`: `v1,<base64> v1,<base64>`. Commas between signatures are read, too. `secret`
 * is base64, behind `whsec_` where it has that.
 */
export function readStandardWebhook({ headers, text }: Call, secret: string, prefix: "webhook" | "svix") {
  const read = (name: string) => headers.get(`${prefix}-${name}`) ?? ""
  const id = read("id")
  const time = read("timestamp")
  const given: string[] = []
  let before = ""
  // One word names the version, and the next one is the signature; a blank beside a comma makes a word that is empty.
  for (const word of read("signature")
    .slice(0, most.characters)
    .split(/[ ,]/, 3 * most.signatures)) {
    if (before === "v1" && given.length < most.signatures) given.push(word)
    before = word
  }
  return {
    key: Buffer.from(secret.replace(/^(v1,)?whsec_/, ""), "base64"),
    signed: `${id}.${time}.${text}`,
    given: id ? given : [],
    time: secondsOf(time),
  } satisfies Proof
}

/**
 * Reads a call that is signed over its time and body by the header `t=<seconds>,<version>=<signature>`, which may hold several
 * signatures.
 */
export function readTimedSignature({ headers, text }: Call, header: string, version: "v1" | "v2", secret: string) {
  const parts = (headers.get(header) ?? "").slice(0, most.characters).split(",", 1 + most.signatures)
  const valuesOf = (name: string) =>
    parts.flatMap((part) => (part.startsWith(`${name}=`) ? part.slice(name.length + 1) : []))
  const [time = ""] = valuesOf("t")
  return {
    key: Buffer.from(secret),
    signed: `${time}.${text}`,
    given: valuesOf(version),
    time: secondsOf(time),
  } satisfies Proof
}

// ───────────────────────────── Packages ─────────────────────────────

/** The package that an import did not find, by the runtimes' texts; undefined where another thing failed. */
export const missingPackage = (error: Error): string | undefined =>
  /(?:package|module|Import|dependency) ["'](?!file:)([^"'./][^"']*)["'](?! does not provide an export)/.exec(
    error.message,
  )?.[1]
