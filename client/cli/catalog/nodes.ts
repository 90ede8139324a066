// Command specifications of group Datanodes.

import { GristmillError } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { formatDuration, parseBytes, parseDuration } from '../../../src/base/units.ts'
import { option, type CommandSpec, type CommandGroup } from '../spec.ts'

const wait = option('--wait', 'wait until it is done')
const named = 'NODE is an id, an address, or a host that runs only one datanode.'

/** Parses a percentage: `10%`, `0.5`. */
function points(text: string): number {
  const value = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : NaN
  if (!(value <= 100)) throw new GristmillError('EINVAL', `"${text}" is not a number of percent; write for instance 10%`)
  return value
}

/** Parses a duration of at least 1 s: a bare `30` means milliseconds, which an operator hardly intends. */
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
    throw new GristmillError('EINVAL', 'a bandwidth of 0 would move nothing; write for instance 50MiB, or end balancing with --stop')
  return bytes
}

const decommission: CommandSpec = {
  name: 'decommission', args: '<node>',
  about: 'copy all blocks of a datanode elsewhere, so that it can be switched off',
  notes: `${named}\nIts blocks are copied to other datanodes; meanwhile it serves reads and gets no new blocks or tasks. Interrupting --wait does not stop the decommission; recommission does.`,
  options: [wait],
  examples: [['gristmill decommission 10.0.0.7:8621 --wait', 'afterwards it can be switched off']],
  load: () => import('../commands/decommission.ts'),
}

const recommission: CommandSpec = {
  name: 'recommission', args: '<node>', about: 'put a datanode back into service',
  notes: `${named}\nExcess replicas are deleted afterwards.`,
  options: [], examples: [['gristmill recommission 10.0.0.7:8621', 'end decommissioning or maintenance']],
  load: () => import('../commands/recommission.ts'),
}

const maintenance: CommandSpec = {
  name: 'maintenance', args: '<node>',
  about: 'take a datanode down temporarily, without copying its blocks',
  notes:
    `${named}\nIt gets no new blocks or tasks. Blocks without a replica on another datanode are copied once; with --wait the command returns when that is done and the node can be stopped.\n`
    + 'When the time is over, the node is in service again; if it is not back by then, its blocks are copied.',
  options: [option('--for <time>', 'duration, for instance 30m', { parse: spell }), option('--end', 'end the maintenance'), wait],
  examples: [
    ['gristmill maintenance rack2-7 --for 30m --wait', 'afterwards it can be stopped'],
    ['gristmill maintenance rack2-7 --end', 'the node is back'],
  ],
  load: () => import('../commands/maintenance.ts'),
}

const balance: CommandSpec = {
  name: 'balance', args: '',
  about: 'move blocks from full datanodes to empty ones',
  notes:
    'Balancing runs in the background, also across a restart of the namenode, until every node is near the average or no move would help. A block is copied first; the old replica is deleted afterwards.',
  options: [
    option('--threshold <percent>', 'allowed distance of a node from the average, in percent of its capacity (default 10%)', {
      parse: points,
    }),
    option('--bandwidth <size>', 'average bytes per second that one datanode may send or receive for balancing (default 50MiB)', {
      parse: rate,
    }),
    wait, option('--status', 'show the progress'), option('--stop', 'stop balancing'),
  ],
  examples: [
    ['gristmill balance --threshold 5% --wait', 'balance and wait'],
    ['gristmill balance --status', 'show the progress'],
  ],
  load: () => import('../commands/balance.ts'),
}

export const nodesGroup: CommandGroup = { title: 'Datanodes', commands: [decommission, recommission, maintenance, balance] }
