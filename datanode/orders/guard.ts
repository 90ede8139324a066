// Deletion guard of a datanode: protects its blocks against a namenode that has just started with the wrong state (an old backup,
// another cluster's directory) and takes nearly every block for garbage. Until the namenode is `youngMs` old, at most 500 blocks or a
// tenth of this node's blocks, whichever is more, are removed on its orders. Refused deletions are reported with heartbeats and logged;
// operators have that time to stop the namenode. Afterwards a full report makes the namenode order them again. An operator may allow
// all deletions earlier (`trust`). Deleted blocks stay in the trash for a time in any case.

import { assert } from '../../src/base/assert.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'

/** Normal deletions of the first minutes: files that were deleted while nodes were away. */
const blocksFree = 500
const share = 0.1
/** Tolerance between two start times computed from replies of the same namenode process. */
const sameLifeMs = 5_000

interface GuardOptions {
  readonly clock: Clock
  readonly log: Log
  /** Age from which a namenode is trusted. */
  readonly youngMs: number
  /** Number of blocks on this node now. */
  readonly blocks: () => number
  /** Sends a full report. */
  readonly report: () => void
}

export class DeletionGuard {
  readonly #options: GuardOptions
  #bornMs = Number.NEGATIVE_INFINITY
  /** Number of blocks removed since the namenode started. */
  #removed = 0
  /** An operator has allowed all deletions. */
  #trusted = false
  /** Cancels the full report that repeats refused orders; undefined while none is due. */
  #cancel: (() => void) | undefined
  /** Number of blocks whose deletion is refused until the namenode is old enough. */
  refused = 0
  /** Total since the start, for metrics. */
  refusedTotal = 0

  constructor(options: GuardOptions) { this.#options = options }

  /** A session has begun with a namenode that has been running for `upMs`. */
  sessionBegan(upMs: number): void {
    const bornMs = this.#options.clock.mono() - upMs
    if (bornMs <= this.#bornMs + sameLifeMs) return
    this.#bornMs = bornMs
    this.#removed = 0
    this.#trusted = false
    this.#forget()
  }

  /** An operator trusts the running namenode process: requests the refused deletions again. */
  trust(): void {
    this.#trusted = true
    this.#options.log.warn('an operator has allowed all deletions of this namenode', { refused: this.refused })
    if (this.refused > 0) this.#askAgain()
  }

  /** True if so many blocks may be removed now. Otherwise logs the refusal and schedules the full report that repeats the orders. */
  admit(count: number): boolean {
    const { clock, log, youngMs, blocks } = this.#options
    const leftMs = this.#bornMs + youngMs - clock.mono()
    const bound = Math.max(blocksFree, Math.floor((blocks() + this.#removed) * share))
    if (count === 0 || this.#trusted || leftMs <= 0 || this.#removed + count <= bound) {
      this.#removed += count
      return true
    }
    if (this.refused === 0) this.#cancel = clock.after(leftMs + sameLifeMs, () => this.#askAgain())
    this.refused += count
    this.refusedTotal += count
    log.error(
      'the namenode has just started and orders the deletion of many blocks; they are kept for now. If the order is right, wait, or run `gristmill namenode allow-deletions`; if not, stop the namenode',
      { wanted: count, removed: this.#removed, refused: this.refused, blocks: blocks(), bound, for: formatDuration(leftMs) },
    )
    return false
  }

  stop(): void { this.#cancel?.() }

  /** Throws AssertionFailed if deletions are refused without a report that repeats them, or counts differ. For tests and simulations. */
  checkState(): void {
    assert(
      (this.refused > 0) === (this.#cancel !== undefined),
      `${this.refused} deletions are refused, and a report that repeats their orders is ${this.#cancel ? '' : 'not '}due`,
    )
    assert(this.refused <= this.refusedTotal, `${this.refused} deletions are refused, of ${this.refusedTotal} in all`)
    assert(this.#removed >= 0, `${this.#removed} blocks were removed`)
  }

  #askAgain(): void {
    this.#forget()
    this.#options.report()
  }

  #forget(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.refused = 0
  }
}
