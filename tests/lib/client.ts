/** What the tests of platforms' own clients share: a gateway for one platform, called directly or where it listens. */
import { readdirSync } from "node:fs"
import type { Message } from "../../main.ts"
import { provider } from "./process.ts"
import { type Answers, providers, start, take } from "./world.ts"

const files = readdirSync(new URL("../../providers/platforms/", import.meta.url))
/** Tests of a platform, where it has a file. */
export const of = (name: string, tests: () => void) => files.includes(`${name}.ts`) && tests()

export const token = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4"

/** A gateway for one platform: `send` posts to it, `url` is where it listens. */
export async function gateway(name: string, env: Record<string, string>, answers: Answers = { texts: () => take() }) {
  const given = providers(answers)
  const own = { PLATFORMS: name, ...given.env, ...env }
  const { call, calls } = await start(own, given.answer, { load: given.load })
  const path = `/${name}`
  const send = async (body: string, headers: Record<string, string>) =>
    await call({ method: "POST", headers: { "content-type": "application/json", ...headers }, body }, path)
  const messages = () => calls.map(({ text }): Message => JSON.parse(text))
  const listen = async () => {
    const { url } = await provider(async (request, response, body) => {
      const answer = await call({ method: "POST", headers: request.headers as Record<string, string>, body }, path)
      response.writeHead(answer.status, Object.fromEntries(answer.headers))
      response.end(await answer.text())
    })
    return `${url}${path}`
  }
  return { send, messages, listen }
}
