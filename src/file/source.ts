// Source of one block's data when it is sent. A source can be read again from any position until it is closed: a failed pipeline is
// replaced by another one, which gets the block from its first byte.

import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { DiskReader } from '../ports/disk.ts'

export interface BlockSource {
  /** Length of the block. */
  readonly bytes: number
  /** Fills `target` with the bytes from `position` on. Throws if they are no longer available. */
  fill(target: Buffer, position: number): void
  /**
   * A source that still grows: undefined if the bytes before `end` can be filled in, else a promise of that. Rejects with SourceFailed if
   * they will not come.
   */
  ready?(end: number): Promise<void> | undefined
}

/** The source failed, not the pipeline: sending again would fail again. */
export class SourceFailed extends Error {
  override name = 'SourceFailed'
}

/** A range of a local file. REQUIRES: the file does not change meanwhile. */
export class FileSource implements BlockSource {
  readonly bytes: number
  readonly #reader: DiskReader
  readonly #start: number
  readonly #name: string

  constructor(reader: DiskReader, { start, bytes, name }: { start: number; bytes: number; name: string }) {
    this.#reader = reader
    this.#start = start
    this.bytes = bytes
    this.#name = name
  }

  fill(target: Buffer, position: number): void {
    const found = this.#reader.readSync(target, this.#start + position)
    if (found < target.length) {
      throw new GristmillError(
        'EINVAL',
        `${this.#name} became shorter while it was read: byte ${this.#start + position + found} is missing; put it again when no process writes to it`,
      )
    }
  }
}

/** Data in memory. */
export class MemorySource implements BlockSource {
  readonly bytes: number
  readonly #parts: readonly Buffer[]

  constructor(parts: readonly Buffer[], bytes: number) {
    this.#parts = parts
    this.bytes = bytes
  }

  fill(target: Buffer, position: number): void {
    let filled = 0
    let start = 0
    for (const part of this.#parts) {
      const from = position + filled - start
      if (from < part.length) filled += part.copy(target, filled, from)
      if (filled === target.length) return
      start += part.length
    }
  }
}

/** A block that is sent while it comes: its first bytes are in a file that still grows. */
export class GrowingSource implements BlockSource {
  /** Length that the block is expected to have. */
  readonly bytes: number
  readonly #reader: DiskReader
  /** Bytes that are in the file. */
  #there = 0
  readonly #whole = Promise.withResolvers<number>()
  readonly #waiting = new Set<{ readonly end: number; readonly resolve: () => void; readonly reject: (error: Error) => void }>()
  #failure: SourceFailed | undefined

  constructor(reader: DiskReader, bytes: number) {
    this.#reader = reader
    this.bytes = bytes
    this.#whole.promise.catch(() => {})
  }

  /** True if the block has come, and is shorter than expected. */
  isShort = false

  /** Length of the block, once it has come. Rejects if its writer gives up. */
  get whole(): Promise<number> { return this.#whole.promise }

  fill(target: Buffer, position: number): void {
    assert(position + target.length <= this.#there, 'a growing source is read up to what has come')
    const found = this.#reader.readSync(target, position)
    assert(found === target.length, 'the file of a growing source has what has come')
  }

  ready(end: number): Promise<void> | undefined {
    if (this.#failure) return Promise.reject(this.#failure)
    if (end <= this.#there) return undefined
    return new Promise((resolve, reject) => { this.#waiting.add({ end, resolve, reject }) })
  }

  /** So many bytes are in the file now. */
  grow(bytes: number): void {
    this.#there = bytes
    for (const each of this.#waiting) {
      if (each.end > bytes) continue
      this.#waiting.delete(each)
      each.resolve()
    }
  }

  /** The block has come, and has so many bytes, all of them in the file. One that is shorter than expected cannot be sent from here. */
  end(bytes: number): void {
    this.grow(bytes)
    this.#whole.resolve(bytes)
    this.isShort = bytes < this.bytes
    if (this.isShort) this.#fail(new GristmillError('INTERNAL', `a block of ${this.bytes} bytes was expected, and ${bytes} came`))
  }

  /** The writer has given up. */
  giveUp(error: Error): void {
    this.#whole.reject(error)
    this.#fail(error)
  }

  #fail(cause: Error): void {
    this.#failure ??= new SourceFailed('the rest of a block does not come', { cause })
    for (const { reject } of this.#waiting) reject(this.#failure)
    this.#waiting.clear()
  }
}
