// quota: limits on the number of names and bytes below directories.

import { GristmillError } from '../../../src/base/errors.ts'
import { normalise } from '../../../src/base/paths.ts'
import { formatBytes } from '../../../src/base/units.ts'
import type { Quota } from '../../../src/protocol/quota.ts'
import { formatCount } from '../format.ts'
import type { CommandContext } from '../context.ts'
import { tabulate } from '../table.ts'
import { remotePaths } from '../tree.ts'
import { waitFor } from '../waiting.ts'

export interface QuotaOptions { names?: number; bytes?: number }

export async function run(context: CommandContext, [verb, ...operands]: readonly string[], options: QuotaOptions): Promise<void> {
  switch (verb) {
    case 'set': return set(context, operands, options)
    case 'get': return get(context, operands)
    case 'clear': return clear(context, operands)
    default: throw new GristmillError('USAGE', `quota knows set, get and clear, not "${verb}"`)
  }
}

const none = (operands: readonly string[]): void => {
  if (operands.length === 0) throw new GristmillError('USAGE', 'missing operand <path>')
}

async function set(context: CommandContext, operands: readonly string[], { names, bytes }: QuotaOptions): Promise<void> {
  none(operands)
  if (names === undefined && bytes === undefined) throw new GristmillError('USAGE', 'give a limit: --names N, --bytes SIZE, or both')
  const mill = await context.mill()
  const { signal } = context
  await context.each(remotePaths(context, operands), async path => {
    await mill.quotas.set(path, { ...names !== undefined && { names }, ...bytes !== undefined && { bytes } }, { signal })
    // The quota is in force once the existing entries are counted.
    await waitFor(context, {
      label: path,
      look: () => mill.quotas.get(path, { signal }),
      stepOf: () => ({ done: 0, said: 'counting existing entries' }),
      isDone: now => !now?.counting,
    })
  })
}

async function clear(context: CommandContext, operands: readonly string[]): Promise<void> {
  none(operands)
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
