// An open file for random reads. Invariant: all reads see the version that was opened. If the path is replaced, its blocks are read
// as long as the cluster keeps them, then reads throw ENOENT; two versions are never mixed. As in node:fs the handle has a
// position, which reads without a position advance, one after the other.

import { GristmillError } from '../../src/base/errors.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { LocatedFile } from '../../src/file/read.ts'
import { isForeign, utf8From } from '../../src/record/transcode.ts'
import { callOptions, encodedOptionsOf, optionsOf, shown, type CallOptions, type Known } from '../call/arguments.ts'
import { perform } from '../call/perform.ts'
import {
  linesOf, lineStreamOptions, ReadStream, readStreamOptions, type LineEncoding, type LineStreamOptions, type ReadStreamOptions,
} from './read.ts'
import { Stats } from './stats.ts'

interface ReadResult<B extends NodeJS.ArrayBufferView = NodeJS.ArrayBufferView> { readonly bytesRead: number; readonly buffer: B }

interface HandleReadOptions extends CallOptions {
  /** First byte of the buffer to fill; default: 0. */
  readonly offset?: number | null | undefined
  /** Maximum number of bytes to read; default: the rest of the buffer. */
  readonly length?: number | null | undefined
  /** Offset in the file; default (or null, or -1): the handle's position, which advances. */
  readonly position?: number | bigint | null | undefined
}

type WithBuffer<B> = HandleReadOptions & { readonly buffer?: B | undefined }
type FileOptions = CallOptions & { readonly encoding?: BufferEncoding | null | undefined }

const readNames: Known<HandleReadOptions> = { offset: true, length: true, position: true, signal: true }
/** Default buffer size of node:fs. */
const bufferBytes = 16_384

