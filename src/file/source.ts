// Source of one block's data when it is sent. A source can be read again from any position until it is closed: a failed pipeline is
// replaced by another one, which gets the block from its first byte.

import { GristmillError } from '../base/errors.ts'
import type { DiskReader } from '../ports/disk.ts'

export interface BlockSource {
  /** Length of the block. */
  readonly bytes: number
  /** Fills `target` with the bytes from `position` on. Throws if they are no longer available. */
  fill(target: Buffer, position: number): void
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
