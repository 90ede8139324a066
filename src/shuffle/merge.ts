// K-way merge of sorted segments into one sorted sequence of entries, grouped by key.
// Order: by key as docs/format/key.md defines; within a key by the order of the given segments, then of emission. It does not depend on
// the order in which segments arrived.

import { Cursor } from './cursor.ts'
import { compareKeys } from './key.ts'
import type { Segment } from './segment.ts'
import { LoserTree } from './tree.ts'
import type { SegmentWriter } from './writer.ts'

export class Merge {
  readonly #tree: LoserTree | undefined
  /** The current entry: `bytes`, `valueStart`, `valueEnd`. Valid only while `inGroup`. */
  entry: Cursor | undefined
  /** Copy of the current group's key; stays valid after its frame was replaced. */
  key: Buffer = Buffer.allocUnsafeSlow(256)
  keyEnd = 0
  #prefix = -1
  /** True if `entry` belongs to the current group and was not passed yet. */
  inGroup = false
  /** Number of the current group, from 1. */
  group = 0
  /** Entries passed so far. */
  passed = 0

  /** `sides`: number of the input of each segment, kept with its entries; default: all are one input. */
  constructor(segments: readonly Segment[], sides?: readonly number[]) {
    const cursors = segments.flatMap((segment, i) => (segment.bytes > 0 ? [new Cursor(segment, sides?.[i])] : []))
    this.#tree = cursors.length > 0 ? new LoserTree(cursors) : undefined
    this.entry = this.#tree?.winner
  }

  /** Moves to the first entry of the next key, past what is left of the current one; false at the end. */
  nextGroup(): boolean {
    while (this.inGroup) this.step()
    const entry = this.entry
    if (entry === undefined || entry.prefix === Infinity) return false
    const length = entry.keyEnd - entry.keyStart
    if (length > this.key.length) this.key = Buffer.allocUnsafeSlow(length * 2)
    const { key } = this
    const { bytes, keyStart } = entry
    if (length <= 32) for (let i = 0; i < length; i++) key[i] = bytes[keyStart + i]!
    else bytes.copy(key, 0, keyStart, entry.keyEnd)
    this.keyEnd = length
    this.#prefix = entry.prefix
    this.inGroup = true
    this.group++
    return true
  }

  /** Passes the current entry; afterwards `inGroup` is true if the next one has the same key. */
  step(): void {
    this.passed++
    const entry = this.entry!
    // The winning segment stays the winner as long as its next entry has the same key.
    if (entry.next() && (entry.same || this.#hasKey(entry))) return
    const tree = this.#tree!
    tree.replay()
    this.entry = tree.winner
    this.inGroup = this.#hasKey(this.entry)
  }

  #hasKey(entry: Cursor): boolean {
    return entry.prefix === this.#prefix && compareKeys(entry.bytes, entry.keyStart, entry.keyEnd, this.key, 0, this.keyEnd) === 0
  }

  /** Writes all entries unchanged. */
  copyTo(writer: SegmentWriter): void {
    while (this.nextGroup()) {
      for (let same = false; this.inGroup; same = true) {
        const { bytes, valueStart, valueEnd } = this.entry!
        writer.add(this.key, 0, this.keyEnd, bytes, valueStart, valueEnd, same)
        this.step()
      }
    }
  }
}
