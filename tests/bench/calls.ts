/** The calls that are sent: how a platform writes a message and proves it. load.lua fills in number and code alike. */
import { createHmac } from "node:crypto"
import { writeFileSync } from "node:fs"

/** For everything that wants a static token. */
export const token = "a-token-of-more-than-32-characters"
export const secret = "a secret for the bench, longer than 32 bytes"
const hookKey = Buffer.from("a key of Supabase's hook, 32 bytes").toString("base64")
export const hookSecret = `v1,whsec_${hookKey}`

export interface Call {
  path: string
  /** With `@number` and `@code` for what differs. */
  body: string
  headers(n: number, body: string): string[]
  /** How many are signed; where each is taken once, no more than these can be sent. */
  count: number
  isOnce: boolean
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A token as Auth0 signs them: one for each call. */
function tokenOf(n: number): string {
  const iat = Math.floor(Date.now() / 1_000)
  const claims = { aud: "urn:smstask", sub: "urn:Auth0", iat, exp: iat + 86_400, jti: `${n}` }
  const unsigned = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`
  return `${unsigned}.${createHmac("sha256", secret).update(unsigned).digest("base64url")}`
}

/** The user as Supabase's documentation shows one. */
const user = {
  id: "6481a5c1-3d37-4a56-9f6a-bee08c554965",
  aud: "authenticated",
  role: "authenticated",
  email: "",
  phone: "@number",
  phone_confirmed_at: "2026-05-13T11:52:48.157306Z",
  confirmed_at: "2026-05-13T11:52:48.157306Z",
  last_sign_in_at: "2026-05-13T11:52:48.162518Z",
  app_metadata: { provider: "phone", providers: ["phone"] },
  user_metadata: {},
  identities: [
    {
      identity_id: "3be5e552-65aa-41d9-9db9-2a502f845459",
      id: "6481a5c1-3d37-4a56-9f6a-bee08c554965",
      user_id: "6481a5c1-3d37-4a56-9f6a-bee08c554965",
      identity_data: { email_verified: false, phone: "@number", phone_verified: true },
      provider: "phone",
      last_sign_in_at: "2026-05-13T11:52:48.155562Z",
      created_at: "2026-05-13T11:52:48.155599Z",
      updated_at: "2026-05-13T11:52:48.159391Z",
    },
  ],
  created_at: "2026-05-13T11:45:33.7738Z",
  updated_at: "2026-05-14T12:31:52.82475Z",
  is_anonymous: false,
}

export const calls = {
  /** `POST /`, which is what Auth0's connection sends. */
  auth0: {
    path: "/",
    body: JSON.stringify({ recipient: "+@number", body: "Your code is @code", sender: "+15005550006" }),
    headers: (n) => [`Authorization: Bearer ${tokenOf(n)}`],
    count: 100_000,
    isOnce: false,
  },
  /** Supabase's hook, signed as Standard Webhooks are. */
  supabase: {
    path: "/supabase",
    body: JSON.stringify({ user, sms: { otp: "@code", phone: "@number" } }),
    headers(n, body) {
      const [id, seconds] = [`msg_${n}`, Math.floor(Date.now() / 1_000)]
      const signature = createHmac("sha256", Buffer.from(hookKey, "base64")).update(`${id}.${seconds}.${body}`)
      const signed = `webhook-signature: v1,${signature.digest("base64")}`
      return [`webhook-id: ${id}`, `webhook-timestamp: ${seconds}`, signed]
    },
    count: 400_000,
    isOnce: true,
  },
} satisfies Record<string, Call>

/** Beginnings of numbers that exist, in twelve countries, and how many digits follow. */
const beginnings: [digits: string, rest: number][] = [
  ["1201", 7],
  ["1302", 7],
  ["1646", 7],
  ["4479", 8],
  ["491511", 7],
  ["336", 8],
  ["3934", 8],
  ["346", 8],
  ["55119", 8],
  ["9198", 8],
  ["62812", 7],
  ["23480", 8],
  ["8170", 8],
  ["614", 8],
]

/** Numbers far from each other, so that no limit is met: of several countries in turn, without the plus. */
export function numberOf(n: number): string {
  const [digits, rest] = beginnings[n % beginnings.length] ?? ["1201", 7]
  return `${digits}${`${(n * 7_368_787) % 10 ** rest}`.padStart(rest, "0")}`
}
const filled = (body: string, n: number) =>
  body.replaceAll("@number", numberOf(n)).replaceAll("@code", `${n % 1_000_000}`.padStart(6, "0"))

/** One call with its proof. */
export function signed(call: Call, n: number) {
  const body = filled(call.body, n)
  return { body, headers: [...call.headers(n, body), "Content-Type: application/json"] }
}

/** The same as the bytes of a request. */
export function requestOf(call: Call, n: number): string {
  const { body, headers } = signed(call, n)
  const length = `Content-Length: ${Buffer.byteLength(body)}`
  return [`POST ${call.path} HTTP/1.1`, "Host: 127.0.0.1", ...headers, length, "", body].join("\r\n")
}

/** Writes what load.lua reads: the body, the beginnings of numbers, and the headers of each call in a line. */
export function writeCalls(call: Call, file: string) {
  const lines: string[] = []
  for (let n = 0; n < call.count; n += 1) lines.push(signed(call, n).headers.join("|"))
  writeFileSync(file, [call.body, beginnings.map((one) => one.join(" ")).join(","), ...lines].join("\n"))
}
