// jobs and kill: list running and ended jobs, newest first, and cancel them. A job that has ended does not change.

import { hasCode } from '../../../src/base/errors.ts'
import type { JobStatus } from '../../../src/protocol/job.ts'
import { isDetachedStep } from '../../../src/protocol/task.ts'
import { driveOf } from '../../jobs/detached.ts'
import { clusterIn } from '../../sql/cluster.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { option, whole, type CommandSpec } from '../spec.ts'
import { tableLines } from '../table.ts'
import { jobColumns, jobRow } from './view.ts'

export const jobNote =
  'A job is named by its id, a unique prefix of the id, or `last`: the newest one; of the steps of a detached program, the job that drives it.'

export const jobs: CommandSpec = {
  name: 'jobs', args: '', about: 'list jobs, newest first',
  options: [
    option('-n, --limit <n>', 'maximum number of jobs (default 20)', { parse: whole(1, 1000) }),
    option('--running', 'only jobs that have not ended'),
  ],
  examples: [['gristmill jobs --running', 'running jobs']],
  run: runJobs,
}

export const kill: CommandSpec = {
  name: 'kill', args: '<id...>', about: 'cancel jobs; their output is not published',
  notes: jobNote,
  options: [],
  examples: [['gristmill kill last', 'the newest job']],
  run: runKill,
}

const limitDefault = 20

async function runJobs(
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
  const { printer } = context
  const rows = jobs.map(job => jobRow(job, clock.now()).map((cell, i) => (i === 1 ? printer.state(cell) : cell)))
  for (const line of tableLines(jobColumns, rows, printer.tableWidth)) await printer.line(line, { painted: true })
}

async function runKill(context: CommandContext, operands: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await context.each(operands, async operand => {
    const { job } = await findJob(context, operand).catch(async (error: unknown) => {
      // The namenode refuses it, too, so that its audit log has what was asked for.
      if (hasCode(error, 'ENOENT') && idLike.test(operand)) await mill.job(operand).kill({ signal: context.signal }).catch(() => {})
      throw error
    })
    const status = await mill.job(job).kill({ signal: context.signal })
    if (context.json) return context.printer.json(status, { compact: true })
    await context.printer.line(`${job}: ${status.state}`)
  })
}

/** Number of the newest jobs among which a prefix is looked for. */
const lookedAtMax = 1000
const idLike = /^\S{1,64}$/

export async function findJob(context: CommandContext, wanted: string): Promise<JobStatus> {
  const mill = await context.mill()
  const { signal } = context
  if (wanted === 'last') {
    const [last] = await mill.jobs({ limit: 1, signal })
    if (!last) throw new Refusal('ENOENT', 'last: no job has been submitted yet')
    return isDetachedStep(last) ? await driveOf(clusterIn(mill).cluster, last, signal) ?? last : last
  }
  // A complete id is looked up directly: that finds any job, however old, and costs one call.
  const whole = idLike.test(wanted) ? await mill.job(wanted).status({ signal }).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error
    return undefined
  }) : undefined
  if (whole) return whole
  const matching = wanted === '' ? [] : (await mill.jobs({ limit: lookedAtMax, signal })).filter(({ job }) => job.startsWith(wanted))
  const [first] = matching
  if (!first) throw new Refusal('ENOENT', `${wanted}: no such job; gristmill jobs lists them`)
  if (matching.length > 1)
    throw new Refusal(
      'EINVAL',
      `${wanted}: fits ${matching.length} jobs (${matching
        .slice(0, 3)
        .map(({ job }) => job)
        .join(', ')}…); give a longer prefix`,
    )
  return first
}
