// A new file of the cluster as a Node Writable, with the events and fields of node:fs. The file is visible, complete, once the
// stream has finished; a stream destroyed before, by any error, leaves nothing. An existing file at the path stays until then.

import { Writable } from 'node:stream'
import { abortable, abortError } from '../../src/base/abort.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { recordFormats, type RecordFormat } from '../../src/base/formats.ts'
import { limits } from '../../src/base/limits.ts'
import { MiB } from '../../src/base/units.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { ClusterFileWriter } from '../../src/file/writer.ts'
import { delimiterCode } from '../../src/record/records.ts'
import {
  encodedOptionsOf, encodingOf, flagsOf, modeOf, namesDirectory, pathOf, shown, slashed, type Known, type Path,
} from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { described, SourceFailure } from '../call/perform.ts'

export interface WriteOptions {
  /** Replaces an existing file; default: true, as in node:fs. */
  readonly overwrite?: boolean | undefined
  /**
   * Alternative to `overwrite`, as in node:fs: `w` replaces, `wx` does not. Other flags are refused, because files are written
   * once.
   */
  readonly flag?: 'w' | 'wx' | null | undefined
  /** Creates missing parent directories. */
  readonly parents?: boolean | undefined
  /** Permission bits, as a number or in octal digits; default: 0o644. */
  readonly mode?: number | string | undefined
  /** Permission bits of a new file whose directory has a default list, which they bound; default: `mode`. */
  readonly unmaskedMode?: number | string | undefined
  /** Replicas of each block; default: the cluster's. */
  readonly replication?: number | undefined
  /** Maximum size of a block; default: the cluster's. */
  readonly blockSize?: number | undefined
  /**
   * Ends blocks between records, so that each block can be processed on its node: `lines`, `jsonl`, `csv`; `bytes` ends them
   * anywhere.
   */
  readonly format?: RecordFormat | undefined
  /** csv: field separator. */
  readonly delimiter?: string | undefined
  /** csv: the first row names the columns, or it does not: SQL does not guess then. */
  readonly header?: boolean | undefined
  /** A file that replaces another one has its extended attributes; default: false, as with a new file. */
  readonly keepAttributes?: boolean | undefined
  /**
   * A file that replaces another one keeps its owner, group, mode and access control list, as after an append; who may write that file may
   * do it. ENOENT if there is none; EINVAL with `overwrite: false`, `wx`, `parents` or a mode. Default: false.
   */
  readonly keepOwner?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface WriteFileOptions extends WriteOptions {
  /** Encoding of strings that are written. */
  readonly encoding?: BufferEncoding | null | undefined
  /** As in node:fs; no effect, because a file is always durable before it is visible. */
  readonly flush?: boolean | undefined
}

export interface WriteStreamOptions extends WriteFileOptions {
  /** Bytes buffered in the stream before `write` returns false; default: 1 MiB. */
  readonly highWaterMark?: number | undefined
  /** The name of `flag` in node:fs streams. */
  readonly flags?: WriteOptions['flag']
  /** false: the stream is not destroyed automatically after its end or an error. */
  readonly autoClose?: boolean | undefined
  /** false: no `close` event. */
  readonly emitClose?: boolean | undefined
}

const writeOptionNames: Known<WriteOptions> = {
  overwrite: true, flag: true, parents: true, mode: true, unmaskedMode: true, replication: true, blockSize: true, format: true,
  delimiter: true, header: true, keepAttributes: true, keepOwner: true, signal: true,
}
const writeFileOptionNames: Known<WriteFileOptions> = { ...writeOptionNames, encoding: true, flush: true }
const writeStreamOptionNames: Known<WriteStreamOptions> = {
  ...writeFileOptionNames, highWaterMark: true, flags: true, autoClose: true, emitClose: true,
}

/** Options for FileClient. Throws EINVAL before any call is sent. */
export function createOptions(options: WriteOptions) {
  const { blockSize, flag, parents, mode, unmaskedMode, replication, format, delimiter, header, signal } = options
  // Checked at run time: JavaScript callers may pass `a`, and must not lose the file that they want to append to.
  const named: string = (flag as string) === 'xw' ? 'wx' : flag ?? 'w'
  if (named !== 'w' && named !== 'wx')
    throw new GristmillError(
      'EINVAL',
      `files are written with "w" or "wx", not with ${shown(flag)}: a file is written once and whole, and never changed`,
    )
  flagsOf(options, 'overwrite', 'parents', 'header', 'keepAttributes', 'keepOwner')
  checkInteger('block size', blockSize, limits.blockBytesMin, limits.blockBytesMax)
  checkInteger('number of replicas', replication, 1, limits.replicationMax)
  if (format !== undefined && !(recordFormats as readonly unknown[]).includes(format))
    throw new GristmillError('EINVAL', `the format is ${shown(format)}; it must be ${recordFormats.slice(0, -1).map(shown).join(', ')} ` +
      `or ${shown(recordFormats.at(-1))}`)
  if (delimiter !== undefined) {
    if (typeof delimiter !== 'string')
      throw new GristmillError('EINVAL', `the delimiter is ${shown(delimiter)}; it must be one ASCII character`)
    delimiterCode(delimiter)
  }
  const overwrite = options.overwrite ?? named === 'w'
  if (options.keepOwner) {
    const other = !overwrite ? 'a file that must not exist (overwrite: false, or "wx")' : parents ? 'new directories (parents)'
      : (mode ?? unmaskedMode ?? undefined) !== undefined ? 'a mode' : undefined
    if (other !== undefined)
      throw new GristmillError(
        'EINVAL',
        `keepOwner writes a new state of an existing file, which keeps its mode, and ${other} is asked for; leave out one of both`,
      )
  }
  return {
    overwrite, parents, replication: replication ?? undefined, format, delimiter, header, signal,
    mode: modeIn(mode), unmasked: modeIn(unmaskedMode, 'unmasked mode'), blockBytes: blockSize ?? undefined,
    ...options.keepOwner && { keepsOwner: true as const },
    ...options.keepAttributes && { appearance: { keepsAttributes: true as const } },
  }
}

const modeIn = (mode: number | string | null | undefined, name?: string): number | undefined =>
  (mode === undefined || mode === null ? undefined : modeOf(mode, name))

export class WriteStream extends Writable {
  readonly path: string
  /** Bytes accepted so far. */
  bytesWritten = 0
  /** True while the file is not open: not created yet, or closed. */
  pending = true
  /** Status of the file once it is complete. */
  status: FileStatus | undefined
  readonly #files: FileClient
  readonly #signal: AbortSignal
  readonly #autoClose: boolean
  readonly #opening: Promise<ClusterFileWriter>
  /** Aborts pending work when the stream is destroyed. */
  readonly #ending = new AbortController()
  #work: Promise<unknown>

