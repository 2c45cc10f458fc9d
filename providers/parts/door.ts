/**
 * The door of a page: its token as Bearer, or once as `?token=`, which becomes a cookie of the page's path.
 * @module
 */
import { createHmac } from "node:crypto"
import type { MiddlewareHandler } from "hono"
import { type Bindings, isSame, type Site, variablePrefix } from "../../main.ts"

/** Lets in who brings `token` to the page `/<name>`; everyone else is told how. */
export function doorOf(
  name: string,
  token: string,
  { problem }: Pick<Site, "problem">,
): MiddlewareHandler<{ Bindings: Bindings }> {
  // Made from the token, so that it opens every instance, and the same page after a restart.
  const session = createHmac("sha256", token).update(`smstask_${name}`).digest("base64url")
  const path = `/${name}`
  const cookieOf = new RegExp(`(?:^|; *)smstask_${name}=([\\w-]+)`)
  return async (c, next) => {
    // An unencoded "+" of a query is read as a blank, which no token holds.
    const query = c.req.method === "GET" && c.req.path === path ? c.req.query("token")?.replaceAll(" ", "+") : undefined
    if (query && isSame(query, token)) {
      const isHttps = /^https/.test(c.req.header("x-forwarded-proto") ?? c.req.url)
      const attributes = `Path=${path}; HttpOnly; SameSite=Strict${isHttps ? "; Secure" : ""}`
      c.header("set-cookie", `smstask_${name}=${session}; ${attributes}`)
      return c.redirect(path, 303)
    }
    const bearer = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1]
    const cookie = cookieOf.exec(c.req.header("cookie") ?? "")?.[1]
    if ((bearer && isSame(bearer, token)) || (cookie && isSame(cookie, session))) return await next()
    const challenge = { "www-authenticate": bearer ? 'Bearer error="invalid_token"' : "Bearer" }
    const variable = `${variablePrefix(name)}_TOKEN`
    return problem("authentication_failed", `open ${path}?token=<${variable}>, or send it as Bearer`, challenge)
  }
}
