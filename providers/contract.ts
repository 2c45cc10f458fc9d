/**
 * The contract between main.ts and the files beside it: what a provider, a platform, a page and a store are given and what
 * they give back. Types alone, gone when the program runs; a file imports them from main.ts, which hands them on.
 * @module
 */
import type { Hono } from "hono"
import type * as v from "valibot"

// ───────────────────────────── Providers: who delivers ─────────────────────────────

/** A message as a provider file gets it. `recipient`, `body` and `sender` are Auth0's own words. */
export interface Message {
  /** E.164 with "+": `+12223334444`. */
  recipient: string
  /** The text, 1 to 1,600 characters; it may hold line breaks and no other control characters. */
  body: string
  /** A number, a short code or an alphanumeric id of up to 11 characters; "" where none is set. */
  sender: string
  /** The one-time code, sent apart by the platform or found in the text; undefined where there is none or several. */
  code?: string | undefined
  /** BCP 47, such as `pt-BR`. */
  locale?: string | undefined
  channel?: "sms" | "voice" | undefined
}

/**
 * Whose fault a refusal is, which decides what happens next. `recipient`: surely the number's (malformed, no mobile, opted
 * out), so that no provider will do better. `account`: credentials, balance, sender, route or country not enabled.
 * `message`: template, length, characters. `provider`: throttled, out of order, or an answer that is not documented. `fraud`: it
 * suspects pumping, so that the next provider would be paid for the same fraud.
 */
export type Fault = "recipient" | "account" | "message" | "provider" | "fraud"

/** Acceptance with the provider's own message id ("" where it gives none), or refusal with its own code and reason. */
export type Receipt = { id: string } | Refusal

/** Without `fault` the provider's `faults` decide, then the status: `account` for 401, 402 and 403, else `provider`. */
export interface Refusal {
  code: string | number
  reason?: string | undefined
  fault?: Fault | undefined
  /** Whether the message may go out all the same, so that whoever is asked next may send it a second time. */
  isPerhapsSent?: boolean | undefined
}

/** What the provider answered; `json` is undefined where the text is not JSON, and `text` is cut after 16 KiB. */
export interface Answer {
  status: number
  headers: AnswerHeaders
  text: string
  json: unknown
}

/** What is read of a provider's headers; names are in any case. */
export type AnswerHeaders = Pick<Headers, "get" | "has">

/** A token that a log-in brought; `expires` is in milliseconds since 1970. */
export interface Session {
  token: string
  expires: number
}

/** What touches the world: all that a request may depend on besides the message and the variables. Pure helpers are in lib.ts. */
export interface Context {
  /** The provider's base URL with no slash at its end, or what `<NAME>_URL` puts in its place. */
  url: string
  /** For a provider that logs in first. Redirects are refused, and the attempt's time limit covers it. */
  fetch(url: string, init?: RequestInit): Promise<Response>
  /** What `login` last brought, until it expires. A 401 to the call that follows makes it log in again, once. */
  session(login: () => Promise<Session | Refusal>): Promise<string | Refusal>
  /** Seconds after which the text is worthless (SMS_TTL), at least 1; undefined where the provider's own default holds. */
  ttl: number | undefined
  /** Whether the vendor is told later if the code was entered (`<NAME>_FEEDBACK=on`), for a message that must ask for that. */
  isFeedback: boolean
  /** Milliseconds since 1970. */
  clock(): number
  /** 32 random hexadecimal digits. */
  nonce(): string
  /** A UUID, the same where the provider is asked again for one message: a vendor that knows such keys sends it once. */
  key: string
  /** Where delivery reports are taken, where GATEWAY_URL and `<NAME>_REPORT_KEY` are set. */
  reportUrl: string | undefined
}

/** Environment variables as valibot schemas, each with `v.description(…)`; `Values` is what they parse to. */
export type Variables = Record<string, v.GenericSchema<string | undefined, unknown>>
export type Values<E extends Variables> = { readonly [K in keyof E]: v.InferOutput<E[K]> }

