// The commands that direct datanodes, as the command line offers them.

import { GristmillError } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { formatDuration, parseBytes, parseDuration } from '../../../src/base/units.ts'
import { option, type CommandSpec, type CommandGroup } from '../spec.ts'

const wait = option('--wait', 'return when it is done')
const named = 'NODE is its id, its address, or its host if no other datanode is there.'

/** `10%`, `0.5`. */
function points(text: string): number {
  const value = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : NaN
  if (!(value <= 100)) throw new GristmillError('EINVAL', `"${text}" is not a number of percent; write for instance 10%`)
  return value
}

/** From a second on: somebody who writes `30` has not thought of milliseconds. */
function spell(text: string): number {
  const ms = parseDuration(text)
  if (ms < 1000 || ms > limits.maintenanceMsMax)
    throw new GristmillError(
      'EINVAL',
      `"${text}" is not between a second and ${formatDuration(limits.maintenanceMsMax)}; write for instance 30m`,
    )
  return ms
}

function rate(text: string): number {
  const bytes = parseBytes(text)
  if (bytes === 0)
    throw new GristmillError('EINVAL', 'with 0 bytes a second nothing would ever move; write for instance 50MiB, or end it with --stop')
  return bytes
}

const decommission: CommandSpec = {
  name: 'decommission', args: '<node>',
  about: 'empty a datanode, so that it can be switched off',
  notes: `${named}\nIts blocks are copied to others; until then it is read from, and it gets nothing new. Interrupting --wait does not stop it; recommission does.`,
  options: [wait],
  examples: [['gristmill decommission 10.0.0.7:8621 --wait', 'then switch it off']],
  load: () => import('../commands/decommission.ts'),
}

const recommission: CommandSpec = {
  name: 'recommission', args: '<node>', about: 'put a datanode back into service',
  notes: `${named}\nReplicas that are too many then are removed.`,
  options: [], examples: [['gristmill recommission 10.0.0.7:8621', 'whatever it was']],
  load: () => import('../commands/recommission.ts'),
}

const maintenance: CommandSpec = {
  name: 'maintenance', args: '<node>',
  about: 'let a datanode be away for a while, without copying its blocks',
  notes:
    `${named}\nIt gets nothing new. What nobody else holds is copied once; with --wait the command returns when that is done, and the node can be stopped.\n`
    + 'When the time is over it is in service again; if it is not there by then, its blocks are copied.',
  options: [option('--for <time>', 'how long, such as 30m', { parse: spell }), option('--end', 'it is back'), wait],
  examples: [
    ['gristmill maintenance rack2-7 --for 30m --wait', 'then stop it'],
    ['gristmill maintenance rack2-7 --end', 'it is back'],
  ],
  load: () => import('../commands/maintenance.ts'),
}

const balance: CommandSpec = {
  name: 'balance', args: '',
  about: 'move blocks from full datanodes to empty ones',
  notes:
    'It goes on by itself, over a restart of the namenode too, until every node is near the average or nothing that could move would help. A copy is made first and the old one removed then.',
  options: [
    option('--threshold <percent>', 'how far from the average a node may be, in percent of its space (default 10%)', { parse: points }),
    option('--bandwidth <size>', 'bytes a second that one datanode may send or receive for this, on average (default 50MiB)', {
      parse: rate,
    }),
    wait, option('--status', 'how far it is'), option('--stop', 'end it'),
  ],
  examples: [
    ['gristmill balance --threshold 5% --wait', 'and wait'],
    ['gristmill balance --status', 'how far it is'],
  ],
  load: () => import('../commands/balance.ts'),
}

export const nodesGroup: CommandGroup = { title: 'Datanodes', commands: [decommission, recommission, maintenance, balance] }
