/** What a fixture of `tests/fixtures/platforms/` holds, data alone, taken from the platform's wire contract; and its signer. */
import { createHash, createHmac, createPrivateKey, createPublicKey, sign as signBy } from "node:crypto"
import type { JWK } from "jose"
import type { Message, ProblemCode } from "../../main.ts"

/** A static token as every fixture uses it, and another one. */
export const tokens: [own: string, other: string] = [
  "test-token-0123456789abcdef0123456789",
  "another-token-0123456789abcdef0123456789",
]

/**
 * The headers that prove a call, each with its placeholders: `{secret}`, `{basic}` (user and the secret, as Basic has them),
 * `{id}`, `{seconds}`, `{signatures}`.
 */
export interface Proof {
  title: string
  /** The variable that holds the secret. */
  variable: string
  secrets: [own: string, other: string]
  headers: Record<string, string>
  /** Left out: the secret itself is sent. */
  signature?: {
    /** What stands before the key in the secret. */
    prefix?: string
    /** `ed25519`: the secret is the address of the keys, of which each has one of its own, and the signature is detached. */
    key: "text" | "base64" | "ed25519"
    /** With `{id}`, `{seconds}`, `{body}`, and `{base64}` or `{base64url}`, which are the body so written. */
    signed: string
    /** Whether the same content written with other blanks has the same signature. */
    isOfContent?: true
    digest: "hex" | "base64" | "base64 without padding"
    /** One signature in its place, and what stands between several; left out where there is never more than one. */
    each?: string
    between?: string
  }
  /** Public keys that are at the first address, too. */
  known?: JWK[]
}

/** A private key that goes with an address, the same every time. */
function privateKeyOf(address: string) {
  // PKCS #8 before the 32 bytes of a key (RFC 8410).
  const start = Buffer.from("302e020100300506032b657004220420", "hex")
  const seed = createHash("sha256").update(address).digest()
  return createPrivateKey({ key: Buffer.concat([start, seed]), format: "der", type: "pkcs8" })
}

/** What is found at an address of keys. */
export function keySetOf({ secrets, known = [] }: Proof, address: string): { keys: JWK[] } {
  const jwk = createPublicKey(privateKeyOf(address)).export({ format: "jwk" }) as JWK
  return { keys: [{ ...jwk, kid: address, alg: "EdDSA" }, ...(address === secrets[0] ? known : [])] }
}

/** A detached JSON Web Signature of a text by the key that goes with an address. */
function signDetached(text: string, address: string): string {
  const encode = (part: string) => Buffer.from(part).toString("base64url")
  const header = encode(JSON.stringify({ alg: "EdDSA", typ: "JWS", kid: address }))
  const signature = signBy(null, Buffer.from(`${header}.${encode(text)}`), privateKeyOf(address))
  return `${header}..${signature.toString("base64url")}`
}

/** A call and what it must become: a message, nothing to send, or a refusal: of its number as invalid, of its fields as malformed. */
export interface Sample {
  title: string
  /** The version of the platform that sent this, with other numbers, codes and ids; left out where it is from documents. */
  seen?: string
  /** Headers that the platform sends beside those of its proof. */
  headers?: Record<string, string>
  env?: Record<string, string>
  /** Text, or what is sent as JSON; in it "{milliseconds}" is the moment of the event, as a number. */
  body: unknown
  /** How long before this call the event was, in milliseconds. */
  age?: number
  /** Headers that the platform's own code or library made or accepted for it, with the first proof's secret. */
  vectors?: { seconds: number; headers: Record<string, string> }[]
  becomes:
    | (Omit<Message, "sender"> & { sender?: string; ip?: string; key?: string; user?: string })
    | "nothing"
    | "invalid"
    | "malformed"
  /** What the log says of a refusal. */
  says?: string
}

