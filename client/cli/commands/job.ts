// job: shows one job with its stages, counters and locality; with --tasks, every attempt. `job publish` publishes the kept output
// of a job, `job drop` deletes it.

import { GristmillError } from '../../../src/base/errors.ts'
import type { JobId } from '../../../src/base/ids.ts'
import type { CommandContext } from '../context.ts'
import { findJob } from '../jobname.ts'
import { jobLines, placesLine, taskLines } from '../jobview.ts'
import { advised, checkForce } from './run.ts'

interface JobOptions { tasks?: boolean; output?: string; overwrite?: boolean; force?: boolean }

export async function run(context: CommandContext, operands: readonly string[], options: JobOptions): Promise<void> {
  if (operands[0] === 'publish') return publish(context, operands[1], options)
  const dropped = operands[0] === 'drop'
  const [id, more] = dropped ? operands.slice(1) : operands
  if (id === undefined) throw new GristmillError('USAGE', 'which job? gristmill job drop ID')
  if (more !== undefined) throw new GristmillError('USAGE', `"${id}" is neither publish nor drop; see gristmill job --help`)
  for (const flag of ['output', 'overwrite', 'force'] as const)
    if (options[flag] !== undefined) throw new GristmillError('USAGE', `--${flag} belongs to gristmill job publish`)
  const { printer, signal } = context
  const mill = await context.mill()
  const { clock } = await context.world()
  const status = await findJob(context, id)
  if (dropped) return drop(context, status.job)
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

async function publish(context: CommandContext, id: string | undefined, { output, overwrite, force }: JobOptions): Promise<void> {
  if (id === undefined) throw new GristmillError('USAGE', 'which job? gristmill job publish ID --output PATH')
  if (output === undefined) throw new GristmillError('USAGE', 'where to? gristmill job publish ID --output PATH')
  checkForce({ overwrite, force })
  const { printer, signal } = context
  const { job } = await findJob(context, id)
  const mill = await context.mill()
  const status = await advised(mill.job(job).publish(output, { overwrite: overwrite === true, force: force === true, signal }))
  return context.json ? printer.json(status) : printer.line(`${job}: published as ${status.output}`)
}

async function drop(context: CommandContext, id: JobId): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const status = await mill.job(id).drop({ signal })
  return context.json ? printer.json(status) : printer.line(`${id}: kept output deleted`)
}