  /** Throws EINVAL for invalid arguments; all other errors are emitted as `error`. */
  constructor(files: FileClient, given: Path, streamOptions?: BufferEncoding | WriteStreamOptions | null) {
    let path: string
    let options: Partial<WriteStreamOptions>
    let creating: ReturnType<typeof createOptions>
    try {
      path = pathOf(given)
      options = encodedOptionsOf<WriteStreamOptions>(streamOptions, 'createWriteStream', writeStreamOptionNames, { start: 0 })
      const { flags, flag = flags } = options
      flagsOf(options, 'autoClose', 'emitClose', 'flush')
      if ('highWaterMark' in options) checkInteger('high-water mark', options.highWaterMark ?? Number.NaN, 0, 2 ** 30)
      creating = createOptions({ ...options, flag })
    } catch (error) {
      throw described(error, 'open', given)
    }
    const { highWaterMark = MiB, encoding, signal, autoClose = true, emitClose = true } = options
    super({ highWaterMark, autoDestroy: autoClose, emitClose, ...encoding && { defaultEncoding: encoding } })
    this.path = path
    this.#files = files
    this.#autoClose = autoClose
    // Created at once, so that an unwritable path is reported before any data is written.
    const both = signal ? AbortSignal.any([signal, this.#ending.signal]) : this.#ending.signal
    this.#signal = both
    this.#opening = namesDirectory(given) ? Promise.reject(slashed(path)) : files.create(path, { ...creating, signal: both })
    this.#opening.catch(() => {}) // reported by `_construct`
    this.#work = this.#opening
    if (signal) {
      const onAbort = (): void => { this.destroy(described(abortError(signal), 'write', path)) }
      if (signal.aborted) onAbort()
      else {
        signal.addEventListener('abort', onAbort, { once: true })
        this.once('close', () => signal.removeEventListener('abort', onAbort))
      }
    }
  }

  /**
   * The bytes of the file at the path up to `end`, exclusive, with which its new state begins after an append. Permission to write the file
   * suffices. REQUIRES: `keepOwner`, and the stream has not finished.
   */
  async *replaced({ end }: { readonly end?: number | undefined } = {}): AsyncGenerator<Buffer, void, undefined> {
    const { lease } = await this.#opening
    const located = await this.#files.locate(this.path, { lease, signal: this.#signal })
    yield* this.#files.read(located, { end, signal: this.#signal })
  }

  /** As in node:fs: ends the stream; `callback` is called when it is closed. */
  close(callback?: (error?: Error | null) => void): void {
    if (callback) {
      if (this.closed) return queueMicrotask(callback)
      this.on('close', callback)
    }
    if (!this.#autoClose) this.on('finish', () => { this.destroy() })
    this.end()
  }

  override destroy(error?: Error): this {
    // Node waits for `_construct` before it calls `_destroy`: the work that `_construct` waits for must be aborted here. After a
    // finish there is nothing to abort.
    if (!this.writableFinished)
      this.#ending.abort(
        error ?? new GristmillError('ABORTED', 'the stream was destroyed before it had finished', { details: { path: this.path } }),
      )
    return super.destroy(error)
  }

  override _construct(done: (error?: Error | null) => void): void {
    this.#opening.then(() => {
      this.pending = false
      done()
      if (this.destroyed) return
      this.emit('open')
      this.emit('ready')
    }, (error: unknown) => {
      // A destroyed stream has its error already.
      done(this.destroyed ? null : described(error, 'open', this.path))
    })
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#do(async writer => {
      await writer.write(chunk)
      this.bytesWritten += chunk.length
    }, done)
  }

  override _writev(chunks: Array<{ chunk: Buffer }>, done: (error?: Error | null) => void): void {
    this.#do(async writer => {
      for (const { chunk } of chunks) {
        await writer.write(chunk)
        this.bytesWritten += chunk.length
      }
    }, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#do(async writer => { this.status = await writer.close() }, done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // The writer must complete its current work first.
    const finished = this.writableFinished
    this.pending = true
    void this.#work.catch(() => {}).then(() => this.#opening).then(
      writer => (finished ? undefined : writer.drop()), () => {},
    ).catch(() => {}).then(() => done(error))
  }

  #do(work: (writer: ClusterFileWriter) => Promise<void>, done: (error?: Error | null) => void): void {
    this.#work = this.#opening.then(work)
    this.#work.then(() => done(), (error: unknown) => done(described(error, 'write', this.path)))
  }
}

