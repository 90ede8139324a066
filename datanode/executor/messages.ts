// Messages between a datanode and its executor processes over their IPC channel: small structured clones. Data is passed in files.

import type { Address, AttemptId, ClusterId, JobId, NodeId } from '../../src/base/ids.ts'
import type { Counters } from '../../src/protocol/fields.ts'
import type { TaskFinished, TaskWork } from '../../src/protocol/task.ts'

export type AttemptOutcome = TaskFinished['outcome']
export type Failed = Extract<AttemptOutcome, { kind: 'failed' }>

/** Facts about the node that an executor needs. Sent with each task, because a warm process may wait for its first one for a long time. */
export interface Setup {
  readonly cluster: ClusterId
  readonly node: NodeId
  readonly host: string
  readonly rack: string
  readonly namenode: Address
  readonly secret: Uint8Array
  /** Accepted beside `secret`, while that is changed. */
  readonly otherSecret: Uint8Array | undefined
  /** The node's home. */
  readonly dir: string
  /** Directory of this process alone, removed after its end. Absolute, because a program may change its working directory. */
  readonly scratch: string
  /** User whose tasks this process runs. */
  readonly user: string
  /** The namenode's time at this moment, used for the expiry of tokens. */
  readonly nowMs: number
  /** Memory of the task, without the process's own. */
  readonly memoryBytes: number
}

export type ToExecutor = { readonly kind: 'run'; readonly work: TaskWork; readonly setup: Setup }

export type FromExecutor =
  /** The process is warm. */
  | { readonly kind: 'ready' }
  /** The process has taken the attempt: from now on its outcome is the attempt's. */
  | { readonly kind: 'began'; readonly attempt: AttemptId }
  /** The program has started at least one process. */
  | { readonly kind: 'spawned' }
  /** The program of this job has changed the process for others (world/globals.ts): it may run no task of another job. */
  | { readonly kind: 'changed'; readonly job: JobId }
  /** Does not take the attempt, which is of another job: the process is changed. */
  | { readonly kind: 'declined'; readonly attempt: AttemptId }
  /** The attempt calls native code: if the process ends there, the text is part of the cause. */
  | { readonly kind: 'doing'; readonly attempt: AttemptId; readonly text: string }
  | { readonly kind: 'progress'; readonly attempt: AttemptId; readonly counters: Counters; readonly fraction: number }
  | { readonly kind: 'finished'; readonly attempt: AttemptId; readonly outcome: AttemptOutcome }
  /** For the datanode's own log. */
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }

/** Outcome of an attempt that was ended by the datanode and not by its program. */
export const failed = (cause: Failed['cause'], message: string, counters: Counters = {}): Failed =>
  ({ kind: 'failed', cause, failure: { code: cause === 'killed' ? 'ABORTED' : 'TASK_FAILED', message }, counters })

/** Outcome of an attempt whose process has used more memory than it was given. */
export const outOfMemory = (message: string, counters: Counters): Failed => ({ ...failed('program', message, counters), outOfMemory: true })

/** Outcome of an attempt that no process has taken, because none could be started. Not counted; the scheduler prefers other nodes. */
export const cannotStart = ({ node, host }: Pick<Setup, 'node' | 'host'>, reason: string): Failed => ({
  kind: 'failed', cause: 'killed', counters: {},
  failure: { code: 'UNAVAILABLE', message: `executors cannot be started on datanode ${node} (${host}): ${reason}; see the log of that datanode` },
})
