// count: directories, files and bytes at and below paths, summed by the namenode.

import { formatHuman } from '../format.ts'
import type { CommandContext } from '../context.ts'
import { tabulate, type Column } from '../table.ts'
import { remotePaths } from '../tree.ts'

export async function run(
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
