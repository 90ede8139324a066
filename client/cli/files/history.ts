// history and rollback: versions of outputs of jobs.

import type { Version } from '../../../src/protocol/version.ts'
import type { CommandContext } from '../context.ts'
import { inOwnWords } from '../errors.ts'
import { formatCount, formatHuman, formatTime, plural } from '../display.ts'
import { option, whole, type CommandSpec } from '../spec.ts'
import { tableLines, type Column } from '../table.ts'

export const history: CommandSpec = {
  name: 'history', args: '<path>', about: 'list the versions of a job\'s output',
  operands: [['<path>', 'the output of a job']],
  notes:
    'A job that replaces an output (`run --overwrite`) keeps the old one as a version. Version 3 of PATH is read as PATH@3 by every command '
    + 'that reads (ls, cat, get, cp, du, run --input…), and never changes; a name that exists as it is written wins over a version. The newest '
    + '10 older versions are kept for 30 days (settings versionsKeep, versionsKeepFor); a tag keeps a version for longer. Versions count for quotas.',
  options: [option('--keep <n>', 'free all older versions but the newest <n> and tagged ones', { parse: whole(0) })],
  examples: [
    ['gristmill history /sums', 'versions, newest first'],
    ['gristmill history /sums --keep 2', 'free the others'],
    ['gristmill history tag /sums@2 march', 'keep version 2, which is also read as /sums@march'],
  ],
  run: runHistory,
  verbs: [
    {
      name: 'tag', args: '<version> <tag>', about: 'keep a version under a name',
      operands: [['<version>', 'PATH@NUMBER'], ['<tag>', 'a name, under which the version is read as PATH@TAG']],
      options: [], examples: [['gristmill history tag /sums@2 march', 'version 2 is not freed any more']],
      run: tag,
    },
    {
      name: 'untag', args: '<version...>', about: 'remove the tag of a version',
      operands: [['<version>', 'PATH@TAG or PATH@NUMBER']],
      options: [], examples: [['gristmill history untag /sums@march', 'it may be freed again']],
      run: untag,
    },
    {
      name: 'rm', args: '<version...>', about: 'free a version',
      operands: [['<version>', 'PATH@NUMBER; neither the newest version nor one with a tag']],
      options: [], examples: [['gristmill history rm /sums@2', 'version 2 is not kept any longer']],
      run: remove,
    },
  ],
}

export const rollback: CommandSpec = {
  name: 'rollback', args: '<path>', about: 'make an older version of an output current',
  operands: [['<path>', 'the output of a job']],
  notes:
    'One step, whatever the size: the older version becomes the newest one under a new number, and what was the newest stays as a version. '
    + 'Readers of either are not disturbed. A second rollback returns to what was there before the first.',
  options: [option('--to <version>', 'number or tag of the version (default: the one before the newest)')],
  examples: [
    ['gristmill rollback /sums', 'undo the last run'],
    ['gristmill rollback /sums --to 2', 'return to version 2'],
  ],
  run: runRollback,
}

const columns: readonly Column[] = [
  { title: 'VERSION', align: 'right' }, { title: 'PUBLISHED' }, { title: 'BY' }, { title: 'JOB' }, { title: 'ROWS', align: 'right' },
  { title: 'SIZE', align: 'right' }, { title: 'PROGRAM' }, { title: 'NOTE' },
]
const checkNotes = { passed: 'checked', overruled: 'published despite its check' } as const
/** Digits of a program's hash. */
const hashChars = 12

async function runHistory(context: CommandContext, [path]: readonly string[], { keep }: { keep?: number }): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  if (keep !== undefined) {
    const freed = await inOwnWords(mill.versions.keep(path!, keep, { signal }))
    if (context.json) await printer.json({ path, freed })
    else printer.note(`${plural(freed, 'version')} freed`)
    return
  }
  const nowMs = (await context.world()).clock.now()
  const rows: string[][] = []
  for await (const each of mill.versions.list(path!, { signal })) {
    if (context.json) await printer.json(each, { compact: true })
    else rows.push(row(context, each, nowMs))
  }
  if (context.json) return
  for (const line of tableLines(columns, rows, printer.tableWidth)) await printer.line(line)
}

function row({ printer }: CommandContext, each: Version, nowMs: number): string[] {
  const notes = [
    ...each.head ? ['newest'] : [], ...each.from === undefined ? [] : [`rolled back to ${each.from}`],
    ...each.tag === undefined ? [] : [`tag ${each.tag}`], ...each.check === undefined ? [] : [checkNotes[each.check]],
  ]
  return [
    String(each.number), formatTime(each.madeMs, nowMs), printer.cell(each.user), each.job ?? '-',
    each.rows === undefined ? '-' : formatCount(each.rows), each.bytes === undefined ? '-' : formatHuman(each.bytes),
    each.program?.slice(0, hashChars) ?? '-', notes.join(', '),
  ]
}

async function tag(context: CommandContext, [version, name]: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await inOwnWords(mill.versions.tag(version!, name!, { signal: context.signal }))
  if (context.json) await context.printer.json({ version, tag: name })
}

async function untag(context: CommandContext, versions: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await context.each(versions, async version => {
    await inOwnWords(mill.versions.untag(version, { signal: context.signal }))
    if (context.json) await context.printer.json({ version }, { compact: true })
  })
}

async function remove(context: CommandContext, versions: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await context.each(versions, async version => {
    await inOwnWords(mill.versions.rm(version, { signal: context.signal }))
    if (context.json) await context.printer.json({ version }, { compact: true })
  })
}

async function runRollback(context: CommandContext, [path]: readonly string[], { to }: { to?: string }): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const done = await inOwnWords(mill.versions.rollback(path!, { ...to !== undefined && { to }, signal }))
  if (context.json) return printer.json({ path, ...done })
  await printer.line(`${printer.name(path!)} is version ${done.version}, with the contents of version ${done.from}`)
  const { freed = [] } = done
  if (freed.length > 0)
    printer.note(`freed ${freed.map(number => printer.name(`${path}@${number}`, 'err')).join(', ')}: no more are kept (setting versionsKeep); a tag keeps a version`)
}
