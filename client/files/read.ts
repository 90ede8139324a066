// A file of the cluster as a Node Readable, with the events and fields of node:fs. Range ends are inclusive, as there; a range past
// the end of the file is empty. The file is located at construction, so that `open` or `error` is emitted without a read; data is
// requested when the stream is read, at most one piece beyond the high-water mark.
// Invariant: however the stream ends, its pending work ends too, and `close` is emitted after its wires and files are closed.

import { finished, Readable } from 'node:stream'
import { abortError, throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { type TextEncoding, textEncodings } from '../../src/base/formats.ts'
import { MiB } from '../../src/base/units.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { LocatedFile } from '../../src/file/read.ts'
import { markBytes } from '../../src/record/utf8.ts'
import { checkNamed, encodedOptionsOf, flagsOf, pathOf, shown, type Path } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { described } from '../call/perform.ts'

export interface ReadStreamOptions {
  /** First byte; default: 0. */
  readonly start?: number | undefined
  /** Last byte, inclusive; default: the last byte of the file. */
  readonly end?: number | undefined
  /** Emit strings in this encoding instead of Buffers. */
  readonly encoding?: BufferEncoding | null | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes buffered in the stream; default: 1 MiB. Also the maximum size of a chunk. */
  readonly highWaterMark?: number | undefined
  /** false: the stream is not destroyed automatically at its end or after an error. */
  readonly autoClose?: boolean | undefined
  /** false: no `close` event. */
  readonly emitClose?: boolean | undefined
}

/**
 * Reads and checks the options of `call`. `check` throws for an invalid encoding (default: one unknown to Buffer). Throws EINVAL.
 */
export function readStreamOptions(
  given: BufferEncoding | ReadStreamOptions | null | undefined,
  call: string, check?: (encoding: unknown) => unknown,
): ReadStreamOptions {
  const options = encodedOptionsOf<ReadStreamOptions>(
    given, call,
    { start: true, end: true, encoding: true, signal: true, highWaterMark: true, autoClose: true, emitClose: true },
    { flags: 'r' }, check,
  )
  flagsOf(options, 'autoClose', 'emitClose')
  // A high-water mark of 0 would never request data.
  if ('highWaterMark' in options) checkInteger('high-water mark', options.highWaterMark ?? Number.NaN, 1, 2 ** 30)
  const { start = 0, end = Infinity } = options
  for (const [name, value] of Object.entries({ start, end })) {
    if (typeof value !== 'number' || !(value >= 0) || ((name === 'start' || value !== Infinity) && !Number.isSafeInteger(value)))
      throw new GristmillError('EINVAL', `"${name}" must be a whole number of at least 0, not ${shown(value)}`)
  }
  if (start > end) throw new GristmillError('EINVAL', `"start" (${start}) is behind "end" (${end}); ranges include their end`)
  return options
}

/** Source of a stream: a path, or a file that is already open. */
type Readings = { readonly path: Path } | {
  readonly path: string
  readonly file: LocatedFile
  /** Called with the number of bytes of each chunk. */
  readonly onChunk?: ((bytes: number) => void) | undefined
}

export class ReadStream extends Readable {
  readonly path: string
  /** Bytes read so far. */
  bytesRead = 0
  /** True while the file is not open: not yet, or no longer. */
  pending: boolean
  readonly #pieces: (file: LocatedFile) => AsyncGenerator<Buffer, void, void>
  readonly #chunkBytes: number
  readonly #ending = new AbortController()
  readonly #located: Promise<LocatedFile>
  readonly #onChunk: ((bytes: number) => void) | undefined
  #reading: AsyncGenerator<Buffer, void, void> | undefined
  #file: LocatedFile | undefined
  #piece: Buffer | undefined
  #busy: Promise<unknown> | undefined

  /** Throws EINVAL for invalid arguments; all other errors are emitted as `error`. */
  constructor(files: FileClient, what: Readings, given?: BufferEncoding | ReadStreamOptions | null) {
    let path: string
    let options: ReadStreamOptions
    try {
      path = 'file' in what ? what.path : pathOf(what.path)
      options = readStreamOptions(given, 'createReadStream')
    } catch (error) {
      throw described(error, 'read', what.path)
    }
    const { start = 0, end = Infinity, encoding, signal, highWaterMark = MiB, autoClose = true, emitClose = true } = options
    super({ highWaterMark, autoDestroy: autoClose, emitClose, ...encoding && { encoding } })
    this.path = path
    this.pending = !('file' in what)
    this.#chunkBytes = highWaterMark
    this.#onChunk = 'file' in what ? what.onChunk : undefined
    const both = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal
    const range = { start, end: end === Infinity ? undefined : end + 1, signal: both }
    this.#pieces = located => files.read('file' in what ? what.file : path, { ...range, located })
    this.#located = 'file' in what ? Promise.resolve(what.file)
      : files.locate(path, { offset: start, signal: both, ...range.end !== undefined && { length: range.end - start } }).then(located => {
        if (!('file' in what)) checkNamed(what.path, located.status)
        if (located.status.type === 'directory') throw new GristmillError('EISDIR', `"${path}" is a directory`, { details: { path } })
        return located
      })
    this.#located.catch(() => {}) // reported by `_construct`
    if (signal) {
      const onAbort = (): void => { this.destroy(described(abortError(signal), 'read', path)) }
      if (signal.aborted) onAbort()
      else {
        signal.addEventListener('abort', onAbort, { once: true })
        this.once('close', () => signal.removeEventListener('abort', onAbort))
      }
    }
  }

  /**
   * Destroys the stream; `callback` is called when it is closed. As in node:fs it gets an error unless all data was read:
   * ERR_STREAM_PREMATURE_CLOSE, or the error that ended the stream.
   */
  close(callback?: (error?: NodeJS.ErrnoException | null) => void): void {
    if (callback) finished(this, callback)
    this.destroy()
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#located.then(file => {
      this.#file = file
      const opened = this.pending
      this.pending = false
      done()
      if (!opened || this.destroyed) return
      this.emit('open')
      this.emit('ready')
    }, (error: unknown) => {
      // A destroyed stream has its error already.
      done(this.destroyed ? null : described(error, 'open', this.path))
    })
  }

  override destroy(error?: Error): this {
    // Node waits for `_construct` before it calls `_destroy`: the work that `_construct` waits for must be aborted here.
    if (!this.readableEnded) this.#ending.abort(error ?? new GristmillError('ABORTED', 'the stream was closed'))
    return super.destroy(error)
  }

  override _read(): void {
    // Not within this call: Node would join both chunks into one larger than the high-water mark.
    if (this.#piece) return queueMicrotask(() => { if (!this.destroyed) this.#give() })
    this.#reading ??= this.#pieces(this.#file!)
    const asked = this.#reading.next()
    this.#busy = asked.then(({ value, done }) => {
      if (this.destroyed) return
      if (done) { this.push(null); return }
      this.#piece = value
      this.#give()
    }, (error: unknown) => { this.destroy(described(error, 'read', this.path)) })
  }

  /** Pushes the next chunk of the piece, at most one high-water mark long. */
  #give(): void {
    const piece = this.#piece!
    const chunk = piece.length > this.#chunkBytes ? piece.subarray(0, this.#chunkBytes) : piece
    this.#piece = chunk.length === piece.length ? undefined : piece.subarray(chunk.length)
    this.bytesRead += chunk.length
    this.#onChunk?.(chunk.length)
    this.push(chunk)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#piece = undefined
    this.pending = true
    this.#ending.abort(error ?? new GristmillError('ABORTED', 'the stream was closed'))
    // The generator closes its wires and files when it returns.
    void Promise.resolve(this.#busy).then(() => this.#reading?.return()).catch(() => {}).then(() => done(error))
  }
}

