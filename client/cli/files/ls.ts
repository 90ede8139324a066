// ls: lists directories. Unsorted output is streamed, so that a directory of a million entries needs little memory; the long format
// and terminal columns are laid out one page at a time.

import { nameOf, normalise } from '../../../src/base/paths.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import type { CommandContext } from '../context.ts'
import { formatHuman, formatMode, formatTime } from '../display.ts'
import { option, type CommandSpec } from '../spec.ts'
import { layOut, tabulate, type Column } from '../table.ts'
import { remotePaths } from '../tree.ts'
import { human } from './options.ts'

export const ls: CommandSpec = {
  name: 'ls', args: '[path...]', about: 'list directories',
  notes:
    'Without a path, lists /. The long format shows mode, replicas, owner, group, size, time and name. With --json, one object a line.',
  options: [
    option('-l, --long', 'mode, replicas, owner, group, size, time'),
    option('-a, --all', 'include names that begin with a dot'),
    option('-R, --recursive', 'list subdirectories recursively'),
    option('-d, --directory', 'list a directory itself, not its contents'),
    human, option('-t, --by-time', 'newest first'), option('-S, --by-size', 'largest first'),
    option('-r, --reverse', 'reverse the order'), option('-1, --one', 'one name a line, also on a terminal'),
  ],
  examples: [
    ['gristmill ls -lh /logs', 'long format with human-readable sizes'],
    [`gristmill ls --json -R / | jq .path`, 'every path of the cluster'],
  ],
  run: runLs,
}

interface LsOptions {
  long?: boolean
  all?: boolean
  recursive?: boolean
  directory?: boolean
  human?: boolean
  byTime?: boolean
  bySize?: boolean
  reverse?: boolean
  one?: boolean
}

/** Entries per page. */
const pageMax = 2000

const columns: readonly Column[] = [{}, { align: 'right' }, {}, {}, { align: 'right' }, {}, {}]

async function runLs(context: CommandContext, operands: readonly string[], options: LsOptions): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const { clock } = await context.world()
  const nowMs = clock.now()
  const paths = operands.length === 0 ? ['/'] : operands
  const loose: FileStatus[] = []
  const directories: FileStatus[] = []
  await context.each(remotePaths(context, paths), async path => {
    const status = await mill.status(normalise(path), { signal })
    if (status.type === 'directory' && !options.directory) directories.push(status)
    else loose.push(status)
  })
  await print(sorted(loose, options), status => status.path)
  const titled = directories.length + loose.length > 1 || options.recursive === true
  let first = loose.length === 0
  for (const directory of sorted(directories, options)) await list(directory)

  async function list(directory: FileStatus): Promise<void> {
    if (titled && !context.json) {
      await printer.text(`${first ? '' : '\n'}${printer.name(directory.path)}:\n`)
      first = false
    }
    const deeper: FileStatus[] = []
    const inOrder = !options.byTime && !options.bySize && !options.reverse
    let page: FileStatus[] = []
    await context.each([directory.path], async path => {
      for await (const entry of mill.list(path, { signal })) {
        if (!options.all && nameOf(entry.path).startsWith('.')) continue
        page.push(entry)
        if (options.recursive && entry.type === 'directory') deeper.push(entry)
        if (inOrder && page.length >= pageMax) {
          await print(page, named)
          page = []
        }
      }
    })
    await print(sorted(page, options), named)
    for (const entry of sorted(deeper, options)) await list(entry)
  }

  async function print(entries: readonly FileStatus[], nameFor: (status: FileStatus) => string): Promise<void> {
    if (entries.length === 0) return
    if (context.json) {
      for (const entry of entries) await printer.json(entry, { compact: true })
    } else if (options.long) {
      const rows = entries.map(entry => [
        formatMode(entry.mode, entry.type) + (entry.acl ? '+' : ''),
        entry.type === 'directory' ? '-' : String(entry.replication),
        printer.name(entry.owner), printer.name(entry.group),
        options.human ? formatHuman(entry.length) : String(entry.length),
        formatTime(entry.mtimeMs, nowMs),
        coloured(entry, nameFor(entry)),
      ])
      for (const line of tabulate(columns, rows)) await printer.line(line, { painted: true })
    } else {
      const names = entries.map(entry => coloured(entry, nameFor(entry)))
      const lines = printer.outIsTerminal && !options.one ? layOut(names, printer.columns) : names
      for (const line of lines) await printer.line(line, { painted: true })
    }
  }

  function coloured(entry: FileStatus, name: string): string {
    const shown = printer.name(name)
    return entry.type === 'directory' ? printer.paint(['bold', 'blue'], shown) : shown
  }
}

const named = (status: FileStatus): string => nameOf(status.path) || '/'

function sorted(entries: readonly FileStatus[], options: LsOptions): FileStatus[] {
  const result = [...entries]
  if (options.byTime) result.sort((a, b) => b.mtimeMs - a.mtimeMs)
  else if (options.bySize) result.sort((a, b) => b.length - a.length)
  return options.reverse ? result.reverse() : result
}
