// Output buffer for text: collects UTF-8 bytes in one buffer, which is reused for every piece.

import { assert } from '../base/assert.ts'
import { KiB } from '../base/units.ts'

/** Sizes of a new buffer; from then on it doubles. Most tasks of a job with many write little or nothing. */
const firstBytes = 4 * KiB
const fullBytes = 256 * KiB
const noBytes = Buffer.allocUnsafeSlow(0)

export class TextBuffer {
  #bytes = noBytes
  length = 0

  /** Appends UTF-8; a lone surrogate becomes U+FFFD. */
  text(text: string): void {
    // At most three bytes for each UTF-16 unit.
    const needed = this.length + text.length * 3
    if (needed > this.#bytes.length) this.#grow(needed)
    this.length += this.#bytes.write(text, this.length)
  }

  /** Appends bytes that are UTF-8. */
  copy(from: Buffer, start: number, end: number): void {
    const needed = this.length + end - start
    if (needed > this.#bytes.length) this.#grow(needed)
    from.copy(this.#bytes, this.length, start, end)
    this.length = needed
  }

  byte(value: number): void {
    if (this.length === this.#bytes.length) this.#grow(this.length + 1)
    this.#bytes[this.length++] = value
  }

  /** Appends the number as text; NaN and Infinity by name. Non-negative 32-bit integers, the most common output, need no string. */
  number(value: number): void {
    if (!(value >= 0 && (value | 0) === value)) return this.text(`${value}`)
    if (this.length + 10 > this.#bytes.length) this.#grow(this.length + 10)
    let rest = value
    let digits = 1
    for (let bound = 10; bound <= rest; bound *= 10) digits++
    for (let at = this.length + digits - 1; at >= this.length; at--) {
      this.#bytes[at] = 48 + (rest % 10)
      rest = (rest / 10) | 0
    }
    this.length += digits
  }

  #grow(needed: number): void {
    assert(needed < 2 ** 32, 'output was not taken before 4 GiB of it were written')
    const size = this.#bytes.length
    const next = size === 0 ? firstBytes : size < fullBytes ? fullBytes : size * 2
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, next))
    this.#bytes.copy(larger, 0, 0, this.length)
    this.#bytes = larger
  }

  /** Removes and returns the appended bytes; valid until the next append. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.length)
    this.length = 0
    return taken
  }
}