export type LineEncoding = BufferEncoding | 'utf16be' | 'windows1252'
/** Further names of Buffer for text encodings. */
const otherNames: Readonly<Record<string, TextEncoding>> = { binary: 'latin1', ucs2: 'utf16le' }

/** Encodings for reading the lines of a text. */
interface LineReading {
  /** Encoding of the text, if given. An encoding that Buffer lacks, and `utf16le`, is converted to UTF-8 before lines are split. */
  readonly text: TextEncoding | undefined
  /** Encoding with which Buffer decodes a line after that conversion. */
  readonly decode: BufferEncoding
}

/** Throws EINVAL for a value that is no text encoding. */
export function lineReadingOf(value: unknown): LineReading {
  if (value === undefined || value === null) return { text: undefined, decode: 'utf8' }
  const name = typeof value === 'string' ? value.toLowerCase().replace('-', '') : ''
  const text = textEncodings.find(each => each === (otherNames[name] ?? name))
  if (text) return { text, decode: text === 'latin1' ? 'latin1' : 'utf8' }
  if (name === 'ascii') return { text: 'utf8', decode: 'ascii' }
  throw new GristmillError(
    'EINVAL',
    `lines are read as ${textEncodings.join(', ')} or ascii, not as ${shown(value)}, which is no encoding of text; read the whole file with readFile`,
  )
}

export type LineStreamOptions = Omit<ReadStreamOptions, 'encoding'> & { readonly encoding?: LineEncoding | null | undefined }

/** Reads and checks the options of `readLines`: those of the byte stream, and the encodings of its lines. Throws EINVAL. */
export function lineStreamOptions(given: LineEncoding | LineStreamOptions | null | undefined): {
  stream: ReadStreamOptions
  reading: LineReading
} {
  const { encoding, ...stream } = readStreamOptions(
    given as BufferEncoding | ReadStreamOptions | null | undefined,
    'readLines', lineReadingOf,
  )
  return { stream, reading: lineReadingOf(encoding) }
}

/** Pieces of a file from its beginning, without the UTF-8 byte order mark. */
export async function* withoutMark(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  /** Bytes received so far, while too few to detect a mark. */
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const piece of pieces) {
    if (!head) { yield piece; continue }
    head = Buffer.concat([head, piece])
    if (head.length < 3) continue
    yield head.subarray(markBytes(head))
    head = undefined
  }
  if (head && head.length > 0) yield head
}

/** Complete lines without their ends (`\n` or `\r\n`). The last line may lack an end. */
export async function* linesOf(
  pieces: AsyncIterable<Buffer>, encoding: BufferEncoding = 'utf8', signal?: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  /** Parts of a line whose end was not received yet. */
  let begun: Buffer[] = []
  for await (const piece of pieces) {
    let start = 0
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, start)) {
      const rest = piece.subarray(start, end)
      yield lineOf(begun.length > 0 ? Buffer.concat([...begun, rest]) : rest, encoding)
      // A piece has thousands of lines.
      throwIfAborted(signal)
      begun = []
      start = end + 1
    }
    if (start < piece.length) begun.push(piece.subarray(start))
  }
  if (begun.length > 0) yield lineOf(Buffer.concat(begun), encoding)
}

const lineOf = (bytes: Buffer, encoding: BufferEncoding): string =>
  bytes.toString(encoding, 0, bytes.at(-1) === 13 ? bytes.length - 1 : bytes.length)
