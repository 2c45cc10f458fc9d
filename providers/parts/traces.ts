/**
 * What traces show of the calls to providers. A span holds the whole URL of a call. Deno Deploy traces every call and has no
 * switch against it; Deno elsewhere traces where OTEL_DENO is set.
 * @module
 */
import { type Environment, type LoadedProvider, tryOr, variablePrefix } from "../../main.ts"

const sample = { recipient: "+12223334444", sender: "+15005550006", body: "Your code is 326162", code: "326162" }
const isSecret = (variable: string) => /(KEY|TOKEN|SECRET|PASSWORD|JWT|HASH|API_ID|APP_SID)$/.test(variable)

/** The URLs that a provider's file calls for one message, its log-in's among them. Nothing is sent. */
async function urlsOf({ provider, values, context }: LoadedProvider): Promise<string[]> {
  const urls: string[] = []
  const fetch = async (url: string) => {
    urls.push(url)
    return new Response("{}")
  }
  const session = async (login: () => unknown) => {
    // A file may throw at an answer that is none.
    await Promise.try(login).catch(() => {})
    return "sample"
  }
  const request = Promise.try(() => provider.request(sample, values, { ...context, key: "sample", fetch, session }))
  const call = await request.catch(() => undefined)
  if (call instanceof Request) urls.push(call.url)
  return urls
}

/** What of the variables and of a message stands in a URL: "MNOTIFY_KEY", "the number", "the code". */
function findShown(url: string, { name, provider }: LoadedProvider, env: Environment): string[] {
  const decoded = tryOr(() => decodeURIComponent(url.replaceAll("+", " ")), url)
  const has = (part: string) => url.includes(part) || decoded.includes(part)
  const isShown = (variable: string) => isSecret(variable) && env[variable] !== undefined && has(env[variable])
  const prefix = variablePrefix(name)
  const secrets = [...Object.keys(provider.env), `${prefix}_REPORT_KEY`].filter(isShown)
  // A key in a URL that somebody wrote stands in no variable of its own.
  const query = env[`${prefix}_URL`]?.includes("?") ? [`the query of ${prefix}_URL`] : []
  const number = has(sample.recipient.slice(-7)) ? ["the number"] : []
  return [...secrets, ...query, ...number, ...(has(sample.code) ? ["the code"] : [])]
}

/** A warning for each provider that puts into a URL what no trace may show; none where nothing traces. */
export async function listTraced(providers: LoadedProvider[], env: Environment): Promise<string[]> {
  const isDeploy = env.DENO_DEPLOY || env.DENO_DEPLOYMENT_ID
  if (!isDeploy && /^(false|0)?$/i.test(env.OTEL_DENO ?? "")) return []
  const by = isDeploy ? "Deno Deploy" : "OTEL_DENO"
  const warnings: string[] = []
  for (const loaded of providers) {
    // They call nobody, and show what they are given.
    if (/^(console|inbox)$/.test(loaded.name)) continue
    const urls = await urlsOf(loaded)
    if (urls.length === 0) warnings.push(`${by} traces every call, and what ${loaded.name} has in its URL is not known`)
    const shown = new Set(urls.flatMap((url) => findShown(url, loaded, env)))
    if (shown.size === 0) continue
    const list = [...shown].join(", ").replace(/, ([^,]*)$/, " and $1")
    warnings.push(`${by} traces every call: ${loaded.name} has ${list} in its URL, which traces show`)
  }
  return warnings
}
