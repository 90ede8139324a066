// balance: starts balancing, which evens out disk usage over the datanodes in the background; or shows its progress, or stops it.

import { GristmillError } from '../../../src/base/errors.ts'
import { formatBytes, parseBytes } from '../../../src/base/units.ts'
import type { BalanceState } from '../../../src/protocol/service.ts'
import type { CommandContext } from '../context.ts'
import { formatCount, plural } from '../display.ts'
import { option, type CommandSpec } from '../spec.ts'
import { pad } from '../table.ts'
import { waitFor } from '../waiting.ts'
import { saidPlainly } from './service.ts'

const wait = option('--wait', 'wait until it is done')

/** Parses a percentage: `10%`, `0.5`. */
function points(text: string): number {
  const value = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : NaN
  if (!(value <= 100)) throw new GristmillError('EINVAL', `"${text}" is not a percentage from 0 to 100; write for instance 10%`)
  return value
}

function rate(text: string): number {
  const bytes = parseBytes(text)
  if (bytes === 0)
    throw new GristmillError('EINVAL', 'a bandwidth of 0 would move nothing; write for instance 50MiB, or end balancing with --stop')
  return bytes
}

export const balance: CommandSpec = {
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
  run: runBalance,
}

interface Options { threshold?: number; bandwidth?: number; wait?: boolean; status?: boolean; stop?: boolean }

async function runBalance(
  context: CommandContext, _operands: readonly string[],
  { threshold, bandwidth, wait = false, status = false, stop = false }: Options,
): Promise<void> {
  const begins = threshold !== undefined || bandwidth !== undefined
  if ((status && stop) || ((status || stop) && begins)) throw new GristmillError('USAGE', '--status and --stop stand alone')
  const { signal, printer } = context
  const { nodes } = await context.mill()
  const now = await saidPlainly(
    status
      ? nodes.balanceStatus({ signal })
      : stop
        ? nodes.stopBalance({ signal })
        : nodes.balance({
            ...(threshold !== undefined && { threshold }),
            ...(bandwidth !== undefined && { bytesPerSecond: bandwidth }),
            signal,
          }),
  )
  const last = wait ? await end(context, now) : now
  if (context.json) return printer.json(last)
  for (const line of lines(last)) await printer.line(line)
}

async function end(context: CommandContext, first: BalanceState): Promise<BalanceState> {
  if (!first.running && first.pending === 0) return first
  const { nodes } = await context.mill()
  return waitFor(context, {
    label: 'balance',
    look: () => nodes.balanceStatus({ signal: context.signal }),
    isDone: ({ running, pending }) => !running && pending === 0,
    // The number of bytes left is unknown: the balancer does not plan ahead.
    stepOf: ({ movedBytes, moves, lowest, highest }) => ({
      done: moves,
      text: `${formatBytes(movedBytes)} moved in ${plural(moves, 'block')}, nodes are ${lowest.toFixed(1)}% to ${highest.toFixed(1)}% full`,
    }),
  })
}

function lines({
  running, threshold, bytesPerSecond, moves, movedBytes, failures, pending, average, lowest, highest, remark,
}: BalanceState): string[] {
  const facts: [string, string][] = [
    ['balance', `${running ? 'running' : 'not running'}: ${remark}`],
    ['full', `${average.toFixed(2)}% on average, from ${lowest.toFixed(2)}% to ${highest.toFixed(2)}%`],
    [
      'moved',
      `${formatBytes(movedBytes)} in ${plural(moves, 'block')}; ${formatCount(pending)} on their way, ${formatCount(failures)} failed`,
    ],
  ]
  if (running) facts.push(['limits', `${threshold}% from the average, ${formatBytes(bytesPerSecond)} a second for each datanode`])
  return facts.map(([name, value]) => `${pad(name, 10)}${value}`)
}
