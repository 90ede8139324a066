// status: processes of the selected cluster, and its health. Starts nothing. Exit code: that of UNAVAILABLE if processes of the
// cluster run and its namenode does not answer.

import { clusterStatus } from '../../process/status.ts'
import type { CommandContext } from '../context.ts'
import { processLines, statusLines } from '../statusview.ts'

export async function run(context: CommandContext): Promise<void> {
  const { printer, signal } = context
  const { failure, ...report } = await clusterStatus({
    settings: await context.settings(), world: await context.world(), machine: await context.machine(), signal,
  })
  const { kind, dir, logs, processes, cluster } = report
  if (context.json) await printer.json(report)
  else if (!cluster && processes.length === 0) {
    await printer.line(
      dir === undefined
        ? 'no process is running'
        : kind === 'embedded'
          ? `no process is running; the embedded cluster in ${dir} starts when a command needs it`
          : `no process is running; "gristmill up --detach" starts the cluster in ${dir} again; its logs are in ${logs}`,
    )
  } else {
    if (kind === 'embedded') await printer.text(`embedded cluster in ${dir}\n\n`)
    for (const line of processLines(processes)) await printer.line(line)
    if (cluster) {
      await printer.line()
      for (const line of statusLines(cluster)) await printer.line(line)
    }
    if (logs !== undefined) await printer.text(`\nlogs in ${logs}\n`)
  }
  if (failure) throw failure
}
