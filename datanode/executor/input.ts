// Input of a map task: the ranges of its split, read block by block from the nearest replica. Counts bytes by locality. If a range begins
// inside a CSV file, the file's header is read first. A file that was replaced or removed since the job was submitted is refused with
// `changedInput`, before the first record where the namenode is asked for the file in any case; so is a file outside of the cluster that is
// not the pinned one any more, when its bytes come.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { hasHeader, type InputOptions } from '../../src/base/formats.ts'
import { isReference } from '../../src/base/reference.ts'
import { KiB, MiB } from '../../src/base/units.ts'
import type { BlockPlaces } from '../../src/file/block.ts'
import type { ReadOptions, LocatedFile } from '../../src/file/read.ts'
import type { NodePlace } from '../../src/protocol/fields.ts'
import type { SplitRange, TaskWork } from '../../src/protocol/task.ts'
import { knownDelimiter } from '../../src/record/dialect.ts'
import type { RecordRange } from '../../src/record/records.ts'
import { parseCsvHeader } from '../../src/record/rows.ts'
import { OutsideAhead } from './outsideahead.ts'
import type { ExecutorSession } from './session.ts'

type SplitInput = Extract<TaskWork['input'], { kind: 'split' }>

/** Size of the first read beyond the end of a range, and of the largest one. */
const beyondFirstBytes = 64 * KiB
const beyondBytesMax = 4 * MiB
/** Number of files of one split that are looked up before its first record, at the same time. */
const earlyChecksMax = 16

/** Bytes and files of inlined ranges that one call brings, ahead of the range that is read. */
const aheadBytesMax = 256 * KiB
const aheadFilesMax = 256
const pieceBytes = 256 * KiB

interface BytesRead {
  local: number
  rack: number
  remote: number
  /** Bytes of inlined files, which came from the namenode. */
  inlined: number
  /** Bytes of files outside of the cluster. */
  outside: number
}

export class SplitSource {
  readonly #session: ExecutorSession
  readonly #input: SplitInput
  readonly #places: ReadonlyMap<number, Pick<BlockPlaces, 'nodes' | 'token'>>
  readonly #headers = new Map<string, readonly string[]>()
  /** Files outside of the cluster, by the paths of their references. */
  readonly #outside = new Map<string, LocatedFile>()
  readonly #outsideAhead: OutsideAhead
  /** Bytes of the inlined ranges that were read last, by their place in the split. */
  #ahead = new Map<number, Buffer>()
  readonly read: BytesRead = { local: 0, rack: 0, remote: 0, inlined: 0, outside: 0 }

  constructor(session: ExecutorSession, input: SplitInput) {
    this.#session = session
    this.#input = input
    this.#places = new Map(input.places.map(({ block, nodes, token }) => [block, { nodes, token }]))
    this.#outsideAhead = new OutsideAhead(input.split.ranges, (range, signal) => this.#whole(range, signal))
  }