export type FileData =
  string | NodeJS.ArrayBufferView | Iterable<string | NodeJS.ArrayBufferView> | AsyncIterable<string | NodeJS.ArrayBufferView>

/** Throws EINVAL unless a file can be written from this data. */
export function checkData(data: unknown): void {
  if (typeof data === 'string' || ArrayBuffer.isView(data) || isIterable(data)) return
  throw new GristmillError('EINVAL', `a file is written from strings and bytes, or from an iterable of them, not from ${shown(data)}`)
}

/**
 * Converts everything that writeFile accepts to bytes. An abort is obeyed while the source has no data; a source that is not read
 * to its end is closed.
 */
export async function* bytesOf(
  data: FileData, encoding: BufferEncoding, signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  checkData(data)
  if (typeof data === 'string' || ArrayBuffer.isView(data)) yield bytesIn(data, encoding)
  else yield* chunksOf(data, encoding, signal)
}

async function* chunksOf(
  data: Iterable<unknown> | AsyncIterable<unknown>, encoding: BufferEncoding, signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = Symbol.asyncIterator in data ? data[Symbol.asyncIterator]() : data[Symbol.iterator]()
  let ended = false
  let isFailed = false
  try {
    for (;;) {
      // An iterator that throws has closed itself.
      const asked = (async () => source.next())().catch((error: unknown) => {
        ended = true
        throw new SourceFailure(error)
      })
      const { value, done } = await abortable(asked, signal)
      ended = done === true
      if (ended) return
      const chunk: unknown = await abortable(Promise.resolve(value), signal)
      if (typeof chunk === 'string') yield Buffer.from(chunk, encoding)
      else if (ArrayBuffer.isView(chunk)) yield asBytes(chunk as NodeJS.ArrayBufferView)
      else throw new GristmillError('EINVAL', `a file is written from strings and bytes, and its source gave ${shown(chunk)}`)
    }
  } catch (error) {
    isFailed = true
    throw error
  } finally {
    // As in `for await`: an error while the source is closed does not hide the one for which it is closed.
    if (!ended) await closeSource(data, source, signal).catch((error: unknown) => { if (!isFailed) throw new SourceFailure(error) })
  }
}

