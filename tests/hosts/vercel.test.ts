import { bundle, catchLog, testHost } from "../lib/hosts.ts"

const printed = catchLog()
const { GET, POST } = await import(bundle("tests/hosts/vercel.ts"))

testHost(
  "Vercel",
  async (path, init) => {
    const request = new Request(`https://my-sms.vercel.app${path}`, init)
    request.headers.set("x-real-ip", "203.0.113.7")
    return await (init.method === "POST" ? POST : GET)(request)
  },
  printed,
)
