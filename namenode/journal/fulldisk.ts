// A group of operations that is in the log for good, and for which the store has no room yet. It is committed as soon as there
// is; until then what is there can be read and nothing be changed. The journal gives a repeat of one of these its answer then.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { PendingOperation } from './group.ts'

/** How often a full disk is looked at again. */
const fullRetryMs = 500

export class FullDisk {
  readonly #clock: Clock
  readonly #log: Log
  #full: GristmillError | undefined

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock
    this.#log = log
  }

  /** Said to everybody who comes while a group waits; undefined if none does. */
  get full(): GristmillError | undefined { return this.#full }

  /**
   * Returns when `commit` has found room. Throws what else it says, and `cause` if `signal` aborts before: then nobody knows of
   * the group yet, and the next start applies it.
   */
  async wait(
    group: readonly PendingOperation[], cause: GristmillError,
    { commit, waiting, signal }: { commit(): void; waiting: readonly PendingOperation[]; signal: AbortSignal },
  ): Promise<void> {
    const full = (this.#full = new GristmillError(
      'ENOSPC',
      `${cause.message}; what is there can be read, and changes are refused until there is room`,
      { cause, details: cause.details },
    ))
    this.#log.error('the disk of the namenode is full; changes are refused until there is room', { error: cause, operations: group.length })
    for (const each of waiting) each.reject(full)
    try {
      for (;;) {
        await this.#clock.sleep(fullRetryMs, signal).catch(() => {})
        if (signal.aborted) throw cause
        try {
          commit()
          this.#log.info('the disk of the namenode has room again', { operations: group.length })
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
