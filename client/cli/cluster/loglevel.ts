// loglevel: shows or sets the level of the logs of running servers.

import { logLevels, type LogLevel } from '../../../src/ports/log.ts'
import type { ServerState } from '../../../src/protocol/server.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import type { CommandContext } from '../context.ts'
import { option, type CommandSpec } from '../spec.ts'
import { tabulate, type Column } from '../table.ts'
import { memberNamed } from './members.ts'
import { saidPlainly } from './service.ts'

export const loglevel: CommandSpec = {
  name: 'loglevel', args: '[level]', about: 'show or set the log level of running servers',
  notes:
    'Without a level, shows those of the namenode and of all datanodes that run. A new level lasts until the server ends: it then starts with the setting logLevel. '
    + 'A SERVER is `namenode`, or an id, an address, or a host that runs only one datanode.',
  operands: [['[level]', logLevels.join(', ')]],
  options: [option('--server <server>', 'only this server; may be repeated (default: all)', { repeat: true })],
  examples: [
    ['gristmill loglevel', 'the level of each server'],
    ['gristmill loglevel debug --server namenode', 'until it restarts, or the next level'],
    ['gristmill loglevel info', 'all servers'],
  ],
  run: runLogLevel,
}

async function runLogLevel(
  context: CommandContext, [level]: readonly string[], { server: names }: { server?: readonly string[] },
): Promise<void> {
  const { signal, json, printer } = context
  if (level !== undefined && !logLevels.some(one => one === level))
    throw new GristmillError('USAGE', `"${level}" is no level of a log: it is one of ${logLevels.join(', ')}`)
  const { servers } = await context.mill()
  const found: ServerState[] = []
  if (names) for (const name of names) found.push(await saidPlainly(servers.get(await memberNamed(context, name), { signal })))
  else for await (const one of servers.list({ signal })) found.push(one)
  const rows: ServerState[] = []
  for (const one of found)
    rows.push(level === undefined ? one : await saidPlainly(servers.setLogLevel(one.id, level as LogLevel, { signal })))
  if (json) return printer.json(rows.map(({ settings: _, ...rest }) => rest))
  const columns: readonly Column[] = [{ title: 'SERVER' }, { title: 'ADDRESS' }, { title: 'LEVEL' }]
  const cells = rows.map(({ role, id, address, logLevel }) => [role === 'namenode' ? role : id, address, logLevel ?? 'fixed'])
  for (const line of tabulate(columns, cells)) await printer.line(line)
}
