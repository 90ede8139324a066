// Safe mode: after a start it is not known where blocks lie until datanodes have reported. Names and reads work from the
// first moment, and so do changes of names: they are the journal's, which is whole. New files are written as soon as
// there is a datanode. What waits is what acts on not knowing:
//   copies start once every node that was known before has reported, or has had the time in which it would have been dead;
//   removing replicas (of removed files, of too many, of garbage) starts once 99.9 % of the blocks have a replica, too.
// A cluster without blocks is never in safe mode. One that has lost more than a thousandth of its blocks stays in it until
// their files are removed: then copies are made, and nothing is destroyed.
// An operator can put the namenode into safe mode too, until somebody says otherwise or the namenode ends. Then nothing is
// changed at all: no names, no copies, no deletions; what is there can be read. The same holds, for good, for a namenode that has
// found out that it is behind its cluster, and for one that does not know yet whether it is (nodes/authority.ts).

import type { Clock } from '../../src/ports/clock.ts'
import type { Authority } from '../nodes/authority.ts'

/** Of all blocks. */
const enough = 0.999

export interface SafeModeOptions {
  readonly clock: Pick<Clock, 'mono'>
  readonly nodeDeadMs: number
  /** Blocks of all files, and those of them that have a replica. */
  readonly blocks: () => number
  readonly present: () => number
  /** Nodes that were known before and are still to report. */
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
  /** It is as well known as it will be where blocks lie. */
  get settled(): boolean { return this.#copies }

  enter(): void { this.#options.authority.hold() }

  /** Ends it, whoever began it: an operator may know that what is missing will not come. Throws SAFE_MODE if this namenode is behind. */
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

  /** Looks whether it can end. Once over, it does not come back while this namenode lives. */
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
