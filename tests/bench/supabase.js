/**
 * What people run today on Supabase: an Edge Function of the shape that its documentation shows for the Send SMS hook
 * with Twilio (standardwebhooks verifies, fetch sends, nothing ends a call that hangs). Twilio's address is a variable.
 */
import { Webhook } from "standardwebhooks"

const accountSid = Deno.env.get("TWILIO_ACCOUNT_SID")
const authToken = Deno.env.get("TWILIO_AUTH_TOKEN")
const fromNumber = Deno.env.get("TWILIO_PHONE_NUMBER")
const twilio = Deno.env.get("TWILIO_URL")

async function sendTextMessage(text, toNumber) {
  const response = await fetch(`${twilio}/2010-04-01/Accounts/${accountSid}/Messages.json`, {
    method: "POST",
    headers: {
      "Content-Type": "application/x-www-form-urlencoded",
      Authorization: `Basic ${btoa(`${accountSid}:${authToken}`)}`,
    },
    body: new URLSearchParams({ To: `+${toNumber}`, From: fromNumber, Body: text }),
  })
  return await response.json()
}

const answer = (status, content) =>
  new Response(JSON.stringify(content), { status, headers: { "Content-Type": "application/json" } })

Deno.serve({ port: Number(Deno.env.get("PORT")), hostname: "127.0.0.1", onListen() {} }, async (request) => {
  if (request.method === "GET") return new Response("ok")
  const payload = await request.text()
  const webhook = new Webhook(Deno.env.get("SEND_SMS_HOOK_SECRET").replace("v1,whsec_", ""))
  try {
    const { user, sms } = webhook.verify(payload, Object.fromEntries(request.headers))
    const { status, code, message } = await sendTextMessage(`Your OTP is: ${sms.otp}`, user.phone)
    if (status === "queued") return answer(200, {})
    return answer(status, { error: { http_code: code, message: `Failed to send SMS: ${message}` } })
  } catch (error) {
    return answer(500, { error: { http_code: 500, message: `Failed to send SMS: ${error}` } })
  }
})
