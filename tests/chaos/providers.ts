/** The two providers of a run: what they do to a call, and what they count. */
import { once } from "node:events"
import { createServer, type Socket } from "node:net"

export type Mood = "well" | "cutting" | "silent" | "closing" | "dripping"
const json = '{"id":"m-1","message_uuid":["m-1"]}'
const answer = `HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`

/** How a provider takes a call; gives whether it is accepted. */
const moods: Record<Mood, (socket: Socket, call: number) => boolean> = {
  well(socket) {
    return socket.write(answer) || true
  },
  /** Before the answer, or in its middle. */
  cutting(socket, call) {
    if (call % 2 === 0) socket.write(answer.slice(0, 90))
    setImmediate(() => socket.destroy())
    return false
  },
  /** The connection stays, and is dead from now on. */
  silent(socket) {
    socket.removeAllListeners("data").pause()
    return false
  },
  /** With the answer, or some milliseconds later, when the next call is perhaps under way. */
  closing(socket, call) {
    socket.write(answer)
    setTimeout(() => socket.end(), call % 8)
    return true
  },
  dripping(socket) {
    const parts = answer.match(/.{1,12}/gs) ?? []
    const drip = setInterval(() => {
      const part = parts.shift()
      if (part && !socket.destroyed) socket.write(part)
      else clearInterval(drip)
    }, 25)
    return true
  },
}

/** A provider that counts, text by text, what it was asked and what it accepted. */
export async function provider() {
  const asked = new Map<string, number>()
  const took = new Map<string, number>()
  const state = { mood: "well" as Mood, calls: 0 }
  const count = (map: Map<string, number>, text: string) => map.set(text, (map.get(text) ?? 0) + 1)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    let read = ""
    socket.on("data", (bytes) => {
      read += bytes
      const end = read.indexOf("\r\n\r\n") + 4
      const length = Number(/^content-length: (\d+)/im.exec(read)?.[1])
      if (end < 4 || read.length < end + length) return
      const { text } = JSON.parse(read.slice(end, end + length))
      read = read.slice(end + length)
      state.calls += 1
      count(asked, text)
      if (moods[state.mood](socket, state.calls)) count(took, text)
    })
    socket.on("close", () => open.delete(socket)).on("error", () => {})
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  const close = () => {
    server.close()
    for (const socket of open) socket.destroy()
  }
  return { url: `http://127.0.0.1:${port}`, asked, took, state, close }
}

/**
 * What the two are like, one pair after the other. Beside one that takes nothing stands one that breaks nothing: a connection
 * that closes under a call is the other's turn, who then must be able to take it.
 */
export const pairs: [Mood, Mood][] = [
  ["cutting", "well"],
  ["closing", "closing"],
  ["silent", "dripping"],
  ["well", "cutting"],
  ["dripping", "dripping"],
  ["dripping", "silent"],
  ["closing", "well"],
  ["cutting", "dripping"],
  ["dripping", "cutting"],
  ["silent", "well"],
  ["well", "closing"],
  ["well", "silent"],

  // ── The harder ones: beside one that takes nothing, one that closes. A call on a connection that closes under it is lost
  // there, unless this provider is asked once more, on a connection of its own.
  ["closing", "silent"],
  ["closing", "cutting"],
  ["silent", "closing"],
  ["cutting", "closing"],
]
