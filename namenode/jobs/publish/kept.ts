// Access check for the input patterns of a job whose output was computed, could not be published, and is kept: only users who may publish
// it may read the patterns.

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
