// trash: lists, restores or permanently deletes removed entries.

import { GristmillError } from '../../../src/base/errors.ts'
import { parseDuration } from '../../../src/base/units.ts'
import type { CommandContext } from '../context.ts'
import { inOwnWords } from '../errors.ts'
import { formatHuman, formatTime, plural } from '../display.ts'
import { option, type CommandSpec } from '../spec.ts'
import { tabulate } from '../table.ts'

export const trash: CommandSpec = {
  name: 'trash', args: '', about: 'list, restore or delete removed files',
  notes: '`rm` moves entries to the trash of the user. They can be restored for one day (setting trashKeep).',
  options: [],
  examples: [
    ['gristmill trash ls', 'list the trash, newest first'],
    ['gristmill trash restore /logs/access.log', 'restore to the original path'],
    ['gristmill trash empty --older-than 1h', 'free space'],
  ],
  verbs: [
    {
      name: 'ls', args: '', about: 'list removed entries, newest first',
      notes: 'ITEM names an entry for `trash restore`; FROM is its original path.',
      options: [option('--all', 'entries of all users (for the superuser)')],
      examples: [['gristmill trash ls', 'item, time, user, size and original path']],
      run: list,
    },
    {
      name: 'restore', args: '<item...>', about: 'restore removed entries',
      operands: [['<item>', 'an item as `trash ls` shows it, or an original path: the newest entry of that path']],
      notes: 'An existing entry is not replaced; with --overwrite, a file replaces a file.',
      options: [
        option('-f, --overwrite', 'replace an existing file'),
        option('--to <path>', 'restore one entry to this path instead of the original one'),
      ],
      examples: [
        ['gristmill trash restore /logs/access.log', 'restore to the original path'],
        ['gristmill trash restore /logs/access.log --to /logs/access.old', 'restore to another path'],
      ],
      run: restore,
    },
    {
      name: 'empty', args: '', about: 'permanently delete removed entries and free their space',
      options: [
        option('--older-than <time>', 'only entries removed at least this long ago, for instance 1h', { parse: parseDuration }),
        option('--all', 'entries of all users (for the superuser)'),
      ],
      examples: [['gristmill trash empty --older-than 1h', 'entries of the last hour are kept']],
      run: empty,
    },
  ],
}

/** Lines per page. */
const pageMax = 1000
const columns = [{ title: 'ITEM' }, { title: 'REMOVED' }, { title: 'BY' }, { title: 'SIZE', align: 'right' }, { title: 'FROM' }] as const

async function list(context: CommandContext, _operands: readonly string[], { all = false }: { all?: boolean }): Promise<void> {
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

interface RestoreOptions { overwrite?: boolean; to?: string }

async function restore(context: CommandContext, operands: readonly string[], { overwrite = false, to }: RestoreOptions): Promise<void> {
  if (to !== undefined && operands.length > 1)
    throw new GristmillError('USAGE', '--to is the new path of one entry; restore entries one by one')
  const mill = await context.mill()
  await context.each(operands, async what => {
    const path = await inOwnWords(mill.trash.restore(what, { overwrite, ...to !== undefined && { to }, signal: context.signal }))
    if (context.json) await context.printer.json({ what, path }, { compact: true })
    else await context.printer.line(context.printer.name(path))
  })
}

interface EmptyOptions { all?: boolean; olderThan?: number }

async function empty(context: CommandContext, _operands: readonly string[], { all = false, olderThan = 0 }: EmptyOptions): Promise<void> {
  const mill = await context.mill()
  const removed = await mill.trash.empty({ all, olderThanMs: olderThan, signal: context.signal })
  if (context.json) await context.printer.json({ removed })
  else context.printer.note(`${plural(removed, 'entry', 'entries')} permanently deleted`)
}
