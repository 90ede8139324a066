// A file of the cluster as a Node stream. The ends of ranges are inclusive, as in node:fs; a range past the end of the file
// is empty. Nothing is asked for before the stream is read, and at most one piece beyond the high-water mark is on its way.

import { Readable } from 'node:stream'
import { GristmillError } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import { MiB } from '../../src/base/units.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { LocatedFile } from '../../src/file/read.ts'
import { described } from './describe.ts'

export interface ReadStreamOptions {
  /** First byte; 0 unless told. */
  readonly start?: number | undefined
  /** Last byte, included; the file's last unless told. */
  readonly end?: number | undefined
  /** Chunks are strings of this encoding rather than Buffers. */
  readonly encoding?: BufferEncoding | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes that wait in the stream for its reader; 1 MiB unless told. Chunks are of this size at most. */
  readonly highWaterMark?: number | undefined
}

export class ReadStream extends Readable {
  readonly path: string
  /** Bytes read so far. */
  bytesRead = 0
  readonly #pieces: AsyncGenerator<Buffer, void, void>
  readonly #chunkBytes: number
  readonly #ending = new AbortController()
  #piece: Buffer | undefined
  #busy: Promise<unknown> | undefined

  /** `file`: by its path, or one that has been looked up already. */
  constructor(files: FileClient, { path, file = normalise(path) }: { path: string; file?: string | LocatedFile }, { start = 0, end = Infinity, encoding, signal, highWaterMark = MiB }: ReadStreamOptions) {
    super({ highWaterMark, ...encoding && { encoding } })
    for (const [name, value] of Object.entries({ start, end })) {
      if (!(value >= 0) || (value !== Infinity && !Number.isSafeInteger(value))) throw new GristmillError('EINVAL', `"${name}" must be a whole number of at least 0, not ${value}`, { details: { path, syscall: 'read' } })
    }
    if (start > end) throw new GristmillError('EINVAL', `"start" (${start}) is behind "end" (${end}); ranges include their end`, { details: { path, syscall: 'read' } })
    this.path = path
    this.#chunkBytes = Math.max(1, highWaterMark)
    const both = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal
    this.#pieces = files.read(file, { start, end: end === Infinity ? undefined : end + 1, signal: both })
    if (signal) {
      const onAbort = (): void => { this.destroy(described(signal.reason, 'read', path) as Error) }
      if (signal.aborted) onAbort()
      else {
        signal.addEventListener('abort', onAbort, { once: true })
        this.once('close', () => signal.removeEventListener('abort', onAbort))
      }
    }
  }

  override _read(): void {
    // Not within this call: Node would join both chunks into one that is larger than was asked for.
    if (this.#piece) return queueMicrotask(() => { if (!this.destroyed) this.#give() })
    const asked = this.#pieces.next()
    this.#busy = asked.then(({ value, done }) => {
      if (this.destroyed) return
      if (done) { this.push(null); return }
      this.#piece = value
      this.#give()
    }, (error: unknown) => { this.destroy(described(error, 'read', this.path) as Error) })
  }

  /** Hands out the piece, in chunks that are not larger than was asked for. */
  #give(): void {
    const piece = this.#piece!
    const chunk = piece.length > this.#chunkBytes ? piece.subarray(0, this.#chunkBytes) : piece
    this.#piece = chunk.length === piece.length ? undefined : piece.subarray(chunk.length)
    this.bytesRead += chunk.length
    this.push(chunk)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#piece = undefined
    this.#ending.abort(error ?? new GristmillError('ABORTED', 'the stream was closed'))
    // The generator closes its wires and files when it returns; nobody should wait for that but whoever closes the client.
    void Promise.resolve(this.#busy).then(() => this.#pieces.return()).catch(() => {}).then(() => done(error))
  }
}

/** Whole lines, without their ends (`\n` or `\r\n`). The last one need not have an end. */
export async function* linesOf(pieces: AsyncIterable<Buffer>, encoding: BufferEncoding = 'utf8'): AsyncGenerator<string, void, undefined> {
  /** Parts of a line whose end has not come yet. */
  let begun: Buffer[] = []
  for await (const piece of pieces) {
    let start = 0
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, start)) {
      const rest = piece.subarray(start, end)
      yield lineOf(begun.length > 0 ? Buffer.concat([...begun, rest]) : rest, encoding)
      begun = []
      start = end + 1
    }
    if (start < piece.length) begun.push(piece.subarray(start))
  }
  if (begun.length > 0) yield lineOf(Buffer.concat(begun), encoding)
}

const lineOf = (bytes: Buffer, encoding: BufferEncoding): string => bytes.toString(encoding, 0, bytes.at(-1) === 13 ? bytes.length - 1 : bytes.length)
