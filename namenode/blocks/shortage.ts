// Blocks that could not be copied because every node that might hold them lacks room. The repair drops such a block from its queue; this
// class remembers the lengths, and tells when a heartbeat shows that a node has got room for one of them, so that a review can find the
// blocks again at once.

import { hasRoom, type Candidate } from './placement.ts'

type Room = Pick<Candidate, 'freeBytes' | 'capacityBytes'>

export class RoomShortage {
  /** Bounds of the lengths of these blocks. */
  #shortest = Infinity
  #longest = 0
  #relieved = false

  /** A block of this length was dropped. */
  note(bytes: number): void {
    this.#shortest = Math.min(this.#shortest, bytes)
    this.#longest = Math.max(this.#longest, bytes)
  }

  /** The room of a node that may take blocks has changed. Room for the longest block is no news: all of them had room there before. */
  roomChanged(before: Room, after: Room): void {
    if (after.freeBytes <= before.freeBytes || hasRoom(before, this.#longest) || !hasRoom(after, this.#shortest)) return
    this.#relieved = true
  }

  /** True if a node has got room since the last call that returned true. The blocks are forgotten: the review notes them again. */
  takeRelief(): boolean {
    if (!this.#relieved) return false
    this.#shortest = Infinity
    this.#longest = 0
    this.#relieved = false
    return true
  }
}
