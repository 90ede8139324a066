// Buffer for bytes of a connection that arrive while no read is pending. Two areas: `#current`, whose free end the kernel writes to
// next, and `#older`, unread bytes in front of it. REQUIRES: the filler stops while `#older` holds any byte; then two areas
// suffice, and space that was handed out never holds unread bytes.

import { assert } from '../base/assert.ts'
import { KiB } from '../base/units.ts'

/** 32 KiB: a frame's header comes with the first part of its payload, and the bytes copied twice stay few against 1 MiB. */
export const scratchBytes = 32 * KiB
/** Less space than this at the end of an area is not worth a system call. */
const roomBytesMin = 4 * KiB

const none = Buffer.alloc(0)

export class Scratch {
  #current: Buffer = none
  #currentStart = 0
  #currentEnd = 0
  #older: Buffer
  #olderStart = 0
  #olderEnd: number

  constructor(head: Buffer = none) {
    this.#older = head
    this.#olderEnd = head.length
  }

  get empty(): boolean { return this.#olderStart === this.#olderEnd && this.#currentStart === this.#currentEnd }
  /** True if the filler has to wait. */
  get blocked(): boolean { return this.#olderStart < this.#olderEnd }
  /** True if the next call of `space` turns `#current` into `#older`. */
  get full(): boolean { return this.#currentStart < this.#currentEnd && scratchBytes - this.#currentEnd < roomBytesMin }

  /** Moves unread bytes into `target` from `filled` on, oldest first; returns the new fill level. */
  drain(target: Uint8Array, filled: number): number {
    if (this.#olderStart < this.#olderEnd) {
      const end = Math.min(this.#olderEnd, this.#olderStart + target.length - filled)
      target.set(this.#older.subarray(this.#olderStart, end), filled)
      filled += end - this.#olderStart
      this.#olderStart = end
    }
    if (filled < target.length && this.#currentStart < this.#currentEnd) {
      const end = Math.min(this.#currentEnd, this.#currentStart + target.length - filled)
      target.set(this.#current.subarray(this.#currentStart, end), filled)
      filled += end - this.#currentStart
      this.#currentStart = end
    }
    return filled
  }

  /** Free space for the kernel, valid until the next call. `grew` reports the bytes written there. */
  space(): Buffer {
    if (this.#currentStart === this.#currentEnd) {
      this.#currentStart = this.#currentEnd = 0
      if (this.#current.length === 0) this.#current = Buffer.allocUnsafeSlow(scratchBytes)
      return this.#current
    }
    if (!this.full) return this.#current.subarray(this.#currentEnd)
    assert(!this.blocked, 'a full area is put aside only when the other one is empty')
    const free = this.#older.length === scratchBytes ? this.#older : Buffer.allocUnsafeSlow(scratchBytes)
    this.#older = this.#current
    this.#olderStart = this.#currentStart
    this.#olderEnd = this.#currentEnd
    this.#current = free
    this.#currentStart = this.#currentEnd = 0
    return free
  }

  grew(count: number): void { this.#currentEnd += count }

  /** Takes ownership of a buffer filled elsewhere. One more may arrive after the filler was told to wait. */
  push(chunk: Buffer): void {
    this.#older = this.blocked ? Buffer.concat([this.#older.subarray(this.#olderStart, this.#olderEnd), chunk]) : chunk
    this.#olderStart = 0
    this.#olderEnd = this.#older.length
  }
}
