// Pages of jobs, newest first, and text sizes of jobs and tasks in replies: a page ends before it becomes too large to read or
// encode in one piece, or for the caller.

import type { JobId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Counters, Failure } from '../../src/protocol/fields.ts'
import type * as protocol from '../../src/protocol/job.ts'
import type { JobStatus, TaskStatus } from '../../src/protocol/job.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import type { JobStore } from './deps.ts'
import type { RunningJob } from './scheduler/state.ts'
import { jobStatus, shownStatus } from './scheduler/status.ts'

/** Stages on one page of jobs, at 5 µs each. */
const stagesMax = 5_000

export function newest(
  { store, running }: { readonly store: Pick<JobStore, 'newest'>; readonly running: ReadonlyMap<JobId, RunningJob> },
  { limit, before }: { readonly limit: number; readonly before: JobId | undefined },
): ReplyOf<typeof protocol.jobs> {
  const jobs: JobStatus[] = []
  let stages = 0
  let text = 0
  for (const { head, bytes } of store.newest(before)) {
    const { job } = head.status
    const runs = running.get(job)
    const status = runs ? jobStatus(runs) : shownStatus(head)
    jobs.push(status)
    stages += status.stages.length
    // A head may be longer than the shown status: heads of earlier versions include the job's parameters.
    text += Math.max(bytes, statusText(status))
    if (jobs.length === limit || stages > stagesMax || text > limits.pageTextMax) return { jobs, next: job }
  }
  return { jobs }
}

/** Approximate size of the parts that may be long: 100 stages with any number of counters each. */
const statusText = ({ name, output, failure, stages, counters }: JobStatus): number =>
  stages.reduce(
    (sum, stage) => sum + 200 + stage.name.length + countersText(stage.counters),
    200 + name.length + output.length + failureText(failure) + countersText(counters),
  )

/** Approximate size of the parts that may be long: 20 attempts may have failed with a stack each. */
export const taskText = ({ attempts }: TaskStatus): number =>
  attempts.reduce((sum, { failure, counters }) => sum + 200 + failureText(failure) + countersText(counters), 100)

function countersText(counters: Counters): number {
  let chars = 0
  for (const name in counters) chars += name.length + 20
  return chars
}

const failureText = (failure: Failure | undefined): number => (failure ? failure.message.length + (failure.stack?.length ?? 0) : 0)
