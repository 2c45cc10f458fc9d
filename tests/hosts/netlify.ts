/**
 * smstask as a function of Netlify, on Node 24.
 *
 *     npx esbuild tests/hosts/netlify.ts --bundle --format=esm --platform=node --minify --outfile=netlify/functions/smstask.mjs \
 *       --external:@redis/client --external:rate-limiter-flexible --external:prom-client
 */
import { gateway } from "../../main.ts"
import { hostWorld } from "../../providers/parts/host.ts"

const app = await gateway(hostWorld(process.env))

export default async (request: Request, context: { ip?: string }): Promise<Response> =>
  await app.fetch(request, { address: () => context.ip })

export const config = { path: "/*" }
