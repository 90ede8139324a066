// Number and bytes of the ordered copies of blocks that one datanode sends, or receives, and that are not reported yet.

import { assert, assertKept } from '../../src/base/assert.ts'

export class CopyLoad {
  #count = 0
  #bytes = 0

  get count(): number { return this.#count }
  get bytes(): number { return this.#bytes }

  begin(bytes: number): void {
    this.#count++
    this.#bytes += bytes
  }

  /** REQUIRES: `begin` has counted this copy with the same number of bytes. */
  end(bytes: number): void {
    assert(this.#count > 0 && this.#bytes >= bytes, `a copy of ${bytes} bytes ends that has not begun`)
    this.#count--
    this.#bytes -= bytes
  }

  /** Throws AssertionFailed unless exactly copies of these sizes have begun and not ended. For tests and simulations. */
  checkState(of: string, copies: readonly number[]): void {
    assertKept('copies', this.#count, copies.length, of)
    assertKept('bytes of copies', this.#bytes, copies.reduce((sum, bytes) => sum + bytes, 0), of)
  }
}
