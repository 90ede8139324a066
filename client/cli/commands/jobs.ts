// jobs: lists running and ended jobs, newest first.

import type { CommandContext } from '../context.ts'
import { jobColumns, jobRow } from '../jobview.ts'
import { tabulate } from '../table.ts'

const limitDefault = 20

export async function run(
  context: CommandContext, _operands: readonly string[], options: { limit?: number; running?: boolean },
): Promise<void> {
  const mill = await context.mill()
  const { clock } = await context.world()
  const limit = options.limit ?? limitDefault
  const all = await mill.jobs({ limit: options.running ? 1000 : limit, signal: context.signal })
  const jobs = all.filter(job => !options.running || job.state === 'running' || job.state === 'publishing').slice(0, limit)
  if (context.json) {
    for (const job of jobs) await context.printer.json(job, { compact: true })
    return
  }
  if (jobs.length === 0) return context.printer.note(options.running ? 'no running jobs' : 'no jobs yet')
  for (const line of tabulate(
    jobColumns, jobs.map(job => jobRow(job, clock.now())),
  ))
    await context.printer.line(line)
}
