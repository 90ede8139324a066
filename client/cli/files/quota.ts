// quota: limits on the number of names and bytes below directories.

import { GristmillError } from '../../../src/base/errors.ts'
import { normalise } from '../../../src/base/paths.ts'
import { formatBytes, parseBytes } from '../../../src/base/units.ts'
import type { Quota } from '../../../src/protocol/quota.ts'
import type { CommandContext } from '../context.ts'
import { formatCount } from '../display.ts'
import { option, whole, type CommandSpec } from '../spec.ts'
import { tabulate } from '../table.ts'
import { remotePaths } from '../tree.ts'
import { waitFor } from '../waiting.ts'

export const quota: CommandSpec = {
  name: 'quota', args: '', about: 'limit names and bytes below directories',
  notes:
    'Names are files and directories below the directory; bytes include all replicas. An operation that would exceed a quota fails and changes '
    + 'nothing.',
  options: [],
  examples: [
    ['gristmill quota set /home/ada --names 100000 --bytes 1TiB', 'both limits'],
    ['gristmill quota get /home/ada', 'limits and usage'],
    ['gristmill quota clear /home/ada', 'remove the limits'],
  ],
  verbs: [
    {
      name: 'set', args: '<path...>', about: 'set limits of directories (for the superuser)',
      notes:
        'At least one limit is required; the other stays as it is. Returns when the existing entries are counted and the quota is in force.',
      options: [
        option('--names <n>', 'maximum number of files and directories', { parse: whole(0) }),
        option('--bytes <size>', 'maximum number of bytes, for instance 10GiB', { parse: parseBytes }),
      ],
      examples: [['gristmill quota set /home/ada --names 100000 --bytes 1TiB', 'both limits']],
      run: set,
    },
    {
      name: 'get', args: '[path...]', about: 'show limits and usage',
      operands: [['[path]', 'a directory (default: all directories with a quota)']],
      options: [],
      examples: [['gristmill quota get', 'all quotas (for the superuser)'], ['gristmill quota get /home/ada', 'of one directory']],
      run: get,
    },
    {
      name: 'clear', args: '<path...>', about: 'remove the limits of directories (for the superuser)',
      options: [], examples: [['gristmill quota clear /home/ada', 'names and bytes are unlimited again']],
      run: clear,
    },
  ],
}

interface SetOptions { names?: number; bytes?: number }

async function set(context: CommandContext, operands: readonly string[], { names, bytes }: SetOptions): Promise<void> {
  if (names === undefined && bytes === undefined) throw new GristmillError('USAGE', 'give a limit: --names N, --bytes SIZE, or both')
  const mill = await context.mill()
  const { signal } = context
  await context.each(remotePaths(context, operands), async path => {
    await mill.quotas.set(path, { ...names !== undefined && { names }, ...bytes !== undefined && { bytes } }, { signal })
    // The quota is in force once the existing entries are counted.
    await waitFor(context, {
      label: path,
      look: () => mill.quotas.get(path, { signal }),
      stepOf: () => ({ done: 0, text: 'counting existing entries' }),
      isDone: now => !now?.counting,
    })
  })
}

async function clear(context: CommandContext, operands: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await context.each(remotePaths(context, operands), path => mill.quotas.clear(path, { signal: context.signal }))
}

const columns = [
  { title: 'NAMES', align: 'right' }, { title: 'OF', align: 'right' }, { title: 'BYTES', align: 'right' }, { title: 'OF', align: 'right' },
  { title: 'PATH' },
] as const

async function get(context: CommandContext, operands: readonly string[]): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const rows: string[][] = []
  const show = async (path: string, quota: Quota | undefined): Promise<void> => {
    if (context.json) return printer.json(quota ?? { path, limit: {} }, { compact: true })
    rows.push(quota ? rowOf(quota, name => printer.cell(name)) : ['-', '-', '-', '-', printer.cell(path)])
  }
  if (operands.length === 0) for await (const quota of mill.quotas.list({ signal })) await show(quota.path, quota)
  else await context.each(remotePaths(context, operands), async path => show(normalise(path), await mill.quotas.get(path, { signal })))
  if (rows.length > 0) for (const line of tabulate(columns, rows)) await printer.line(line)
}

function rowOf({ path, limit, used, counting }: Quota, show: (name: string) => string): string[] {
  // During a recount the usage is an upper bound.
  const about = counting ? (used.names === 0 && used.bytes === 0 ? 'counting' : '≤ ') : ''
  const shown = (text: string): string => (about === 'counting' ? about : `${about}${text}`)
  return [
    shown(formatCount(used.names)), limit.names === undefined ? '-' : formatCount(limit.names),
    shown(formatBytes(used.bytes)), limit.bytes === undefined ? '-' : formatBytes(limit.bytes), show(path),
  ]
}
