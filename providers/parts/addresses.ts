/**
 * Who may call at all: the addresses and CIDR ranges of GATEWAY_ALLOW_IPS, as hono/ip-restriction reads them.
 * @module
 */
import type { Context, MiddlewareHandler } from "hono"
import { ipRestriction } from "hono/ip-restriction"
import * as v from "valibot"
import { type Complaint, complaint, type Log, refuse, type Settings, variables } from "../../main.ts"

function isRule(rule: string): boolean {
  const [address = "", bits = "0", ...rest] = rule.split("/")
  const isRange = /^\d{1,3}$/.test(bits) && Number(bits) <= (v.IPV4_REGEX.test(address) ? 32 : 128)
  return rule === "*" || (v.IP_REGEX.test(address) && isRange && rest.length === 0)
}

/** Whether a rule is wider than /8, or /16 of IPv6, in which IPv4 begins at /96. */
function isWide(rule: string): boolean {
  const [address = "", bits = "128"] = rule.split("/")
  const least = /^[0:]*:ffff:/i.test(address) ? 104 : address.includes(":") ? 16 : 8
  return rule === "*" || Number(bits) < least
}

/** Complains of rules that are none, and of GATEWAY_AUTH=none without few addresses that may call. */
export function judge({ GATEWAY_AUTH, GATEWAY_ALLOW_IPS: rules = [] }: Settings, complaints: Complaint[]) {
  const wrong = rules.find((rule) => !isRule(rule))
  if (wrong) complaints.push(complaint("GATEWAY_ALLOW_IPS", wrong, variables.GATEWAY_ALLOW_IPS))
  if (GATEWAY_AUTH !== "none" || (rules.length > 0 && !rules.some(isWide))) return
  const text = "GATEWAY_AUTH=none lets anyone send at your cost, unless GATEWAY_ALLOW_IPS names the few who may call"
  complaints.push([`${text}: no range wider than /8, or /16 of IPv6`, "GATEWAY_ALLOW_IPS="])
}

/** Lets through who calls from an allowed address. An address that nobody knows is in no list. */
export function fence<C extends Context>(allowList: string[], address: (c: C) => string, log: Log): MiddlewareHandler {
  const elsewhere = () => refuse(log, "forbidden_address", "the address is not in GATEWAY_ALLOW_IPS")
  const among = ipRestriction((c) => address(c as C), { allowList }, elsewhere)
  return async (c, next) => (address(c as C) || allowList.includes("*") ? await among(c, next) : elsewhere())
}
