// Records of jobs in the store. A running job consists of its spec and its committed tasks; a restarted namenode continues
// from these alone. Running attempts are not stored; nodes report them when they register.

import type { AttemptId, NodeId, SplitsId } from '../../../src/base/ids.ts'
import type { Counters } from '../../../src/protocol/fields.ts'
import type { AttemptStatus, JobSpec, JobStatus, StageLayout } from '../../../src/protocol/job.ts'
import type { OutputFile } from '../../../src/protocol/task.ts'
import type { MadeBy } from '../../versions/rows.ts'

export type Locality = 'node' | 'rack' | 'any'

/** A committed task; or, without `won`, one that has failed attempts, or whose job failed or was killed. */
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
    /** Map output: bytes and digest; last stage: files. */
    readonly output:
      | { readonly kind: 'shuffle'; readonly bytes: number; readonly digest: string; readonly sizes?: string | undefined }
      | { readonly kind: 'files'; readonly files: readonly OutputFile[] }
      | { readonly kind: 'check' }
  }
  /** The task did not fail its job: it had begun and was not done when the job ended. */
  readonly unfinished?: true
  /** Failures that count against the job's attemptsMax: a namenode that starts again goes on counting. */
  readonly failures?: number
  /** Of a job that follows a schedule: the time for which its next attempt builds. Not recorded by earlier versions. */
  readonly dueMs?: number
  /** Other ended attempts of the task, oldest first, at most limits.attemptsKeptMax. */
  readonly others: readonly AttemptStatus[]
}

/** Tasks of a stage that adaptive rules have made. */
export interface LayoutRecord { readonly stage: number; readonly layout: StageLayout }

/** Head of a job: small, rewritten when the job changes state. */
export interface JobRecord {
  readonly user: string
  /** True if the superuser submitted it: permissions do not apply to its output. */
  readonly root: boolean
  readonly submittedMs: number
  /** Number of namenode restarts that the job has seen. */
  readonly term: number
  /** Status shown after the end; before, the initial one. */
  readonly status: JobStatus
  /** The last stage checks the output, which the one before it writes. */
  readonly checked?: true
  /** Set if publishing failed: the output stays in its staging until `untilMs`. `inputs`: paths named as input. */
  readonly kept?: KeptRecord
  /** Uploaded splits; removed together with the spec. */
  readonly taken?: readonly TakenSplits[]
  /** Part of the spec that is kept after the end, without its splits. */
  readonly about: Pick<JobSpec, 'program' | 'seed' | 'fingerprint'> & {
    /** Kept by earlier versions; `job.trim` removes them. */ readonly params?: JobSpec['params']
  }
}

interface KeptRecord {
  readonly untilMs: number
  readonly inputs: readonly string[]
  readonly bytes?: number
  /** For the version that publishing makes; missing in records of earlier versions. */
  readonly made?: MadeBy
  /** Its check has not passed: it is published only by a request that says so. */
  readonly unchecked?: true
  /** The files are the result of a step, for its program; they are never published. */
  readonly result?: true
}

/** Record of splits that no job has taken over yet. */
export interface SentRecord {
  readonly user: string
  /** Output path of the job that will follow: the input paths were checked against it. */
  readonly output: string
  readonly pages: number
  readonly tasks: number
  readonly bytes: number
}

/** Uploaded splits that a job has taken over. */
export type TakenSplits = Pick<SentRecord, 'pages' | 'bytes'> & { readonly id: SplitsId }
