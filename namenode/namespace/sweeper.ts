// Worker of both sweeps: while entries are doomed, or kept for a removed snapshot, it submits sweep operations step by step.
// Each step waits its turn in the journal, so that removing a directory of a million files does not slow other callers.

import { asError, hasCode } from '../../src/base/errors.ts'
import type { BlockId } from '../../src/base/ids.ts'
import { retry } from '../../src/base/retry.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import type { Journal } from '../journal/journal.ts'
import { hasStale, sweepHistory } from '../snapshots/historysweep.ts'
import { sweep } from './sweep.ts'

/** Entries or blocks per step: about a millisecond. */
const stepMax = 256
/** Wait after OVERLOADED or ENOSPC. */
const pauseMs = 200

interface SweeperOptions {
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Log
  /** Called with blocks that no longer belong to a file. */
  readonly onBlocksFreed: (blocks: readonly BlockId[]) => void
}

export class NamespaceSweeper {
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #log: Log
  readonly #onBlocksFreed: (blocks: readonly BlockId[]) => void
  #running: Promise<void> | undefined
  #stopped = false

  constructor({ journal, clock, log, onBlocksFreed }: SweeperOptions) {
    this.#journal = journal
    this.#clock = clock
    this.#log = log
    this.#onBlocksFreed = onBlocksFreed
  }

  /** Starts the worker if there is work. */
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
        await retry(() => this.#step(), {
          clock: this.#clock, pauseMs, again: error => !this.#stopped && hasCode(error, 'OVERLOADED', 'ENOSPC'),
        })
        // At least one group of other operations runs between two steps.
        await this.#clock.yield()
      }
    } catch (error) {
      if (!this.#stopped) this.#log.error('the sweep of removed entries has stopped', { error: asError(error) })
    } finally {
      this.#running = undefined
    }
  }
  async #step(): Promise<void> {
    if (this.#journal.view.counters.doomed > 0) this.#onBlocksFreed((await this.#journal.submit(sweep, { limit: stepMax })).blocks)
    else await this.#journal.submit(sweepHistory, { limit: stepMax })
  }
}
