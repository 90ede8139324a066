// Which job a person means: an id, a beginning of one that fits a single job, or `last`.

import type { JobStatus } from '../../src/protocol/job.ts'
import { Refusal } from './errors.ts'
import type { CommandContext } from './context.ts'

const lookedAtMax = 1000

export async function findJob(context: CommandContext, wanted: string): Promise<JobStatus> {
  const mill = await context.mill()
  const jobs = await mill.jobs({ limit: wanted === 'last' ? 1 : lookedAtMax, signal: context.signal })
  if (wanted === 'last') {
    if (!jobs[0]) throw new Refusal('ENOENT', 'last: no job has been submitted yet')
    return jobs[0]
  }
  const matching = jobs.filter(job => job.job === wanted).concat(jobs.filter(job => job.job !== wanted && job.job.startsWith(wanted)))
  if (matching.length === 0 || wanted === '') throw new Refusal('ENOENT', `${wanted}: no such job; gristmill jobs lists them`)
  if (matching.length > 1 && matching[0]!.job !== wanted) {
    throw new Refusal('EINVAL', `${wanted}: fits ${matching.length} jobs (${matching.slice(0, 3).map(job => job.job).join(', ')}…); write more of the id`)
  }
  return matching[0]!
}
