// Holds one group that is durable in the log but failed to commit to the store with ENOSPC. Retries every 500 ms; until it
// commits, reads work and mutations are refused. Repeated requests of the group get their answer after the commit.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { fullNamenode } from '../../src/base/exhaustion.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { PendingOperation } from './group.ts'

/** Interval between attempts to commit. */
const fullRetryMs = 500

export class FullDisk {
  readonly #clock: Clock
  readonly #log: Log
  #full: GristmillError | undefined

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock
    this.#log = log
  }

  /** Error for mutations while a group waits; undefined if none does. */
  get full(): GristmillError | undefined { return this.#full }

  /**
   * Returns when `commit` has succeeded. Throws errors of `commit` other than ENOSPC. Throws `cause` if `signal` aborts first: the
   * callers of the group are then not yet answered, and the next start applies the group.
   */
  async wait(
    group: readonly PendingOperation[], cause: GristmillError,
    { commit, waiting, signal }: { commit(): void; waiting: readonly PendingOperation[]; signal: AbortSignal },
  ): Promise<void> {
    const full = (this.#full = new GristmillError(
      'ENOSPC',
      `${cause.message}; reads work, and changes are refused until there is space`,
      { cause, details: { ...cause.details, ...fullNamenode } },
    ))
    this.#log.error('the disk of the namenode is full; changes are refused until there is space', {
      error: cause, operations: group.length,
    })
    for (const each of waiting) each.reject(full)
    try {
      for (;;) {
        await this.#clock.sleep(fullRetryMs, signal).catch(() => {})
        if (signal.aborted) throw cause
        try {
          commit()
          this.#log.info('the disk of the namenode has space again', { operations: group.length })
          return
        } catch (error) {
          if (!hasCode(error, 'ENOSPC')) throw error
        }
      }
    } finally {
      this.#full = undefined
    }
  }
}
