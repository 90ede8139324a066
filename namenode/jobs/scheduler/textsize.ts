// Approximate text sizes of jobs and tasks, for pages of replies and entries of the journal, which have a bound. Pure.

import type { Counters, Failure } from '../../../src/protocol/fields.ts'
import type { JobStatus, TaskStatus } from '../../../src/protocol/job.ts'

/** Approximate size of the parts that may be long: 100 stages with any number of counters each. */
export const statusText = ({ name, output, failure, stages, counters }: JobStatus): number =>
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
