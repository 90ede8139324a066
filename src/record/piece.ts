// Text being written, as bytes in one buffer that is used again for every piece.

import { assert } from '../base/assert.ts'
import { KiB } from '../base/units.ts'

export class Piece {
  #bytes = Buffer.allocUnsafeSlow(256 * KiB)
  length = 0

  /** Appends UTF-8; half a surrogate pair becomes U+FFFD. */
  text(text: string): void {
    // At most three bytes for each UTF-16 unit.
    const needed = this.length + text.length * 3
    if (needed > this.#bytes.length) this.#grow(needed)
    this.length += this.#bytes.write(text, this.length)
  }

  #grow(needed: number): void {
    assert(needed < 2 ** 32, 'output was not taken before 4 GiB of it were written')
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.length)
    this.#bytes = larger
  }

  /** What was appended; valid until the next append. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.length)
    this.length = 0
    return taken
  }
}
