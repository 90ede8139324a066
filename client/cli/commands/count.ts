// count: directories, files and bytes at and below paths; the namenode adds them up.

import { formatHuman } from '../format.ts'
import type { Context } from '../context.ts'
import { tabulate } from '../table.ts'
import { remotePaths } from '../tree.ts'

export async function run(context: Context, operands: readonly string[], options: { human?: boolean }): Promise<void> {
  const mill = await context.mill()
  const rows: string[][] = []
  await context.each(remotePaths(context, operands), async path => {
    const total = await mill.summary(path, { signal: context.signal })
    if (context.json) return context.printer.json({ path, ...total }, { compact: true })
    const show = options.human ? formatHuman : String
    rows.push([show(total.directories), show(total.files), show(total.bytes), path])
  })
  const columns = [{ align: 'right' }, { align: 'right' }, { align: 'right' }, {}] as const
  for (const line of tabulate(columns, rows)) await context.printer.line(line)
}
