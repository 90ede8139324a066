// snapshot: creates, lists, compares and removes snapshots of directories.

import { GristmillError } from '../../../src/base/errors.ts'
import { normalise } from '../../../src/base/paths.ts'
import type { Difference } from '../../files/diff.ts'
import { snapshotPath } from '../../files/snapshots.ts'
import { inOwnWords } from '../errors.ts'
import { formatTime } from '../format.ts'
import type { CommandContext } from '../context.ts'
import { tabulate } from '../table.ts'

const verbs: Record<
  string,
  {
    readonly min: number
    readonly max: number
    readonly usage: string
    readonly run: (context: CommandContext, operands: readonly string[]) => Promise<void>
  }
> = {
  create: { min: 1, max: 2, usage: 'create <path> [name]', run: create },
  ls: { min: 0, max: 1, usage: 'ls [path]', run: list },
  diff: { min: 2, max: 3, usage: 'diff <path> <name> [name]', run: diff },
  rm: { min: 2, max: Infinity, usage: 'rm <path> <name...>', run: remove },
}

export async function run(context: CommandContext, [word = '', ...operands]: readonly string[]): Promise<void> {
  const verb = Object.hasOwn(verbs, word) ? verbs[word] : undefined
  if (!verb) throw new GristmillError('USAGE', `snapshot knows ${Object.keys(verbs).join(', ')}, not "${word}"`)
  if (operands.length < verb.min || operands.length > verb.max) throw new GristmillError('USAGE', `write: gristmill snapshot ${verb.usage}`)
  await verb.run(context, operands)
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
  await context.each(names, name => inOwnWords(mill.snapshots.rm(normalise(path!), name, { signal: context.signal })))
}
