// Bytes of a file from a position on, taken in parts of known sizes. Bytes that were taken are the caller's own.

import { asBuffer } from './boundary.ts'

export class ByteFeed {
  readonly #source: AsyncIterator<Uint8Array>
  #bytes = Buffer.alloc(0)
  #hasEnded = false
  /** Position in the file of the next byte. */
  position: number
  /** Bytes read from the source. */
  read = 0

  constructor(source: AsyncIterable<Uint8Array>, position: number) {
    this.#source = source[Symbol.asyncIterator]()
    this.position = position
  }

  /** Bytes that are there; at least `count`, if the file has so many. */
  async look(count: number): Promise<Buffer> {
    if (this.#bytes.length >= count) return this.#bytes
    const pieces = [this.#bytes]
    let length = this.#bytes.length
    while (length < count && !this.#hasEnded) {
      const { value, done } = await this.#source.next()
      if (done) this.#hasEnded = true
      else {
        // Copied, because the source may reuse the piece.
        pieces.push(Buffer.from(asBuffer(value as Uint8Array)))
        length += (value as Uint8Array).length
        this.read += (value as Uint8Array).length
      }
    }
    this.#bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
    return this.#bytes
  }

  /** REQUIRES: `look` has shown so many. */
  skip(count: number): void {
    this.#bytes = this.#bytes.subarray(count)
    this.position += count
  }

  /** Undefined: the file has fewer. */
  async take(count: number): Promise<Buffer | undefined> {
    const bytes = await this.look(count)
    if (bytes.length < count) return undefined
    this.skip(count)
    return bytes.subarray(0, count)
  }

  async close(): Promise<void> {
    this.#hasEnded = true
    await this.#source.return?.()
  }
}