/** The default export of `providers/<name>.ts`. */
export interface Provider<E extends Variables = Variables> {
  /** The provider's page for the endpoint that `request` calls. */
  docs: string
  /** Where it sends best: "Global", a continent or countries. */
  region?: string
  /** How its contract is known: from the `vendor` (pages, SDK, OpenAPI), from public `clients`, or `thin`. */
  evidence?: "vendor" | "clients" | "thin"
  /** ISO 3166 codes of the countries that it serves, where it does not serve all. A number of another one is never sent. */
  countries?: readonly string[]
  /** What it sends; texts unless it says `voice`. */
  channel?: "voice"
  /** Whether it takes no message without a sender, or whether its variables make it so. */
  needsSender?: boolean | ((env: Values<E>) => boolean)
  /** Sets of variables of which one must be whole, where a schema alone cannot say what is missing. */
  alternatives?: readonly (readonly (string & keyof E)[])[]
  /** What is wrong with the variables together, where each is right by itself. The gateway then does not start. */
  check?(env: Values<E>): { text: string; setting: string & keyof E } | undefined
  /** Variables that are no secrets: an answer may be told with their words in it. */
  unsecret?: readonly (string & keyof E)[]
  /**
   * The variable that names a pool, which picks the sender itself. Where it is set, `request` is given a sender only where one
   * is set for the number's country or digits, and "" otherwise.
   */
  pool?: string & keyof E
  /** What `<NAME>_SENDER` may be besides a number and a name of 11 characters, such as a pool's id or an ARN; anchored. */
  senderId?: RegExp
  /** Base URL. Left out where every account has a host of its own: `<NAME>_URL` is then required. */
  url?: string | ((env: Values<E>) => string)
  env: E
  /** Builds the one call that sends the message, or returns a receipt where nothing is to be called. */
  request(message: Message, env: Values<E>, context: Context): Request | Receipt | Promise<Request | Receipt>
  /** Judges the answer: pure, never throws, and accepts only what the provider documents as acceptance. */
  receipt(answer: Answer, env: Values<E>): Receipt
  /** The provider's own codes by whose fault they are; a refusal of `{ code: status }` alone is decided by the status. */
  faults?: { readonly [F in Fault]?: readonly (string | number)[] }
  /** Delivery reports, which come to `/<name>/report/<NAME>_REPORT_KEY`. */
  report?: {
    /**
     * Names what must equal what, where the vendor signs its reports. Left out, or "unsigned" where no secret is set: the key
     * in the path is all. Undefined where nothing can prove this call.
     */
    proof?(
      call: ReportCall,
      env: Values<E>,
      context: Pick<Context, "fetch">,
    ): Proof | "unsigned" | undefined | Promise<Proof | "unsigned" | undefined>
    /** Reads a call that is proven: [] for what is no report, a Response for a handshake. Throws what it cannot read. */
    read(
      call: ReportCall,
      env: Values<E>,
      context: Pick<Context, "fetch">,
    ): Report[] | Response | Promise<Report[] | Response>
  }
  /**
   * Tells the vendor whether the code of an acceptance was entered, where `<NAME>_FEEDBACK` is on. Sent once, after everything
   * else. Undefined where the vendor wants to know of entered codes alone.
   */
  verified?(
    receipt: string,
    isVerified: boolean,
    env: Values<E>,
    context: Omit<Context, "fetch" | "session" | "key">,
  ): Request | undefined | Promise<Request | undefined>
  /** Pages or webhooks of the provider's own, served under `/<name>`. */
  routes?(app: Hono<{ Bindings: Bindings }>, env: Values<E>, site: Site): void
}

/** What became of a message at the handset, by the provider's id of its acceptance. */
export interface Report {
  id: string
  state: "delivered" | "failed" | "expired" | "pending"
  code?: string | number | undefined
  fault?: Fault | undefined
}

