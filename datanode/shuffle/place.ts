// Where map outputs lie below a node's home. Executors and the node agree on it; names come from ids that are checked here, for
// they come over the wire.

import { GristmillError } from '../../src/base/errors.ts'
import { attemptParts, type AttemptId, type JobId } from '../../src/base/ids.ts'

const jobForm = /^[\w-]{1,64}$/
const attemptForm = /^[\w-]{1,64}\.\d{1,9}\.\d{1,9}\.\d{1,9}$/

/** Of all jobs, or of one. Throws EINVAL for what is no id. */
export function outputsDirectory(dir: string, job?: JobId): string {
  if (job === undefined) return `${dir}/shuffle`
  if (!jobForm.test(job)) throw new GristmillError('EINVAL', `"${job}" is no id of a job`)
  return `${dir}/shuffle/${job}`
}

/** Throws EINVAL for what is no id. */
export function outputFiles(dir: string, attempt: AttemptId): { readonly data: string; readonly index: string } {
  if (!attemptForm.test(attempt)) throw new GristmillError('EINVAL', `"${attempt}" is no id of an attempt`)
  const stem = `${outputsDirectory(dir, attemptParts(attempt).job)}/${attempt}`
  return { data: `${stem}.data`, index: `${stem}.index` }
}

/** Where an attempt's log lies. */
export function logFile(dir: string, attempt: AttemptId): { readonly directory: string; readonly path: string } {
  if (!attemptForm.test(attempt)) throw new GristmillError('EINVAL', `"${attempt}" is no id of an attempt`)
  const directory = `${dir}/logs/${attemptParts(attempt).job}`
  return { directory, path: `${directory}/${attempt}.log` }
}
