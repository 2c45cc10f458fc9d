import { type Complaint, clean, type Environment, readSettings, type Settings, StartError } from "../../main.ts"

/** The settings of a command that needs the callers' secret. */
export function settingsOf(env: Environment, command: string): Settings {
  const complaints: Complaint[] = []
  const settings = readSettings(clean(env), complaints)
  if (settings?.keys.length === 0) complaints.push([`${command} needs GATEWAY_SECRET`, "GATEWAY_SECRET="])
  if (!settings || complaints.length > 0) throw new StartError(complaints)
  return settings
}