export class FileHandle {
  readonly path: string
  readonly #files: FileClient
  readonly #file: LocatedFile
  #position = 0
  /** The last queued read that advances the position. */
  #turn: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(files: FileClient, path: string, file: LocatedFile) {
    this.#files = files
    this.path = path
    this.#file = file
  }

  stat(options?: CallOptions & { readonly bigint?: false | undefined } | null): Promise<Stats> {
    return perform('fstat', this.path, callOptions('stat', options, { bigint: false }), async () => {
      this.#check()
      return new Stats(this.#file.status)
    })
  }

  /**
   * Fills `buffer` from `offset` with up to `length` bytes of the file at `position`; takes arguments or options, as in node:fs.
   * `bytesRead` is less than `length` only at the end of the file. Throws EINVAL.
   */
  read<B extends NodeJS.ArrayBufferView>(
    buffer: B, offset: number | null | undefined, length?: number | null, position?: number | bigint | null,
  ): Promise<ReadResult<B>>
  read<B extends NodeJS.ArrayBufferView>(buffer: B, options?: HandleReadOptions | null): Promise<ReadResult<B>>
  read<B extends NodeJS.ArrayBufferView = Buffer>(options?: WithBuffer<B> | null): Promise<ReadResult<B>>
  read(
    target?: NodeJS.ArrayBufferView | WithBuffer<NodeJS.ArrayBufferView> | null,
    offset?: number | HandleReadOptions | null, length?: number | null, position?: number | bigint | null,
  ): Promise<ReadResult> {
    const read = (): WithBuffer<NodeJS.ArrayBufferView> => {
      if (!ArrayBuffer.isView(target)) return optionsOf<WithBuffer<NodeJS.ArrayBufferView>>(target, 'read', { ...readNames, buffer: true })
      if (typeof offset === 'object' && offset !== null)
        return { ...optionsOf<HandleReadOptions>(offset, 'read', readNames), buffer: target }
      return { buffer: target, offset, length, position }
    }
    return perform('read', this.path, read, async ({ buffer = Buffer.alloc(bufferBytes), signal, ...where }) => {
      this.#check()
      const { room, start } = readRange(buffer, where)
      if (room.length === 0) return { bytesRead: 0, buffer }
      if (start !== undefined) return { bytesRead: await this.#fill(room, start, signal), buffer }
      return this.#inTurn(async () => {
        const bytesRead = await this.#fill(room, this.#position, signal)
        this.#position += bytesRead
        return { bytesRead, buffer }
      })
    })
  }

  /** Reads the file from the handle's position to its end: all of it, if nothing was read before. */
  readFile(options: BufferEncoding | FileOptions & { readonly encoding: BufferEncoding }): Promise<string>
  readFile(options?: FileOptions & { readonly encoding?: null | undefined } | null): Promise<Buffer>
  readFile(options?: BufferEncoding | FileOptions | null): Promise<string | Buffer> {
    return perform(
      'read', this.path,
      () => encodedOptionsOf<FileOptions>(options, 'readFile', { encoding: true, signal: true }),
      async ({ encoding, signal }) => {
        this.#check()
        const bytes = await this.#inTurn(async () => {
          const rest = await wholeOf(this.#files, this.#file, signal, this.#position)
          this.#position += rest.length
          return rest
        })
        return encoding ? bytes.toString(encoding) : bytes
      },
    )
  }

  /**
   * A stream of the file or of a range of it. Without `start` it reads from the handle's position and advances it; `end` then
   * counts from that position. The handle is closed with the stream, unless `autoClose` is false. Both as in node:fs.
   */
  createReadStream(options?: BufferEncoding | ReadStreamOptions | null): ReadStream {
    this.#check()
    const given = readStreamOptions(options, 'createReadStream')
    const { start, end } = given
    const from = start ?? this.#position
    const stream = new ReadStream(this.#files, {
      path: this.path, file: this.#file, ...start === undefined && { onChunk: (bytes: number) => { this.#position += bytes } },
    }, { ...given, start: from, ...end !== undefined && { end: start === undefined ? from + end : end } })
    if (given.autoClose !== false) stream.once('close', () => { void this.close() })
    return stream
  }

  /**
   * Lines without their ends, from the handle's position. The handle is closed after the last one, unless `autoClose` is false. As
   * in node:fs, nothing is decompressed, and a UTF-8 byte order mark stays in the first line; `mill.lines` handles both.
   */
  async *readLines(options?: LineEncoding | LineStreamOptions | null): AsyncGenerator<string, void, undefined> {
    this.#check()
    const { stream: given, reading: { text, decode } } = lineStreamOptions(options)
    const stream = this.createReadStream(given)
    stream.on('error', () => {}) // reported by the iteration
    try {
      const pieces = stream as AsyncIterable<Buffer>
      yield* linesOf(isForeign(text) ? utf8From(pieces, text) : pieces, decode, given.signal)
    } finally {
      stream.destroy()
    }
  }

  async close(): Promise<void> { this.#closed = true }

  async [Symbol.asyncDispose](): Promise<void> { await this.close() }

  async #fill(room: Uint8Array, start: number, signal: AbortSignal | undefined): Promise<number> {
    let filled = 0
    for await (const piece of this.#files.read(this.#file, { start, end: start + room.length, signal, reuse: true })) {
      room.set(piece, filled)
      filled += piece.length
    }
    return filled
  }

  /** Serialises reads without a position, so that two never get the same bytes. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    return turn
  }

  #check(): void {
    if (this.#closed) throw new GristmillError('EINVAL', `the handle of ${this.path} has been closed`, { details: { path: this.path } })
  }
}

/** The part of the buffer to fill, and the offset in the file if one is given. Throws EINVAL. */
function readRange(buffer: unknown, { offset, length, position }: HandleReadOptions): { room: Uint8Array; start: number | undefined } {
  if (!ArrayBuffer.isView(buffer))
    throw new GristmillError('EINVAL', `the buffer is ${shown(buffer)}; it must be a Buffer, a typed array or a DataView`)
  const from = offset ?? 0
  const bytes = length ?? (Number.isSafeInteger(from) ? buffer.byteLength - from : 0)
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(bytes) || from < 0 || bytes < 0 || from + bytes > buffer.byteLength) {
    throw new GristmillError(
      'EINVAL',
      `a buffer of ${buffer.byteLength} bytes cannot take ${shown(length ?? bytes)} at the offset ${shown(from)}`,
    )
  }
  const room = new Uint8Array(buffer.buffer, buffer.byteOffset + from, bytes)
  if (position === undefined || position === null || position === -1 || position === -1n) return { room, start: undefined }
  const start = Number(typeof position === 'bigint' || typeof position === 'number' ? position : Number.NaN)
  if (!Number.isSafeInteger(start) || start < 0 || !Number.isSafeInteger(start + bytes))
    throw new GristmillError(
      'EINVAL',
      `the position is ${shown(position)}; it must be a whole number of at least 0, or null for the position of the handle`,
    )
  return { room, start }
}

/** All bytes of a file from `start`, in one buffer of exactly their size. */
export async function wholeOf(files: FileClient, file: LocatedFile, signal?: AbortSignal, start = 0): Promise<Buffer> {
  const { status } = file
  const bytes = Math.max(0, status.length - start)
  if (bytes > wholeBytesMax) {
    throw new GristmillError(
      'TOO_LARGE',
      `${status.path} has ${bytes} bytes, more than fit into one buffer (${wholeBytesMax}); use createReadStream`,
      { details: { path: status.path } },
    )
  }
  const whole = Buffer.allocUnsafeSlow(status.type === 'file' ? bytes : 0)
  let filled = 0
  for await (const piece of files.read(file, { start: Math.min(start, status.length), signal, reuse: true })) {
    whole.set(piece, filled)
    filled += piece.length
  }
  return whole
}

/** Limit of Node's own readFile. */
const wholeBytesMax = 2 ** 31 - 1
