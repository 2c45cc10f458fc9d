/**
 * The door of a page: its token as Bearer, or once in a form or as `?token=`, which becomes a cookie of the page's path.
 * @module
 */
import { createHmac } from "node:crypto"
import type { Context, MiddlewareHandler } from "hono"
import { getCookie, setCookie } from "hono/cookie"
import { type Bindings, isSame, readBytes, type Site, variablePrefix, withTimeout } from "../../main.ts"
import { doorPage, headers } from "./door-page.ts"

/** Milliseconds within which a form must arrive. */
const patience = 10_000

/** What a call brings to be remembered: a token, if it has one. */
type Brought = { token?: string | undefined }

/** The token of a form that was filled in at the door. */
async function readForm(request: Request): Promise<Brought> {
  const bytes = await readBytes(request).catch(() => undefined)
  return { token: new URLSearchParams(new TextDecoder().decode(bytes)).get("token")?.trim() ?? "" }
}

/** Lets in who brings `token` to the page `/<name>`; a browser is shown where to write it, everyone else is told how. */
export function doorOf(
  name: string,
  token: string,
  site: Pick<Site, "problem" | "url" | "after" | "monotonic">,
): MiddlewareHandler<{ Bindings: Bindings }> {
  const { problem, url } = site
  // Made from the token, so that it opens every instance, and the same page after a restart.
  const session = createHmac("sha256", token).update(`smstask_${name}`).digest("base64url")
  const path = `/${name}`
  const variable = `${variablePrefix(name)}_TOKEN`
  /** Undefined where a form is late. An unencoded "+" of a query is read as a blank, which no token holds. */
  const readBrought = async (c: Context): Promise<Brought | undefined> => {
    if (c.req.path !== path) return {}
    if (c.req.method === "GET") return { token: c.req.query("token")?.replaceAll(" ", "+") }
    const isForm =
      c.req.method === "POST" && /^application\/x-www-form-urlencoded\b/i.test(c.req.header("content-type") ?? "")
    return isForm ? await withTimeout(patience, site, readForm(c.req.raw)) : {}
  }
  return async (c, next) => {
    const brought = await readBrought(c)
    if (!brought) return problem("invalid_message", "the body did not arrive within the deadline")
    const { token: given } = brought
    if (given && isSame(given, token)) {
      const isHttps = [c.req.header("x-forwarded-proto"), c.req.url, url].some((one) => one?.startsWith("https"))
      setCookie(c, `smstask_${name}`, session, { path, httpOnly: true, sameSite: "Strict", secure: isHttps })
      return c.redirect(path, 303)
    }
    const bearer = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1]
    const cookie = getCookie(c, `smstask_${name}`)
    const isIn = (bearer && isSame(bearer, token)) || (cookie && isSame(cookie, session))
    if (isIn && c.req.path === `${path}/`) return c.redirect(path, 303)
    if (isIn) return await next()
    const challenge = { "www-authenticate": bearer ? 'Bearer error="invalid_token"' : "Bearer" }
    const refuse = () =>
      problem("authentication_failed", `open it in a browser and sign in, or send ${variable} as Bearer`, challenge)
    const isBrowser = /\btext\/html\b/.test(c.req.header("accept") ?? "")
    if (!isBrowser || bearer) return refuse()
    // Who opens it for the first time has tried nothing, and is no news.
    if (given !== undefined || cookie) refuse()
    return new Response(doorPage(name, variable, given !== undefined), {
      status: 401,
      headers: { ...headers, ...challenge },
    })
  }
}
