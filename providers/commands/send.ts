import { parseArgs } from "node:util"
import { type Answer, type Command, once, prepare, readMessage, redact } from "../../main.ts"

function read(args: string[]) {
  try {
    const options = { sender: { type: "string" }, voice: { type: "boolean" } } as const
    return parseArgs({ args, options, allowPositionals: true })
  } catch {
    const dash = 'a text that begins with - stands behind --: send -- +1222… "-5 %"'
    throw new Error(`send has two options, --sender with a value, and --voice; ${dash}`)
  }
}

/** What is wrong with the order or the quotes of what was typed; "" where that is not the fault. */
function misplaced([first = "", second = "", ...rest]: string[]): string {
  if (/^[+(]?\d/.test(first))
    return /^[\d(]/.test(second) && rest.length > 0 ? "; one with blanks stands in quotes" : ""
  return [second, ...rest].some((word) => /^\+\d/.test(word)) ? "; it stands before the text" : ""
}

/** Sends or, with --voice, speaks by the configured route, and shows what each provider answered: status and 500 characters, nothing secret in them. */
export default {
  async run(args, world) {
    const { values, positionals } = read(args)
    const [recipient, ...words] = positionals
    const body = words.join(" ")
    if (!recipient || !body)
      throw new Error('send needs a number and a text: main.ts send +12223334444 "Your code is 326162"')
    const answers: Answer[] = []
    const answered = (answer: Answer) => void answers.push(answer)
    const { gateway, providers } = await prepare({ ...world, answered }, false, console.error)
    const id = crypto.randomUUID()
    const arrival = {
      id,
      caller: "send",
      about: { request: id },
      deadline: gateway.clocks.monotonic() + gateway.settings.DEADLINE,
    }
    const { sender, voice } = values
    const written = { recipient, body, sender, channel: voice ? "voice" : "sms" }
    const inbound = await readMessage(written, arrival, gateway)
    if ("problem" in inbound) throw new Error(inbound.detail + misplaced(positionals))
    const setting = voice ? "VOICE_PROVIDER" : "SMS_PROVIDER"
    if (inbound.route.length === 0) throw new Error(`no provider is named for this number: see ${setting}`)
    const delivery = await once(inbound, gateway)
    const hidden = [...providers.values()].flatMap((ready) => ready.lastUsed.hidden)
    for (const { status, text } of answers)
      console.error(
        `The provider answered ${status}: ${redact(text, hidden, inbound.message, "prose", 500) || "(nothing)"}`,
      )
    world.print(
      JSON.stringify(
        delivery,
        ["id", "provider", "receipt", "problem", "detail", "attempts", "outcome", "code", "ms", "retryAfter"],
        2,
      ),
    )
    const isTest = "receipt" in delivery && delivery.attempts.length === 0
    if (isTest) console.error("The number is one of TEST_NUMBERS: nothing was sent.")
    const isAsked = (name: string) => !isTest && inbound.route.some((provider) => provider.name === name)
    if (isAsked("console")) console.error(`${setting} is console: the text was printed, and nothing was sent.`)
    if (isAsked("inbox"))
      console.error(`${setting} is inbox: the page of a gateway that serves shows texts, and nothing was sent.`)
    process.exitCode = "problem" in delivery ? 1 : 0
  },
} satisfies Command
