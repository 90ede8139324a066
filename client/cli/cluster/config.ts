// config: settings that are in effect, and where each comes from. It reads files, and starts nothing; the namenode is asked
// for the present levels of logs, and with --servers for all settings of servers.

import { abortable } from '../../../src/base/abort.ts'
import type { ServerState } from '../../../src/protocol/server.ts'
import type { ConfigEntry, ServerConfig } from '../../process/config.ts'
import { valueText } from '../../../src/base/valuetext.ts'
import type { CommandContext } from '../context.ts'
import { option, type CommandSpec } from '../spec.ts'
import { tableLines, type Column } from '../table.ts'

/** The settings are shown also while the namenode does not answer. */
const levelsMs = 1_000

export const config: CommandSpec = {
  name: 'config', args: '',
  about: 'show the settings in effect and their sources',
  notes:
    'Settings of this command, then those of the servers that `up` has started, or with --servers of all servers that run, on any machine. The last column says where a value comes from: an option, a variable, the settings file, `loglevel`, `up`, which has chosen it for the server, or the default. `gristmill help settings` describes them all.',
  options: [option('--servers', 'ask the namenode for the settings of all servers')],
  examples: [
    ['gristmill config', 'which cluster, which user, which settings'],
    ['gristmill config --servers --cluster mill:8620', 'what the servers on all machines were started with'],
    ['gristmill config --json --cluster mill:8620', 'as JSON, as a command with this option would use it'],
  ],
  run: runConfig,
}

async function runConfig(
  context: CommandContext, _operands: readonly string[], { servers: asksServers = false }: { servers?: boolean },
): Promise<void> {
  const { printer, options } = context
  const [{ disk }, machine] = [await context.world(), await context.machine()]
  const [{ effectiveConfig, serverConfigOf, withLevels }, { findSettings }] = await Promise.all([
    import('../../process/config.ts'), import('../../discovery/readsettings.ts'),
  ])
  let found = await effectiveConfig({ disk, machine }, await findSettings({ disk, machine }, options))
  if (asksServers) {
    const states = await statesOf(context, context.signal)
    const servers = withLevels(states.map(serverConfigOf), states)
    found = { ...found, servers, notes: [] }
  } else if (found.servers.some(({ address }) => address !== undefined)) {
    found = { ...found, servers: await withPresentLevels(context, found.servers) }
  }
  if (context.json) return printer.json(found)
  const show = async (lines: readonly string[]): Promise<void> => { for (const line of lines) await printer.line(line) }
  await show([`settings file: ${printer.cell(found.file)}${found.isFilePresent ? '' : ' (not there)'}`, '', 'this command'])
  await show(entryLines(found.client, printer.tableWidth))
  for (const lines of serverParagraphs(found.servers)) {
    await show(['', lines.title])
    await show(entryLines(lines.settings, printer.tableWidth))
  }
  for (const note of found.notes) context.note(note)
}

async function statesOf(context: CommandContext, signal: AbortSignal): Promise<ServerState[]> {
  const states: ServerState[] = []
  for await (const state of (await context.mill()).servers.list({ signal })) states.push(state)
  return states
}

/** Servers of `up` with the levels that their logs have now; as they were started, if the namenode does not answer. */
async function withPresentLevels(context: CommandContext, servers: readonly ServerConfig[]): Promise<readonly ServerConfig[]> {
  const { clock } = await context.world()
  const { withLevels } = await import('../../process/config.ts')
  const signal = clock.deadline(levelsMs, context.signal)
  try {
    return withLevels(servers, await abortable(statesOf(context, signal), signal))
  } catch {
    context.signal.throwIfAborted()
    return servers
  }
}

const columns: readonly Column[] = [{ title: 'SETTING' }, { title: 'VALUE' }, { title: 'FROM' }]

/** `width`: of a terminal. */
export function entryLines(entries: readonly ConfigEntry[], width: number | undefined): string[] {
  const rows = entries.map(({ name, value, text, from }) => [name, value === undefined ? text ?? '' : valueText(name, value), from])
  return tableLines(columns, rows, width)
}

/** A datanode after the first one shows only what differs from the first. */
export function serverParagraphs(servers: readonly ServerConfig[]): { title: string; settings: readonly ConfigEntry[] }[] {
  const first = servers.find(({ name, settings }) => name.startsWith('datanode') && settings)
  return servers.map(server => {
    const { name, address, settings } = server
    const title = `${name}${address === undefined ? '' : ` at ${address}`}`
    if (!settings) return { title: `${title}: not known, it is of an earlier version or in another process of yours`, settings: [] }
    if (!first || first === server || !name.startsWith('datanode')) return { title, settings }
    const text = (entry: ConfigEntry | undefined): string => JSON.stringify([entry?.value, entry?.text, entry?.from])
    const differing = settings.filter(entry => text(entry) !== text(first.settings!.find(one => one.name === entry.name)))
    return { title: `${title}: as ${first.name}, but`, settings: differing }
  })
}