// ───────────────────────────── Platforms: who calls ─────────────────────────────

/** One call of a platform, or of a provider's webhook. */
export interface Call {
  /** Each header is cut to 4,096 characters. */
  headers: Pick<Headers, "get">
  text: string
}

/** A call of a provider's webhook; `url` is the whole address that the vendor called. */
export interface ReportCall extends Call {
  method: string
  url: string
}

/**
 * A message as its platform writes it: unread values, which main.ts checks; `ip` is the end user's, `key` what marks a
 * repetition, `user` the platform's id of the person, where a hook of it tells of entered codes by that.
 */
export type Written = { readonly [K in keyof Message | "ip" | "key" | "user"]?: unknown }

/** Who has entered a code, unread: by number, or by the id that `user` of the message was. */
export type Person = { readonly [K in "recipient" | "platform" | "user"]?: unknown }

/** What must equal what. A file names it; only the gateway compares, in constant time. */
export type Proof = HmacProof | SignatureProof | KeySetProof | JwtProof | TokenProof

/** What signatures have in common: of `given` ten are looked at, of at most 512 characters each. */
interface Given {
  given: string[]
  /** When it was signed, in milliseconds since 1970; five minutes off at most. */
  time?: number
}
/** One of `given` is the HMAC of one of `signed`, in hex or base64. */
export interface HmacProof extends Given {
  key: Uint8Array
  /** Left out: SHA-256. */
  hash?: "sha1" | "sha256" | "sha512"
  signed: string | string[]
}
/** One of `given` is the signature of `signed`, in base64, by the owner of a public key. */
export interface SignatureProof extends Given {
  /** A key or a certificate, in PEM. */
  publicKey: string
  /** Left out for Ed25519, which has its own. */
  hash?: "sha1" | "sha256"
  signed: string
}
/**
 * One of `given` is a JSON Web Signature of `signed` by Ed25519, detached (RFC 7515, appendix F): `header..signature`. Its key
 * is one of those at the address `jwks`, which only a setting may name: `<NAME>_JWKS`.
 */
export interface KeySetProof extends Given {
  jwks: string
  signed: string
}
/** A JSON Web Token (RFC 7519) of HS256, HS384 or HS512, which has not expired and holds these claims. */
export interface JwtProof {
  jwt: string
  key: Uint8Array
  claims: Record<string, string>
}
/** `token` is one of `expected`; that left out, one of `<NAME>_TOKEN`. */
export interface TokenProof {
  token: string | undefined
  expected?: string[]
}

/** The stable codes of every refusal (README, "Answers"). */
export type ProblemCode =
  | "invalid_message"
  | "authentication_failed"
  | "forbidden_address"
  | "not_found"
  | "method_not_allowed"
  | "message_too_large"
  | "unsupported_encoding"
  | "invalid_recipient"
  | "suspected_fraud"
  | "unsupported_channel"
  | "destination_not_allowed"
  | "rate_limited"
  | "internal_error"
  | "delivery_rejected"
  | "delivery_timeout"

/** What became of a call that was proven. It never holds a provider's words. */
export interface Outcome {
  code: "accepted" | ProblemCode
  /** 200, or the status of the problem. */
  status: number
  /** The gateway's id of this request. */
  id: string
  /** What the person who logs in may read, in the language of the call: SENTENCE_<CODE>, or English. */
  sentence: string
  /** Whether the message may have gone out although no provider said so. */
  isPerhapsSent: boolean
  /** Names what is missing or wrong in the call, where its fields are at fault: for an admin, not for who logs in. */
  detail?: string | undefined
  /** Seconds to wait, where a limit is used up. */
  retryAfter?: number | undefined
}

