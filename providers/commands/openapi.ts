import * as v from "valibot"
import { attempts, brief, type Command, delivery, type ProblemCode, problems, written } from "../../main.ts"
import { missingPackage } from "../lib.ts"

type Schema = Record<string, unknown>

/** The conversion of schemas, which this command alone needs. */
async function loadConversion(): Promise<(schema: v.GenericSchema) => Schema> {
  try {
    const { toJsonSchema } = (await import(
      "@valibot/to-json-schema" as string
    )) as typeof import("@valibot/to-json-schema")
    return (schema) => {
      // What a check or a transformation adds is told in words.
      const config = { target: "draft-2020-12", typeMode: "input", errorMode: "ignore" } as const
      const { $schema: _, ...json } = toJsonSchema(schema, config)
      return json
    }
  } catch (error) {
    const lacking = error instanceof Error ? missingPackage(error) : undefined
    if (!lacking) throw error
    throw new Error(`openapi needs a package: npm install ${lacking}`, { cause: error })
  }
}

// ───────────────────────────── What is taken and given, by the schemas that parse it ─────────────────────────────

/** `POST /` takes no key. */
const Message = v.omit(written, ["key"])
const Person = v.union([v.object({ recipient: brief }), v.object({ platform: v.string(), user: brief })])
const Problem = v.object({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  detail: v.string(),
  code: v.picklist(Object.keys(problems) as ProblemCode[]),
  id: v.pipe(v.string(), v.uuid()),
  attempts: v.exactOptional(attempts),
})

/** What no schema says of the fields of a message. */
const fields: Record<string, Schema> = {
  recipient: { description: "The number with + and its calling code. Without +, DEFAULT_COUNTRY must be set." },
  body: { description: "The text, 1 to 1,600 characters. Left out, CODE_TEXT makes it of the code." },
  sender: { description: "A number, a short code or an alphanumeric id of up to 11 characters." },
  code: { description: "The one-time code. Left out, it is found in the text." },
  locale: { description: "The language, BCP 47." },
  channel: { description: "voice calls the number and speaks; text is sms." },
  ip: { description: "The address of the person who logs in, for LIMIT_IP." },
}

/** The schema with a description at each of its properties. */
function withWords(schema: Schema, words: Record<string, Schema>): Schema {
  const properties = Object.entries(Object(schema.properties)).map(([name, property]) => {
    return [name, { ...Object(property), ...words[name] }]
  })
  return { ...schema, properties: Object.fromEntries(properties) }
}

// ───────────────────────────── Calls and their answers ─────────────────────────────

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const json = (name: string) => ({ "application/json": { schema: ref(name) } })
const bodyOf = (name: string) => ({
  required: true,
  content: { ...json(name), "application/x-www-form-urlencoded": { schema: ref(name) } },
})
const text = (description: string, example: string) => ({
  description,
  content: { "text/plain": { schema: { type: "string" }, example } },
})

/** The header that comes with a problem. */
const headersOf: Partial<Record<ProblemCode, Schema>> = {
  authentication_failed: { "WWW-Authenticate": { description: "RFC 6750", schema: { type: "string" } } },
  rate_limited: { "Retry-After": { description: "Seconds to wait", schema: { type: "integer", minimum: 1 } } },
}

/** Answers with problem+json (RFC 9457), by their status. */
function problemsOf(codes: readonly ProblemCode[]): Record<string, Schema> {
  const byStatus = Map.groupBy(codes, (code) => String(problems[code][0]))
  const answers = [...byStatus].map(([status, codes]) => {
    const schema = { allOf: [ref("Problem"), { properties: { code: { enum: codes } } }] }
    const headers = Object.assign({}, ...codes.map((code) => headersOf[code] ?? {}))
    return [
      status,
      {
        description: codes.map((code) => `${code}: ${problems[code][1]}.`).join(" "),
        ...(Object.keys(headers).length > 0 && { headers }),
        content: { "application/problem+json": { schema } },
      },
    ]
  })
  return Object.fromEntries(answers)
}

const everyCall = [
  "invalid_message",
  "authentication_failed",
  "forbidden_address",
  "message_too_large",
  "unsupported_encoding",
  "rate_limited",
  "internal_error",
  "delivery_timeout",
] as const
const ofPathsAlone = ["not_found", "method_not_allowed"]

function describePaths() {
  const codes = (Object.keys(problems) as ProblemCode[]).filter((code) => !ofPathsAlone.includes(code))
  const send = {
    operationId: "send",
    summary: "Sends a message along the route of its number",
    description: "The same number and text within DUPLICATE_WINDOW is sent once, and gets the first answer.",
    requestBody: bodyOf("Message"),
    responses: { 200: { description: "A provider accepted.", content: json("Delivery") }, ...problemsOf(codes) },
  }
  const verified = {
    operationId: "verified",
    summary: "Tells that a person entered the code",
    description: "Nothing in the answer tells whether a code was sent.",
    requestBody: bodyOf("Person"),
    responses: { 204: { description: "Taken." }, ...problemsOf(everyCall) },
  }
  const health = {
    operationId: "health",
    summary: "Says whether it serves",
    security: [],
    responses: { 200: text("It serves.", "ok\n"), 503: text("It is stopping.", "stopping\n") },
  }
  return { "/": { post: send }, "/verified": { post: verified }, "/health": { get: health } }
}

/** Prints the OpenAPI description of what everyone can call. Platforms call paths of their own, in their own words. */
export default {
  async run(args, world) {
    if (args.length > 0) throw new Error("openapi takes nothing behind it: main.ts openapi > openapi.json")
    const convert = await loadConversion()
    const { default: own } = await import("../../package.json", { with: { type: "json" } })
    const { GATEWAY_URL = "/" } = world.env
    const message = { ...withWords(convert(Message), fields), anyOf: [{ required: ["body"] }, { required: ["code"] }] }
    const description = {
      openapi: "3.1.0",
      info: {
        title: own.name,
        version: own.version,
        summary: own.description,
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [{ url: GATEWAY_URL }],
      security: [{ bearer: [] }, { basic: [] }],
      paths: describePaths(),
      components: {
        schemas: { Message: message, Delivery: convert(delivery), Person: convert(Person), Problem: convert(Problem) },
        securitySchemes: {
          bearer: {
            type: "http",
            scheme: "bearer",
            description: "A JSON Web Token signed with GATEWAY_SECRET (HS256), or GATEWAY_TOKEN.",
          },
          basic: { type: "http", scheme: "basic", description: "GATEWAY_TOKEN as the password, with any user name." },
        },
      },
    }
    world.print(JSON.stringify(description, null, 2))
  },
} satisfies Command
