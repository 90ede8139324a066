// The worker behind the sweeps: while anything is doomed, or kept for a snapshot that is gone, it takes it apart, step by step. A step is
// an operation like any other and waits its turn, so that a directory of a million files going away is not felt by those who work
// meanwhile.

import { asError, hasCode } from '../../src/base/errors.ts'
import type { BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Journal } from '../journal/journal.ts'
import { hasStale, sweepHistory } from './historysweep.ts'
import { sweep } from './sweep.ts'

/** Entries or blocks in a step: about a millisecond. */
const stepMax = 256
/** How long to wait when the journal is full, or its disk. */
const pauseMs = 200

export class NamespaceSweeper {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #log: Log
  /** Told of the blocks that no file has any more. */
  readonly #gone: (blocks: readonly BlockId[]) => void
  #running: Promise<void> | undefined
  #stopped = false

  constructor({ journal, clock, log, gone }: { journal: Journal; clock: Clock; log: Log; gone: (blocks: readonly BlockId[]) => void }) {
    this.#journal = journal
    this.#clock = clock
    this.#log = log
    this.#gone = gone
  }

  /** Goes to work if there is any. */
  wake(): void {
    if (!this.#stopped && this.#hasWork()) this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  #hasWork(): boolean {
    const { view } = this.#journal
    return view.counters.doomed > 0 || hasStale(view)
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped && this.#hasWork()) {
        try {
          if (this.#journal.view.counters.doomed > 0) this.#gone((await this.#journal.submit(sweep, { limit: stepMax })).blocks)
          else await this.#journal.submit(sweepHistory, { limit: stepMax })
          // Between two steps at least one group of others' operations.
          await this.#clock.yield()
        } catch (error) {
          if (!hasCode(error, 'OVERLOADED', 'ENOSPC')) throw error
          await this.#clock.sleep(pauseMs)
        }
      }
    } catch (error) {
      if (!this.#stopped) this.#log.error('what was removed is not being taken apart', { error: asError(error) })
    } finally {
      this.#running = undefined
    }
  }
}
