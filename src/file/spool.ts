// The bytes of a block that is being written by a stream, kept until the cluster has them. Small blocks stay in memory; from
// `memoryBytesMax` on they go to a temporary file, whose name is gone as soon as it is read back: nothing is left behind
// by a process that dies later, and the descriptor serves as often as the block must be sent.

import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import { MiB } from '../base/units.ts'
import type { Disk, DiskReader, DiskWriter } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'
import { FileSource, MemorySource, type BlockSource } from './source.ts'

const memoryBytesMax = 2 * MiB
const partBytes = 256 * 1024
/** Written to the file in pieces of this size. */
const bufferBytes = 1 * MiB

export interface SpoolPlace { readonly disk: Disk; readonly random: Random; readonly dir: string }

export class Spool {
  readonly #place: SpoolPlace
  /** In memory: all bytes. With a file: those that are not in it yet. */
  #parts: Buffer[] = []
  /** Bytes used of the last part. */
  #used = 0
  #inMemory = 0
  #file: { readonly path: string; readonly writer: DiskWriter } | undefined
  #reader: DiskReader | undefined
  #closed = false
  bytes = 0

  constructor(place: SpoolPlace) { this.#place = place }

  /** Takes a copy. */
  async append(bytes: Uint8Array): Promise<void> {
    assert(!this.#reader && !this.#closed, 'a spool is written, then read, then closed')
    for (let at = 0; at < bytes.length;) {
      let part = this.#parts.at(-1)
      if (!part || this.#used === part.length) {
        this.#parts.push(part = Buffer.allocUnsafe(partBytes))
        this.#used = 0
      }
      const count = Math.min(part.length - this.#used, bytes.length - at)
      part.set(bytes.subarray(at, at + count), this.#used)
      this.#used += count
      this.#inMemory += count
      this.bytes += count
      at += count
      if (this.#inMemory >= (this.#file ? bufferBytes : memoryBytesMax)) await this.#spill()
    }
  }

  async #spill(): Promise<void> {
    const { disk, random, dir } = this.#place
    try {
      if (!this.#file) {
        await disk.mkdir(dir)
        const path = `${dir}/gristmill-${random.id()}.spool`
        this.#file = { path, writer: await disk.create(path) }
      }
      for (const part of this.#full()) this.#file.writer.writeSync(part)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error)
      throw new GristmillError(
        code === 'ENOSPC' ? 'ENOSPC' : 'INTERNAL',
        `cannot keep a block in ${dir} until the cluster has it (${code}); make room there`,
        { cause: error, details: { dir } },
      )
    }
    // The last part is kept as the buffer for what comes.
    this.#parts = this.#parts.slice(-1)
    this.#used = 0
    this.#inMemory = 0
  }

  /** The parts as far as they are filled. */
  #full(): Buffer[] {
    return this.#parts.map((part, i) => (i === this.#parts.length - 1 ? part.subarray(0, this.#used) : part))
  }

  /** The first `bytes` as a source; nothing can be appended any more. */
  async source(bytes: number): Promise<BlockSource> {
    assert(bytes <= this.bytes, 'a source has no more than was written')
    if (!this.#file) return new MemorySource(this.#full(), bytes)
    await this.#read()
    return new FileSource(this.#reader!, { start: 0, bytes, name: this.#file.path })
  }

  /** The bytes from `start` on, in pieces that are good until the next one. */
  async *from(start: number): AsyncGenerator<Buffer, void, void> {
    const source = await this.source(this.bytes)
    const piece = Buffer.allocUnsafe(Math.min(partBytes, Math.max(1, this.bytes - start)))
    for (let at = start; at < this.bytes;) {
      const target = piece.subarray(0, Math.min(piece.length, this.bytes - at))
      source.fill(target, at)
      yield target
      at += target.length
    }
  }

  async #read(): Promise<void> {
    if (this.#reader) return
    const { path, writer } = this.#file!
    for (const part of this.#full()) writer.writeSync(part)
    this.#parts = []
    this.#used = 0
    this.#inMemory = 0
    this.#reader = await this.#place.disk.openRead(path)
    await writer.close()
    await this.#place.disk.remove(path)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#parts = []
    if (this.#reader) await this.#reader.close()
    else if (this.#file) {
      await this.#file.writer.close()
      await this.#place.disk.remove(this.#file.path)
    }
  }
}
