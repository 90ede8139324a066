// Interface of the journal, the only way to change the state. A result of `submit` is durable: it survives a power loss at any
// later moment. `LocalJournal` (local.ts) serves one namenode; only the files that open it name it (open.ts, backup/recover.ts).

import type { GristmillError } from '../../src/base/errors.ts'
import type { RequestId } from '../../src/base/ids.ts'
import type { Mutation } from './operation.ts'
import type { View } from './view.ts'

export interface StateSnapshot {
  readonly view: View
  close(): void
}

export interface Journal {
  /** Committed state, for reads outside of mutations. It never shows an operation that may still be lost. */
  readonly view: View
  /**
   * Applies an operation after those submitted before it, and returns once it is durable. Throws the mutation's error (nothing has
   * happened then), OVERLOADED if too many operations wait, ENOSPC if the disk is full, TIMEOUT if the journal failed and the outcome
   * is unknown; the process then ends.
   */
  submit<O extends object, R>(mutation: Mutation<O, R>, operation: O): Promise<R>
  /**
   * True if a request with this id was accepted before: a repeat gets the first answer and has no effect, even if it would be refused
   * now.
   */
  hasAnswer(requestId: RequestId | undefined): boolean
  /** The committed state of this moment, for reads that take many turns of the event loop. The caller closes it, soon. */
  snapshot(): StateSnapshot
  /** Number of operations that wait. */
  readonly waiting: number
  /** Error for mutations while a logged group waits for space in the store. */
  readonly full: GristmillError | undefined
  /** Time in ms, monotonic within this process. Dates the kept answers of requests. */
  nowMs(): number
  /** Keeps the log above operation `seq` for a backup that ends there. */
  hold(seq: number): void
  /** First operation in the log; undefined if it is empty. */
  readonly firstSeq: number | undefined
  /** Bytes of the log above operation `seq`. */
  bytesAfter(seq: number): number
  /** Finishes submitted operations, refuses new ones, and ends. */
  close(): Promise<void>
}

/**
 * Runs a check that a route makes before it submits. The check's error is dropped for a repeated request: the check sees the state
 * after the request's own effect, and a refusal would claim that nothing has happened. Throws the error of `check`.
 */
export function unlessRepeated(journal: Pick<Journal, 'hasAnswer'>, requestId: RequestId | undefined, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!journal.hasAnswer(requestId)) throw error
  }
}
