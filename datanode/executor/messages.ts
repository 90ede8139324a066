// What a datanode and its executors say to each other over their channel: structured clones, small ones. Data goes over files.

import type { Address, AttemptId, ClusterId, NodeId } from '../../src/base/ids.ts'
import type { Counters } from '../../src/protocol/fields.ts'
import type { TaskFinished, TaskWork } from '../../src/protocol/task.ts'

export type AttemptOutcome = TaskFinished['outcome']
export type Failed = Extract<AttemptOutcome, { kind: 'failed' }>

/** All that an executor needs to know of its node. It comes with the first task: a warm process may wait for one for a long time. */
export interface Setup {
  readonly cluster: ClusterId
  readonly node: NodeId
  readonly host: string
  readonly rack: string
  readonly namenode: Address
  readonly secret: Uint8Array
  /** The node's home. */
  readonly dir: string
  /** Of this process alone, and removed after it. Absolute: a program may change its working directory. */
  readonly scratch: string
  /** Whose tasks this process runs. */
  readonly user: string
  /** The namenode's time at this moment, by which tokens go. */
  readonly nowMs: number
  /** For the task: the process's own needs are not counted. */
  readonly memoryBytes: number
}

export type ToExecutor = { readonly kind: 'run'; readonly work: TaskWork; readonly setup: Setup }

export type FromExecutor =
  /** It is warm. */
  | { readonly kind: 'ready' }
  /** Its program has started a process, once or more often. */
  | { readonly kind: 'spawned' }
  | { readonly kind: 'progress'; readonly attempt: AttemptId; readonly counters: Counters; readonly fraction: number }
  | { readonly kind: 'finished'; readonly attempt: AttemptId; readonly outcome: AttemptOutcome }
  /** For the datanode's own log. */
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }

/** How an attempt ends that was ended from outside. */
export const failed = (cause: Failed['cause'], message: string, counters: Counters = {}): Failed =>
  ({ kind: 'failed', cause, failure: { code: cause === 'killed' ? 'ABORTED' : 'TASK_FAILED', message }, counters })
