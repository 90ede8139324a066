// Bytes that are made faster than they can be sent, because whoever makes them does not wait: kept in memory up to a bound, and in
// a local file beyond it. They come out in the order in which they went in.

import { MiB } from '../base/units.ts'
import type { Disk, DiskWriter } from '../ports/disk.ts'

/** What a usual batch of records makes stays in memory. */
const memoryBytesMax = 4 * MiB
const readBytes = 1 * MiB

export class Overflow {
  readonly #disk: Disk
  #path: string
  #pieces: Buffer[] = []
  #inMemory = 0
  #writer: DiskWriter | undefined
  #read = 0

  /** `writer`: the file, open and empty. It is opened beforehand because `push` cannot wait. */
  constructor({ disk, path, writer }: { disk: Disk; path: string; writer: DiskWriter }) {
    this.#disk = disk
    this.#path = path
    this.#writer = writer
  }

  static async open(disk: Disk, path: string): Promise<Overflow> {
    return new Overflow({ disk, path, writer: await disk.create(path, { exclusive: false, mode: 0o600 }) })
  }

  get isEmpty(): boolean { return this.#inMemory === 0 && this.#onDisk === 0 }
  get #onDisk(): number { return (this.#writer?.bytes ?? 0) - this.#read }

  /** Takes over the buffer. Throws what the disk throws. */
  push(bytes: Buffer): void {
    // What follows bytes on the disk must stay behind them.
    if (this.#onDisk === 0 && this.#inMemory + bytes.length <= memoryBytesMax) {
      this.#pieces.push(bytes)
      this.#inMemory += bytes.length
    } else {
      this.#writer!.writeSync(bytes)
    }
  }

  /** Hands everything to `to`, piece after piece; what is pushed meanwhile too. */
  async drain(to: (piece: Buffer) => Promise<void>): Promise<void> {
    while (!this.isEmpty) {
      for (let piece = this.#pieces.shift(); piece; piece = this.#pieces.shift()) {
        this.#inMemory -= piece.length
        await to(piece)
      }
      if (this.#onDisk > 0) await this.#drainFile(this.#onDisk, to)
    }
  }

  /** The next `bytes` of the file. What was added meanwhile is for another round: a reader knows the length that its file had. */
  async #drainFile(bytes: number, to: (piece: Buffer) => Promise<void>): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, bytes))
    const reader = await this.#disk.openRead(this.#path)
    try {
      for (const end = this.#read + bytes; this.#read < end;) {
        const length = reader.readSync(buffer.subarray(0, Math.min(buffer.length, end - this.#read)), this.#read)
        if (length === 0) throw new Error(`${this.#path} has lost bytes that were written to it`)
        await to(buffer.subarray(0, length))
        this.#read += length
      }
    } finally {
      await reader.close()
    }
    if (this.#onDisk === 0) await this.#beginAnew()
  }

  /** So that the file grows no longer than one flood. Under another name: something may be pushed while this waits. */
  async #beginAnew(): Promise<void> {
    const path = `${this.#path}+`
    const fresh = await this.#disk.create(path, { exclusive: false, mode: 0o600 })
    const [old, oldPath] = this.#onDisk === 0 ? [this.#writer, this.#path] : [fresh, path]
    if (old !== fresh) {
      this.#writer = fresh
      this.#path = path
      this.#read = 0
    }
    await old?.close()
    await this.#disk.remove(oldPath)
  }

  /** Removes the file. */
  async close(): Promise<void> {
    const writer = this.#writer
    this.#writer = undefined
    this.#pieces = []
    this.#inMemory = 0
    await writer?.close()
    await this.#disk.remove(this.#path)
  }
}
