// job: shows one job with its stages, counters and locality; with --tasks, every attempt. `job publish` publishes the kept output
// of a job, `job drop` deletes it.

import { GristmillError } from '../../../src/base/errors.ts'
import type { CommandContext } from '../context.ts'
import { option, type CommandSpec } from '../spec.ts'
import { findJob, jobNote } from './jobs.ts'
import { attach } from './attach.ts'
import { advised, checkForce } from './run.ts'
import { jobLines, placesLine, taskLines } from './view.ts'

export const job: CommandSpec = {
  name: 'job', args: '<id>',
  about: 'show a job; publish or drop its kept output',
  operands: [['<id>', 'id of a job, a unique prefix of it, or `last`, the newest']],
  notes:
    'Shows stages, tasks, attempts, counters, locality and times. The output of a job that was computed but could not be published, or was refused by the '
    + 'check of its program, is kept for one week: `publish` publishes it, `drop` deletes it.',
  options: [
    option('--tasks', 'every task with its attempts'),
    option('-f, --follow', 'show its progress until it ends, and those of the steps that it drives'),
  ],
  examples: [
    ['gristmill job last', 'the newest job'],
    ['gristmill job last --follow', 'attach to a program that runs detached'],
    ['gristmill job publish job-7 --output /words-2', 'publish the output of job-7 at another path'],
    ['gristmill job publish job-8 --despite-check --overwrite', 'publish what the check of job-8 has refused, where the job was to publish it'],
    ['gristmill job drop job-7', 'delete the kept output of job-7'],
  ],
  run: show,
  verbs: [
    {
      name: 'publish', args: '<id>', about: 'publish the kept output of a job',
      notes: jobNote,
      options: [
        option('-o, --output <path>', 'the directory to publish (required without --despite-check; default then: that of the job)'),
        option('--despite-check', 'publish an output that the check of its program has refused; its version says so'),
        option('--overwrite', 'replace the output of an earlier job, if it exists'),
        option('--force', 'with --overwrite: replace any directory'),
      ],
      examples: [['gristmill job publish job-7 --output /words-2', 'publish the output of job-7 at another path']],
      run: publish,
    },
    {
      name: 'drop', args: '<id>', about: 'delete the kept output of a job and free its space',
      notes: `${jobNote} The job can no longer be published.`,
      options: [], examples: [['gristmill job drop job-7', 'delete the kept output of job-7']],
      run: drop,
    },
  ],
}

async function show(context: CommandContext, [id]: readonly string[], options: { tasks?: boolean; follow?: boolean }): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const { clock } = await context.world()
  const status = await findJob(context, id!)
  if (options.follow) {
    if (options.tasks) throw new GristmillError('USAGE', '--follow shows the progress of a job, and --tasks its tasks now; give one of them')
    return attach(context, status)
  }
  const tasks = await Array.fromAsync(mill.job(status.job).tasks({ signal }))
  if (context.json) return printer.json({ ...status, tasks })
  for (const line of jobLines(status, clock.now(), printer.tableWidth)) await printer.line(context.hint(line))
  const places = placesLine(tasks.filter(task => task.stage === 0))
  if (places) await printer.text(`\ntasks of stage 0: ${places}\n`)
  const shown = options.tasks ? tasks : tasks.filter(task => task.attempts.some(attempt => attempt.failure))
  if (shown.length === 0) return
  await printer.text(options.tasks ? '\n' : '\ntasks with failed attempts (--tasks shows all)\n')
  for (const line of taskLines(status, shown, clock.now(), printer.tableWidth)) await printer.line(line)
}

interface PublishOptions { output?: string; despiteCheck?: boolean; overwrite?: boolean; force?: boolean }

async function publish(
  context: CommandContext, [id]: readonly string[], { output, despiteCheck, overwrite, force }: PublishOptions,
): Promise<void> {
  if (output === undefined && !despiteCheck) throw new GristmillError('USAGE', 'missing --output PATH: where to publish; see gristmill job publish --help')
  checkForce({ overwrite, force })
  const { printer, signal } = context
  const { job, output: own } = await findJob(context, id!)
  const mill = await context.mill()
  const status = await advised(mill.job(job).publish(output ?? own, {
    overwrite: overwrite === true, force: force === true, despiteCheck: despiteCheck === true, signal,
  }))
  return context.json ? printer.json(status) : printer.line(`${job}: published as ${status.output}`)
}

async function drop(context: CommandContext, [id]: readonly string[]): Promise<void> {
  const { printer, signal } = context
  const mill = await context.mill()
  const { job } = await findJob(context, id!)
  const status = await mill.job(job).drop({ signal })
  return context.json ? printer.json(status) : printer.line(`${job}: kept output deleted`)
}
