// Pages of jobs, newest first: a page ends before it becomes too large to read or encode in one piece, or for the caller.

import type { JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type * as protocol from '../../src/protocol/job.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import type { JobStore } from './deps.ts'
import type { RunningJob } from './scheduler/state.ts'
import { runningStatus, shownStatus } from './scheduler/status.ts'
import { statusText } from './scheduler/textsize.ts'

/** Stages on one page of jobs, at 5 µs each. */
const stagesMax = 5_000

export function newest(
  { store, running, waits = () => undefined }: {
    readonly store: Pick<JobStore, 'newest'>
    readonly running: ReadonlyMap<JobId, RunningJob>
    /** Reason for which a job waits. */
    readonly waits?: ((job: RunningJob) => string | undefined) | undefined
  },
  { limit, before }: { readonly limit: number; readonly before: JobId | undefined },
): ReplyOf<typeof protocol.jobs> {
  const jobs: JobStatus[] = []
  let stages = 0
  let text = 0
  for (const { head, bytes } of store.newest(before)) {
    const { job } = head.status
    const runs = running.get(job)
    const status = runs ? runningStatus(runs, waits(runs)) : shownStatus(head)
    jobs.push(status)
    stages += status.stages.length
    // A head may be longer than the shown status: heads of earlier versions include the job's parameters.
    text += Math.max(bytes, statusText(status))
    if (jobs.length === limit || stages > stagesMax || text > limits.pageTextMax) return { jobs, next: job }
  }
  return { jobs }
}