  /** The ranges in order; the header of a CSV file is fetched if a range begins inside the file. */
  async *ranges(): AsyncGenerator<RecordRange> {
    const { format, header, delimiter: asked } = this.options
    const needsHeader = hasHeader(format) && header !== false
    await this.#checkInputs()
    for (const [at, range] of this.#input.split.ranges.entries()) {
      const { path, start, end, aligned, fileBytes, delimiter } = range
      yield {
        path, start, end, aligned, delimiter,
        partial: start > 0 || end < fileBytes,
        ...needsHeader && start > 0 && { header: await this.#header(range, knownDelimiter({ asked, claimed: delimiter })) },
        open: from => (isInlined(range) ? this.#inlined(at, from) : this.#bytes(range, from)),
      }
    }
  }

  /** Throws `changedInput` for a file that the namenode will be asked for later, and that is another one now. */
  check(): Promise<void> { return this.#checkInputs() }

  /** Ends what is read ahead. Never rejects. */
  close(): Promise<void> { return this.#outsideAhead.close() }

  /** The bytes of a range, and no others. A piece is valid until the next one. */
  bytesOf(range: SplitRange): AsyncGenerator<Buffer> { return this.#part(range, range.start, range.end) }

  /** The bytes of the file of a range from `start` to `end`, which may lie outside of the range. A piece is valid until the next one. */
  partOf(range: SplitRange, start: number, end: number): AsyncGenerator<Buffer> { return this.#part(range, start, end) }

  /**
   * The lines that begin in a range which may begin and end anywhere; the last one may end behind it. A piece is valid until the next
   * one.
   */
  async *linesOf(range: SplitRange): AsyncGenerator<Buffer> {
    const { start, end, fileBytes } = range
    let hasBegun = start === 0
    let last = lineFeed
    // The byte before the range tells whether a line begins with it.
    for await (const piece of this.#part(range, Math.max(0, start - 1), end)) {
      const from = hasBegun ? 0 : piece.indexOf(lineFeed) + 1
      if (!hasBegun && from === 0) continue
      hasBegun = true
      last = piece.at(-1)!
      if (from < piece.length) yield piece.subarray(from)
    }
    if (!hasBegun || last === lineFeed) return
    for (let at = end, step = beyondFirstBytes; at < fileBytes; step = Math.min(step * 2, beyondBytesMax)) {
      for await (const piece of this.#part(range, at, Math.min(fileBytes, at + step))) {
        const stop = piece.indexOf(lineFeed) + 1
        yield stop > 0 ? piece.subarray(0, stop) : piece
        if (stop > 0) return
        at += piece.length
      }
    }
  }

  /** Path of a replica on this machine that is exactly the range, with all bytes checked; undefined: there is none. */
  async localBlock(range: SplitRange, pause: () => Promise<void> | undefined): Promise<string | undefined> {
    const [block, more] = range.blocks
    if (!block || more || block.offset !== range.start || block.length !== range.end - range.start) return undefined
    const known = this.#places.get(block.id)
    if (!known) return undefined
    return this.#session.files.localReplica(
      { id: block.id, length: block.length, crc: block.crc, ...known }, { onRead: this.#count, pause },
    )
  }

  /** The same for some bytes of a file of one block, which are checked. Ranges follow one another. */
  async localFile(
    { blocks: [block, more], fileBytes }: SplitRange, ranges: ReadonlyArray<{ readonly start: number; readonly end: number }>,
    pause: () => Promise<void> | undefined,
  ): Promise<string | undefined> {
    if (!block || more || block.offset !== 0 || block.length !== fileBytes) return undefined
    const known = this.#places.get(block.id)
    if (!known) return undefined
    const places = { id: block.id, length: block.length, crc: block.crc, ...known }
    return this.#session.files.localReplica(places, { onRead: this.#count, pause, ranges })
  }

  get options(): InputOptions { return this.#input.options }

  /** Reads an inlined range, and with the same call those that follow it in the split. */
  async *#inlined(at: number, from: number): AsyncGenerator<Buffer> {
    const { ranges } = this.#input.split
    const range = ranges[at]!
    if (!this.#ahead.has(at)) {
      const wanted: [number, SplitRange][] = []
      for (let next = at, bytes = 0; next < ranges.length && wanted.length < aheadFilesMax && bytes < aheadBytesMax; next++) {
        if (!isInlined(ranges[next]!)) continue
        wanted.push([next, ranges[next]!])
        bytes += ranges[next]!.fileBytes
      }
      const { small } = this.#session.files
      const found = await Promise.allSettled(
        wanted.map(([, { path, inode, fileBytes }]) => small.read({ path, id: inode }, { length: fileBytes })),
      )
      this.#ahead = new Map()
      for (const [i, result] of found.entries()) {
        // An error of a later range is thrown when it is read: records before it may be all that the task needs.
        if (result.status === 'rejected' && i === 0) throw asChanged(result.reason, range)
        if (result.status === 'fulfilled' && result.value.bytes) this.#ahead.set(wanted[i]![0], result.value.bytes)
      }
    }
    const bytes = this.#ahead.get(at)
    if (!bytes) return yield* this.#read(range, await this.#locate(range), { start: from })
    this.read.inlined += bytes.length - from
    if (from < bytes.length) yield bytes.subarray(from)
  }

  /**
   * Reads blocks whose locations are in the task; locations of the others (of very large splits, and beyond the range) come from the
   * namenode. Beyond the range the reader needs only the rest of one record, which mostly ends soon: the first read is small, later ones
   * double.
   */
  async *#bytes(range: SplitRange, from: number): AsyncGenerator<Buffer> {
    let step = beyondFirstBytes
    for (let position = from; position < range.fileBytes;) {
      const before = position
      const end = position < range.end ? range.end : Math.min(range.fileBytes, position + step)
      if (position >= range.end) step = Math.min(step * 2, beyondBytesMax)
      for await (const piece of this.#part(range, position, end)) {
        position += piece.length
        yield piece
      }
      if (position === before) return // the reader reports the missing bytes
    }
  }

  async *#part(range: SplitRange, start: number, end: number): AsyncGenerator<Buffer> {
    const whole = await this.#outsideAhead.take(range)
    if (whole) {
      const part = whole.subarray(start, end)
      this.read.outside += part.length
      for (let at = 0; at < part.length; at += pieceBytes) yield part.subarray(at, at + pieceBytes)
      return
    }
    let position = start
    for (const block of range.blocks) {
      const blockEnd = block.offset + block.length
      if (blockEnd <= position || block.offset > position || position >= end) continue
      // A task has the locations of its first blocks only.
      const known = this.#places.get(block.id)
      if (!known) break
      const places: BlockPlaces = { id: block.id, length: block.length, crc: block.crc, ...known }
      const options = {
        start: position - block.offset, end: Math.min(end, blockEnd) - block.offset, reuse: true, onRead: this.#count,
        relocate: () => this.#relocate(range, block.offset, block.id),
      }
      for await (const piece of this.#session.files.readBlock(places, options)) {
        position += piece.length
        yield piece
      }
    }
    if (position >= end) return
    const located = await this.#locate(range, { offset: position, length: end - position })
    yield* this.#read(range, located, { start: position, end, reuse: true, onRead: this.#count })
  }

  async #relocate(range: SplitRange, offset: number, id: number): Promise<BlockPlaces> {
    const located = await this.#locate(range, { offset, length: 1 })
    const block = located.blocks.find(one => one.id === id)
    if (!block) throw replaced(range)
    return block
  }

  /**
   * Looks up the files whose ranges need the namenode later: for bytes beyond the range, and for blocks without locations. A map
   * over a range can take minutes; without this check it would learn at its end that the rest is gone.
   */
  async #checkInputs(): Promise<void> {
    const needed = new Map<string, SplitRange>()
    for (const range of this.#input.split.ranges) {
      const { end, aligned, fileBytes, blocks } = range
      const isComplete = aligned || end >= fileBytes
      if (!isComplete || blocks.some(block => !this.#places.has(block.id))) needed.set(range.path, range)
      if (needed.size === earlyChecksMax) break
    }
    await Promise.all([...needed.values()].map(range => this.#locate(range, { offset: range.start, length: 1 })))
  }

  /** Throws `changedInput` if the path does not lead to the file that the job was submitted with. */
  async #locate(range: SplitRange, part?: { offset: number; length: number }): Promise<LocatedFile> {
    const known = this.#outside.get(range.path)
    if (known) return known
    let located: LocatedFile
    try {
      located = await this.#session.files.locate(range.path, part)
    } catch (error) {
      throw asChanged(error, range)
    }
    if (located.status.id !== range.inode) throw replaced(range)
    if (located.outside) this.#outside.set(range.path, located)
    return located
  }

  async *#read(range: SplitRange, located: LocatedFile, options: ReadOptions): AsyncGenerator<Buffer> {
    try {
      for await (const piece of this.#session.files.read(located, options)) {
        if (located.outside) this.read.outside += piece.length
        else if (located.status.inlined) this.read.inlined += piece.length
        yield piece
      }
    } catch (error) {
      throw asChanged(error, range, located.outside)
    }
  }

  /** All bytes of a file outside of the cluster. Throws as `#read`. */
  async #whole(range: SplitRange, signal: AbortSignal): Promise<Buffer> {
    const located = await this.#locate(range)
    try {
      const pieces: Buffer[] = []
      for await (const piece of this.#session.files.read(located, { start: 0, end: range.fileBytes, signal })) pieces.push(piece)
      return Buffer.concat(pieces)
    } catch (error) {
      throw asChanged(error, range, located.outside)
    }
  }

  readonly #count = (bytes: number, from: NodePlace): void => {
    const { node, host, rack } = this.#session.setup
    if (from.node === node || from.host === host) this.read.local += bytes
    else if (from.rack === rack) this.read.rack += bytes
    else this.read.remote += bytes
  }

  async #header(range: SplitRange, delimiter: string | undefined): Promise<readonly string[]> {
    const known = this.#headers.get(range.path)
    if (known) return known
    const located = await this.#locate(range)
    for (let bytes = 64 * KiB; ; bytes *= 8) {
      const pieces: Buffer[] = []
      for await (const piece of this.#read(range, located, { end: bytes })) pieces.push(piece)
      const header = parseCsvHeader(Buffer.concat(pieces), {
        path: range.path, delimiter, encoding: this.options.encoding, isAll: bytes >= range.fileBytes,
      })
      if (!header) continue
      this.#headers.set(range.path, header)
      return header
    }
  }
}

/** A file that had no blocks when the job was submitted, and has none for ever. */
const isInlined = ({ blocks, fileBytes, path }: SplitRange): boolean => blocks.length === 0 && fileBytes > 0 && !isReference(path)

const lineFeed = 10

/** The job cannot succeed with this input on any node: `toFailure` distinguishes the error by `isChangedInput`. */
const changedInput = (path: string, what: string, cause?: unknown): GristmillError =>
  new GristmillError('ENOENT', `${path} ${what}; submit the job again`, { cause, details: { path, input: 'changed' } })

const replaced = ({ path }: SplitRange, cause?: unknown): GristmillError =>
  changedInput(path, 'is another file now than when the job was submitted', cause)

function asChanged(error: unknown, range: SplitRange, outside?: LocatedFile['outside']): unknown {
  if (outside && hasCode(error, 'ESTALE')) return changedInput(outside.shown, 'was replaced while it was read', error)
  if (outside && hasCode(error, 'ENOENT')) return changedInput(outside.shown, 'was removed while it was read', error)
  if (hasCode(error, 'ESTALE', 'EISDIR')) return replaced(range, error)
  return hasCode(error, 'ENOENT', 'ENOTDIR') ? changedInput(range.path, 'was removed or moved after the job was submitted', error) : error
}

export const isChangedInput = (error: unknown): error is GristmillError => hasCode(error, 'ENOENT') && error.details['input'] === 'changed'
