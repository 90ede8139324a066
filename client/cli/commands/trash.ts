// trash: lists, restores or permanently deletes removed entries.

import { GristmillError } from '../../../src/base/errors.ts'
import { inOwnWords } from '../errors.ts'
import { formatHuman, formatTime, plural } from '../format.ts'
import type { CommandContext } from '../context.ts'
import { tabulate } from '../table.ts'

export interface TrashOptions { all?: boolean; overwrite?: boolean; to?: string; olderThan?: number }

/** Lines per page. */
const pageMax = 1000
const columns = [{ title: 'ITEM' }, { title: 'REMOVED' }, { title: 'BY' }, { title: 'SIZE', align: 'right' }, { title: 'FROM' }] as const

export async function run(context: CommandContext, [verb, ...operands]: readonly string[], options: TrashOptions): Promise<void> {
  switch (verb) {
    case 'ls': return list(context, operands, options)
    case 'restore': return restore(context, operands, options)
    case 'empty': return empty(context, operands, options)
    default: throw new GristmillError('USAGE', `trash knows ls, restore and empty, not "${verb}"`)
  }
}

async function list(context: CommandContext, operands: readonly string[], { all = false }: TrashOptions): Promise<void> {
  if (operands.length > 0) throw new GristmillError('USAGE', 'trash ls takes no names: it lists everything in the trash')
  const { printer, signal } = context
  const mill = await context.mill()
  const nowMs = (await context.world()).clock.now()
  let rows: string[][] = []
  const print = async (): Promise<void> => {
    if (rows.length > 0) for (const line of tabulate(columns, rows)) await printer.line(line)
    rows = []
  }
  for await (const each of mill.trash.list({ all, signal })) {
    if (context.json) {
      await printer.json(each, { compact: true })
      continue
    }
    rows.push([
      each.item, formatTime(each.removedMs, nowMs), printer.cell(each.user),
      each.type === 'directory' ? '-' : formatHuman(each.length),
      printer.cell(each.from) + (each.type === 'directory' ? '/' : ''),
    ])
    if (rows.length === pageMax) await print()
  }
  await print()
}

async function restore(context: CommandContext, operands: readonly string[], { overwrite = false, to }: TrashOptions): Promise<void> {
  if (operands.length === 0) throw new GristmillError('USAGE', 'missing operand <item|path>; gristmill trash ls lists the trash')
  if (to !== undefined && operands.length > 1)
    throw new GristmillError('USAGE', '--to is the new path of one entry; restore entries one by one')
  const mill = await context.mill()
  await context.each(operands, async what => {
    const path = await inOwnWords(mill.trash.restore(what, { overwrite, ...to !== undefined && { to }, signal: context.signal }))
    if (context.json) await context.printer.json({ what, path }, { compact: true })
    else await context.printer.line(context.printer.name(path))
  })
}

async function empty(context: CommandContext, operands: readonly string[], { all = false, olderThan = 0 }: TrashOptions): Promise<void> {
  if (operands.length > 0)
    throw new GristmillError(
      'USAGE',
      'trash empty takes no names: it permanently deletes everything in the trash; --older-than keeps younger entries',
    )
  const mill = await context.mill()
  const removed = await mill.trash.empty({ all, olderThanMs: olderThan, signal: context.signal })
  if (context.json) await context.printer.json({ removed })
  else context.printer.note(`${plural(removed, 'entry', 'entries')} permanently deleted`)
}
