// What the scheduler's shell needs of the rest of the namenode, said in its own words. namenode/namenode.ts puts the
// real rooms behind it; a unit test puts a few lines there.

import type { AttemptId, BlockId, JobId, NodeId, RequestId, SplitsId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Failure, NodePlace } from '../../src/protocol/fields.ts'
import type { JobSpec, JobStatus } from '../../src/protocol/job.ts'
import type { Order } from '../../src/protocol/order.ts'
import type { Split } from '../../src/protocol/task.ts'
import type { Actor } from '../journal/operation.ts'
import type { OutputPlace } from './publish/output.ts'
import type { JobRecord, TaskRecord } from './store/record.ts'

export interface JobsDeps {
  readonly clock: Clock
  /** Monotonic time without that in which this process stood still. */
  readonly awake: Pick<Clock, 'mono'>
  readonly log: Log
  /** World.checked. */
  readonly checked?: boolean | undefined
  readonly store: JobStore
  readonly nodes: NodesPort
  readonly blocks: BlocksPort
  /**
   * Throws ENOENT, EACCES or EBUSY unless the user may read every range as it is now; EINVAL where one cannot be, or lies in the job's
   * output.
   */
  checkSplits(actor: Actor, splits: Iterable<Split>, output: string): Promise<void> | void
  actor(user: string): Actor
  /** Nothing may be changed for now (nodes/authority.ts). */
  frozen(): boolean
}

export interface NodesPort {
  /** Queues an order for a node; it goes out with the node's waiting call. Nodes that are gone get nothing. */
  order(node: NodeId, order: Order): void
  /** undefined if the node is not known. */
  place(node: NodeId): (NodePlace & { readonly alive: boolean }) | undefined
}

export interface BlocksPort {
  /** Live holders of a block. */
  holders(block: BlockId): readonly NodeId[]
  /** Allows reading the block. */
  token(block: BlockId): string
}

/** Packed splits that come before their job. */
export interface SplitsPage {
  readonly requestId: RequestId
  readonly actor: Actor
  readonly id: SplitsId
  readonly page: number
  /** Of the job to come. */
  readonly output: string
  readonly splits: readonly string[]
}

/** Splits that were sent and that no job has taken over. */
export type UploadsPort = ReadonlyMap<SplitsId, { readonly user: string; readonly bytes: number }>

/**
 * The journalled part of jobs. What its mutations return is durable. They take effect in the order in which they are called.
 */
export interface JobStore {
  /**
   * Throws what publishing would throw, as far as it can be known now; EBUSY where another job will publish. A repeated request gets the
   * first answer.
   */
  submit(request: { requestId: RequestId; actor: Actor; spec: JobSpec }): Promise<JobId>
  /**
   * Keeps a page of splits for a job to come. Throws ESTALE where the pages before are gone, EACCES where they are another user's, and
   * TOO_LARGE.
   */
  addPage(request: SplitsPage): Promise<void>
  readonly uploads: UploadsPort
  /** The spec with the splits that were sent before. Throws ESTALE. In slices. */
  whole(spec: JobSpec): Promise<JobSpec>
  /** Was a request with this id accepted before? Its repeat gets the first answer, and is not judged again. */
  hasAnswer(requestId: RequestId): boolean
  /** A running job is taken over by this life of the namenode; returns how many lives it has seen. */
  resume(job: JobId): Promise<number>
  /** A running job that cannot be taken over ends. Throws what the journal says, also that its disk is full. */
  giveUp(job: JobId, status: JobStatus): Promise<void>
  /** The failure if the task's output is not where it should be. */
  commit(job: JobId, record: TaskRecord): Promise<Failure | undefined>
  lose(job: JobId, attempt: AttemptId): Promise<void>
  /** `keep`: all of it was computed, so many bytes, and may be published later. */
  finish(job: JobId, status: JobStatus, failed: TaskRecord | undefined, keep?: { readonly bytes: number }): Promise<void>
  /** The failure if the output cannot be published as it was asked for; then nothing has happened. */
  publish(job: JobId, status: JobStatus): Promise<Failure | undefined>
  /** Publishes what was kept of a job. Throws ENOENT, EACCES, EINVAL if nothing is kept, and what publishing throws. */
  publishKept(request: { requestId: RequestId; actor: Actor; job: JobId; output: OutputPlace }): Promise<void>
  /** What is kept of a job goes. Throws ENOENT, EACCES, EINVAL if nothing is kept. */
  dropKept(request: { requestId: RequestId; actor: Actor; job: JobId }): Promise<void>
  /** Forgets the oldest ended jobs beyond limits.jobsKept, and staging that nobody owns. One small step; true if there is more. */
  tidy(): Promise<boolean>

  head(job: JobId): JobRecord | undefined
  /** As it was submitted, but for its parameters. */
  spec(job: JobId): JobSpec | undefined
  /** Parameters of a job that runs. In memory only for as long as the caller keeps them. */
  params(job: JobId): JobSpec['params'] | undefined
  /** Records in order of stage and task, from a place on. */
  tasks(job: JobId, from?: { stage: number; task: number }): Iterable<TaskRecord>
  /** Newest first, from the one before `before` on. `bytes`: of the head in the store. */
  newest(before?: JobId): Iterable<{ readonly head: JobRecord; readonly bytes: number }>
  /** Jobs that have not ended, oldest first. */
  running(): JobId[]
}
