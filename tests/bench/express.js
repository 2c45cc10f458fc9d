/** What people run today: the webtask's own code, kept alive on Express 5 with express-jwt and axios. */
import axios from "axios"
import bodyParser from "body-parser"
import express from "express"
import { expressjwt } from "express-jwt"

const { PORT, SECRET, PROVIDER_URL } = process.env
const audience = "urn:smstask"
const app = express()
app.get("/health", (_, response) => response.send("ok"))
app.use(expressjwt({ secret: SECRET, algorithms: ["HS256"], audience }))
app.use(bodyParser.json())
app.post("/", async ({ auth, body: { recipient, body, sender } }, response) => {
  if (auth.sub !== "urn:Auth0") return response.sendStatus(401)
  if (!/^\+[1-9]\d{6,14}$/.test(recipient) || typeof body !== "string" || body === "") return response.sendStatus(400)
  let id = "none"
  if (PROVIDER_URL) {
    const message = { channel: "sms", to: recipient.slice(1), content: body, from: sender }
    const headers = { authorization: "a key of 16 bytes" }
    const answer = await axios.post(`${PROVIDER_URL}/v1/message`, { messages: [message] }, { headers })
    id = answer.data.messages[0].apiMessageId
  }
  console.log(JSON.stringify({ time: new Date(), level: "info", event: "accepted", id }))
  response.json({ id })
})
app.listen(Number(PORT), "127.0.0.1")
