// The one way to change the state. What `submit` returns is durable: it survives the loss of power at any later moment.
// A local journal (local.ts) serves one namenode; a replicated one may take its place without anybody noticing.

import type { RequestId } from '../../src/base/ids.ts'
import type { Mutation } from './operation.ts'
import type { View } from './view.ts'

export interface Journal {
  /** Committed state. Reads outside of mutations go here; they never see what might still be lost. */
  readonly view: View
  /**
   * Applies an operation after those submitted before it, and returns once it is durable. Throws what the mutation
   * threw (nothing has happened then), OVERLOADED when too many wait, ENOSPC when the disk is full, TIMEOUT when the
   * journal failed and nobody knows whether it happened; the process is then going down.
   */
  submit<O extends object, R>(mutation: Mutation<O, R>, operation: O): Promise<R>
  /**
   * True if a request with this id was accepted before: its repeat gets the first answer and has no effect, whatever would refuse it now.
   */
  hasAnswer(requestId: RequestId | undefined): boolean
  /** Operations that wait. */
  readonly waiting: number
  /** Finishes what was submitted, refuses more, and ends. */
  close(): Promise<void>
}

/**
 * Runs a check that a route makes before it submits. A repeated request is not checked again: the check is of the state after its
 * own effect, and a refusal would say that nothing had happened. Throws what `check` throws.
 */
export function unlessRepeated(journal: Pick<Journal, 'hasAnswer'>, requestId: RequestId | undefined, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!journal.hasAnswer(requestId)) throw error
  }
}
