import type { Command } from "../../main.ts"

const help = `smstask stands between identity platforms and SMS providers. Its settings are environment variables (README.md).

  main.ts                                 serve
  main.ts check                           say all that serving would say, and what is doubtful
  main.ts send +12223334444 "text"        send along the configured route and print what came of it; --voice speaks
  main.ts providers [NAME]                list the providers, and which of their variables are set
  main.ts platforms [NAME]                list the platforms that can call, and what to enter on their side
  main.ts token [--expires 1h]            print a token that calls the gateway
  main.ts openapi                         print what can be called, as OpenAPI 3.1
  main.ts --version                       print the version`

/** Prints the commands. */
export default {
  run: async (_args, world) => world.print(help),
} satisfies Command
