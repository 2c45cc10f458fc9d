import type { Provider } from "../../../main.ts"

/** Accepts at once and calls nobody, to measure what the gateway itself costs. */
export default {
  docs: "README.md",
  url: "",
  env: {},
  request: () => ({ id: "none" }),
  receipt: ({ status }) => ({ code: status }),
} satisfies Provider
