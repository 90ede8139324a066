// status: the processes of the cluster that is meant, and its health. Looking starts nothing.

import { clusterStatus } from '../../process/status.ts'
import type { CommandContext } from '../context.ts'
import { processLines, statusLines } from '../statusview.ts'

export async function run(context: CommandContext): Promise<void> {
  const { printer, signal } = context
  const report = await clusterStatus({ settings: await context.settings(), world: await context.world(), machine: await context.machine(), signal })
  if (context.json) return printer.json(report)
  if (!report.cluster) {
    return printer.line(report.dir === undefined ? 'nothing runs' : `nothing runs; the embedded cluster in ${report.dir} starts when a command needs it`)
  }
  if (report.kind === 'embedded') await printer.text(`embedded cluster in ${report.dir}\n\n`)
  for (const line of processLines(report.processes)) await printer.line(line)
  await printer.line()
  for (const line of statusLines(report.cluster)) await printer.line(line)
}
