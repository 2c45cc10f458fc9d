/**
 * Forms in another charset than UTF-8, as midPoint and older platforms send them: needed only by a call that declares one.
 * @module
 */

/**
 * A form in another charset as one in UTF-8; undefined for JSON, which always is UTF-8 (RFC 8259). Throws where the charset is not
 * known, or the bytes are none of it.
 */
export function recodeForm(bytes: Uint8Array, charset: string): string | undefined {
  if (/^\s*[[{]/.test(new TextDecoder().decode(bytes.subarray(0, 100)))) return undefined
  const form = Buffer.from(bytes).toString("latin1")
  const decoder = new TextDecoder(charset as "utf-8", { fatal: true })
  const decode = (part: string) => {
    const binary = part.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    return encodeURIComponent(decoder.decode(Buffer.from(binary, "latin1")))
  }
  // What is no escape stays: "&" and "=" part the fields, "+" is a blank.
  return form.replace(/[^&=+]+/g, decode)
}
