// logs: prints the console output of a job's tasks, attempt by attempt, each under a title.

import { GristmillError } from '../../../src/base/errors.ts'
import { attemptId, attemptParts, type JobId } from '../../../src/base/ids.ts'
import type { CommandContext } from '../context.ts'
import { option, type CommandSpec } from '../spec.ts'
import { findJob, jobNote } from './jobs.ts'

export const logs: CommandSpec = {
  name: 'logs', args: '<id>',
  about: 'print the console output of the tasks of a job',
  notes: `${jobNote}\nThe output of a program is printed unchanged, also on a terminal: colours and all other escape sequences take effect.`,
  options: [
    option('--task <task>', 'only this task (stage.task), or an attempt as shown by `job --tasks`'),
    option('-f, --follow', 'follow the logs until the job ends'),
  ],
  examples: [['gristmill logs last --task 0.3', 'task 3 of the first stage']],
  run: runLogs,
}

async function runLogs(
  context: CommandContext, operands: readonly string[], options: { task?: string; follow?: boolean },
): Promise<void> {
  const { printer, signal } = context
  const parts = partsOf(options.task)
  const mill = await context.mill()
  const { job } = await findJob(context, operands[0]!)
  let titled = ''
  let isEmpty = true
  for await (const { attempt, node, text, unreachable } of mill
    .job(job)
    .logs({ ...wanted(job, parts), follow: options.follow === true, signal })) {
    if (text !== '' || unreachable !== undefined) isEmpty = false
    if (context.json) {
      await printer.json({ attempt, node, text, ...(unreachable === undefined ? {} : { unreachable }) }, { compact: true })
      continue
    }
    const at = attemptParts(attempt)
    const name = `${at.stage}.${at.task}.${at.attempt}`
    if (unreachable !== undefined) {
      context.failed++
      printer.complain(`gristmill: logs: ${name}: ${unreachable}`)
      continue
    }
    if (titled !== name) await printer.text(`${titled === '' ? '' : '\n'}==> ${name} <==\n`)
    titled = name
    // Printed unchanged, escape sequences included: the output belongs to the user's own program.
    await printer.raw(text)
  }
  const what = parts ? `${options.task!} of ${job}` : job
  if (isEmpty) context.note(`${what} has printed nothing; gristmill job ${job} shows its stages and tasks`)
}

type Parts = readonly [stage: number, task: number, attempt?: number]

function partsOf(text: string | undefined): Parts | undefined {
  if (text === undefined) return undefined
  if (!/^\d+\.\d+(\.\d+)?$/.test(text))
    throw new GristmillError('USAGE', `"${text}" is not a task; write stage.task, for instance 0.3, or stage.task.attempt`)
  const [stage, task, attempt] = text.split('.').map(Number) as [number, number, number?]
  return attempt === undefined ? [stage, task] : [stage, task, attempt]
}

function wanted(job: JobId, parts: Parts | undefined) {
  if (!parts) return {}
  const [stage, task, attempt] = parts
  return attempt === undefined ? { stage, task } : { attempt: attemptId({ job, stage, task, attempt }) }
}