/** The default export of `providers/platforms/<name>.ts`. */
export interface Platform<E extends Variables = Variables> {
  docs: string
  /**
   * `<NAME>_SECRET` where calls are signed, `<NAME>_JWKS` where they are by keys at an address, `<NAME>_TOKEN` where a header
   * holds a secret, and what else it needs.
   */
  env: E
  /** Milliseconds within which it must be answered; DEADLINE may only shorten them. */
  deadline?: number
  /**
   * Whether its numbers always hold their country, so that digits alone get a plus. Left out: `DEFAULT_COUNTRY` says what they
   * mean, and they get a plus only where that is not set.
   */
  isInternational?: true
  /** Whether the person who logs in reads our answers whole: a call that is not proven then gets its code and no more. */
  isShown?: true
  /** Called once for each of the secrets in `<NAME>_SECRET`. Left out: `<NAME>_TOKEN` as Bearer, as Basic's password, or bare. */
  proof?(call: Call, env: Values<E>): Proof
  /** Undefined where nothing is to be sent; `now` is in milliseconds since 1970. */
  read(fields: object, now: number): Written | undefined
  /** Left out: 200 with the provider's receipt, or problem+json. */
  answer?(outcome: Outcome): Response
  /** A hook of the platform's own that tells of entered codes, at `POST /<name>/verified`. */
  verified?: {
    /** Called once for each of the secrets in `<NAME>_VERIFIED_SECRET`, where `env` has that. Left out: proven as messages are. */
    proof?(call: Call, env: Values<E>): Proof
    /** Undefined where the call tells of no entered code. */
    read(fields: object): Person | undefined
    /** Left out: 204, or problem+json. Else every call that is proven is answered so at once, since a login waits for it. */
    answer?(): Response
  }
  /** `GET /<name>`, where a platform checks its endpoint first. */
  greet?(call: Call, env: Values<E>): Response
  /** The settings of `POST /`, where its usual way calls that; its own variables are then for another, which `setup` tells. */
  usual?: readonly string[]
  /** What an admin enters on the platform's side, step by step, with this URL. */
  setup(url: string, env: Environment): string
}

// ───────────────────────────── Routing: who is asked first ─────────────────────────────

/**
 * A provider of a route, with what became of its messages in the number's country. Each outcome weighs 2, good or bad; both
 * fade with a half-life of one day, and together weigh at most 100. A provider that was never asked has 0 and 0.
 */
export interface Candidate {
  name: string
  good: number
  bad: number
}

/** The default export of `providers/routing/<name>.ts`, which ROUTING names. */
export interface Routing {
  /**
   * The names of the candidates, the one to be asked first in front. Called once for each message, before its first call;
   * `random` gives numbers from 0 up to 1. Who is left out comes last.
   */
  order(candidates: readonly Candidate[], random: () => number): string[]
}

// ───────────────────────────── Pages and stores ─────────────────────────────

/** The default export of `providers/pages/<name>.ts`. It is served to whoever brings `<NAME>_TOKEN`, and to nobody else. */
export interface Page<E extends Variables = Variables> {
  env: E
  routes(app: Hono<{ Bindings: Bindings }>, env: Values<E>, site: Site): void
}

/** What pages are made with. Streams must end when `stopping` aborts. */
export interface Site extends Clocks, Pick<World, "clock" | "stopping"> {
  /** GATEWAY_URL, where it is set. */
  url: string | undefined
  log: Log
  problem(code: ProblemCode, detail: string, headers?: Record<string, string>): Response
  /** Calls `listener` with every event of the log, as it happens. */
  follow(listener: (event: LogEvent) => void): void
  /** The providers in use, each with the codes that its file knows. */
  providers(): { name: string; isResting: boolean; faults: Provider["faults"] }[]
}

export type Level = "info" | "warn" | "error"
export type Fields = Record<string, string | number | undefined>
export type LogEvent = { time: string; level: Level; event: string } & Fields
/** Writes one line of the log and hands the event to whoever follows. */
export type Log = (level: Level, event: string, fields?: Fields) => void

