// What happens to the scheduler, and what it wants done. Both are plain data, so that a scenario is a text and a
// simulation a list. The scheduler itself (scheduler.ts) knows no clock, no disk and no network: time comes with each
// event, and its shell (engine.ts) carries the effects out, in order, and reports back with further events.

import type { AttemptId, JobId, NodeId } from '../../../src/base/ids.ts'
import type { Counters, Failure } from '../../../src/protocol/fields.ts'
import type { JobSpec, JobStatus } from '../../../src/protocol/job.ts'
import type { TaskFinished } from '../../../src/protocol/task.ts'
import type { TaskRecord } from '../store/record.ts'

/** When an event happened: wall-clock for people, monotonic for decisions. */
export interface Moment {
  readonly nowMs: number
  readonly monoMs: number
}

/** For each task of a stage the nodes that hold its input, best first; an empty list where none is known. */
export type Places = ReadonlyArray<readonly NodeId[]>

export interface JobFacts {
  readonly job: JobId
  readonly user: string
  readonly spec: JobSpec
  readonly submittedMs: number
  /** By stage; undefined for stages that read a shuffle. */
  readonly places: ReadonlyArray<Places | undefined>
}

export type Event =
  /** The job is in the journal. */
  | ({ readonly kind: 'submitted' } & JobFacts)
  /** The namenode started again. `term` counts the starts that this job has seen, `tasks` are its committed ones. */
  | ({ readonly kind: 'resumed'; readonly term: number; readonly tasks: readonly TaskRecord[] } & JobFacts)
  /** Where blocks lie is known well enough: tasks may start. */
  | { readonly kind: 'opened' }
  /** A node registered, for the first time or again; `attempts` still run there. */
  | {
      readonly kind: 'joined'
      readonly node: NodeId
      readonly rack: string
      readonly host: string
      readonly slots: number
      readonly attempts: readonly AttemptId[]
      /** It gets no tasks until it offers slots. */ readonly closed?: boolean
    }
  /** A node asks for work. */
  | { readonly kind: 'offered'; readonly node: NodeId }
  /** It takes no new work; what it runs may still end well. */
  | { readonly kind: 'draining'; readonly node: NodeId }
  /** Nothing is heard of it: it may be dead, or be back in a moment. */
  | { readonly kind: 'stale'; readonly node: NodeId }
  /** It is heard of again. */
  | { readonly kind: 'returned'; readonly node: NodeId }
  /** It goes away in good order: what it ran is over, what it holds may still be there when it returns. */
  | { readonly kind: 'left'; readonly node: NodeId }
  /** It is dead, with everything on it. */
  | { readonly kind: 'lost'; readonly node: NodeId }
  /** Better knowledge of where the input of a stage lies. */
  | { readonly kind: 'placed'; readonly job: JobId; readonly stage: number; readonly places: Places }
  | {
      readonly kind: 'progressed'
      readonly node: NodeId
      readonly attempts: ReadonlyArray<{ readonly attempt: AttemptId; readonly counters: Counters; readonly fraction: number }>
    }
  | ({ readonly kind: 'finished' } & TaskFinished)
  /** The answer to a `commit` effect: in the journal, or refused (what the attempt left is not there). */
  | { readonly kind: 'committed'; readonly record: TaskRecord; readonly refused?: Failure }
  | { readonly kind: 'kill'; readonly job: JobId }
  /** The answer to a `publish` effect that failed; one that succeeds is answered by `ended`. */
  | { readonly kind: 'unpublished'; readonly job: JobId; readonly failure: Failure }
  /** The end of the job is in the journal. */
  | { readonly kind: 'ended'; readonly job: JobId }
  /** Time has passed. */
  | { readonly kind: 'tick' }

export type Locality = 'node' | 'rack' | 'any'

export type Effect =
  | { readonly kind: 'run'; readonly node: NodeId; readonly attempt: AttemptId; readonly locality: Locality }
  | { readonly kind: 'kill'; readonly node: NodeId; readonly attempt: AttemptId }
  | { readonly kind: 'forget'; readonly node: NodeId; readonly job: JobId }
  /** Journal that this attempt did its task. Answered by `committed`. */
  | { readonly kind: 'commit'; readonly job: JobId; readonly record: TaskRecord }
  /** Journal that the output of a committed task is gone. Needs no answer: the journal keeps the order. */
  | { readonly kind: 'lose'; readonly job: JobId; readonly attempt: AttemptId }
  /** Journal the end of a job that publishes nothing. Answered by `ended`. */
  | {
      readonly kind: 'finish'
      readonly job: JobId
      readonly status: JobStatus
      readonly failed?: TaskRecord
      /** All of it was computed: it may be published later. */ readonly keep?: boolean
    }
  /** Make the output visible and the job succeeded, in one transaction. Answered by `ended` or `unpublished`. */
  | { readonly kind: 'publish'; readonly job: JobId; readonly status: JobStatus }
  /** The reply to whoever reported that an attempt is done. */
  | { readonly kind: 'answer'; readonly attempt: AttemptId; readonly committed: boolean }
  /** Whoever watches the job should look again; `urgent`: at once, else within a moment. */
  | { readonly kind: 'changed'; readonly job: JobId; readonly urgent: boolean }
