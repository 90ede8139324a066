// snapshot: creates, lists, compares and removes snapshots of directories.

import type { Difference } from '../../files/diff.ts'
import { snapshotPath } from '../../files/snapshots.ts'
import type { CommandContext } from '../context.ts'
import { inOwnWords } from '../errors.ts'
import { formatTime } from '../display.ts'
import type { CommandSpec } from '../spec.ts'
import { tabulate } from '../table.ts'

export const snapshot: CommandSpec = {
  name: 'snapshot', args: '', about: 'create, list, compare or remove snapshots',
  notes:
    'A snapshot of the directory PATH is available at PATH/.snapshot/NAME to every command that reads (ls, cat, get, cp, find, du, run --input…) '
    + 'and never changes.',
  options: [],
  examples: [
    ['gristmill snapshot create /grain monday', 'snapshot of the current state'],
    ['gristmill cp -r /grain/.snapshot/monday/rye /grain/rye-again', 'restore a file'],
    ['gristmill snapshot diff /grain monday', 'changes since then'],
  ],
  verbs: [
    {
      name: 'create', args: '<path> [name]', about: 'create a snapshot of a directory',
      operands: [['<path>', 'a directory'], ['[name]', 'name of the snapshot (default: the current time)']],
      notes: 'No data is copied; the time does not depend on the size. Prints the path of the snapshot.',
      options: [], examples: [['gristmill snapshot create /grain monday', 'available at /grain/.snapshot/monday']],
      run: create,
    },
    {
      name: 'ls', args: '[path]', about: 'list snapshots with their time and owner',
      operands: [['[path]', 'only the snapshots of this directory']],
      options: [], examples: [['gristmill snapshot ls /grain', 'snapshots of one directory']],
      run: list,
    },
    {
      name: 'diff', args: '<path> <name> [name]', about: 'show the changes between two snapshots, or since a snapshot',
      operands: [['<path>', 'a directory'], ['<name>', 'the earlier snapshot'], ['[name]', 'the later one (default: the current state)']],
      notes: '+ created, - deleted, M modified, R renamed.',
      options: [], examples: [['gristmill snapshot diff /grain monday tuesday', 'changes from monday to tuesday']],
      run: diff,
    },
    {
      name: 'rm', args: '<path> <name...>', about: 'remove snapshots of a directory',
      operands: [['<path>', 'a directory'], ['<name>', 'a snapshot of it']],
      notes: 'Frees the space that only these snapshots use.',
      options: [], examples: [['gristmill snapshot rm /grain monday', 'the directory itself does not change']],
      run: remove,
    },
  ],
}

async function create(context: CommandContext, [path, name]: readonly string[]): Promise<void> {
  const mill = await context.mill()
  const taken = await inOwnWords(mill.snapshots.create(path!, name, { signal: context.signal }))
  if (context.json) await context.printer.json(taken)
  else await context.printer.line(context.printer.name(snapshotPath(taken.path, taken.name)))
}

async function list(context: CommandContext, [path]: readonly string[]): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const nowMs = (await context.world()).clock.now()
  const rows: string[][] = []
  for await (const each of mill.snapshots.list(path, { signal })) {
    if (context.json) await printer.json(each, { compact: true })
    else rows.push([formatTime(each.createdMs, nowMs), printer.cell(each.owner), printer.cell(snapshotPath(each.path, each.name))])
  }
  for (const line of tabulate([{}, {}, {}], rows)) await printer.line(line)
}

const letters: Record<Difference['kind'], string> = { created: '+', deleted: '-', modified: 'M', renamed: 'R' }

async function diff(context: CommandContext, [path, from, to]: readonly string[]): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  for await (const each of mill.snapshots.diff(path!, from!, to, { signal })) {
    if (context.json) {
      await printer.json(each, { compact: true })
      continue
    }
    const slash = each.type === 'directory' ? '/' : ''
    const shown = (name: string): string => printer.cell(`.${name}${slash}`)
    await printer.line(`${letters[each.kind]} ${each.from === undefined ? '' : `${shown(each.from)} → `}${shown(each.path)}`)
  }
}

async function remove(context: CommandContext, [path, ...names]: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await context.each(names, name => inOwnWords(mill.snapshots.rm(path!, name, { signal: context.signal })))
}
