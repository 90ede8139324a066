// Decoding of short texts that lie near each other in one buffer. A call that decodes 88 bytes takes 70 ns, a slice of a text that is there
// already 20: bytes are decoded for several texts at once if they are ASCII, where positions in the bytes are positions in the text.
// A slice keeps the whole window in memory, except for short ones, which V8 copies.
// INVARIANT: a text that a program keeps takes at most `keptTimes` as much memory as its bytes.

import { isAscii } from 'node:buffer'
import { slicedFrom } from '../base/owntext.ts'
import { KiB } from '../base/units.ts'
import { readText } from './text.ts'

const keptTimes = 4
const windowBytesMax = 2 * KiB
/** Longer texts are decoded alone. */
const shortBytesMax = windowBytesMax / keptTimes

export class TextWindow {
  #bytes: Buffer | undefined
  #from = 0
  #to = 0
  /** Undefined: the window is not ASCII. */
  #text: string | undefined
  /** Length of the last text that a window was made for, of those that V8 slices. */
  #length = slicedFrom

  /** The text whose UTF-8 is bytes[start, end). REQUIRES: bytes of one buffer object do not change between calls. */
  read(bytes: Buffer, start: number, end: number): string {
    const length = end - start
    if (length > shortBytesMax) return readText(bytes, start, end)
    if (start < this.#from || end > this.#to || bytes !== this.#bytes) this.#fill(bytes, start, length)
    const text = this.#text
    if (text === undefined || (length >= slicedFrom && length * keptTimes < text.length)) return readText(bytes, start, end)
    return text.slice(start - this.#from, end - this.#from)
  }

  #fill(bytes: Buffer, from: number, length: number): void {
    if (length >= slicedFrom) this.#length = length
    this.#bytes = bytes
    this.#from = from
    this.#to = Math.min(bytes.length, from + this.#length * keptTimes)
    const part = bytes.subarray(from, this.#to)
    this.#text = isAscii(part) ? part.toString('latin1') : undefined
  }
}
