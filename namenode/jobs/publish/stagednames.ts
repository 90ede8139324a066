// Names in the staging of jobs (staging.ts), whose files a job publishes as they are. While a job runs its attempts open files in their own
// directories, `<job>/<attempt>/<file>`, and every other change there is refused for every caller, the job's user and the superuser
// included; so is every change of a kept output, except to remove all of it. The check is made by routes before the journal: the
// namenode's own moves (commit, publish, keep) do not pass it. Publishing compares what is there with what was committed (checkCommitted).

import { GristmillError } from '../../../src/base/errors.ts'
import { attemptId, attemptParts, jobId, type AttemptId } from '../../../src/base/ids.ts'
import { systemActor } from '../../journal/operation.ts'
import type { View } from '../../journal/view.ts'
import { findNamed } from '../../namespace/asof.ts'
import { stagingDirectory } from '../../namespace/format.ts'
import { headOf, jobNumber } from '../store/rows.ts'

/** Use of a path by a request. `opens`: a file is written there, as attempts do; `makes`: a name may appear there in any other way. */
export type StagedUse = 'opens' | 'makes' | 'changes' | 'removes'

/**
 * Throws EBUSY if the path is in the staging of a running job, or in a kept output. Elsewhere in the directory of stagings a new name is
 * refused with EACCES, and one below a staging that does not exist with ENOENT.
 */
export function checkStaged(view: View, path: string, use: StagedUse): void {
  if (!path.startsWith(`${stagingDirectory}/`)) return
  const [job = '', ...below] = path.slice(stagingDirectory.length + 1).split('/')
  const number = jobNumber(jobId(job))
  const head = number === undefined ? undefined : headOf(view, number)
  const isThere = exists(view, `${stagingDirectory}/${job}`)
  if (isThere && head?.status.state === 'running') {
    if (use === 'opens' && isOfAttempt(job, below)) return
    throw new GristmillError(
      'EBUSY',
      `${path} stays as it is while ${job} runs, which will publish what its tasks have written there; wait for its end ` +
      `("gristmill job ${job}"), or kill it ("gristmill kill ${job}")`,
      { details: { path, job } },
    )
  }
  if (isThere && head?.kept) {
    if (use === 'removes' && below.length === 0) return
    if (use === 'opens' && isOfAttempt(job, below)) throw over(path, job)
    const what = head.kept.result
      ? `it is the result of ${job} for its program, and goes when the program has ended`
      : `it is what ${job} has computed and could not publish; "gristmill job publish ${job} --output PATH" publishes it elsewhere`
    throw new GristmillError(
      'EBUSY', `${path} stays as it is: ${what}; "gristmill job drop ${job}" gives its room back`, { details: { path, job } },
    )
  }
  if (isThere || use === 'changes' || use === 'removes') return
  if (below.length > 0) throw over(path, job)
  throw new GristmillError(
    'EACCES',
    `${path} cannot be made: names in ${stagingDirectory} are those of jobs, and only the start of a job makes them; use another directory`,
    { details: { path } },
  )
}

const over = (path: string, job: string): GristmillError =>
  new GristmillError(
    'ENOENT',
    `there is no ${stagingDirectory}/${job} to write to: a job of this name has ended, or has not begun; only the start of a job makes a ` +
    `name in ${stagingDirectory}`,
    { details: { path } },
  )

/** True for a file in the directory of an attempt of the job. */
function isOfAttempt(job: string, [attempt = '', ...names]: readonly string[]): boolean {
  if (names.length !== 1) return false
  const parts = attemptParts(attempt as AttemptId)
  return parts.job === job && attemptId(parts) === attempt
}

function exists(view: View, path: string): boolean {
  try {
    return findNamed(view, systemActor, path).entry !== undefined
  } catch {
    return false
  }
}
