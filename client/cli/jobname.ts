// Finds a job by its id, by a unique prefix of its id, or by `last`.

import { hasCode } from '../../src/base/errors.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import { Refusal } from './errors.ts'
import type { CommandContext } from './context.ts'

/** Number of the newest jobs among which a prefix is looked for. */
const lookedAtMax = 1000
const idLike = /^\S{1,64}$/

export async function findJob(context: CommandContext, wanted: string): Promise<JobStatus> {
  const mill = await context.mill()
  const { signal } = context
  if (wanted === 'last') {
    const [last] = await mill.jobs({ limit: 1, signal })
    if (!last) throw new Refusal('ENOENT', 'last: no job has been submitted yet')
    return last
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
