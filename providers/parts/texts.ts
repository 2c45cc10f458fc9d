/**
 * The text for a code that a platform sends alone.
 * @module
 */
import { language, type Settings } from "../../main.ts"

const defaultText = { sms: "Your code is {code}", voice: "Your code is {code}. Again, your code is {code}." }

/** The text of a code that comes alone, in the closest language that CODE_TEXT or CODE_SPEECH has. */
export function textOf(
  code: string,
  channel: "sms" | "voice",
  locale: string | undefined,
  { texts }: Settings,
): string {
  const known = texts[channel]
  const tags = known.flatMap(({ target }) => target || [])
  const tag = language(locale, tags, "")
  const text = known.find(({ target }) => target === tag)?.value ?? defaultText[channel]
  return text.replaceAll("{code}", code)
}
