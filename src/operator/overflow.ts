// FIFO buffer between `emit`, which never waits, and a slower file writer: bytes are kept in memory up to 4 MiB, and in a local file
// beyond it.

import { MiB } from '../base/units.ts'
import type { Disk, DiskWriter } from '../ports/disk.ts'

/** The output of a usual batch of records fits in memory. */
const memoryBytesMax = 4 * MiB
const readBytes = 1 * MiB

export class Overflow {
  readonly #disk: Disk
  readonly #place: string
  /** Of the file that is open, or the next one. */
  #path: string
  #files = 0
  #pieces: Buffer[] = []
  #inMemory = 0
  #writer: DiskWriter | undefined
  #read = 0

  /** `path`: of the file, which is created with its first byte. */
  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.#place = this.#path = path
  }

  get isEmpty(): boolean { return this.#inMemory === 0 && this.#onDisk === 0 }
  get #onDisk(): number { return (this.#writer?.bytes ?? 0) - this.#read }

  /** Takes ownership of the buffer. Throws the disk's error. */
  push(bytes: Buffer): void {
    // While the file holds bytes, new ones must be appended to it to keep the order.
    if (this.#onDisk === 0 && this.#inMemory + bytes.length <= memoryBytesMax) {
      this.#pieces.push(bytes)
      this.#inMemory += bytes.length
    } else {
      this.#writer ??= this.#disk.createSync(this.#path, { exclusive: false, mode: 0o600 })
      this.#writer.writeSync(bytes)
    }
  }

  /** Passes all bytes to `to`, piece by piece, including those pushed meanwhile. */
  async drain(to: (piece: Buffer) => Promise<void>): Promise<void> {
    while (!this.isEmpty) {
      for (let piece = this.#pieces.shift(); piece; piece = this.#pieces.shift()) {
        this.#inMemory -= piece.length
        await to(piece)
      }
      if (this.#onDisk > 0) await this.#drainFile(this.#onDisk, to)
    }
  }

  /** Passes on the next `bytes` of the file. Later ones need another call: a reader sees only the length at its opening. */
  async #drainFile(bytes: number, to: (piece: Buffer) => Promise<void>): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, bytes))
    const reader = await this.#disk.openRead(this.#path)
    try {
      for (const end = this.#read + bytes; this.#read < end;) {
        const length = reader.readSync(buffer.subarray(0, Math.min(buffer.length, end - this.#read)), this.#read)
        if (length === 0) throw new Error(`${this.#path} is shorter than the bytes that were written to it`)
        await to(buffer.subarray(0, length))
        this.#read += length
      }
    } finally {
      await reader.close()
    }
    if (this.#onDisk === 0) await this.#beginAnew()
  }

  /** Removes the drained file, so that it does not keep growing. The next one has another name: `push` may open it meanwhile. */
  async #beginAnew(): Promise<void> {
    const [drained, path] = [this.#writer, this.#path]
    this.#writer = undefined
    this.#path = `${this.#place}.${++this.#files}`
    this.#read = 0
    await drained?.close()
    await this.#disk.remove(path)
  }

  /** Removes the file. */
  async close(): Promise<void> {
    const writer = this.#writer
    this.#writer = undefined
    this.#pieces = []
    this.#inMemory = 0
    if (!writer) return
    await writer.close()
    await this.#disk.remove(this.#path)
  }
}
