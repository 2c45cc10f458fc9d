/** What `main.ts openapi` prints: valid, and true of the gateway. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { Validator } from "@seriousme/openapi-schema-validator"
import { problems } from "../../main.ts"
import { run } from "../lib/process.ts"
import { message, problem, start } from "../lib/world.ts"

const slow = { timeout: 60_000 }

interface Answer {
  content?: Record<string, { schema: { allOf?: [object, { properties: { code: { enum: string[] } } }] } }>
}
interface Description extends Record<string, unknown> {
  servers: { url: string }[]
  paths: Record<string, Record<string, { responses: Record<string, Answer> }>>
  components: { schemas: Record<string, Schema> }
}
interface Schema {
  properties: Record<string, Record<string, unknown>>
  required: string[]
  anyOf?: Schema[]
}

async function describe(env: Record<string, string> = {}): Promise<Description> {
  const { ended, stdout, stderr } = run(["openapi"], env)
  assert.equal(await ended, 0, stderr())
  return JSON.parse(stdout())
}
let described: Promise<Description> | undefined
const description = () => {
  described ??= describe()
  return described
}

test("openapi prints OpenAPI 3.1 that a validator finds right", slow, async () => {
  const printed = await description()
  const { valid, errors } = await new Validator().validate(structuredClone(printed))
  assert.ok(valid, JSON.stringify(errors))
  assert.deepEqual(Object.keys(printed.paths), ["/", "/verified", "/health"])
  assert.equal(printed.servers[0]?.url, "/")
  const { servers } = await describe({ GATEWAY_URL: "https://sms.example.com" })
  assert.equal(servers[0]?.url, "https://sms.example.com")
})

test("every code that POST / can answer stands at its status, and none elsewhere", slow, async () => {
  const { paths, components } = await description()
  const told = Object.entries(paths["/"]?.post?.responses ?? {}).flatMap(([status, { content }]) => {
    const codes = content?.["application/problem+json"]?.schema.allOf?.[1].properties.code.enum ?? []
    return codes.map((code) => [code, Number(status)])
  })
  const ofPaths = ["not_found", "method_not_allowed"]
  const all = Object.entries(problems).flatMap(([code, [status]]) => (ofPaths.includes(code) ? [] : [[code, status]]))
  assert.deepEqual(told.sort(), all.sort())
  assert.deepEqual(components.schemas.Problem?.properties.code?.enum, Object.keys(problems))
})

test("the gateway answers what is described, and takes what is", slow, async () => {
  const { Message, Delivery, Problem, Person } = (await description()).components.schemas
  const { post } = await start({ ALLOW_DESTINATIONS: "US" })
  const accepted = await post()
  assert.equal(accepted.status, 200)
  assert.deepEqual(Object.keys(await problem(accepted)).sort(), Delivery?.required.toSorted())
  const refused = await post({ ...message, recipient: "+4915112345678" })
  assert.deepEqual(Object.keys(await problem(refused)).sort(), Problem?.required.toSorted())
  assert.deepEqual(Message?.required, ["recipient"])
  const names = ["recipient", "body", "sender", "code", "locale", "channel", "ip"]
  for (const name of names) assert.ok(Message?.properties[name]?.description, name)
  assert.ok(!("key" in (Message?.properties ?? {})))
  assert.deepEqual(
    Person?.anyOf?.map(({ required }) => required),
    [["recipient"], ["platform", "user"]],
  )
})

test("openapi takes nothing behind it", slow, async () => {
  const { ended, stderr } = run(["openapi", "yaml"])
  assert.equal(await ended, 1)
  assert.match(stderr(), /^openapi takes nothing behind it: main\.ts openapi > openapi\.json$/m)
})
