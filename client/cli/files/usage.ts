// du, df and count: space below paths and on the datanodes. Totals of single paths come from the namenode; the totals of a printed tree
// are summed here.

import { showText } from '../../../src/base/quote.ts'
import type { FileStatus } from '../../../src/protocol/namespace.ts'
import { clusterSpace, spaceOf } from '../../../src/protocol/space.ts'
import type { CommandContext } from '../context.ts'
import { formatHuman, percent } from '../display.ts'
import { option, whole, type CommandSpec } from '../spec.ts'
import { tableLines, tabulate, type Column } from '../table.ts'
import { remotePaths } from '../tree.ts'
import { human } from './options.ts'

export const du: CommandSpec = {
  name: 'du', args: '[path...]', about: 'show the bytes below directories',
  options: [
    option('-s, --summarize', 'one total for each path'), human,
    option('-d, --depth <n>', 'show directories down to this depth', { parse: whole(0) }),
    option('--stored', 'count the bytes of all replicas'), option('-c, --total', 'a grand total at the end'),
    option('--versions', 'a second column: the bytes of older versions of outputs and objects, which the first does not count'),
  ],
  examples: [['gristmill du -sh /logs', 'one number for a directory']],
  run: runDu,
}

export const df: CommandSpec = {
  name: 'df', args: '', about: 'show the space on the datanodes',
  options: [human],
  examples: [['gristmill df -h', 'capacity, used and free space']],
  run: runDf,
}

export const count: CommandSpec = {
  name: 'count', args: '<path...>', about: 'count directories, files and bytes below paths',
  options: [human, option('-q, --quotas', 'first the quota of the path: names, names left, bytes, bytes left')],
  examples: [['gristmill count /logs', 'columns: directories, files, bytes, path']],
  run: runCount,
}

interface DuOptions { summarize?: boolean; human?: boolean; depth?: number; stored?: boolean; total?: boolean; versions?: boolean }

interface Size { bytes: number; stored: number; versions?: { bytes: number; stored: number } }

async function runDu(context: CommandContext, operands: readonly string[], options: DuOptions): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const depthMax = options.summarize ? 0 : options.depth ?? Infinity
  const nothing = (): Size => ({ bytes: 0, stored: 0, ...options.versions && { versions: { bytes: 0, stored: 0 } } })
  const all = nothing()

  const print = async (path: string, size: Size): Promise<void> => {
    if (context.json) return printer.json({ path, ...size }, { compact: true })
    const cells = [size, ...size.versions ? [size.versions] : []].map(each => {
      const bytes = options.stored ? each.stored : each.bytes
      return options.human ? formatHuman(bytes) : String(bytes)
    })
    await printer.line(`${cells.join('\t')}\t${printer.name(path)}`)
  }

  /** Prints directories after their contents, like du(1). */
  const measure = async (status: FileStatus, depth: number): Promise<Size> => {
    if (status.type === 'file') return { ...nothing(), bytes: status.length, stored: status.length * status.replication }
    // Versions of an output are no entry of it, so that they are counted by the namenode.
    if (depth >= depthMax || options.versions) {
      const { bytes, stored, versions } = await mill.summary(status.path, { versions: options.versions, signal })
      const size = { bytes, stored, ...versions && { versions: { bytes: versions.bytes, stored: versions.stored } } }
      if (depth < depthMax)
        for await (const child of mill.list(status.path, { signal })) if (child.type === 'directory') await measure(child, depth + 1)
      if (depth <= depthMax) await print(status.path, size)
      return size
    }
    const sum = nothing()
    for await (const child of mill.list(status.path, { signal })) add(sum, await measure(child, depth + 1))
    await print(status.path, sum)
    return sum
  }

  await context.each(remotePaths(context, operands.length === 0 ? ['/'] : operands), async path => {
    const status = await mill.status(path, { signal })
    const size = await measure(status, 0)
    if (status.type === 'file') await print(path, size)
    add(all, size)
  })
  if (options.total) await print('total', all)
}

function add(sum: Size, size: Size): void {
  sum.bytes += size.bytes
  sum.stored += size.stored
  if (sum.versions && size.versions) add(sum.versions, size.versions)
}

async function runDf(context: CommandContext, _operands: readonly string[], options: { human?: boolean }): Promise<void> {
  const mill = await context.mill()
  const status = await mill.clusterStatus({ signal: context.signal })
  const nodes = status.nodes.map(node =>
    ({ node: node.node, address: node.address, state: node.state, blocks: node.blocks, ...spaceOf([node]) }))
  const total = clusterSpace(status.nodes)
  if (context.json) return context.printer.json({ nodes, total })
  const show = options.human ? formatHuman : String
  const row = (name: string, state: string, size: typeof total): string[] => [
    name, state, show(size.capacityBytes), show(size.usedBytes), show(size.freeBytes),
    percent(size.capacityBytes - size.freeBytes, size.capacityBytes),
  ]
  const columns = [
    { title: 'DATANODE' }, { title: 'STATE' }, { title: 'SIZE', align: 'right' }, { title: 'USED', align: 'right' },
    { title: 'FREE', align: 'right' }, { title: 'FULL', align: 'right' },
  ] as const
  const rows = [...nodes.map(node => row(showText(node.address), context.printer.state(node.state), node)), row('total', '', total)]
  for (const line of tableLines(columns, rows, context.printer.tableWidth)) await context.printer.line(line, { painted: true })
}

async function runCount(
  context: CommandContext, operands: readonly string[], options: { human?: boolean; quotas?: boolean },
): Promise<void> {
  const mill = await context.mill()
  const rows: string[][] = []
  await context.each(remotePaths(context, operands), async path => {
    const total = await mill.summary(path, { signal: context.signal })
    const quota =
      options.quotas && (await mill.status(path, { signal: context.signal })).type === 'directory'
        ? await mill.quotas.get(path, { signal: context.signal })
        : undefined
    if (context.json)
      return context.printer.json({ path, ...total, ...(quota && { quota: { limit: quota.limit, used: quota.used } }) }, { compact: true })
    const show = options.human ? formatHuman : String
    const bound = (name: 'names' | 'bytes'): string[] => {
      const limit = quota?.limit[name]
      return limit === undefined ? ['none', 'inf'] : [show(limit), show(Math.max(0, limit - quota!.used[name]))]
    }
    rows.push([
      ...(options.quotas ? [...bound('names'), ...bound('bytes')] : []),
      show(total.directories), show(total.files), show(total.bytes), context.printer.name(path),
    ])
  })
  const columns: readonly Column[] = [...Array.from({ length: options.quotas ? 7 : 3 }, () => ({ align: 'right' as const })), {}]
  for (const line of tabulate(columns, rows)) await context.printer.line(line)
}
