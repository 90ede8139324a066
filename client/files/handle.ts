// An open file, for reading at any place. It stays the file that it was when it was opened: if the path is replaced meanwhile,
// the blocks that it knows are read as long as the cluster keeps them, and afterwards it says ENOENT; never a mixture of two files.

import { GristmillError } from '../../src/base/errors.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { LocatedFile } from '../../src/file/read.ts'
import { during } from './describe.ts'
import { linesOf, ReadStream, type ReadStreamOptions } from './read.ts'
import { Stats } from './stats.ts'

export interface ReadResult { readonly bytesRead: number; readonly buffer: Uint8Array }

export class FileHandle {
  readonly path: string
  readonly #files: FileClient
  readonly #file: LocatedFile
  #position = 0
  #closed = false

  constructor(files: FileClient, path: string, file: LocatedFile) {
    this.#files = files
    this.path = path
    this.#file = file
  }

  async stat(): Promise<Stats> {
    this.#check()
    return new Stats(this.#file.status)
  }

  /**
   * Fills `buffer` from `offset` with up to `length` bytes of the file at `position`; without one, from where the last such
   * read ended. `bytesRead` is less than `length` only at the end of the file.
   */
  read(buffer: Uint8Array, { offset = 0, length = buffer.byteLength - offset, position = null, signal }:
    { readonly offset?: number; readonly length?: number; readonly position?: number | null; readonly signal?: AbortSignal } = {}): Promise<ReadResult> {
    return during('read', this.path, async () => {
      this.#check()
      if (offset < 0 || length < 0 || offset + length > buffer.byteLength) {
        throw new GristmillError('EINVAL', `a buffer of ${buffer.byteLength} bytes cannot take ${length} at ${offset}`)
      }
      const start = position ?? this.#position
      let bytesRead = 0
      for await (const piece of this.#files.read(this.#file, { start, end: start + length, signal, reuse: true })) {
        buffer.set(piece, offset + bytesRead)
        bytesRead += piece.length
      }
      if (position === null) this.#position = start + bytesRead
      return { bytesRead, buffer }
    })
  }

  /** The whole file. */
  readFile(options: BufferEncoding | { readonly encoding: BufferEncoding; readonly signal?: AbortSignal }): Promise<string>
  readFile(options?: { readonly encoding?: null; readonly signal?: AbortSignal }): Promise<Buffer>
  readFile(options: BufferEncoding | { readonly encoding?: BufferEncoding | null; readonly signal?: AbortSignal } = {}): Promise<string | Buffer> {
    return during('read', this.path, async () => {
      this.#check()
      const { encoding, signal } = typeof options === 'string' ? { encoding: options, signal: undefined } : options
      const bytes = await wholeOf(this.#files, this.#file, signal)
      return encoding ? bytes.toString(encoding) : bytes
    })
  }

  createReadStream(options: ReadStreamOptions = {}): ReadStream {
    this.#check()
    return new ReadStream(this.#files, { path: this.path, file: this.#file }, options)
  }

  /** Its lines, without their ends. */
  readLines({ encoding = 'utf8', signal }: { readonly encoding?: BufferEncoding; readonly signal?: AbortSignal } = {}): AsyncGenerator<string, void, undefined> {
    this.#check()
    return linesOf(this.#files.read(this.#file, { signal }), encoding)
  }

  async close(): Promise<void> { this.#closed = true }

  async [Symbol.asyncDispose](): Promise<void> { await this.close() }

  #check(): void {
    if (this.#closed) throw new GristmillError('EINVAL', `the handle of ${this.path} has been closed`, { details: { path: this.path } })
  }
}

/** All bytes of a file in one buffer of just its size. */
export async function wholeOf(files: FileClient, file: LocatedFile, signal?: AbortSignal): Promise<Buffer> {
  const { status } = file
  if (status.length > wholeBytesMax) {
    throw new GristmillError('TOO_LARGE', `${status.path} has ${status.length} bytes, more than fit into one buffer (${wholeBytesMax}); use createReadStream`, { details: { path: status.path } })
  }
  const whole = Buffer.allocUnsafeSlow(status.type === 'file' ? status.length : 0)
  let filled = 0
  for await (const piece of files.read(file, { signal, reuse: true })) {
    whole.set(piece, filled)
    filled += piece.length
  }
  return whole
}

/** Node's own readFile ends here. */
const wholeBytesMax = 2 ** 31 - 1
