// Growing byte buffer. A writer reserves space, writes at `length`, then advances `length`.

import { assert } from '../base/assert.ts'
import { KiB, MiB } from '../base/units.ts'
import { writeText } from './text.ts'

export class GrowingBuffer {
  bytes: Buffer
  length = 0

  constructor(capacity = 4 * KiB) { this.bytes = Buffer.allocUnsafeSlow(capacity) }

  /** Makes room for `count` more bytes. May replace `bytes` by a larger buffer. */
  reserve(count: number): void {
    if (this.length + count > this.bytes.length) this.#grow(count)
  }

  #grow(count: number): void {
    const needed = this.length + count
    // Positions are kept in 32 bits.
    assert(needed < 2 ** 32, 'a buffer reached 4 GiB')
    // Large ones by more: each copy costs a page of memory for a page, and pages that are never used cost nothing.
    const factor = this.bytes.length < MiB ? 2 : this.bytes.length < 16 * MiB ? 16 : 4
    const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, this.bytes.length * factor), 2 ** 32 - 1))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.#grow(1)
    this.bytes[this.length++] = value
  }

  /** Seven bits per byte, lowest first; the high bit is set if more bytes follow. */
  varint(value: number): void {
    this.reserve(8)
    const bytes = this.bytes
    let at = this.length
    while (value >= 0x80) {
      bytes[at++] = (value % 0x80) | 0x80
      value = Math.floor(value / 0x80)
    }
    bytes[at++] = value
    this.length = at
  }

  /** Leaves `count` bytes free, to be filled by `prefix`. */
  skip(count: number): void {
    this.reserve(count)
    this.length += count
  }

  /**
   * Writes the number of bytes after the first `room` bytes from `start` on, plus `more`, as a varint in place of those. If it needs
   * another number of bytes than `room`, the bytes after it move. Returns the varint's bytes.
   */
  prefix(start: number, room: number, more: number): number {
    const count = this.length - start - room
    const value = count + more
    const needed = varintBytes(value)
    if (needed !== room) {
      this.reserve(needed)
      this.bytes.copyWithin(start + needed, start + room, this.length)
    }
    if (needed === 1) this.bytes[start] = value
    else {
      this.length = start
      this.varint(value)
    }
    this.length = start + needed + count
    return needed
  }

  copy(from: Buffer, start: number, end: number): void {
    const count = end - start
    this.reserve(count)
    // A call of `copy` costs as much as about 20 bytes copied in the loop.
    if (count <= 16) {
      const bytes = this.bytes
      for (let to = this.length, at = start; at < end;) bytes[to++] = from[at++]!
    } else {
      from.copy(this.bytes, this.length, start, end)
    }
    this.length += count
  }

  /** Appends UTF-8; a lone surrogate becomes U+FFFD, so callers that must not lose it check first. Returns the bytes written. */
  utf8(text: string): number {
    this.reserve(text.length * 3)
    const written = writeText(this.bytes, text, this.length)
    this.length += written
    return written
  }
}

/** Bytes of a number as a varint. */
export function varintBytes(value: number): number {
  let count = 1
  while (value >= 0x80) { value = Math.floor(value / 0x80); count++ }
  return count
}

/** Big-endian scratch for doubles. */
export const double = new DataView(new ArrayBuffer(8))
