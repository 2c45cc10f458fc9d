/**
 * smstask as a function of Vercel, on Node 24.
 *
 *     npx esbuild tests/hosts/vercel.ts --bundle --format=esm --platform=node --minify --outfile=api/smstask.mjs \
 *       --external:@redis/client --external:rate-limiter-flexible --external:prom-client
 *
 * vercel.json sends every path to it: { "rewrites": [{ "source": "/(.*)", "destination": "/api/smstask" }] }
 */
import { gateway } from "../../main.ts"
import { hostWorld } from "../../providers/parts/host.ts"

const app = await gateway(hostWorld(process.env))

async function answer(request: Request): Promise<Response> {
  return await app.fetch(request, { address: () => request.headers.get("x-real-ip") ?? undefined })
}

export { answer as GET, answer as HEAD, answer as POST }
