// Events (input) and effects (output) of the scheduler. Both are plain data, so that a scenario is a text and a simulation a
// list. The scheduler (scheduler.ts) has no clock, disk or network: time comes with each event; the job engine (engine.ts)
// carries out the effects in order and reports back with further events.

import type { AttemptId, JobId, NodeId } from '../../../src/base/ids.ts'
import type { Counters, Failure } from '../../../src/protocol/fields.ts'
import type { NodeFeature, NodeMemory } from '../../../src/protocol/heartbeat.ts'
import type { JobSpec, JobStatus, StageLayout } from '../../../src/protocol/job.ts'
import type { TaskFinished } from '../../../src/protocol/task.ts'
import type { LayoutRecord, Locality, TaskRecord } from '../store/record.ts'

/** Time of an event: wall-clock for display, monotonic for decisions. */
export interface Moment {
  readonly nowMs: number
  readonly monoMs: number
}

/** Per task of a stage: the nodes that hold its input, best first; empty if none is known. */
export type Places = ReadonlyArray<readonly NodeId[]>

export interface JobFacts {
  readonly job: JobId
  readonly user: string
  readonly spec: JobSpec
  readonly submittedMs: number
  /** Per stage; undefined for stages that read a shuffle. */
  readonly places: ReadonlyArray<Places | undefined>
}

export type Event =
  /** The job is in the journal. */
  | ({ readonly kind: 'submitted' } & JobFacts)
  /** The namenode has restarted. `term`: restarts that this job has seen; `tasks`: its committed tasks. */
  | ({
      readonly kind: 'resumed'
      readonly term: number
      readonly tasks: readonly TaskRecord[]
      /** Tasks of rewritten stages. */ readonly layouts?: readonly LayoutRecord[]
    } & JobFacts)
  /** The locations of blocks are known well enough: tasks may start. */
  | { readonly kind: 'opened' }
  /** A node has registered; `attempts` still run there. */
  | {
      readonly kind: 'joined'
      readonly node: NodeId
      readonly rack: string
      readonly host: string
      readonly slots: number
      /** Default: not known, as that of a datanode of an earlier version. */ readonly memory?: NodeMemory
      /** Default: none, as a datanode of an earlier version. */ readonly features?: readonly NodeFeature[]
      /** Programs that it drives at the same time; default: limits.nodeDrivesMin. */ readonly drives?: number
      readonly attempts: readonly AttemptId[]
      /** No tasks until it offers slots. */ readonly closed?: boolean
    }
  /** A node asks for work. */
  | { readonly kind: 'offered'; readonly node: NodeId }
  /** The node takes no new work; its running attempts may finish. */
  | { readonly kind: 'closed'; readonly node: NodeId }
  /** The node's heartbeats are late: it may be dead or return soon. */
  | { readonly kind: 'stale'; readonly node: NodeId }
  /** A stale node has sent a sign of life. */
  | { readonly kind: 'returned'; readonly node: NodeId }
  /** The node stops in good order: its attempts end; its map outputs may be there when it returns. */
  | { readonly kind: 'left'; readonly node: NodeId }
  /** The node is dead, with all its data. */
  | { readonly kind: 'dead'; readonly node: NodeId }
  /** The dead node is not known any more. */
  | { readonly kind: 'gone'; readonly node: NodeId }
  /** Better locations of a stage's input. */
  | { readonly kind: 'placed'; readonly job: JobId; readonly stage: number; readonly places: Places }
  | {
      readonly kind: 'progressed'
      readonly node: NodeId
      readonly attempts: ReadonlyArray<{ readonly attempt: AttemptId; readonly counters: Counters; readonly fraction: number }>
    }
  | ({ readonly kind: 'finished' } & TaskFinished)
  /** Reply to a `commit` effect: journalled, or refused (the attempt's output is missing). */
  | { readonly kind: 'committed'; readonly record: TaskRecord; readonly refused?: Failure }
  /** Reply to a `rewrite` effect: journalled. */
  | { readonly kind: 'rewritten'; readonly job: JobId; readonly stage: number }
  | { readonly kind: 'kill'; readonly job: JobId }
  /** Reply to a failed `publish` effect; success is reported by `ended`. */
  | { readonly kind: 'unpublished'; readonly job: JobId; readonly failure: Failure }
  /** The end of the job is in the journal. */
  | { readonly kind: 'ended'; readonly job: JobId }
  /** Time has passed. */
  | { readonly kind: 'tick' }

export type Effect =
  | { readonly kind: 'run'; readonly node: NodeId; readonly attempt: AttemptId; readonly locality: Locality }
  | { readonly kind: 'kill'; readonly node: NodeId; readonly attempt: AttemptId }
  | { readonly kind: 'forget'; readonly node: NodeId; readonly job: JobId }
  /** Journal this attempt as the result of its task. Answered by `committed`. */
  | { readonly kind: 'commit'; readonly job: JobId; readonly record: TaskRecord }
  /** Journal the failed attempts of a task that is not done. Needs no reply. */
  | { readonly kind: 'tried'; readonly job: JobId; readonly record: TaskRecord }
  /** Journal that the output of a committed task is lost. Needs no reply: the journal keeps the order. */
  | { readonly kind: 'lose'; readonly job: JobId; readonly attempt: AttemptId }
  /** Journal the tasks of a stage that adaptive rules have made, before any of them starts. Answered by `rewritten`. */
  | { readonly kind: 'rewrite'; readonly job: JobId; readonly stage: number; readonly layout: StageLayout }
  /** Journal the end of a job that publishes nothing. Answered by `ended`. */
  | {
      readonly kind: 'finish'
      readonly job: JobId
      readonly status: JobStatus
      readonly failed?: TaskRecord
      /** Other tasks that had begun. */
      readonly unfinished: readonly TaskRecord[]
      /** All output was computed: it may be published later. */ readonly keep?: boolean
    }
  /** Make the output visible and the job succeeded, in one transaction. Answered by `ended` or `unpublished`. */
  | { readonly kind: 'publish'; readonly job: JobId; readonly status: JobStatus }
  /** Reply to the node that reported an attempt as done. */
  | { readonly kind: 'answer'; readonly attempt: AttemptId; readonly committed: boolean }
  /** The job's status has changed. `urgent`: watchers are told at once, else within a moment. */
  | { readonly kind: 'changed'; readonly job: JobId; readonly urgent: boolean }
