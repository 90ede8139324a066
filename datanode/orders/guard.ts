// A namenode that has just started with the wrong state (an old backup, another cluster's directory) takes nearly every block for
// garbage. So a young one is not obeyed when it wants much removed: more than a tenth of this node's blocks, and more than some
// hundred. What was refused is told by the beats and in the log, and asked for again when the namenode has grown up: a full report
// names the blocks then, and whoever had to see it has had the time to stop it. An operator who knows better can say so before.
// What goes even then stays in the trash for a while.

import { formatDuration } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'

/** Ordinary work of the first minutes: what was deleted while nodes were away. */
const blocksFree = 500
const share = 0.1
/** Two answers of one namenode that say slightly different things about its age. */
const sameLifeMs = 5_000

export interface GuardOptions {
  readonly clock: Clock
  readonly log: Log
  /** So old, a namenode is believed. */
  readonly youngMs: number
  /** Blocks of this node now. */
  readonly blocks: () => number
  /** Sends a full report. */
  readonly report: () => void
}

export class DeletionGuard {
  readonly #options: GuardOptions
  #bornMs = Number.NEGATIVE_INFINITY
  /** Removed since the namenode started. */
  #removed = 0
  /** An operator has said that the namenode is right. */
  #trusted = false
  #cancel: () => void = () => {}
  /** Blocks that were to be removed and were not, until the namenode is old enough. */
  refused = 0
  /** All of them since the start, for metrics. */
  refusedTotal = 0

  constructor(options: GuardOptions) { this.#options = options }

  /** A session has begun, with a namenode that has been running for so long. */
  met(upMs: number): void {
    const bornMs = this.#options.clock.mono() - upMs
    if (bornMs <= this.#bornMs + sameLifeMs) return
    this.#bornMs = bornMs
    this.#removed = 0
    this.#trusted = false
    this.#forget()
  }

  /** An operator says that this life of the namenode is to be believed: what was refused is asked for again. */
  trust(): void {
    this.#trusted = true
    this.#options.log.warn('an operator has allowed all deletions of this namenode', { refused: this.refused })
    if (this.refused > 0) this.#grownUp()
  }

  /** May so many blocks be removed? If not, that has been told, and will be made up for. */
  admit(count: number): boolean {
    const { clock, log, youngMs, blocks } = this.#options
    const leftMs = this.#bornMs + youngMs - clock.mono()
    const bound = Math.max(blocksFree, Math.floor((blocks() + this.#removed) * share))
    if (this.#trusted || leftMs <= 0 || this.#removed + count <= bound) {
      this.#removed += count
      return true
    }
    if (this.refused === 0) this.#cancel = clock.after(leftMs + sameLifeMs, () => this.#grownUp())
    this.refused += count
    this.refusedTotal += count
    log.error(
      'the namenode has just started and wants many blocks removed; they stay for now. If it is right, wait, or say `gristmill namenode allow-deletions`; if not, stop it',
      { wanted: count, removed: this.#removed, refused: this.refused, blocks: blocks(), bound, for: formatDuration(leftMs) },
    )
    return false
  }

  stop(): void { this.#cancel() }

  #grownUp(): void {
    this.#forget()
    this.#options.report()
  }

  #forget(): void {
    this.#cancel()
    this.refused = 0
  }
}
