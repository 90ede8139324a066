// du: bytes at and below paths. Totals of single paths come from the namenode; the totals of a printed tree are summed here.

import type { FileStatus } from '../../../src/protocol/namespace.ts'
import { formatHuman } from '../format.ts'
import type { CommandContext } from '../context.ts'
import { remotePaths } from '../tree.ts'

export interface DuOptions { summarize?: boolean; human?: boolean; depth?: number; stored?: boolean; total?: boolean }

interface Size { bytes: number; stored: number }

export async function run(context: CommandContext, operands: readonly string[], options: DuOptions): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const depthMax = options.summarize ? 0 : options.depth ?? Infinity
  const all: Size = { bytes: 0, stored: 0 }

  const print = async (path: string, size: Size): Promise<void> => {
    if (context.json) return printer.json({ path, ...size }, { compact: true })
    const bytes = options.stored ? size.stored : size.bytes
    await printer.line(`${options.human ? formatHuman(bytes) : bytes}\t${printer.name(path)}`)
  }

  /** Prints directories after their contents, like du(1). */
  const measure = async (status: FileStatus, depth: number): Promise<Size> => {
    if (status.type === 'file') return { bytes: status.length, stored: status.length * status.replication }
    if (depth >= depthMax) {
      const { bytes, stored } = await mill.summary(status.path, { signal })
      if (depth === depthMax) await print(status.path, { bytes, stored })
      return { bytes, stored }
    }
    const sum: Size = { bytes: 0, stored: 0 }
    for await (const child of mill.list(status.path, { signal })) {
      const size = await measure(child, depth + 1)
      sum.bytes += size.bytes
      sum.stored += size.stored
    }
    await print(status.path, sum)
    return sum
  }

  await context.each(remotePaths(context, operands.length === 0 ? ['/'] : operands), async path => {
    const status = await mill.status(path, { signal })
    const size = await measure(status, 0)
    if (status.type === 'file') await print(path, size)
    all.bytes += size.bytes
    all.stored += size.stored
  })
  if (options.total) await print('total', all)
}
