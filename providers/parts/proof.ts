/**
 * The comparison of what a file says must be equal, for calls of platforms and for delivery reports. A file never says yes;
 * this does, in constant time, and refuses where anything is missing.
 * @module
 */
import { createHash, createHmac, verify } from "node:crypto"
import type { FlattenedJWS } from "jose"
import { isSame, type Problem, type Proof, type Proven, tryOr, unproven } from "../../main.ts"
import type { FindKeys } from "./keys.ts"

/** Milliseconds that the clock of a signature may be off, and seconds that the claims of a JSON Web Token may be. */
const tolerance = { signature: 300_000, token: 60 }

/** Of the signatures of a call ten are looked at, and none of more than 512 characters. */
const most = { signatures: 10, characters: 512 }

/** The algorithm by its older and its newer name (RFC 8037, RFC 9864). */
const byEd25519 = { algorithms: ["EdDSA", "Ed25519"] }

type ProofWith<Name extends string> = Extract<Proof, Record<Name, unknown>>

/**
 * Compares a proof at `now`, in milliseconds since 1970. Without `expected`, a token must be one of `tokens`; without
 * `findKeys`, keys at an address prove nothing.
 */
export async function compare(
  proof: Proof,
  now: number,
  tokens: string[] = [],
  findKeys?: FindKeys,
): Promise<Proven | Problem> {
  if ("token" in proof) return compareToken(proof.token, proof.expected ?? tokens)
  if ("jwt" in proof) return await compareClaims(proof, now)
  const given = proof.given.slice(0, most.signatures).filter((one) => one && one.length <= most.characters)
  if (given.length === 0) return unproven("the signature is missing")
  if (proof.time !== undefined && !(Math.abs(now - proof.time) <= tolerance.signature))
    return unproven("the signature's time is more than 5 minutes off")
  if ("jwks" in proof)
    return findKeys ? await verifyByKeys(proof, given, findKeys) : unproven("no keys are fetched here")
  return "publicKey" in proof ? verifySignature(proof, given) : compareHmac(proof, given)
}

/** Compares a token with those that are known. */
export function compareToken(given: string | undefined, known: string[]): Proven | Problem {
  if (!given) return unproven("the token is missing")
  return known.some((one) => isSame(given, one)) ? {} : unproven("the token does not match")
}

/** What tells a call from others: the SHA-256 of what was signed. */
const proofIdOf = (signed: string) => createHash("sha256").update(signed).digest("base64url")

/** Compares with the HMAC in hex, and in base64 with and without padding and of URLs. */
function compareHmac({ key, hash = "sha256", signed }: ProofWith<"key" | "signed">, given: string[]): Proven | Problem {
  if (key.length === 0) return unproven("the key is empty")
  for (const text of [signed].flat()) {
    const digest = createHmac(hash, key).update(text).digest()
    const hex = digest.toString("hex")
    const base64 = digest.toString("base64")
    const expected = [hex, base64, base64.replace(/={1,2}$/, ""), digest.toString("base64url")]
    const written = given.map((one) => (one.length === hex.length ? one.toLowerCase() : one))
    if (written.some((one) => expected.some((form) => isSame(one, form)))) return { proofId: proofIdOf(text) }
  }
  return unproven("the signature does not match the secret")
}

/** Verifies a signature in base64. A runtime may throw at a key that is none. */
function verifySignature({ publicKey, hash, signed }: ProofWith<"publicKey">, given: string[]): Proven | Problem {
  const bytes = Buffer.from(signed)
  const isValid = (one: string) => verify(hash, bytes, publicKey, Buffer.from(one, "base64"))
  return tryOr(() => given.some(isValid), false)
    ? { proofId: proofIdOf(signed) }
    : unproven("the signature does not match the public key")
}

/** Verifies a detached signature. Where no key fits, the keys may have been changed, and are fetched once more. */
async function verifyByKeys({ jwks, signed }: ProofWith<"jwks">, given: string[], findKeys: FindKeys) {
  const { flattenedVerify } = await import("jose/jws/flattened/verify")
  const { createLocalJWKSet } = await import("jose/jwks/local")
  const payload = Buffer.from(signed).toString("base64url")
  let reason = "the signature is not a detached one"
  for (const one of given) {
    const [header, between, signature, ...more] = one.split(".")
    if (!header || between !== "" || !signature || more.length > 0) continue
    const jws: FlattenedJWS = { protected: header, payload, signature }
    for (const isStale of [false, true]) {
      const keys = await findKeys(jwks, isStale).catch(() => undefined)
      if (!keys) return unproven("the keys of the caller could not be fetched")
      const verify = async () => await flattenedVerify(jws, createLocalJWKSet(keys), byEd25519)
      const error = await verify().then(
        () => undefined,
        (error: { code?: unknown }) => error,
      )
      if (!error) return { proofId: proofIdOf(signed) }
      reason = "the signature does not match the caller's keys"
      if (error.code !== "ERR_JWKS_NO_MATCHING_KEY") break
    }
  }
  return unproven(reason)
}

/** Verifies a JSON Web Token, its time as of RFC 7519 §4.1.4 and §4.1.5, and the claims that are named. */
async function compareClaims({ jwt, key, claims }: ProofWith<"jwt">, now: number): Promise<Proven | Problem> {
  if (key.length === 0) return unproven("the key is empty")
  const { jwtVerify } = await import("jose/jwt/verify")
  const algorithms = ["HS256", "HS384", "HS512"]
  const options = { algorithms, currentDate: new Date(now), clockTolerance: tolerance.token }
  const verified = await jwtVerify(jwt, key, options).catch(() => undefined)
  if (!verified) return unproven("the token's signature or its time does not match")
  const isEqual = ([name, expected]: [string, string]) => {
    const claim = verified.payload[name]
    return typeof claim === "string" && isSame(claim, expected)
  }
  return Object.entries(claims).every(isEqual)
    ? // The last sign of a signature has spare bits, so that one token can be written in several ways.
      { proofId: proofIdOf(jwt.slice(0, jwt.lastIndexOf("."))) }
    : unproven("a claim of the token does not match")
}
