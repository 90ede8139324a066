// Raises the epoch at the start of a namenode, durably, before any other change. Retries while the disk is full.

import { hasCode, type GristmillError } from '../../src/base/errors.ts'
import type { World } from '../../src/ports/world.ts'
import type { Journal } from '../journal/journal.ts'
import { started } from './starts.ts'

interface RaisingOptions {
  readonly world: Pick<World, 'clock' | 'random'>
  readonly journal: Pick<Journal, 'submit' | 'full'>
}

const fullLookMs = 50

/** Raises the epoch of this process once. */
export class Raising {
  readonly #options: RaisingOptions
  #done = false
  #refused: GristmillError | undefined
  #submitting: Promise<void> | undefined

  constructor(options: RaisingOptions) { this.#options = options }

  /** Reason why the epoch has not been raised yet; undefined once it has. */
  get refused(): GristmillError | undefined { return this.#refused }

  /** Returns when the epoch has been raised, or the disk has refused it for now. Throws other errors of the journal. */
  async work(): Promise<void> {
    if (this.#done) return
    const { world: { clock }, journal } = this.#options
    const submitting = this.#submitting ??= this.#submit().finally(() => { this.#submitting = undefined })
    // A logged operation for which the store has no space stays unanswered until there is space, so `full` is polled.
    for (let decided = false; !decided && !this.#done;) {
      const waiting = new AbortController()
      decided = await Promise.race([submitting.then(() => true), clock.sleep(fullLookMs, waiting.signal).then(() => false, () => true)])
      waiting.abort()
      if (!decided && journal.full) {
        this.#refused = journal.full
        decided = true
      }
    }
  }

  async #submit(): Promise<void> {
    const { world: { random, clock }, journal } = this.#options
    try {
      await journal.submit(started, { incarnation: random.id().slice(0, 16), nowMs: Math.floor(clock.now()), lineage: true })
      this.#done = true
      this.#refused = undefined
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'UNAVAILABLE')) throw error
      this.#refused = error
    }
  }
}
