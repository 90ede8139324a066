// Status of a job whose computed output was not published and is kept: the reason of its failure ends with what its owner can do.

import type { JobId } from '../../../src/base/ids.ts'
import type { JobStatus } from '../../../src/protocol/job.ts'
import { stagingDirectory } from '../../namespace/format.ts'
import type { JobRecord } from './record.ts'

export function keptStatus(status: JobStatus, kept: NonNullable<JobStatus['kept']>, advise: typeof advice): JobStatus {
  const { failure } = status
  return { ...status, kept, ...failure && { failure: { ...failure, message: failure.message + advise(status.job, kept.untilMs) } } }
}

export const advice = (job: JobId, untilMs: number): string =>
  `; what the job has computed is kept until ${new Date(untilMs).toISOString()}: "gristmill job publish ${job} --output PATH" publishes it elsewhere, "gristmill job drop ${job}" gives its room back`

export const alteredAdvice = (job: JobId, untilMs: number): string =>
  `; what is left is kept until ${new Date(untilMs).toISOString()}: copy from there what you need; "gristmill job drop ${job}" gives its ` +
  'room back'

export const uncheckedAdvice = (job: JobId, untilMs: number): string =>
  `; what the job has computed is kept until ${new Date(untilMs).toISOString()} in ${stagingDirectory}/${job}/output: look at it there; `
  + `"gristmill job publish ${job} --despite-check" publishes it all the same, "gristmill job drop ${job}" gives its room back`

/** Removes the kept output from the head and from the failure message. */
export function unkept({ kept, ...head }: JobRecord): JobRecord {
  const { kept: _, failure, ...status } = head.status
  const given = kept ? [advice, alteredAdvice, uncheckedAdvice].map(of => of(status.job, kept.untilMs)) : []
  const advised = given.find(text => failure?.message.endsWith(text))
  const message =
    failure && advised !== undefined
      ? `${failure.message.slice(0, -advised.length)}; what the job had computed is not kept any more`
      : failure?.message
  return { ...head, status: { ...status, ...failure && { failure: { ...failure, message: message! } } } }
}
