// Attempts of queries that ran out of memory, and run once more with the memory of all slots of this node, while no other attempt runs.
// Invariants: at most one attempt runs alone; while one waits or runs alone, no other attempt is started.

import type { AttemptId } from '../../src/base/ids.ts'
import { isSql } from '../../src/operator/sqlwork.ts'
import type { TaskWork } from '../../src/protocol/task.ts'
import type { AttemptOutcome } from './messages.ts'

/** Memory of such an attempt, in shares of one slot's. A node with one slot has no other memory to give, and takes as much again. */
export const sharesAlone = (slots: number): number => Math.max(2, slots)

/** True for a query that had the memory of a slot, and not one that its user has given. */
export function ranOutOfMemory(work: TaskWork, outcome: AttemptOutcome): boolean {
  return isSql(work) && work.memoryBytes === 0 && outcome.kind === 'failed'
    && /^the (?:query needs more memory|task used more than)\b/.test(outcome.failure.message)
}

export class Alone {
  readonly #waiting = new Map<AttemptId, () => void>()
  #holder: AttemptId | undefined

  /** No other attempt may be started. */
  get isWanted(): boolean { return this.#waiting.size > 0 || this.#holder !== undefined }

  /** Waits until only attempts that wait are left of the node's `running` ones. REQUIRES: the caller calls `leave` in any case. */
  enter(attempt: AttemptId, running: () => number): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.set(attempt, resolve)
      this.check(running())
    })
  }

  /** Ends the wait of an attempt, or its run. */
  leave(attempt: AttemptId): void {
    if (this.#holder === attempt) this.#holder = undefined
    this.#waiting.get(attempt)?.()
    this.#waiting.delete(attempt)
  }

  /** An attempt has ended, or begun to wait. */
  check(running: number): void {
    if (this.#holder !== undefined || this.#waiting.size === 0 || running > this.#waiting.size) return
    const [attempt, resolve] = this.#waiting.entries().next().value!
    this.#waiting.delete(attempt)
    this.#holder = attempt
    resolve()
  }
}
