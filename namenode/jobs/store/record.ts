// What the journal keeps of jobs. A running job is its spec and its committed tasks: from these alone a restarted
// namenode goes on. Where tasks run is not kept; nodes tell it when they register.

import type { AttemptId, NodeId } from '../../../src/base/ids.ts'
import type { Counters } from '../../../src/protocol/fields.ts'
import type { AttemptStatus, JobSpec, JobStatus } from '../../../src/protocol/job.ts'
import type { OutputFile } from '../../../src/protocol/task.ts'
import type { Locality } from '../scheduler/event.ts'
import type { TakenSplits } from '../splits/pages.ts'

/** One committed task, or the task that made its job fail (then without `won`). */
export interface TaskRecord {
  readonly stage: number
  readonly task: number
  readonly won?: {
    readonly attempt: AttemptId
    readonly node: NodeId
    readonly host: string
    readonly locality: Locality
    readonly startedMs: number
    readonly finishedMs: number
    readonly counters: Counters
    /** Bytes and digest of a map output; files of a last stage. */
    readonly output:
      | { readonly kind: 'shuffle'; readonly bytes: number; readonly digest: string }
      | { readonly kind: 'files'; readonly files: readonly OutputFile[] }
  }
  /** The other attempts of the task that have ended, oldest first, at most limits.attemptsKeptMax. */
  readonly others: readonly AttemptStatus[]
}

/** A job's head: small, rewritten when the job changes state. */
export interface JobRecord {
  readonly user: string
  /** It was the superuser's: permissions do not apply to its output. */
  readonly root: boolean
  readonly submittedMs: number
  /** How often a namenode took this job over from an earlier one. */
  readonly term: number
  /** The status that is shown once the job has ended; before, the one it started with. */
  readonly status: JobStatus
  /** It failed to be published: its output stays in its staging until then. `inputs`: what was named as its input. */
  readonly kept?: { readonly untilMs: number; readonly inputs: readonly string[]; readonly bytes?: number }
  /** Splits that were sent before the job; they go with its spec. */
  readonly taken?: readonly TakenSplits[]
  /** What remains of the spec when the job is over: enough to see what it was, without its splits. */
  readonly about: Pick<JobSpec, 'program' | 'seed' | 'fingerprint'> & {
    /** As earlier versions kept them; `job.trim` removes them. */ readonly params?: JobSpec['params']
  }
}
