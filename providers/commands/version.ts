import type { Command } from "../../main.ts"

/** Prints the version of smstask and of what runs it. */
export default {
  async run(_args, world) {
    const { default: own } = await import("../../package.json", { with: { type: "json" } })
    const { bun, deno, node } = process.versions as Record<string, string | undefined>
    world.print(`smstask ${own.version}, ${bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`}`)
  },
} satisfies Command
