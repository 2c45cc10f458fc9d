/** What a fixture of `tests/fixtures/` holds: data alone, taken from the provider's wire contract. */
import type { Fault, Message, Report } from "../../main.ts"

/** A message that shows every slip of encoding: "+", a space, letters beyond ASCII and "&". */
export const sample: Message = {
  recipient: "+12223334444",
  body: "Grüße von A & B: 326162 ist dein Code",
  sender: "+15005550006",
  code: "326162",
}

/** The request that a message must become, as HTTP text: request line, headers by name, an empty line, the body. */
export interface Call {
  title?: string
  /** Added to the fixture's variables. */
  env?: Record<string, string>
  /** Laid over the sample message. */
  message?: Partial<Message>
  http: string
}

/** An answer of the provider: `body` is text, or what is sent as JSON. */
interface Reply {
  title: string
  status: number
  headers?: Record<string, string>
  body: unknown
}

interface Acceptance extends Reply {
  id: string
  /** In place of the fixture's, for an answer of another shape. */
  marks?: string[]
}

/** A call of the provider's webhook as HTTP text, at `https://otp.example.com/<name>/report/sampleReportKey0001`. */
interface Delivery {
  title: string
  /** Added to the fixture's variables. */
  env?: Record<string, string>
  http: string
  /** Undefined where the proof must fail. */
  reports: Report[] | undefined
  /** The last URL that it makes the gateway fetch. */
  fetched?: string
  /** What is answered, where the provider waits for more than a 200. */
  answer?: string
}

interface Reports {
  /** Added to the fixture's variables. */
  env?: Record<string, string>
  /** When they come, in milliseconds since 1970, where that is proven too. */
  clock?: number
  /** The header with the signature, and what is signed. Left out where the key in the path is all. */
  proof?: { header: string; signed: "body" | "address" | "header" }
  /** What is fetched for the proof, by URL. */
  files?: Record<string, string>
  /** Calls with the address for reports in them. Left out where the address is set in the provider's panel. */
  calls?: Call[]
  /** The first is of the message that the first acceptance took. */
  list: [Delivery, ...Delivery[]]
}

/** What the vendor is told of the first acceptance, with `<NAME>_FEEDBACK=on`. */
interface Feedback {
  /** The call of the sample message, where that must ask for it. */
  call?: string
  verified: string
  /** Left out where the vendor wants to know of entered codes alone. */
  unverified?: string
}

export interface Fixture {
  env: Record<string, string>
  /** In place of the sample's, for a provider with `countries`: a number that it serves. */
  recipient?: string
  /** Milliseconds since 1970, for requests that hold a time. */
  clock?: number
  /** What `context.nonce()` gives, for requests that hold one. `{key}` in a request stands for `context.key`. */
  nonce?: string
  calls: [Call, ...Call[]]
  /** Messages that `request` itself refuses. */
  uncalled?: (Omit<Call, "http" | "title"> & { title: string; code: string; fault: Fault })[]
  reports?: Reports
  feedback?: Feedback
  /** Answers to what `request` fetches before it builds the call (a login), in order. */
  logins?: Reply[]
  accepted: [Acceptance, ...Acceptance[]]
  /**
   * The nodes of the accepted JSON answers, as dotted paths, that prove the acceptance: with any one of them gone or
   * changed in type the answer must be refused. Empty for answers that are text.
   */
  marks: string[]
  /** `fault` is the one that the gateway must come to. */
  refused: (Reply & { code: string | number; reason?: string; fault: Fault })[]
}