/** At most `count` for one key within `period` milliseconds. One name may have several periods, each counted by itself. */
export interface Limit {
  name: string
  count: number
  period: number
}
/** A number's digits as a number, exact below 10^15: a map holds it in a third of the memory of its text. */
export type Key = string | number

/** What instances share. `providers/stores/<scheme of STORE>.ts` opens one; this process has one in memory. */
export interface Store {
  /** Counts one for the key and gives 0, or gives the milliseconds to wait. */
  take(key: Key, limit: Limit): number | Promise<number>
  giveBack(key: Key, limit: Limit): unknown
  get(key: Key): unknown
  /** Keeps a value that JSON can hold for `period` milliseconds. */
  set(key: Key, value: unknown, period: number): unknown
  /**
   * Adds a whole number to a sum that all instances share, and gives the sum; 0 only reads it. A sum that nothing was added to
   * for `period` milliseconds begins anew, and so does what is none. Undefined while the store is away: nothing was added.
   */
  add(key: Key, by: number, period: number): number | undefined | Promise<number | undefined>
}
export interface StoreFile {
  /** Throws where the URL is none of its own. */
  open(url: string, site: StoreSite): Promise<Store>
}
export interface StoreSite extends Clocks, Pick<World, "stopping"> {
  /** This process's memory, to be asked while the store is away. */
  spare: Store
  /** What a key is called in the store, which holds no numbers. */
  hash(key: Key): string
  log: Log
}

/** The default export of `providers/commands/<name>.ts`: what `main.ts <name> …` does. Throws what is to be told on standard error. */
export interface Command {
  run(args: string[], world: World): Promise<void>
}

// ───────────────────────────── The world: all that the gateway takes from outside ─────────────────────────────

/** What a request brings besides itself: `address` gives the peer's address, from the runtime's own server. */
export type Bindings = { address?: () => string | undefined }

/** What is used of a Response, so that `fetch` need not make a whole one. */
export type Reply = Pick<Response, "status" | "bytes"> & {
  headers: AnswerHeaders
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | null
}

/** Durations: no step of the wall clock changes them. */
export interface Clocks {
  /** Milliseconds since some moment. */
  monotonic(): number
  /** Runs something after so many milliseconds, unless what it gives is called before. */
  after(milliseconds: number, run: () => void): () => void
}

/**
 * Everything that the gateway takes from outside. A host must bring `env`, `fetch`, `clock` and `print`; the rest has defaults.
 * `hostWorld` of parts/host.ts makes one for hosts that call a function, and tests bring worlds of their own.
 */
export interface World extends Partial<Clocks> {
  /** Environment variables. NODE_ENV=production refuses what is for development alone. */
  env: Environment
  /** `isFresh` asks for a connection that was not used before. A header content-encoding says that the body still is coded so. */
  fetch(request: Request, init: RequestInit & { isFresh?: boolean }): Promise<Reply>
  /** Milliseconds since 1970. */
  clock(): number
  /** Takes one line for standard output. */
  print(line: string): void
  /** Resolves once every printed line is written. */
  flush?(): Promise<void>
  /** Is given every answer of a provider that could be read. */
  answered?(answer: Answer): void
  /** 32 hexadecimal digits, random unless a test needs the same ones again. */
  nonce?(): string
  /** From 0 up to 1, for routes that draw; random unless a test needs the same numbers again. */
  random?(): number
  /** Imports `providers/<path>.ts`; left out: beside main.ts, or in the bundle that holds it. */
  load?(path: string): Promise<{ default?: unknown }>
  /** Aborted when the gateway is to stop: `/health` answers 503 from then on. */
  stopping?: AbortSignal
  /** Whether the host runs as many instances as it likes. Without STORE each counts limits by itself, which a start warns of. */
  isOneOfMany?: boolean
}
export type Environment = Readonly<Record<string, string | undefined>>
