// Spool: holds the data of a block written by a stream, until it is uploaded. Small blocks stay in memory; from `memoryBytesMax` on
// the data goes to a temporary file, which is unlinked as soon as it is read back: a process that dies later leaves nothing behind,
// and the block can be sent from the descriptor any number of times.

import { assert, assertKept } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import { MiB } from '../base/units.ts'
import type { Disk, DiskReader, DiskWriter } from '../ports/disk.ts'
import type { Random } from '../ports/random.ts'
import { FileSource, GrowingSource, MemorySource, type BlockSource } from './source.ts'

const memoryBytesMax = 2 * MiB
const partBytes = 256 * 1024
/** Size of writes to the file. */
const bufferBytes = 1 * MiB

export interface SpoolPlace { readonly disk: Disk; readonly random: Random; readonly dir: string }

export class Spool {
  readonly #place: SpoolPlace
  /** In memory: all data. With a file: data not written to it yet. */
  #parts: Buffer[] = []
  /** Parts that were written to the file, for more data. */
  #spare: Buffer[] = []
  /** Bytes used of the last part. */
  #used = 0
  #inMemory = 0
  #file: { readonly path: string; readonly writer: DiskWriter } | undefined
  #reader: DiskReader | undefined
  /** The block is being sent while it comes. */
  #growing: { readonly source: GrowingSource; readonly reader: DiskReader } | undefined
  #closed = false
  bytes = 0

  constructor(place: SpoolPlace) { this.#place = place }

  /** True once there is a file: the block is too large for memory. */
  get hasFile(): boolean { return this.#file !== undefined }

  /** Appends a copy of the bytes. */
  async append(bytes: Uint8Array): Promise<void> {
    assert(!this.#reader && !this.#closed, 'a spool is written, then read, then closed')
    for (let at = 0; at < bytes.length;) {
      let part = this.#parts.at(-1)
      if (!part || this.#used === part.length) {
        this.#parts.push(part = this.#spare.pop() ?? Buffer.allocUnsafe(partBytes))
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
    this.#spare = this.#parts.slice(0, bufferBytes / partBytes)
    this.#parts = []
    this.#used = 0
    this.#inMemory = 0
    this.#growing?.source.grow(this.#file.writer.bytes)
  }

  /** The block as a source that grows while it is written, with `bytes` bytes in the end. REQUIRES: `hasFile`; called once. */
  async growing(bytes: number): Promise<GrowingSource> {
    const { path, writer } = this.#file!
    const reader = await this.#place.disk.openRead(path)
    if (this.#closed) {
      await reader.close()
      throw new GristmillError('INTERNAL', 'the block was dropped while its file was opened')
    }
    const source = new GrowingSource(reader, bytes)
    this.#growing = { source, reader }
    source.grow(writer.bytes)
    return source
  }

  /** The parts, the last one limited to its used bytes. */
  #full(): Buffer[] {
    return this.#parts.map((part, i) => (i === this.#parts.length - 1 ? part.subarray(0, this.#used) : part))
  }

  /** The first `bytes` bytes as a source; ends appending. */
  async source(bytes: number): Promise<BlockSource> {
    assert(bytes <= this.bytes, 'a source has no more than was written')
    if (!this.#file) return new MemorySource(this.#full(), bytes)
    await this.#read()
    return new FileSource(this.#reader!, { start: 0, bytes, name: this.#file.path })
  }

  /** The data from `start` on, in pieces that are valid until the next one. */
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
    this.#spare = []
    this.#used = 0
    this.#inMemory = 0
    this.#reader = this.#growing?.reader ?? await this.#place.disk.openRead(path)
    await writer.close()
    await this.#place.disk.remove(path)
  }

  /** Throws AssertionFailed if the bytes in memory and in the file are not those that were appended. For tests. */
  checkState(): void {
    if (this.#closed) return
    const held = this.#full().reduce((sum, { length }) => sum + length, 0)
    if (!this.#reader) assertKept('bytes in memory', this.#inMemory, held)
    assertKept('bytes of the spool', this.bytes, held + (this.#file?.writer.bytes ?? 0))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#parts = []
    this.#spare = []
    if (this.#reader) await this.#reader.close()
    else if (this.#file) {
      await this.#growing?.reader.close()
      await this.#file.writer.close()
      await this.#place.disk.remove(this.#file.path)
    }
  }
}
