// job: one job with its stages, counters and locality; with --tasks, every attempt.

import type { Context } from '../context.ts'
import { findJob } from '../jobname.ts'
import { jobLines, placesLine, taskLines } from '../jobview.ts'

export async function run(context: Context, operands: readonly string[], options: { tasks?: boolean }): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const { clock } = await context.world()
  const status = await findJob(context, operands[0]!)
  const tasks = await Array.fromAsync(mill.job(status.job).tasks({ signal }))
  if (context.json) return printer.json({ ...status, tasks })
  for (const line of jobLines(status, clock.now())) await printer.line(line)
  const places = placesLine(tasks.filter(task => task.stage === 0))
  if (places) await printer.text(`\ntasks of stage 0: ${places}\n`)
  const shown = options.tasks ? tasks : tasks.filter(task => task.attempts.some(attempt => attempt.failure))
  if (shown.length === 0) return
  await printer.text(options.tasks ? '\n' : '\ntasks with failed attempts (--tasks shows all)\n')
  for (const line of taskLines(shown, clock.now())) await printer.line(line)
}