/** Closes the source of a file that could not be created. Never rejects: the caller gets the error for which it is closed. */
export async function closeUnread(data: FileData, signal: AbortSignal | undefined): Promise<void> {
  if (typeof data === 'string' || ArrayBuffer.isView(data)) return
  // Its iterator would begin to read it.
  if ('destroy' in data && typeof data.destroy === 'function') return void data.destroy()
  try {
    await closeSource(data, Symbol.asyncIterator in data ? data[Symbol.asyncIterator]() : data[Symbol.iterator](), signal)
  } catch {
    // The source's own error.
  }
}

/**
 * Closes a source that was not read to its end. A source that is still producing a chunk may never return: it is awaited until an abort.
 */
async function closeSource(
  data: unknown,
  source: Iterator<unknown> | AsyncIterator<unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const closed = (async () => {
    await source.return?.()
  })()
  closed.catch(() => {})
  try {
    if (!signal?.aborted) return await abortable(closed, signal)
  } catch (error) {
    if (!signal?.aborted) throw error
  }
  // A stream that waits for its next chunk does not react to `return`.
  if (data instanceof Object && 'destroy' in data && typeof data.destroy === 'function') data.destroy()
}

const isIterable = (data: unknown): boolean =>
  typeof data === 'object' && data !== null && (Symbol.asyncIterator in data || Symbol.iterator in data)

export const bytesIn = (data: string | NodeJS.ArrayBufferView, encoding: BufferEncoding): Uint8Array =>
  (typeof data === 'string' ? Buffer.from(data, encoding) : asBytes(data))

const asBytes = (view: NodeJS.ArrayBufferView): Uint8Array =>
  view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** Reads and checks the options of writeFile. Throws EINVAL. */
export function writeFileOptions(given: BufferEncoding | WriteFileOptions | null | undefined) {
  const options = encodedOptionsOf<WriteFileOptions>(given, 'writeFile', writeFileOptionNames)
  flagsOf(options, 'flush')
  return { ...createOptions(options), encoding: options.encoding ? encodingOf(options.encoding) : 'utf8' as const }
}
