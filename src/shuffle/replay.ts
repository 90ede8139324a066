// Values that are read several times, as those of one side of a join: encoded, in memory up to a budget, and in a local file beyond it.
// Each reading decodes them again, so that a program that changes a value changes nothing for the next reading. An entry is the length of
// the value, four bytes, and the value.

import { MiB } from '../base/units.ts'
import type { Disk, DiskReader, DiskWriter } from '../ports/disk.ts'
import { GrowingBuffer } from './buffer.ts'
import { decodeValue } from './decode.ts'

const readBytes = 1 * MiB
const lengthBytes = 4

interface ReplayOptions {
  readonly disk: Disk
  /** File for values beyond the budget. REQUIRES: its directory exists. */
  readonly path: string
  readonly memoryBytes: number
}

export class ReplayBuffer {
  readonly #options: ReplayOptions
  /** Opened in advance, because `add` cannot wait. Entries of earlier values stay in it until `close`. */
  readonly #writer: DiskWriter
  readonly #memory = new GrowingBuffer()
  /** Bytes of the file that belong to the present values: from `#base` on. */
  #base = 0
  #spilled = 0
  #reader: DiskReader | undefined
  size = 0

  private constructor(options: ReplayOptions, writer: DiskWriter) {
    this.#options = options
    this.#writer = writer
  }

  static async open(options: ReplayOptions): Promise<ReplayBuffer> {
    return new ReplayBuffer(options, await options.disk.create(options.path, { exclusive: false, mode: 0o600 }))
  }

  /** Adds the value whose encoding is bytes[start, end). Throws the disk's error. */
  add(bytes: Buffer, start: number, end: number): void {
    const memory = this.#memory
    const needed = lengthBytes + end - start
    if (memory.length > 0 && memory.length + needed > this.#options.memoryBytes) {
      this.#writer.writeSync(memory.bytes.subarray(0, memory.length))
      this.#spilled += memory.length
      memory.length = 0
    }
    memory.reserve(needed)
    memory.bytes.writeUInt32LE(end - start, memory.length)
    memory.length += lengthBytes
    memory.copy(bytes, start, end)
    this.size++
  }

  /** The values, in the order in which they were added. REQUIRES: no `add` and no `clear` during the iteration. */
  * [Symbol.iterator](): Generator<unknown> {
    if (this.#spilled > 0) {
      this.#reader ??= this.#options.disk.openReadSync(this.#options.path)
      const end = this.#base + this.#spilled
      let window = Buffer.alloc(0)
      for (let position = this.#base; position < end;) {
        let at = 0
        for (let length = lengthAt(window, at); length >= 0; length = lengthAt(window, at)) {
          yield decodeValue(window, at + lengthBytes, at + lengthBytes + length)
          at += lengthBytes + length
        }
        position += at
        // An entry longer than the window gets a window of its own.
        const needed = window.length - at >= lengthBytes ? lengthBytes + window.readUInt32LE(at) : lengthBytes
        window = this.#read(position, Math.min(Math.max(readBytes, needed), end - position))
      }
    }
    const { bytes, length: end } = this.#memory
    for (let at = 0; at < end;) {
      const length = bytes.readUInt32LE(at)
      yield decodeValue(bytes, at + lengthBytes, at + lengthBytes + length)
      at += lengthBytes + length
    }
  }

  #read(position: number, length: number): Buffer<ArrayBuffer> {
    const window = Buffer.allocUnsafeSlow(length)
    for (let filled = 0; filled < length;) {
      const count = this.#reader!.readSync(window.subarray(filled), position + filled)
      if (count === 0) throw new Error(`${this.#options.path} is shorter than the bytes that were written to it`)
      filled += count
    }
    return window
  }

  /** Forgets the values. Returns a promise if a file has to be closed. */
  clear(): Promise<void> | undefined {
    this.#base += this.#spilled
    this.#spilled = 0
    this.#memory.length = 0
    this.size = 0
    const reader = this.#reader
    this.#reader = undefined
    return reader?.close()
  }

  /** Removes the file. */
  async close(): Promise<void> {
    await this.clear()
    await this.#writer.close()
    await this.#options.disk.remove(this.#options.path)
  }
}

/** Length of the value at this place; -1 if the window does not hold all of it. */
function lengthAt(window: Buffer, at: number): number {
  if (at + lengthBytes > window.length) return -1
  const length = window.readUInt32LE(at)
  return at + lengthBytes + length > window.length ? -1 : length
}