/** A call that tells of an entered code, and whom it means. */
export interface VerifiedSample {
  title: string
  /** As in a sample of a message. */
  seen?: string
  headers?: Record<string, string>
  body: unknown
  means: { recipient: string } | { user: string } | "nobody" | "invalid"
  /** Headers that the platform's own code made for this body with the proof's first secret. */
  signature?: Record<string, string>
}

/**
 * An answer: `body` is what JSON it is, or text, or left out where it is empty; `{id}` stands for any id of the gateway,
 * `{date}` for any time, `{sentence}` for the one of this outcome that people may read, `{detail}` for what names the fields at fault. `own` in place of both: the gateway's own answer with this code.
 */
export interface Told {
  status: number
  own?: ProblemCode | "accepted"
  headers?: Record<string, string>
  body?: unknown
}

export const outcomes = [
  "accepted",
  "badNumber",
  "limited",
  "refused",
  "rejected",
  "timeout",
  "invalid",
  "malformed",
] as const

export interface PlatformFixture {
  proofs: [Proof, ...Proof[]]
  samples: [Sample, ...Sample[]]
  /** Where the first sample has its number, as a dotted path. */
  recipient: string
  /** What of the first sample must be there, as dotted paths. */
  required: string[]
  /** Whether its contract says that every number holds its country. */
  isInternational: boolean
  /** Whether the person who logs in reads what an unproven call is told, so that it is its code alone. */
  isShown?: true
  answers: Record<(typeof outcomes)[number], Told>
  /** What it is told of a phone call where there is no VOICE_PROVIDER, if it asks for calls. */
  unspoken?: Told
  /** What it is told where a provider suspects fraud, if that has words of its own. */
  fraud?: Told
  /** The hook that tells of entered codes: whom each call means. */
  verified?: {
    proof: Proof
    /** Left out: 204, and the gateway's own problem. */
    answer?: Told
    samples: VerifiedSample[]
  }
  /** What it is asked before the first message. */
  greet?: { headers: Record<string, string>; told: Told }
}

/** Numbers that a signer may be made to differ in. */
interface Signing {
  secrets?: string[]
  now: number
  id?: string
}

/** The headers that prove a call with this body; of several secrets there are as many signatures. */
export function prove({ headers, signature, secrets }: Proof, body: string, signing: Signing): Record<string, string> {
  const { now, id = "msg_2b6Hc7dExample01" } = signing
  const [secret = ""] = signing.secrets ?? secrets
  const seconds = String(Math.floor(now / 1_000))
  const base64 = Buffer.from(body).toString("base64")
  const base64url = Buffer.from(body).toString("base64url")
  const fill = (template: string, values: Record<string, string>) =>
    template.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "")
  const sign = (secret: string) => {
    const { prefix = "", key, signed = "", digest, each = "{signature}" } = signature ?? {}
    if (key === "ed25519") return signDetached(fill(signed, { id, seconds, body, base64, base64url }), secret)
    const bare = secret.startsWith(prefix) ? secret.slice(prefix.length) : secret
    const bytes = key === "base64" ? Buffer.from(bare, "base64") : Buffer.from(bare)
    const hmac = createHmac("sha256", bytes).update(fill(signed, { id, seconds, body, base64 }))
    const text = digest === "hex" ? hmac.digest("hex") : hmac.digest("base64")
    return fill(each, { signature: digest === "base64 without padding" ? text.replace(/=+$/, "") : text })
  }
  const signatures = (signing.secrets ?? [secret]).map(sign).join(signature?.between ?? ", ")
  const basic = Buffer.from(`user:${secret}`).toString("base64")
  return Object.fromEntries(
    Object.entries(headers).map(([name, template]) => [
      name,
      fill(template, { id, seconds, secret, basic, signatures }).trim(),
    ]),
  )
}

/** A fixture's body as it goes over the wire. */
export function textOf(body: unknown, moment: number): string {
  const text = typeof body === "string" ? body : JSON.stringify(body)
  return text.replace('"{milliseconds}"', String(moment))
}
