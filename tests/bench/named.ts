/** What can be named in the settings beside what a message needs. The message uses neither of the first two. */
import { hookSecret, token } from "./calls.ts"
import { installed, openStore, stores } from "./redis.ts"
import type { Environment } from "./servers.ts"

/** Each with its variables; for STORE a Redis is started, where there is one. */
export async function openNamed() {
  const redis = installed(stores.Redis) ? await openStore(stores.Redis) : undefined
  if (!redis) console.error("redis-server is not installed: STORE is left out")
  const named: Record<string, Environment> = {
    platforms: { PLATFORMS: "supabase,okta", SUPABASE_SECRET: hookSecret, OKTA_TOKEN: token },
    voice: {
      VOICE_PROVIDER: "twilio-voice",
      TWILIO_ACCOUNT_SID: "AC0123456789",
      TWILIO_AUTH_TOKEN: token,
      TWILIO_VOICE_SENDER: "+15005550006",
    },
    pages: { PAGES: "log,metrics", LOG_TOKEN: token, METRICS_TOKEN: token },
    ...(redis && { store: { STORE: redis.url } }),
  }
  return { named, close: async () => await redis?.stop() }
}
