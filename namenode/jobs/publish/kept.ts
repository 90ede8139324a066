// Access check for the input patterns of a job with kept output: only users who may publish the output may read them.

import { GristmillError } from '../../../src/base/errors.ts'
import type { Actor } from '../../journal/operation.ts'
import type { JobRecord } from '../store/record.ts'

/** Input patterns of a job with kept output. Throws EACCES, and EINVAL if nothing is kept. */
export function keptPatterns(actor: Actor, { user, status: { job, kept } }: JobRecord): string[] {
  if (!actor.root && actor.user !== user)
    throw new GristmillError('EACCES', `job ${job} is ${user}'s; only ${user} or the cluster's superuser may publish it`, {
      details: { job },
    })
  if (!kept) throw new GristmillError('EINVAL', `nothing is kept of job ${job}`, { details: { job } })
  return kept.patterns ?? []
}
