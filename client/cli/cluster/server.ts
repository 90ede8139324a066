// Servers as commands: their settings as options, so that flags, variables and the settings file have the same names and meanings; and the
// ready line, their only output on stdout.

import { flagOf, settingNames } from '../../../src/base/config.ts'
import { version } from '../../../src/base/version.ts'
import { settings, type Setting, type SettingUser } from '../../../src/base/settings.ts'
import type { Ready, ServerRun } from '../../process/run.ts'
import type { CommandContext } from '../context.ts'
import { option, type OptionSpec } from '../spec.ts'

/** Options that every command has already. */
const global = new Set(['home', 'cluster', 'secretFile'])

const placeholder = ({ kind, type }: Setting<unknown>): string => {
  if (kind !== 'value') return 'path'
  if (type.startsWith('number')) return 'n'
  if (type.startsWith('size')) return 'size'
  return type.startsWith('duration') ? 'time' : 'text'
}

const lower = (text: string): string => text[0]!.toLowerCase() + text.slice(1)

export function optionsOf(user: SettingUser): OptionSpec[] {
  return settingNames
    .filter(name => !global.has(name) && (settings[name].usedBy as readonly SettingUser[]).some(one => one === user || one === 'all'))
    .map(name => {
      const setting: Setting<unknown> = settings[name]
      if (setting.bare) return option(flagOf(name), lower(setting.about.replaceAll('`', '').replace(/\.$/, '')))
      return option(
        `${flagOf(name)} <${placeholder(setting)}>`,
        `${lower(setting.about.replaceAll('`', '').replace(/\.$/, ''))} (default: ${setting.fallback.replaceAll('`', '')})`,
        setting.kind === 'paths' ? { repeat: true } : { parse: setting.parse },
      )
    })
}

export async function serve(context: CommandContext, start: (run: ServerRun) => Promise<void>): Promise<void> {
  const { printer, signal } = context
  const world = await context.world()
  await start({
    settings: await context.settings(), flags: context.options, world, machine: await context.machine(), signal,
    ready: async ready => {
      const { role, id, address, listening, pid, dir, cluster, endpoints } = ready
      world.log.info('ready', { role, id, address, listening, ...endpoints && { endpoints }, version, pid, dir, cluster })
      if (context.json) await printer.json({ ...ready, settings: await givenSettings(context, ready.role) }, { compact: true })
      else await printer.line(readyLine(ready))
      // The parent process waits for this line.
      await printer.flush()
    },
  })
}

/** Settings of a server that are given, without those that only other processes use. */
async function givenSettings(context: CommandContext, role: SettingUser): Promise<Record<string, unknown>> {
  const given = await context.settings()
  const used = settingNames.filter(name => (settings[name].usedBy as readonly SettingUser[]).some(one => one === role || one === 'all'))
  return Object.fromEntries(used.filter(name => given[name] !== undefined).map(name => [name, given[name]]))
}

const readyLine = ({ role, id, address, pid, dir, endpoints }: Ready): string => {
  if (!endpoints) return `${role} ${id} is ready at ${address} (process ${pid}, data in ${dir})`
  return `${role} is ready: ${Object.entries(endpoints).map(([name, url]) => `${name} at ${url}`).join(', ')} (process ${pid})`
}
