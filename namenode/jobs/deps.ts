// Interfaces of the rest of the namenode that the job engine needs. jobs.ts implements them over the namenode's rooms; unit
// tests implement them in a few lines.

import type { JobQueue } from '../../src/base/jobqueues.ts'
import type { AttemptId, BlockId, JobId, NodeId, RequestId, SplitsId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Failure, NodePlace } from '../../src/protocol/fields.ts'
import type { JobSpec, JobStatus } from '../../src/protocol/job.ts'
import type { Order } from '../../src/protocol/order.ts'
import type { Split } from '../../src/protocol/task.ts'
import type { Actor } from '../journal/operation.ts'
import type { OutputPlace } from './publish/publish.ts'
import type { JobRecord, LayoutRecord, TaskRecord } from './store/record.ts'

export interface JobsDeps {
  readonly clock: Clock
  /** Monotonic time without pauses of this process. */
  readonly awake: Pick<Clock, 'mono'>
  readonly log: Log
  /** World.checked. */
  readonly checked?: boolean | undefined
  /** Queues of jobs, beside the default one. */
  readonly queues?: readonly JobQueue[] | undefined
  /** Jobs of one user that have not ended; default: limits.jobsRunningMax. */
  readonly jobsPerUser?: number | undefined
  readonly store: JobStore
  readonly nodes: NodesPort
  readonly blocks: BlocksPort
  /**
   * Throws ENOENT, EACCES or EBUSY if the user may not read a range in its current state; EINVAL if a range is invalid or lies in the
   * job's output.
   */
  checkSplits(actor: Actor, splits: Iterable<Split>, output: string): Promise<void> | void
  actor(user: string): Actor
  /** True while nothing may be changed (succession/authority.ts). */
  frozen(): boolean
}

export interface NodesPort {
  /** Queues an order for a node; it is sent with the reply to the node's long poll. Orders for unknown nodes are dropped. */
  order(node: NodeId, order: Order): void
  /** undefined if the node is unknown. */
  place(node: NodeId): (NodePlace & { readonly alive: boolean }) | undefined
}

interface BlocksPort {
  /** Live holders of a block. */
  holders(block: BlockId): readonly NodeId[]
  /** Issues a token to read the block. */
  token(block: BlockId): string
}

/** Packed splits sent ahead of their job. */
export interface SplitsPage {
  readonly requestId: RequestId
  readonly actor: Actor
  readonly id: SplitsId
  readonly page: number
  /** Output path of the job that will follow. */
  readonly output: string
  readonly splits: readonly string[]
}

/** Uploaded splits that no job has taken over. */
export type UploadsPort = ReadonlyMap<SplitsId, { readonly user: string; readonly bytes: number }>

export interface FinishFacts {
  /** The task that failed the job. */
  readonly failed?: TaskRecord | undefined
  /** Other tasks that had begun and are not done. */
  readonly unfinished?: readonly TaskRecord[] | undefined
  /** The whole output was computed, with this many bytes, and may be published later. */
  readonly keep?: { readonly bytes: number } | undefined
}

/** Journalled part of jobs. Results of its mutations are durable. Mutations take effect in the order of the calls. */
export interface JobStore {
  /**
   * Throws the errors of publishing, as far as they are known now; EBUSY if another job has reserved the path. A repeated request gets
   * the first answer.
   */
  submit(request: { requestId: RequestId; actor: Actor; spec: JobSpec }): Promise<JobId>
  /**
   * Stores a page of splits for a job that will follow. Throws ESTALE if earlier pages are missing, EACCES if they belong to another
   * user, and TOO_LARGE.
   */
  addPage(request: SplitsPage): Promise<void>
  readonly uploads: UploadsPort
  /** The spec including uploaded splits. Throws ESTALE. Yields to the event loop between pages. */
  whole(spec: JobSpec): Promise<JobSpec>
  /** True if a request with this id was accepted before: a repeat gets the first answer and is not checked again. */
  hasAnswer(requestId: RequestId): boolean
  /** Takes a running job over after a restart; returns the number of restarts that the job has seen. */
  resume(job: JobId): Promise<number>
  /** Ends a running job that cannot be taken over. Throws errors of the journal, including ENOSPC. */
  giveUp(job: JobId, status: JobStatus): Promise<void>
  /** Returns the failure if the task's output is missing. */
  commit(job: JobId, record: TaskRecord): Promise<Failure | undefined>
  /** Keeps the failed attempts of a task, unless it is done. */
  tried(job: JobId, record: TaskRecord): Promise<void>
  lose(job: JobId, attempt: AttemptId): Promise<void>
  /** Keeps the tasks of a stage that adaptive rules have made. */
  rewrite(job: JobId, record: LayoutRecord): Promise<void>
  finish(job: JobId, status: JobStatus, facts?: FinishFacts): Promise<void>
  /** Returns the failure if the output cannot be published as requested; then nothing has happened. */
  publish(job: JobId, status: JobStatus): Promise<Failure | undefined>
  /** Publishes the kept output of a job. Throws ENOENT, EACCES, EINVAL if nothing is kept, and the errors of publishing. */
  publishKept(request: {
    requestId: RequestId; actor: Actor; job: JobId; output: OutputPlace; despiteCheck?: boolean | undefined
  }): Promise<void>
  /** Drops the kept output of a job. Throws ENOENT, EACCES, EINVAL if nothing is kept. */
  dropKept(request: { requestId: RequestId; actor: Actor; job: JobId }): Promise<void>
  /** Forgets the oldest ended jobs beyond limits.jobsKept, and orphaned staging. One small step; returns true if there is more. */
  tidy(): Promise<boolean>

  head(job: JobId): JobRecord | undefined
  /** As submitted, without its parameters. */
  spec(job: JobId): JobSpec | undefined
  /** Parameters of a running job. Cached only while the caller holds them. */
  params(job: JobId): JobSpec['params'] | undefined
  /** Records in order of stage and task, starting at `from`. */
  tasks(job: JobId, from?: { stage: number; task: number }): Iterable<TaskRecord>
  /** Tasks of the stages that adaptive rules have rewritten. */
  layouts(job: JobId): LayoutRecord[]
  /** Newest first, starting before `before`. `bytes`: size of the head in the store. */
  newest(before?: JobId): Iterable<{ readonly head: JobRecord; readonly bytes: number }>
  /** Jobs that have not ended, oldest first. */
  running(): JobId[]
}
