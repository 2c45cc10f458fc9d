import assert from "node:assert/strict"
import { test } from "node:test"
import { bundle, type Call, catchLog, testHost } from "../lib/hosts.ts"

const printed = catchLog()
const { handler } = await import(bundle("tests/hosts/lambda.ts"))

/** An event of a function URL, and of an HTTP API (payload 2.0), as AWS documents it. */
const eventV2 = (path: string, { method, headers, body }: Parameters<Call>[1]) => ({
  version: "2.0",
  routeKey: "$default",
  rawPath: path,
  rawQueryString: "",
  headers: { ...headers, host: "abc.lambda-url.eu-central-1.on.aws", "x-forwarded-for": "203.0.113.7" },
  requestContext: {
    accountId: "anonymous",
    apiId: "abc",
    domainName: "abc.lambda-url.eu-central-1.on.aws",
    domainPrefix: "abc",
    http: { method, path, protocol: "HTTP/1.1", sourceIp: "203.0.113.7", userAgent: "agent" },
    requestId: "id",
    routeKey: "$default",
    stage: "$default",
    time: "30/Nov/2026:09:00:00 +0000",
    timeEpoch: 1_796_029_200_000,
  },
  body: body && Buffer.from(body).toString("base64"),
  isBase64Encoded: true,
})

const context = { functionName: "my-sms", awsRequestId: "id", getRemainingTimeInMillis: () => 20_000 }
interface Result {
  statusCode: number
  body: string
  isBase64Encoded: boolean
}
const answerOf = ({ statusCode, body, isBase64Encoded }: Result) =>
  new Response(isBase64Encoded ? Buffer.from(body, "base64") : body, { status: statusCode })

testHost("AWS Lambda", async (path, init) => answerOf(await handler(eventV2(path, init), context)), printed)

test("AWS Lambda takes the events of a REST API, too", async () => {
  const event = {
    ...{ resource: "/{proxy+}", path: "/health", httpMethod: "GET", headers: { host: "abc" }, multiValueHeaders: {} },
    ...{ queryStringParameters: null, multiValueQueryStringParameters: null, pathParameters: { proxy: "health" } },
    ...{ stageVariables: null, body: null, isBase64Encoded: false },
    requestContext: { path: "/prod/health", httpMethod: "GET", stage: "prod", identity: { sourceIp: "203.0.113.7" } },
  }
  assert.equal((await handler(event, context)).statusCode, 200)
})
