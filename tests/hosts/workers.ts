/**
 * smstask on Cloudflare Workers. STORE=redis: does not work there, since no connection outlives its request.
 *
 *     npx esbuild tests/hosts/workers.ts --bundle --format=esm --platform=node --minify --outfile=worker.js \
 *       --conditions=workerd,worker \
 *       --external:@redis/client --external:rate-limiter-flexible --external:prom-client
 *     npx wrangler deploy worker.js --no-bundle --name my-sms --compatibility-date 2026-07-01 --compatibility-flags nodejs_compat
 */
import { gateway } from "../../main.ts"
import { hostWorld } from "../../providers/parts/host.ts"

type Lasting = { waitUntil(work: Promise<unknown>): void }
let starting: ReturnType<typeof gateway> | undefined

export default {
  async fetch(request: Request, env: object, context: Lasting): Promise<Response> {
    // Outside of a request a Worker may neither ask anybody nor draw random numbers.
    starting ??= gateway(hostWorld({ ...env }))
    const app = await starting
    const address = () => request.headers.get("cf-connecting-ip") ?? undefined
    const answering = Promise.resolve(app.fetch(request, { address }))
    // The message of a caller that left is sent all the same.
    context.waitUntil(answering)
    return await answering
  },
}
