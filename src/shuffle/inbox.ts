// Inbox of a reduce task: holds its segments before they are merged. Segments of this machine are read in place; others are received
// into memory up to a budget, and into files beyond it. The number of open files is bounded, whatever the number of segments.

import { assert, assertKept } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { Disk, DiskReader } from '../ports/disk.ts'
import { segmentInMemory, type Extent, type Segment, type SegmentSource } from './segment.ts'

interface InboxOptions {
  readonly disk: Disk
  /** REQUIRES: it exists. Files are named `<name>.fetch<n>`. */
  readonly directory: string
  readonly name: string
  /** Budget for segments received into memory. */
  readonly memoryBytes: number
  /** Maximum number of open files; others are reopened when they are read. */
  readonly openMax?: number
}

/** More than a merge reads at once (passes.ts), so that no file is opened twice in one merge. */
const openMaxDefault = 96

export class Inbox {
  readonly #options: InboxOptions
  readonly #open = new Map<string, DiskReader>()
  readonly #closing: Promise<void>[] = []
  readonly #received: string[] = []
  /** Extents of the segments in memory, including those being received. */
  readonly #inMemory = new Set<Pick<Extent, 'bytes'>>()
  #memoryBytes = 0

  constructor(options: InboxOptions) { this.#options = options }

  /** Bytes of segments in memory, including those being received. */
  get memoryBytes(): number { return this.#memoryBytes }

  /** A segment in a file of this machine, which stays where it is. */
  local(name: string, file: string, extent: Extent): Segment {
    return { ...extent, name, source: this.#source(file) }
  }

  /**
   * Receives one segment. Throws CORRUPT if its length differs from the announced one; its content is verified when it is merged.
   * Several segments may be received concurrently.
   */
  async receive(name: string, extent: Extent, pieces: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Segment> {
    if (this.#memoryBytes + extent.bytes > this.#options.memoryBytes) return this.#toFile(name, extent, pieces, signal)
    const held = { bytes: extent.bytes }
    this.#inMemory.add(held)
    this.#memoryBytes += held.bytes
    try {
      return await this.#toMemory(name, extent, pieces, signal)
    } catch (error) {
      // Not if the inbox was closed meanwhile.
      if (this.#inMemory.delete(held)) this.#memoryBytes -= held.bytes
      throw error
    }
  }

  async #toMemory(name: string, extent: Extent, pieces: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Segment> {
    const bytes = Buffer.allocUnsafeSlow(extent.bytes)
    let filled = 0
    for await (const piece of counted(name, extent, pieces, signal)) {
      bytes.set(piece, filled)
      filled += piece.length
    }
    return segmentInMemory(name, bytes, extent)
  }

  async #toFile(name: string, extent: Extent, pieces: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Segment> {
    const { disk, directory } = this.#options
    const path = `${directory}/${this.#options.name}.fetch${this.#received.length}`
    this.#received.push(path)
    const file = await disk.create(path, { exclusive: false })
    try {
      for await (const piece of counted(name, extent, pieces, signal)) file.writeSync(piece)
    } finally {
      await file.close()
    }
    return { ...extent, offset: 0, name, source: this.#source(path) }
  }

  #source(path: string): SegmentSource {
    return { readSync: (target, position) => this.#reader(path).readSync(target, position) }
  }

  #reader(path: string): DiskReader {
    let reader = this.#open.get(path)
    if (reader) return reader
    if (this.#open.size >= (this.#options.openMax ?? openMaxDefault)) {
      const [oldest, idle] = this.#open.entries().next().value!
      this.#open.delete(oldest)
      // Awaited by `close`; an error while closing a file that was only read is harmless.
      this.#closing.push(idle.close().catch(() => {}))
    }
    reader = this.#options.disk.openReadSync(path)
    this.#open.set(path, reader)
    return reader
  }

  /** Throws AssertionFailed if the bytes in memory differ from a recount, or exceed the budget as open files do theirs. For tests. */
  checkState(): void {
    const { memoryBytes, openMax = openMaxDefault } = this.#options
    let bytes = 0
    for (const held of this.#inMemory) bytes += held.bytes
    assertKept('bytes of segments in memory', this.#memoryBytes, bytes)
    assert(bytes <= memoryBytes, `${bytes} bytes of segments are in memory, at most ${memoryBytes} may be`)
    assert(this.#open.size <= openMax, `${this.#open.size} files are open, at most ${openMax} may be`)
  }

  /** Closes open files and removes received ones. Segments of this inbox cannot be read afterwards. */
  async close(): Promise<void> {
    for (const reader of this.#open.values()) this.#closing.push(reader.close())
    this.#open.clear()
    await Promise.allSettled(this.#closing.splice(0))
    for (const path of this.#received.splice(0)) await this.#options.disk.remove(path)
    this.#inMemory.clear()
    this.#memoryBytes = 0
  }
}

async function* counted(
  name: string, extent: Extent, pieces: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const piece of pieces) {
    signal?.throwIfAborted()
    bytes += piece.length
    if (bytes > extent.bytes) break
    yield piece
  }
  if (bytes !== extent.bytes) {
    throw new GristmillError(
      'CORRUPT',
      `${name} was announced with ${extent.bytes} bytes and came with ${bytes > extent.bytes ? 'more' : bytes}; it must be fetched again`,
      { details: { segment: name } },
    )
  }
}
