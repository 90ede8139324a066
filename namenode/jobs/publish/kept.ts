// What only those may ask who may publish the kept output of a job.

import { GristmillError } from '../../../src/base/errors.ts'
import type { Actor } from '../../journal/operation.ts'
import type { JobRecord } from '../store/record.ts'

/** Patterns among the inputs of a job whose output is kept. Throws EACCES, and EINVAL if nothing is kept. */
export function keptPatterns(actor: Actor, { user, status: { job, kept } }: JobRecord): string[] {
  if (!actor.root && actor.user !== user)
    throw new GristmillError('EACCES', `job ${job} is ${user}'s; only ${user} or the cluster's superuser may publish it`, {
      details: { job },
    })
  if (!kept) throw new GristmillError('EINVAL', `nothing is kept of job ${job}`, { details: { job } })
  return kept.patterns ?? []
}
