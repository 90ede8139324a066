// down: stops the cluster that `up` started. No running cluster is no error.

import { down } from '../../process/down.ts'
import type { CommandContext } from '../context.ts'

export async function run(context: CommandContext): Promise<void> {
  const { printer } = context
  const report = await down({ settings: await context.settings(), world: await context.world(), machine: await context.machine() })
  if (context.json) {
    return printer.json({ dir: report.dir, stopped: report.stopped.map(({ process: { role, id, pid }, how }) => ({ role, id, pid, how })) })
  }
  if (report.dir === undefined) return printer.note('no process of "gristmill up" is running')
  for (const {
    process: { role, id, pid }, how,
  } of report.stopped)
    await printer.line(
      `${id === '' ? role : `${role} ${id}`} (process ${pid}) ${how === 'killed' ? 'did not end in time and was killed' : how}`,
    )
  printer.note(`the data is kept in ${report.dir}`)
}
