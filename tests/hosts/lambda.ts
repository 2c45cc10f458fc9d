/**
 * smstask on AWS Lambda, behind a function URL, an API Gateway or a load balancer. The runtime is nodejs24.x, the handler
 * index.handler, and the timeout is above DEADLINE.
 *
 *     npx esbuild tests/hosts/lambda.ts --bundle --format=esm --platform=node --minify --outfile=index.mjs \
 *       --external:@redis/client --external:rate-limiter-flexible --external:prom-client
 *     zip function.zip index.mjs
 */
import { Hono } from "hono"
import { getConnInfo, handle } from "hono/aws-lambda"
import { gateway } from "../../main.ts"
import { hostWorld } from "../../providers/parts/host.ts"

const app = await gateway(hostWorld(process.env))
const proxy = new Hono()
proxy.all("*", (c) => app.fetch(c.req.raw, { address: () => getConnInfo(c).remote.address }))

export const handler = handle(proxy)
