// Paths of map outputs and logs below a datanode's home, shared by datanode and executors. Paths are built from job and attempt ids,
// which are validated here because they arrive over the network.

import { GristmillError } from '../../src/base/errors.ts'
import { attemptParts, type AttemptId, type JobId } from '../../src/base/ids.ts'

const jobForm = /^[\w-]{1,64}$/
const attemptForm = /^[\w-]{1,64}\.\d{1,9}\.\d{1,9}\.\d{1,9}$/

/** Directory of the map outputs of one job; without `job`: of all jobs. Throws EINVAL for an invalid id. */
export function outputsDirectory(dir: string, job?: JobId): string {
  if (job === undefined) return `${dir}/shuffle`
  if (!jobForm.test(job)) throw new GristmillError('EINVAL', `"${job}" is not a job id`)
  return `${dir}/shuffle/${job}`
}

/** Data and index file of an attempt's map output. Throws EINVAL for an invalid id. */
export function outputFiles(dir: string, attempt: AttemptId): { readonly data: string; readonly index: string } {
  if (!attemptForm.test(attempt)) throw new GristmillError('EINVAL', `"${attempt}" is not an attempt id`)
  const stem = `${outputsDirectory(dir, attemptParts(attempt).job)}/${attempt}`
  return { data: `${stem}.data`, index: `${stem}.index` }
}

/** Path of an attempt's log. Throws EINVAL for an invalid id. */
export function logFile(dir: string, attempt: AttemptId): { readonly directory: string; readonly path: string } {
  if (!attemptForm.test(attempt)) throw new GristmillError('EINVAL', `"${attempt}" is not an attempt id`)
  const directory = `${dir}/logs/${attemptParts(attempt).job}`
  return { directory, path: `${directory}/${attempt}.log` }
}
