// Safe mode, of two kinds. The automatic one follows a start: the locations of blocks are unknown until datanodes have reported. Reads and
// namespace changes need the journal only, so it does not hold them back (succession/authority.ts may). New files can be written once a
// datanode has registered. Held back until enough is known:
//   copies, until every previously known node has reported, or has had the time after which it counts as dead;
//   deletions (of removed files, excess replicas, garbage), until 99.9 % of the blocks have a replica as well.
// A cluster without blocks is never in safe mode. One that has lost more than 0.1 % of its blocks stays in it until their
// files are removed: copies are made, and nothing is deleted.
// The manual one is entered by an operator, until it is left or the namenode ends. Then nothing changes: no names, no copies, no
// deletions; reads work. A namenode that does not know yet whether it is behind its cluster changes nothing either; one that is
// behind refuses reads as well (succession/authority.ts).

import type { Clock } from '../../src/ports/clock.ts'
import type { Authority } from '../succession/authority.ts'

/** Fraction of all blocks. */
const enough = 0.999

interface SafeModeOptions {
  readonly clock: Pick<Clock, 'mono'>
  readonly nodeDeadMs: number
  /** Blocks of all files, and those with a replica. */
  readonly blocks: () => number
  readonly present: () => number
  /** Number of previously known nodes that have not reported yet. */
  readonly awaited: () => number
  readonly authority: Authority
  readonly onCopies: () => void
  readonly onOver: () => void
}

export class SafeMode {
  readonly #options: SafeModeOptions
  readonly #startMs: number
  #copies = false
  #on = true

  constructor(options: SafeModeOptions) {
    this.#options = options
    this.#startMs = options.clock.mono()
  }

  get on(): boolean { return this.#on || this.#options.authority.frozen }
  /** True once the locations of blocks are as complete as they will get: copies are allowed. */
  get settled(): boolean { return this.#copies }

  enter(): void { this.#options.authority.hold() }

  /**
   * Ends safe mode, automatic or manual: an operator may know that missing nodes will not return. Throws SAFE_MODE if this namenode is
   * behind.
   */
  leave(): void {
    const { authority, onCopies, onOver } = this.#options
    if (authority.behind) throw authority.behind
    authority.release()
    if (!this.#copies) {
      this.#copies = true
      onCopies()
    }
    if (this.#on) {
      this.#on = false
      onOver()
    }
  }

  /** Ends safe mode if its conditions are met. The automatic safe mode never returns in this process. */
  check(): void {
    const { clock, nodeDeadMs, blocks, present, awaited, authority, onCopies, onOver } = this.#options
    if (!this.#on || authority.behind || authority.doubt) return
    const total = blocks()
    if (!this.#copies && (total === 0 || awaited() === 0 || clock.mono() - this.#startMs >= nodeDeadMs)) {
      this.#copies = true
      onCopies()
    }
    if (!this.#copies || present() < total * enough) return
    this.#on = false
    onOver()
  }
}
